"""A range of a text, in the one unit that everything but a front end uses."""

from __future__ import annotations

from sqlalchemy_guard.records import NamedTuple


class Span(NamedTuple):
    """A range of a file: absolute 0-based lines, columns in code points, end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int
