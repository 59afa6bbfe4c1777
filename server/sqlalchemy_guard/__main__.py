"""`python -m sqlalchemy_guard` is the command line."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        # `-m` looks for modules in the working directory first: a project's own `yaml.py` would run instead of the library.
        del sys.path[0]
    from sqlalchemy_guard.cli.main import entry

    entry()
