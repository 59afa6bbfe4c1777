"""The part of a file that edits touch, in whole top-level statements, so that a fix is judged by reading these alone.

What holds for the excerpt holds for the file: statements of the module's level parse by themselves, and all others stay
as they are. This module must never parse.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.text.edit import Edit, apply_edits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy_guard.text.document import Document


class Run(NamedTuple):
    """Neighbouring top-level statements and the edits that touch them.

    Attributes:
        base: The offset in the file at which they begin.
        text: They.
        edits: With offsets in the whole text.
    """

    base: int
    text: str
    edits: tuple[Edit, ...]

    def edited(self, edits: Iterable[Edit]) -> str:
        """The text after some of the edits."""
        return apply_edits(
            self.text, [Edit(edit.start - self.base, edit.end - self.base, edit.new) for edit in edits]
        )


def runs(document: Document, starts: Sequence[int], edits: Sequence[Edit]) -> list[Run]:
    """The runs of top-level statements that edits touch, each as short as it can be, in order.

    Args:
        document: The whole text.
        starts: The lines at which the text may be cut apart, in order; the first is 0.
        edits: In order, disjoint, inside the text.
    """
    grouped: list[tuple[int, int, list[Edit]]] = []
    for edit in edits:
        first, last = _pieces(document, starts, edit)
        if grouped and first <= grouped[-1][1]:
            before, end, own = grouped[-1]
            grouped[-1] = (min(before, first), max(end, last), [*own, edit])
        else:
            grouped.append((first, last, [edit]))
    bounds = [*starts, len(document.lines)]
    return [
        Run(
            document.offset(starts[first], 0),
            "".join(document.lines[starts[first] : bounds[last + 1]]),
            tuple(own),
        )
        for first, last, own in grouped
    ]


def _pieces(document: Document, starts: Sequence[int], edit: Edit) -> tuple[int, int]:
    """The first and the last piece that an edit touches; both sides of a cut where text is put between them."""
    first = bisect_right(starts, document.position(edit.start)[0]) - 1
    last = bisect_right(starts, document.position(edit.end)[0]) - 1
    if edit.start == document.offset(starts[first], 0) and first:
        first -= 1
    return first, last
