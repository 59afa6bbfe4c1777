"""Real comments of a range of lines, found on demand.

This module must never take a `#` inside of a string for a comment; so a range must start outside of strings,
as every statement and every chunk does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.syntax.lexing import literals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Comment(NamedTuple):
    """A comment: 0-based line, columns in code points, its text from the `#` on."""

    line: int
    column: int
    end_column: int
    text: str


def comments(lines: Sequence[str], start: int, end: int) -> Iterator[Comment]:
    """The comments on the lines `[start, end)`, in order.

    Args:
        lines: All lines of the document.
        start: First line, at which no string is open.
        end: One past the last line.
    """
    run = lines[start:end]
    if not any("#" in line for line in run):
        return
    line = start
    line_start = 0
    following = len(run[0])
    for literal in literals("".join(run)):
        if literal.quote:
            continue
        while literal.start >= following:
            line += 1
            line_start, following = following, following + len(run[line - start])
        text_end = literal.end - line_start
        yield Comment(
            line, literal.start - line_start, text_end, lines[line][literal.start - line_start : text_end]
        )
