"""Lines of a text as Python and the language server protocol count them, and offsets into it.

A line ends at `\\n`, `\\r\\n` or `\\r` and at nothing else: not at a form feed, not at U+2028, where
`str.splitlines` would cut. This module must never split a text in any other way.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def split_lines(text: str) -> list[str]:
    """The lines with their terminators. A text that ends with a terminator has an empty last line, so there
    is always at least one line and `"".join` gives the text back."""
    lines = io.StringIO(text, newline="").readlines()
    if not lines or lines[-1].endswith(("\n", "\r")):
        lines.append("")
    return lines


def content_length(line: str) -> int:
    """The length of a line without its terminator, in code points."""
    if line.endswith("\n"):
        return len(line) - (2 if line.endswith("\r\n") else 1)
    return len(line) - 1 if line.endswith("\r") else len(line)


class LineIndex:
    """Where each line starts, in code points from the beginning of the text."""

    __slots__ = ("_starts",)

    def __init__(self, lines: Sequence[str]) -> None:
        self._starts = list(accumulate(map(len, lines), initial=0))

    def offset(self, line: int, column: int) -> int:
        """The offset of a place; a place outside the text is clamped to it, a column to its line."""
        if line < 0:
            return 0
        if line >= len(self._starts) - 1:
            return self._starts[-1]
        return min(self._starts[line] + max(0, column), self._starts[line + 1])

    def position(self, offset: int) -> tuple[int, int]:
        """The line and column of an offset; an offset outside the text is clamped to it."""
        offset = max(0, min(offset, self._starts[-1]))
        line = min(bisect_right(self._starts, offset) - 1, len(self._starts) - 2)
        return line, offset - self._starts[line]
