"""Comments that silence violations in documents that are not Python, in each document's own syntax. Must never know a rule.

A comment counts for the statement on whose lines it stands, and for the statement below it when it stands alone: not every
syntax has comments at the end of a line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.syntax.suppressions import CODES
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy_guard.documents.kinds import Kind

_MARKS = {"ini": r"(?:^|(?<=\s))[#;]", "tox": r"(?:^|(?<=\s))[#;]", "jenkins": r"(?:^|(?<=\s))(?://|#)"}
_PLAIN = r"(?:^|(?<=\s))#"
_NOQA = rf"\s*noqa\b(?:\s*:\s*(?P<codes>{CODES})?(?P<rest>\S*))?"
_FILE = rf"^\s*(?://|[#;])\s*sqlalchemy-guard\s*:{_NOQA}"
_OWN_LINE = lazy_pattern(r"^\s*(?://|[#;])")
_SEPARATOR = lazy_pattern(r"[\s,]+")
_WHOLE = lazy_pattern(_FILE, re.IGNORECASE)
_ON_LINE = {kind: lazy_pattern(mark + _NOQA, re.IGNORECASE) for kind, mark in {**_MARKS, "": _PLAIN}.items()}

ABOVE: frozenset[Kind] = frozenset({"dockerfile", "ini", "procfile", "tox", "jenkins"})
"""The kinds whose comments take a line of their own."""


class Silences:
    """The comments of one document.

    Args:
        kind: The document's.
        lines: Its lines.
    """

    def __init__(self, kind: Kind, lines: Sequence[str]) -> None:
        self._lines = lines
        self._on_line: dict[int, frozenset[str] | None] = {}
        self._whole: list[frozenset[str] | None] = []
        pattern = _ON_LINE.get(kind, _ON_LINE[""])
        for number, line in enumerate(lines):
            if "noqa" not in line.lower():
                continue
            if found := _WHOLE.search(line):
                if _is_understood(found):
                    self._whole.append(_codes(found))
            elif (found := pattern.search(line)) and _is_understood(found):
                self._on_line[number] = _codes(found)

    def covers(self, code: str, first: int, end: int) -> bool:
        """Whether a violation of a statement of the lines `[first, end)` is silenced."""
        if any(codes is None or code in codes for codes in self._whole):
            return True
        while first > 0 and _OWN_LINE.match(self._lines[first - 1]):
            first -= 1
        return any(
            codes is None or code in codes for line, codes in self._on_line.items() if first <= line < end
        )


def _is_understood(found: re.Match[str]) -> bool:
    """Something that is listed and is no code was not meant to silence everything."""
    return found["codes"] is not None or not found["rest"]


def _codes(found: re.Match[str]) -> frozenset[str] | None:
    return frozenset(_SEPARATOR.split(found["codes"].upper())) if found["codes"] else None
