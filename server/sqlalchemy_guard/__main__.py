"""`python -m sqlalchemy_guard` is the command line."""

from sqlalchemy_guard.cli.main import entry

if __name__ == "__main__":
    entry()
