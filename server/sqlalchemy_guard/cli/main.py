"""The entry of the command line: which command, and its exit code.

A command's module is imported only when that command runs, so that none waits for what another needs. This
module must never import pygls, lsprotocol or SQLAlchemy.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from sqlalchemy_guard import __version__

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

COMMANDS = {
    "check": "check files and folders, and fix what is wrong",
    "rule": "explain a rule, or list all rules",
    "config": "show the settings in force and where each comes from",
    "baseline": "put off all present violations, so that only new ones are reported",
    "drift": "compare the models with the schema that the migrations build, without a database",
    "stats": "show how much of the code's use of SQLAlchemy was understood",
    "schema": "print the tables that the models say, as DDL or JSON, without a database",
    "sql": "show the SQL of the statement at a line, without a database",
    "server": "run the language server",
}
EXIT_OK, EXIT_VIOLATIONS, EXIT_ERROR, EXIT_INTERRUPTED = 0, 1, 2, 130


class UsageError(Exception):
    """The command line cannot be followed; the message says what to mend."""


def entry() -> NoReturn:
    """Run and leave the process; the console script."""
    if sys.argv[1:2] != ["server"]:
        # A run ends before collecting its trees would give anything back, and walking them is a third of the time.
        gc.disable()
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`head`, a pager) has seen enough. What is still buffered must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_OK
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except Exception:
        # Python's own exit code 1 would read as "violations found".
        import traceback

        traceback.print_exc()
        print(
            "error: this is a fault of sqlalchemy-guard itself; please report it with the lines above",
            file=sys.stderr,
        )
        code = EXIT_ERROR
    # What Python collects on its way out would be everything that was analysed: longer than the run itself.
    gc.freeze()
    sys.exit(code)


def main(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns:
        0 when there is nothing to complain of, 1 for violations, 2 when it failed.
    """
    if list(arguments) in (["server"], ["server", "--stdio"]):
        # How editors start it. Their users wait, and a parser takes as long to load as ten modules of the server.
        from sqlalchemy_guard.cli.server import serve_editor

        return serve_editor()
    parser = build_parser(arguments)
    try:
        parsed = parser.parse_args(arguments)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else EXIT_ERROR
    command = getattr(parsed, "command", None)
    if command is None:
        parser.print_help()
        return EXIT_ERROR
    for stream in (sys.stdout, sys.stderr):
        # Names and messages hold any character; a terminal that lacks one shows its escape.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        run = importlib.import_module(f"sqlalchemy_guard.cli.{command}").run
        code: int = run(parsed)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_ERROR
    return code


def build_parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; only the command that the arguments name has its options."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="sqlalchemy-guard",
        description="Finds and fixes violations of SQLAlchemy guidelines. Never imports or runs your code.",
    )
    parser.add_argument("-V", "--version", action="version", version=f"sqlalchemy-guard {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == chosen:
            importlib.import_module(f"sqlalchemy_guard.cli.{name}").add_arguments(command)
    return parser
