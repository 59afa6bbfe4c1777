"""`sqlalchemy-guard baseline`: writes down the present violations, which `check` and editors then put off.

Must never analyse by itself.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from sqlalchemy_guard.baseline import DEFAULT_NAME, known_of, relative, write
from sqlalchemy_guard.cli.main import EXIT_OK, UsageError
from sqlalchemy_guard.cli.output import count
from sqlalchemy_guard.cli.terminal import progress, warn
from sqlalchemy_guard.vfs import canonical

if TYPE_CHECKING:
    import argparse

    from sqlalchemy_guard.baseline import Known
    from sqlalchemy_guard.cli.session import Opened


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `baseline`."""
    parser.add_argument(
        "paths", nargs="*", default=["."], metavar="PATH", help="files and folders (default: here)"
    )
    parser.add_argument(
        "--output", metavar="FILE", help=f"default: the setting `baseline`, else {DEFAULT_NAME} here"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no summary, no progress bar")


def run(options: argparse.Namespace) -> int:
    """Check everything and write what was found."""
    from sqlalchemy_guard.check import Checker
    from sqlalchemy_guard.cli.session import open_workspace

    opened = open_workspace(options.paths)
    if not opened.files:
        raise UsageError(f"no Python files under {', '.join(options.paths)}")
    configured = _configured(opened)
    path = canonical(options.output or configured or DEFAULT_NAME)
    opened.read_project(not options.quiet)
    checker = Checker(opened.workspace, put_off=False)
    files: dict[str, Known] = {}
    for file_id in progress(opened.files, "checking", not options.quiet):
        report = checker.check(file_id)
        if report.skipped is not None:
            warn(f"{file_id} {report.skipped}")
        elif report.violations:
            lines = opened.workspace.documents[file_id].lines
            files[relative(file_id, path)] = known_of(report.violations, lines)
    trouble = opened.vfs.create(path, write(files))
    if trouble is not None:
        raise UsageError(f"{path} {trouble.reason}")
    if not options.quiet:
        total = sum(sum(known.values()) for known in files.values())
        shown = path.removeprefix(os.path.join(canonical("."), ""))
        print(f"Put off {count(total, 'violation')} in {count(len(files), 'file')}: {shown}")
        if configured != path:
            hint = f'baseline = "{os.path.basename(path)}"'
            print(
                f"To use it, write `{hint}` into the configuration, or run check --baseline.", file=sys.stderr
            )
    return EXIT_OK


def _configured(opened: Opened) -> str | None:
    """The baseline that the settings of the files name, None when they name none or several."""
    named = {opened.settings.for_file(file_id).baseline_path() for file_id in opened.files}
    [path, *others] = named
    return None if others or path is None else canonical(path)
