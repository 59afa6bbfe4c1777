"""Rules about engines and sessions. One file a rule; a module that starts with an underscore is shared and is none."""
