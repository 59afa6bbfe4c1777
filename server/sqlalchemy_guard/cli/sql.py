"""`sqlalchemy-guard sql FILE:LINE`: the SQL of a statement, over models rebuilt from source. Must only render."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.cli.main import EXIT_OK, EXIT_VIOLATIONS, UsageError
from sqlalchemy_guard.cli.schema import DIALECTS, open_project
from sqlalchemy_guard.cli.terminal import visible
from sqlalchemy_guard.vfs import canonical

if TYPE_CHECKING:
    import argparse

    from sqlalchemy_guard.sql.preview import Variant


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `sql`."""
    parser.add_argument("place", metavar="FILE:LINE", help="the statement: a file and a line, counted from 1")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")
    parser.add_argument(
        "--dialect",
        choices=DIALECTS,
        help="default: as configured, else what the project's engines connect to",
    )


def run(options: argparse.Namespace) -> int:
    """Preview and print; 1 when there is no statement whose SQL is known."""
    path, _, number = options.place.rpartition(":")
    if not path or not number.isdigit() or int(number) < 1:
        raise UsageError(f"{options.place} is no FILE:LINE")
    workspace = open_project([path])
    from sqlalchemy_guard.features.dialect import shown_dialect
    from sqlalchemy_guard.sql.preview import preview

    file_id = canonical(path)
    if workspace.file(file_id) is None:
        raise UsageError(f"{path} {workspace.skipped.get(file_id, 'cannot be read')}")
    dialect = options.dialect or shown_dialect(workspace, file_id)
    variants = preview(workspace, file_id, int(number) - 1, dialect)
    if options.format == "json":
        print(json.dumps([to_object(one) for one in variants], indent=2, ensure_ascii=False))
    elif variants:
        sys.stdout.write("\n".join(map(to_text, variants)))
    else:
        print(f"{options.place}: no statement whose tables are known", file=sys.stderr)
    return EXIT_OK if variants else EXIT_VIOLATIONS


def to_text(variant: Variant) -> str:
    """A form of a statement with what is to be known of it, in comments."""
    lines = [f"-- if {' and '.join(variant.when)}"] if variant.when else []
    lines += variant.sql.splitlines() or [f"-- error: {variant.error}"]
    if variant.rows:
        lines.append(f"-- rows: {variant.rows}")
    lines += [f"-- + {one}" for one in variant.added]
    lines += [
        f"-- nothing links {one}: every row of one is paired with every row of the other"
        for one in variant.unlinked
    ]
    if variant.unknown:
        lines.append(f"-- not shown, because not known: {', '.join(variant.unknown)}")
    return "".join(f"{visible(line)}\n" for line in lines)


def to_object(variant: Variant) -> dict[str, Any]:
    """A form of a statement as a JSON-ready mapping."""
    names = ("sql", "error", "parameters", "rows", "added", "unknown", "unlinked", "when", "terminal")
    return {
        **{
            name: list(value) if isinstance(value := getattr(variant, name), tuple) else value
            for name in names
        },
        "row": variant.span.line + 1,
        "column": variant.span.column + 1,
        "end_row": variant.span.end_line + 1,
        "end_column": variant.span.end_column + 1,
    }
