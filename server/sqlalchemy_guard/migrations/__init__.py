"""The history of revisions, read as data. Nothing here runs a revision, `env.py` or a template."""
