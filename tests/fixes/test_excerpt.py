"""An excerpt says the same of edits as the whole text does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sqlalchemy_guard.fixes.excerpt import excerpt
from sqlalchemy_guard.text.document import Document
from sqlalchemy_guard.text.edit import Edit, apply_edits, sort_edits

PIECES = ["a = 1\n", "def f():\n    return 2\n", "# only a remark\n\n", "x = (\n    1,\n)\n"]


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[str], tuple[Edit, ...]]:
    """Pieces of a text, and disjoint edits of it."""
    pieces = draw(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6))
    length = len("".join(pieces))
    places = sorted(draw(st.lists(st.integers(0, length), max_size=6, unique=True)))
    edits = [
        Edit(start, end, draw(st.sampled_from(["", "n", "y = 3\n"])))
        for start, end in zip(places[::2], places[1::2], strict=False)
    ]
    return pieces, sort_edits(edits)


@given(cases())
def test_the_rest_of_the_text_stays_what_it_is(case: tuple[list[str], tuple[Edit, ...]]) -> None:
    pieces, edits = case
    text = "".join(pieces)
    starts, line = [], 0
    for piece in pieces:
        starts.append(line)
        line += piece.count("\n")
    part, moved = excerpt(Document.from_text("a.py", text), starts, edits)
    assert [part[edit.start : edit.end] for edit in moved] == [text[edit.start : edit.end] for edit in edits]
    assert len(apply_edits(part, moved)) - len(part) == len(apply_edits(text, edits)) - len(text)
    assert bool(part) == bool(edits)


def test_text_between_two_statements_is_read_with_both() -> None:
    document = Document.from_text("a.py", "a = 1\nb = 2\nc = 3\n")
    assert excerpt(document, [0, 1, 2], [Edit(6, 6, "x\n")]) == ("a = 1\nb = 2\n", (Edit(6, 6, "x\n"),))
    assert excerpt(document, [0, 1, 2], [Edit(0, 1, "z"), Edit(16, 17, "4")]) == (
        "a = 1\nc = 3\n",
        (Edit(0, 1, "z"), Edit(10, 11, "4")),
    )
