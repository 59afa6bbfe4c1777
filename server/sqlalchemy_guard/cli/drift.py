"""`sqlalchemy-guard drift`: what the models have that the migrations do not build. Must never decide what differs."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.cli.main import EXIT_ERROR, EXIT_OK, EXIT_VIOLATIONS, UsageError
from sqlalchemy_guard.cli.terminal import visible, warn
from sqlalchemy_guard.vfs import canonical

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from sqlalchemy_guard.cli.session import Opened
    from sqlalchemy_guard.migrations.drift import Drift

_DIALECTS = ("postgresql", "mysql", "sqlite", "mssql", "oracle")
_MOST_LIMITS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `drift`."""
    parser.add_argument("path", nargs="?", default=".", metavar="PATH", help="the project (default: here)")
    parser.add_argument("--dialect", choices=_DIALECTS, help="the database (default: what the project uses)")
    parser.add_argument(
        "--write", action="store_true", help="write the revision that puts the history in step"
    )
    parser.add_argument("-m", "--message", default="", help="what the revision is about, with --write")
    parser.add_argument(
        "--output-format", choices=("text", "json"), default="text", help="default: %(default)s"
    )


def run(options: argparse.Namespace) -> int:
    """Compare, print, and write where that was asked for.

    Returns:
        0 when models and migrations are in step, 1 when they differ, 2 when that could not be told.
    """
    if options.write and not options.message.strip():
        raise UsageError('say what the revision is about: --write -m "add age to users"')
    if options.message and not options.write:
        raise UsageError("-m is for the revision that --write writes; add --write")
    try:
        from sqlalchemy_guard.migrations.drift import drifts
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{error.name} is needed to rebuild schemas: install `sqlalchemy-guard[schema]`"
        ) from None
    from sqlalchemy_guard.cli.session import open_workspace

    opened = open_workspace([options.path])
    if not opened.files:
        raise UsageError(f"no Python files under {options.path}")
    opened.read_project(show_progress=options.output_format == "text", put_aside=False)
    found = list(drifts(opened.workspace, options.dialect))
    if not found:
        raise UsageError("no Alembic environment was found: a folder with an env.py that runs migrations")
    for path, _, reason in opened.skipped:
        warn(f"{path} {reason}")
    base = canonical(".")
    if options.output_format == "json":
        print(json.dumps([to_object(one) for one in found], indent=2, ensure_ascii=False))
    else:
        sys.stdout.write("".join(to_text(one, base) for one in found))
    if options.write:
        _write(opened, found, options.message.strip(), base)
    if any(one.problem for one in found):
        return EXIT_ERROR
    return EXIT_VIOLATIONS if any(one.findings for one in found) else EXIT_OK


def _write(opened: Opened, found: Sequence[Drift], message: str, base: str) -> None:
    from sqlalchemy_guard.migrations.render import RenderError, render

    for one in found:
        if one.problem or not one.findings:
            continue
        try:
            rendered = render(opened.workspace, one, message)
        except RenderError as error:
            raise UsageError(f"no revision was written: {error}") from error
        trouble = opened.vfs.create(rendered.path, rendered.text)
        if trouble:
            raise UsageError(f"{rendered.path}: {trouble}")
        print(f"wrote {_shown(rendered.path, base)}", file=sys.stderr)
        for note in rendered.notes:
            print(f"  {visible(note)}", file=sys.stderr)


def to_object(drift: Drift) -> dict[str, Any]:
    """A drift as a JSON-ready mapping."""
    limits = drift.replay.limits if drift.replay is not None else []
    return {
        "environment": drift.environment.scripts.folder,
        "versions": list(drift.environment.scripts.version_folders),
        "dialects": list(drift.dialects),
        "revisions": len(drift.environment.revisions),
        "heads": [head.id for head in drift.environment.graph.heads],
        "problem": drift.problem or None,
        "differences": [
            {
                "message": finding.message,
                "kind": finding.differences[0].kind,
                "tables": [one.table for one in finding.differences],
                "column": finding.differences[0].column,
                "revision": finding.revision or None,
                "filename": finding.place.file_id if finding.place is not None else None,
                "row": finding.place.span.line + 1 if finding.place is not None else None,
                "column_number": finding.place.span.column + 1 if finding.place is not None else None,
            }
            for finding in drift.findings
        ],
        "not_followed": [
            {"reason": one.reason, "revision": one.revision, "filename": one.file_id, "row": one.line + 1}
            for one in limits
        ],
    }


def to_text(drift: Drift, base: str) -> str:
    """A drift in lines for people."""
    folder = _shown(drift.environment.scripts.folder, base)
    if len(drift.environment.scripts.version_folders) == 1:
        folder = _shown(drift.environment.scripts.version_folders[0], base)
    if drift.problem:
        return f"{folder}: cannot be compared: {visible(drift.problem)}\n"
    dialects = " and ".join(drift.dialects)
    number = len(drift.findings)
    verdict = "in step with the models" if not number else f"{number} difference{'s' if number > 1 else ''}"
    lines = [f"{folder} ({dialects}, {len(drift.environment.revisions)} revisions): {verdict}"]
    for finding in drift.findings:
        place = ""
        if finding.place is not None:
            span = finding.place.span
            place = f"{_shown(finding.place.file_id, base)}:{span.line + 1}:{span.column + 1}: "
        since = f" (since revision {finding.revision})" if finding.revision else ""
        lines.append(f"  {place}{visible(finding.message)}{since}")
    limits = drift.replay.limits if drift.replay is not None else []
    if limits:
        lines.append("  not followed, and so not compared:")
        lines += [
            f"    {_shown(one.file_id, base)}:{one.line + 1}: {visible(one.reason)}"
            for one in limits[:_MOST_LIMITS]
        ]
        if len(limits) > _MOST_LIMITS:
            lines.append(f"    … and {len(limits) - _MOST_LIMITS} more")
    return "\n".join([*lines, ""])


def _shown(path: str, base: str) -> str:
    return visible(path.removeprefix(os.path.join(base, "")))
