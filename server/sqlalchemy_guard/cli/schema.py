"""`sqlalchemy-guard schema`: the tables that the models say, rebuilt from source, as DDL or JSON. Must only render."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

from sqlalchemy_guard.cli.main import EXIT_OK, UsageError
from sqlalchemy_guard.cli.terminal import visible, warn

if TYPE_CHECKING:
    import argparse

    from sqlalchemy_guard.project.workspace import Workspace
    from sqlalchemy_guard.sql.models import Schema

DIALECTS = ("postgresql", "mysql", "sqlite", "mssql", "oracle")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `schema`."""
    parser.add_argument(
        "paths",
        nargs="*",
        default=["."],
        metavar="PATH",
        help="files and folders with the models (default: here)",
    )
    parser.add_argument("--format", choices=("sql", "json"), default="sql", help="default: %(default)s")
    parser.add_argument(
        "--dialect",
        choices=DIALECTS,
        help="default: as configured, else what the project's engines connect to",
    )


def run(options: argparse.Namespace) -> int:
    """Rebuild and print."""
    workspace = open_project(options.paths)
    from sqlalchemy_guard.features.dialect import shown_dialect
    from sqlalchemy_guard.sql import ddl

    schema = rebuilt(workspace)
    if not schema.tables:
        raise UsageError(f"no models under {', '.join(options.paths)}")
    if options.format == "json":
        print(json.dumps(ddl.described(schema), indent=2, ensure_ascii=False))
        return EXIT_OK
    dialect = options.dialect or shown_dialect(workspace, min(one.file_id for one in workspace.known_files()))
    for statement in ddl.statements(schema, dialect):
        is_comment = all(line.startswith("--") for line in statement.splitlines())
        shown = "\n".join(map(visible, statement.splitlines()))
        sys.stdout.write(f"{shown}{'' if is_comment else ';'}\n\n")
    return EXIT_OK


def open_project(paths: list[str]) -> Workspace:
    """The project that paths belong to, read as a whole.

    Raises:
        UsageError: what rebuilds schemas is not installed, or there is nothing to read.
    """
    from sqlalchemy_guard.cli.session import open_workspace
    from sqlalchemy_guard.sql.available import missing

    if (reason := missing()) is not None:
        raise UsageError(reason)

    opened = open_workspace(paths)
    if not opened.files:
        raise UsageError(f"no Python files under {', '.join(paths)}")
    opened.read_project(show_progress=True, put_aside=False)
    for file_id in opened.files:
        opened.workspace.file(file_id)
    for path, _, reason in opened.skipped:
        warn(f"{path} {reason}")
    return opened.workspace


def rebuilt(workspace: Workspace) -> Schema:
    """The models, with a warning for each class, relationship or table that could not be told as a whole.

    What is unknown of single columns stands where these are printed.
    """
    from sqlalchemy_guard.sql.models import rebuild

    schema = rebuild(workspace)
    columns = {f"{table.fullname}.{column.name}" for table in schema.tables for column in table.columns}
    for one in schema.unknown:
        if one.what in columns:
            continue
        place = f"{one.place.file_id}:{one.place.span.line + 1}: " if one.place is not None else ""
        warn(f"{place}{visible(one.what)}: {visible(_told(one.reason))}")
    return schema


def _told(reason: str) -> str:
    """Why something could not be rebuilt, in the words of who wrote the model where SQLAlchemy says it in its own."""
    if "does not have a __table__ or __tablename__" in reason:
        return "it has no `__tablename__`, so it is left out"
    shown = re.sub(r"<class '(?:[\w<>]+\.)*(\w+)'>", r"`\1`", reason)
    return shown.partition(" (Background on this error")[0].rstrip(".")
