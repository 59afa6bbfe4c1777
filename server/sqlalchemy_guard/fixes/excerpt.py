"""The part of a file that edits touch, in whole top-level statements, so that a fix is judged by reading these alone.

What holds for the excerpt holds for the file: statements of the module's level parse by themselves, and all others stay
as they are. This module must never parse.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy_guard.text.document import Document


def excerpt(document: Document, starts: Sequence[int], edits: Iterable[Edit]) -> tuple[str, tuple[Edit, ...]]:
    """The text of the top-level statements that edits touch, and the edits with their offsets in that text.

    Args:
        document: The whole text.
        starts: The lines at which the text may be cut apart, in order; the first is 0.
        edits: With offsets in the whole text.
    """
    placed = [(edit, *_pieces(document, starts, edit)) for edit in edits]
    wanted = sorted({piece for _, first, last in placed for piece in range(first, last + 1)})
    bounds = [*starts, len(document.lines)]
    moved: dict[int, int] = {}
    text = ""
    for piece in wanted:
        moved[piece] = len(text) - document.offset(starts[piece], 0)
        text += "".join(document.lines[starts[piece] : bounds[piece + 1]])
    return text, tuple(
        Edit(edit.start + moved[first], edit.end + moved[first], edit.new) for edit, first, _ in placed
    )


def _pieces(document: Document, starts: Sequence[int], edit: Edit) -> tuple[int, int]:
    """The first and the last piece that an edit touches; both sides of a cut where text is put between them."""
    first = bisect_right(starts, document.position(edit.start)[0]) - 1
    last = bisect_right(starts, document.position(edit.end)[0]) - 1
    if edit.start == document.offset(starts[first], 0) and first:
        first -= 1
    return first, last
