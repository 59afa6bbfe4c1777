"""Rules about ORM models. One file a rule; a module that starts with an underscore is shared and is none."""
