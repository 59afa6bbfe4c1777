"""`sqlalchemy-guard stats`: how much of a code base's use of SQLAlchemy was understood. Must only render."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.cli.main import EXIT_OK, UsageError
from sqlalchemy_guard.cli.terminal import progress, visible, warn
from sqlalchemy_guard.vfs import canonical

if TYPE_CHECKING:
    import argparse

    from sqlalchemy_guard.project.stats import Stats

_COUNTS = {
    "files": "files",
    "models": "models",
    "columns": "columns",
    "relationships": "relationships",
    "engines": "engines",
    "factories": "session factories",
    "session_expressions": "expressions that are sessions",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `stats`."""
    parser.add_argument(
        "paths", nargs="*", default=["."], metavar="PATH", help="files and folders (default: here)"
    )
    parser.add_argument(
        "--unresolved", action="store_true", help="list the calls whose receiver is unknown, and why"
    )
    parser.add_argument(
        "--output-format", choices=("text", "json"), default="text", help="default: %(default)s"
    )


def run(options: argparse.Namespace) -> int:
    """Collect and print."""
    from sqlalchemy_guard.cli.session import open_workspace
    from sqlalchemy_guard.project.stats import collect
    from sqlalchemy_guard.sql.available import missing

    opened = open_workspace(options.paths)
    if not opened.python_files():
        raise UsageError(f"no Python files under {', '.join(options.paths)}")
    opened.read_project(show_progress=True)
    stats = collect(opened.workspace, progress(opened.python_files(), "counting", True))
    for path, _, reason in opened.skipped:
        warn(f"{path} {reason}")
    if (lacking := missing()) is not None:
        warn(f"`cartesian-product` and `model-not-migrated` find nothing here: {lacking}")
    if options.output_format == "json":
        print(json.dumps(to_object(stats, options.unresolved), indent=2, ensure_ascii=False))
    else:
        sys.stdout.write(to_text(stats, options.unresolved, canonical(".")))
    return EXIT_OK


def to_object(stats: Stats, unresolved: bool) -> dict[str, Any]:
    """The numbers as a JSON-ready mapping; shares are of all calls, None without calls."""
    described: dict[str, Any] = {name: getattr(stats, name) for name in _COUNTS}
    described["calls"] = {"total": stats.calls_total}
    for name in ("proven", "likely", "unknown"):
        number = getattr(stats, name)
        share = number / stats.calls_total if stats.calls_total else None
        described["calls"][name] = {"count": number, "share": share}
    if unresolved:
        described["unresolved"] = [
            {"filename": path, "row": span.line + 1, "column": span.column + 1, "text": text, "why": why}
            for path, span, text, why in stats.unresolved
        ]
    return described


def to_text(stats: Stats, unresolved: bool, working_folder: str) -> str:
    """The numbers as a table."""
    rows = [(label, f"{getattr(stats, name):,}", "") for name, label in _COUNTS.items()]
    rows.append(("session and query calls", f"{stats.calls_total:,}", ""))
    for name in ("proven", "likely", "unknown"):
        number = getattr(stats, name)
        share = f"{100 * number / stats.calls_total:.1f} %" if stats.calls_total else ""
        rows.append((f"  receiver {name}", f"{number:,}", share))
    left = max(len(label) for label, _, _ in rows)
    right = max(len(number) for _, number, _ in rows)
    lines = [f"{label:<{left}}  {number:>{right}}  {share:>7}".rstrip() for label, number, share in rows]
    if unresolved:
        base = os.path.join(working_folder, "")
        lines.append("")
        for path, span, text, why in stats.unresolved:
            place = f"{path.removeprefix(base)}:{span.line + 1}:{span.column + 1}"
            lines.append(f"{place}: {visible(' '.join(text.split()))}  ({visible(why)})")
    return "\n".join([*lines, ""])
