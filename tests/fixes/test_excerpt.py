"""The statements that edits touch say the same of them as the whole text does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sqlalchemy_guard.fixes.excerpt import Run, runs
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
def test_what_is_not_in_a_run_stays_what_it_is(case: tuple[list[str], tuple[Edit, ...]]) -> None:
    pieces, edits = case
    text = "".join(pieces)
    starts, line = [], 0
    for piece in pieces:
        starts.append(line)
        line += piece.count("\n")
    found = runs(Document.from_text("a.py", text), starts, edits)
    assert tuple(edit for run in found for edit in run.edits) == edits
    parts, at = [], 0
    for run in found:
        assert run.base >= at
        assert text.startswith(run.text, run.base)
        parts += [text[at : run.base], run.edited(run.edits)]
        at = run.base + len(run.text)
    assert "".join([*parts, text[at:]]) == apply_edits(text, edits)


def test_text_between_two_statements_is_read_with_both() -> None:
    document = Document.from_text("a.py", "a = 1\nb = 2\nc = 3\n")
    between, apart = (Edit(6, 6, "x\n"),), (Edit(0, 1, "z"), Edit(16, 17, "4"))
    assert runs(document, [0, 1, 2], between) == [Run(0, "a = 1\nb = 2\n", between)]
    assert runs(document, [0, 1, 2], apart) == [Run(0, "a = 1\n", apart[:1]), Run(12, "c = 3\n", apart[1:])]
    assert runs(document, [0, 1, 2], apart)[1].edited(apart[1:]) == "c = 4\n"
