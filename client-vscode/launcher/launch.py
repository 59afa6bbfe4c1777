"""Starts the bundled server with nothing but the standard library and the bundle on the path.

Run as `python -I -S launch.py server`: -I and -S keep the user's packages, environment variables and working
directory out, so that no other version of a library can shadow a bundled one. This file must stay readable for
every Python 3, so that an old one gets a message and not a syntax error.
"""

import os
import sys

OLDEST = (3, 11)

if __name__ == "__main__":
    if sys.version_info < OLDEST:
        wanted, found = (".".join(map(str, version[:2])) for version in (OLDEST, sys.version_info))
        sys.exit(
            "SQLAlchemy Guard needs Python " + wanted + " or newer to run; this is Python " + found + ". "
            "Your project itself may use any version."
        )
    if not (sys.flags.isolated and sys.flags.no_site):
        sys.exit("Start this file with `python -I -S`, so that no other packages get in the way.")
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "libs"))

    import runpy

    runpy.run_module("sqlalchemy_guard", run_name="__main__", alter_sys=True)
