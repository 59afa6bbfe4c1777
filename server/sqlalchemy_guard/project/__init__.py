"""Project: the module graph and the resolution of names and types across files."""
