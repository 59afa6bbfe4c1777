"""Documents against a trivial reference: the text as one string."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlalchemy_guard.text.columns import Encoding, from_code_points, to_code_points
from sqlalchemy_guard.text.document import Document
from sqlalchemy_guard.text.edit import Edit, apply_edits, sort_edits
from sqlalchemy_guard.text.lines import split_lines
from sqlalchemy_guard.text.minimal import minimal_edits

if TYPE_CHECKING:
    import random

PIECES = ["a", "b", "é", "😀", "\n", "\r\n", "\r", "\x0c", "\u2028", "\x85", "\t", " "]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
ENCODINGS = st.sampled_from(["utf-8", "utf-16", "utf-32"])
PLACES = st.tuples(st.integers(-1, 12), st.integers(-1, 30))


def reference_lines(text: str) -> list[str]:
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", text)
    return lines if lines and not lines[-1].endswith(("\r", "\n")) else [*lines, ""]


def width(text: str, encoding: Encoding) -> int:
    return (
        len(text.encode(f"{encoding}-le" if encoding != "utf-8" else encoding))
        // ({"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding])
    )


def reference_offset(text: str, line: int, column: int, encoding: Encoding) -> int:
    """The offset of a client's place, found by counting from the start of its line."""
    lines = reference_lines(text)
    if line < 0:
        return 0
    if line >= len(lines):
        return len(text)
    content = lines[line].rstrip("\r\n")
    taken = 0
    while taken < len(content) and width(content[: taken + 1], encoding) <= column:
        taken += 1
    return sum(map(len, lines[:line])) + taken


@given(TEXTS, st.lists(st.tuples(PLACES, PLACES, TEXTS), max_size=6), ENCODINGS)
@settings(max_examples=300, deadline=None)
def test_edit_scripts_give_the_text_of_the_reference(
    text: str, script: list[tuple[tuple[int, int], tuple[int, int], str]], encoding: Encoding
) -> None:
    document = Document.from_text("file:///a.py", text, 1)
    for version, (start, end, new) in enumerate(script, 2):
        low, high = sorted(reference_offset(text, *place, encoding) for place in (start, end))
        text = text[:low] + new + text[high:]
        before = document
        document, edit = document.replace(*start, *end, new, encoding, version)
        assert document.lines == reference_lines(text)
        assert document.text == text
        assert document.version == version
        assert before.lines[: edit.start] == document.lines[: edit.start]
        assert before.lines[edit.start + edit.removed :] == document.lines[edit.start + edit.added :]


@given(TEXTS, st.lists(st.tuples(st.integers(0, 6), PLACES, PLACES, TEXTS), max_size=6), st.randoms())
@settings(max_examples=200, deadline=None)
def test_older_versions_stay_what_they_were(
    text: str,
    edits: list[tuple[int, tuple[int, int], tuple[int, int], str]],
    order: random.Random,
) -> None:
    """Versions share their lines; whichever is asked or edited again has its own."""
    versions = [(Document.from_text("a", text), reference_lines(text))]
    for which, start, end, new in edits:
        document, _ = versions[which % len(versions)]
        newer, _ = document.replace(*start, *end, new)
        versions.append((newer, reference_lines(newer.text)))
        turned = document.turned(newer)
        assert turned is not None
        gone, come = Counter(document.lines), Counter(newer.lines)
        assert set((gone - come) + (come - gone)) <= {line for lines in turned for line in lines}
    order.shuffle(versions)
    for document, lines in versions:
        assert document.lines == lines
    for document, lines in versions:
        assert Document("b", document.lines).text == "".join(lines)


@given(TEXTS, ENCODINGS)
@settings(max_examples=200, deadline=None)
def test_every_position_makes_the_round_trip(text: str, encoding: Encoding) -> None:
    document = Document.from_text("file:///a.py", text)
    for offset in range(len(text) + 1):
        line, column = document.position(offset)
        assert document.offset(line, column) == offset
        units = from_code_points(document.lines[line], column, encoding)
        assert units == width(document.lines[line][:column], encoding)
        assert to_code_points(document.lines[line], units, encoding) == column


@given(TEXTS, TEXTS)
@settings(max_examples=200, deadline=None)
def test_replacing_everything_tells_which_lines_differ(old: str, new: str) -> None:
    before = Document.from_text("file:///a.py", old, 3)
    after, edit = before.replace_all(new)
    assert (after.text, after.version) == (new, 3)
    assert before.lines[: edit.start] == after.lines[: edit.start]
    assert before.lines[edit.start + edit.removed :] == after.lines[edit.start + edit.added :]


@given(TEXTS, TEXTS)
@settings(max_examples=200, deadline=None)
def test_minimal_edits_lead_to_the_new_text(old: str, new: str) -> None:
    edits = minimal_edits(old, new)
    assert apply_edits(old, edits) == new
    assert bool(edits) == (old != new)


def test_minimal_edits_leave_other_lines_alone() -> None:
    old = "".join(f"line {number}\n" for number in range(50))
    new = old.replace("line 7\n", "line seven\n").replace("line 30\n", "")
    assert [old[edit.start : edit.end] for edit in minimal_edits(old, new)] == ["line 7\n", "line 30\n"]


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
def test_only_python_line_ends_end_lines(separator: str) -> None:
    assert split_lines(f"a{separator}b\nc") == [f"a{separator}b\n", "c"]


def test_an_edit_may_join_and_split_a_pair_of_terminators() -> None:
    document = Document.from_text("file:///a.py", "a\rb\nc")
    joined, _ = document.replace(1, 0, 1, 1, "")
    assert joined.lines == ["a\r\n", "c"]
    split, _ = joined.replace(0, 1, 1, 0, "\r x \n")
    assert split.lines == ["a\r", " x \n", "c"]


def test_a_column_inside_a_character_is_its_start() -> None:
    assert to_code_points("😀x", 1, "utf-16") == 0
    assert to_code_points("😀x", 3, "utf-8") == 0
    assert to_code_points("é", 99, "utf-8") == 1


@given(st.lists(st.sampled_from(["a", "b", "\r\n", "\n", "😀"]), max_size=40).map("".join), st.data())
def test_steps_lead_to_the_text_after_all_edits(text: str, data: st.DataObject) -> None:
    # No fix cuts a terminator in two, nor makes one of two.
    whole = st.integers(0, len(text)).filter(lambda at: text[at - 1 : at + 1] != "\r\n")
    places = sorted(data.draw(st.lists(whole, max_size=10)))
    edits = sort_edits(
        Edit(start, end, data.draw(st.sampled_from(["", "x", "\n", "y\r\nz"])))
        for start, end in zip(places[::2], places[1::2], strict=False)
    )
    document = Document.from_text("a.py", text)
    lines = list(document.lines)
    for following, changed in document.steps(edits, 2):
        for start, removed, added in changed:
            lines[start : start + removed] = [""] * added
        assert len(lines) == len(following.lines)
        document = following
    assert document.text == apply_edits(text, edits)
