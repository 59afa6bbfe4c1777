"""Unified diffs that `patch` and `git apply` take. Must never split lines where Python does not."""

from __future__ import annotations

import difflib

from sqlalchemy_guard.text.lines import split_lines

_NO_NEWLINE = "\\ No newline at end of file\n"


def unified_diff(path: str, old: str, new: str) -> str:
    """The difference of two texts of a file; empty when there is none."""
    before, after = _lines(old), _lines(new)
    parts = []
    for line in difflib.unified_diff(before, after, path, path, lineterm="\n"):
        parts.append(line)
        if not line.endswith(("\n", "\r")):
            parts.append("\n" + _NO_NEWLINE)
    return "".join(parts)


def _lines(text: str) -> list[str]:
    return [line for line in split_lines(text) if line]
