"""A baseline: the violations that a team knows of and puts off, so that only new ones are reported.

A known violation is told by its file, its rule and the text of the line that it stands on, not by the line's number: code
that moved is not new, a line that was edited is. What stands on several lines alike is counted. This module must never
read a file but through `vfs`, nor write one.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy_guard.config import Settings
    from sqlalchemy_guard.rules.api import Violation
    from sqlalchemy_guard.vfs import Vfs
    from sqlalchemy_guard.vfs.files import Stamp

FORMAT = 1
DEFAULT_NAME = "sqlalchemy-guard-baseline.json"

Known = Counter[tuple[str, str]]
"""How often a rule (by code) is broken on lines of the same text."""


class BaselineError(Exception):
    """The text is no baseline; the message says why."""


def parse(text: str) -> dict[str, Known]:
    """The known violations of each file, by its path relative to the baseline's folder, with forward slashes.

    Raises:
        BaselineError: the text is not of the form that `write` gives.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BaselineError(f"it is not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("version") != FORMAT:
        raise BaselineError(f"it is not of version {FORMAT}")
    files = document.get("files")
    if not isinstance(files, dict):
        raise BaselineError("it names no files")
    return {path: _known(path, entries) for path, entries in files.items()}


def _known(path: str, entries: Any) -> Known:
    known: Known = Counter()
    for entry in entries if isinstance(entries, list) else [None]:
        match entry:
            case {"code": str(code), "line": str(line), "count": int(count)} if count > 0:
                known[code, line] += count
            case _:
                raise BaselineError(f"an entry of {path} has no code, line and count")
    return known


def write(files: Mapping[str, Known]) -> str:
    """The text of a baseline, which changes as little as the code does."""
    listed = {
        path: [
            {"code": code, "line": line, "count": count}
            for (code, line), count in sorted(files[path].items())
        ]
        for path in sorted(files)
        if files[path]
    }
    return json.dumps({"version": FORMAT, "files": listed}, indent=1, ensure_ascii=False) + "\n"


def known_of(violations: Iterable[Violation], lines: Sequence[str]) -> Known:
    """The violations of a file as a baseline knows them.

    Args:
        violations: Of the file.
        lines: The file's lines.
    """
    return Counter(_identity(violation, lines) for violation in violations)


def fresh(violations: Iterable[Violation], known: Known, lines: Sequence[str]) -> list[Violation]:
    """The violations that the baseline does not know, in their order; of several alike, the last ones."""
    left = Counter(known)
    found = []
    for violation in violations:
        identity = _identity(violation, lines)
        if left[identity]:
            left[identity] -= 1
        else:
            found.append(violation)
    return found


def _identity(violation: Violation, lines: Sequence[str]) -> tuple[str, str]:
    row = violation.span.line
    return violation.rule.code, lines[row].strip() if row < len(lines) else ""


class Baselines:
    """The baselines that settings name, each read when it changed.

    Args:
        vfs: The disk.
    """

    def __init__(self, vfs: Vfs) -> None:
        self._vfs = vfs
        self._read: dict[str, tuple[Stamp | None, dict[str, Known] | BaselineError]] = {}

    def known(self, settings: Settings, file_id: str) -> Known | None:
        """What the baseline of a file's settings knows of it, None when it knows nothing."""
        path = settings.baseline_path()
        if path is None:
            return None
        files = self._load(path)
        return None if isinstance(files, BaselineError) else files.get(relative(file_id, path))

    def problem(self, settings: Settings) -> str | None:
        """Why the baseline that settings name cannot be used, None when it can or there is none."""
        path = settings.baseline_path()
        found = self._load(path) if path is not None else None
        return str(found) if isinstance(found, BaselineError) else None

    def _load(self, path: str) -> dict[str, Known] | BaselineError:
        stamp = self._vfs.stamp(path)
        kept = self._read.get(path)
        if kept is None or kept[0] != stamp:
            text = self._vfs.read_text(path)
            found: dict[str, Known] | BaselineError
            try:
                found = BaselineError("it cannot be read") if text is None else parse(text)
            except BaselineError as error:
                found = error
            kept = self._read[path] = (stamp, found)
        return kept[1]


def relative(file_id: str, baseline: str) -> str:
    """What a baseline calls a file: its path from the baseline's folder, with forward slashes."""
    folder = os.path.dirname(baseline).replace("\\", "/").rstrip("/") + "/"
    return file_id.replace("\\", "/").removeprefix(folder)
