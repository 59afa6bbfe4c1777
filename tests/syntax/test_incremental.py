"""A syntax that follows edits equals one from scratch in every valid state, and loses no neighbours in
others."""

from __future__ import annotations

import inspect
import textwrap
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlalchemy_guard.syntax import parse, recover, tree
from sqlalchemy_guard.syntax.syntax import Syntax
from sqlalchemy_guard.syntax.tree import walk
from sqlalchemy_guard.text.document import Document
from tests.syntax.trees import check, names

if TYPE_CHECKING:
    import random

    from sqlalchemy_guard.syntax.chunk import Chunk
    from sqlalchemy_guard.syntax.parse import Block, Failure

# Real Python of a size that is cut at several depths: this very package, once as it is and once indented in
# classes.
SOURCES = [
    inspect.getsource(recover),
    inspect.getsource(tree) + "\n\nclass Outer:\n" + textwrap.indent(inspect.getsource(parse), "    "),
]
PIECES = [
    '"""',
    "'''",
    "(",
    ")",
    "\n",
    "\n\n",
    "    ",
    "  ",
    "\t",
    "def f(x):\n",
    "class B:\n    ",
    "else:\n",
    "@dec\n",
    "\\",
    "\\\n",
    "#",
    "x = 1\n",
    "    return 1\n",
    "[",
    "}",
    "pass",
    "try:\n",
    "except E:\n",
    "if x:\n",
    ":",
    ",",
    '"',
    "\r\n",
    "\r",
    "\x0c",
    "\u2028",
    "😀",
    "async ",
    "# noqa",
    "é",
    "=",
    "type X = int\n",
]


@given(st.sampled_from(SOURCES), st.randoms(use_true_random=False))
@settings(max_examples=12, deadline=None)
def test_random_edits(source: str, random: random.Random) -> None:
    document = Document.from_text("file:///a.py", source)
    syntax = Syntax(document)
    history: list[str] = []
    for _ in range(20):
        before = set(walk(syntax.chunks))
        if history and random.random() < 0.45:
            document, edit = document.replace_all(history.pop())
            edits = [edit]
        else:
            history.append(document.text)
            edits = []
            for _ in range(random.choice([1, 1, 1, 2, 3])):
                line = random.randrange(len(document.lines))
                last = random.choice(
                    [line, line, line, min(line + random.randrange(60), len(document.lines))]
                )
                column = random.randrange(len(document.lines[line]) + 1)
                new = "".join(random.choices(PIECES, k=random.choice([0, 1, 1, 2, 3])))
                end = random.choice([column, random.randrange(80)])
                document, edit = document.replace(line, column, last, end, new)
                edits.append(edit)
        change = syntax.update(document, edits)
        after = set(walk(syntax.chunks))
        assert set(change.added) == after - before
        assert set(change.removed) == before - after
        check(syntax)
    for text in reversed(history):
        document, edit = document.replace_all(text)
        syntax.update(document, [edit])
        check(syntax)
    assert check(syntax)


STATEMENTS = {
    "call": "result = session.execute(select(User).where(User.name == 'ed')).scalars().all()",
    "function": "def typed(a: int = 1, *args, **kw) -> dict[str, int]:\n    '''doc'''\n    return {'a': [1]}",
    "decorated": '@app.get("/x")\nasync def route(q: str = """doc""") -> None:\n    await q',
    "try": "try:\n    x = 1\nexcept ValueError as e:\n    raise\nelse:\n    y = [1,\n        2]",
    "class": "class Typed(Base):\n    id: Mapped[int] = mapped_column(primary_key=True)",
    "blocks": "if a:\n    with b as c, d:\n        while e:\n            pass\nelse:\n    f = 1",
    "strings": "q = f\"{x!r:>{w}} {d['k']}\" '''a\n  b''' # noqa",
}


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize("place", ["at = stop\n", "return chunks\n"])
def test_typing_and_deleting_loses_no_neighbour(statement: str, place: str) -> None:
    source = inspect.getsource(recover)
    document = Document.from_text("file:///a.py", source)
    syntax = Syntax(document)
    known = names(syntax)
    row = next(number for number, line in enumerate(document.lines) if line.strip() == place.strip())
    indent = document.lines[row][: len(document.lines[row]) - len(document.lines[row].lstrip())]
    text = STATEMENTS[statement].replace("\n", "\n" + indent)
    document, edit = document.replace(row, 0, row, 0, indent + "\n")
    syntax.update(document, [edit])
    at = document.offset(row, len(indent))
    for number, character in enumerate(text):
        place_now = document.position(at + number)
        document, edit = document.replace(*place_now, *place_now, character)
        syntax.update(document, [edit])
        if number % 9 == 0:
            check(syntax)
        assert number % 2 or known <= names(syntax), document.lines[place_now[0]]
    assert check(syntax)
    for number in range(len(text), 0, -1):
        start, end = document.position(at + number - 1), document.position(at + number)
        document, edit = document.replace(*start, *end, "")
        syntax.update(document, [edit])
        if number % 9 == 0:
            check(syntax)
            assert known <= names(syntax)
    assert check(syntax)


def test_a_keystroke_replaces_one_chunk_and_keeps_all_others() -> None:
    document = Document.from_text("file:///a.py", SOURCES[0])
    syntax = Syntax(document)
    before = list(walk(syntax.chunks))
    for chunk in before:
        chunk.memo = "kept"
        chunk.stale = False
    row = next(number for number, line in enumerate(document.lines) if line == "    return None\n")
    document, edit = document.replace(row, 0, row, 0, "\n")
    change = syntax.update(document, [edit])
    assert len(change.removed) == 1
    assert {chunk for chunk in walk(syntax.chunks) if chunk.memo is None} == set(change.added)
    parent = change.added[0].parent
    assert parent is not None
    assert parent.stale


def test_a_broken_line_that_is_typed_on_keeps_its_chunk() -> None:
    document = Document.from_text("file:///a.py", "a = 1\nb = \nc = 3\n")
    syntax = Syntax(document)
    chunk = syntax.chunks[0]
    document, edit = document.replace(1, 4, 1, 4, "(")
    assert syntax.update(document, [edit]) == ([], [])
    assert syntax.chunks[0] is chunk
    document, edit = document.replace(1, 5, 1, 5, ")")
    syntax.update(document, [edit])
    assert check(syntax)


CONTEXTS = """\
def f(a):
    if a:
        x = (1,
             2)
    else:
        y = [3]
    text = '''one
    two
    '''
    with a as b, \\
            c:
        pass
    try:
        return g(
            x,
        )
    except E:
        raise
    match a:
        case 1:
            z = {1: 2}
        case _:
            pass
    @d
    def inner():
        "doc"
    return f"{a}"
"""
FRAGMENTS = [
    *("else:", "elif x:", "except:", "finally:", "case 3:", "if x:", "for a in", "@d", "def g(", "return"),
    *("(", ")", "[", "]", "{", "}", ":", ",", "=", "x", "1", " ", ".", "*", "# c", "\\", "f'", 'f"{'),
    *("'", '"', "'''", '"""', "lambda", "not", "async", "await", "type X =", "print 1", "\t", "é", "\0"),
]


@given(
    st.sampled_from(range(CONTEXTS.count("\n"))),
    st.lists(st.lists(st.sampled_from(FRAGMENTS), max_size=5).map("".join), min_size=2, max_size=6),
)
@settings(max_examples=150, deadline=None)
def test_a_line_that_is_typed_again_and_again(row: int, texts: list[str]) -> None:
    document = Document.from_text("file:///a.py", CONTEXTS)
    syntax = Syntax(document)
    original = CONTEXTS.split("\n")[row]
    indent = len(original) - len(original.lstrip())
    for text in [*texts, original[indent:]]:
        # What stands there is deleted from behind, the new text typed: every state on the way must be right.
        now = document.lines[row].rstrip("\r\n")
        states = [now[:end] for end in range(len(now) - 1, indent - 1, -1)]
        states += [original[:indent] + text[:end] for end in range(1, len(text) + 1)]
        for state in states:
            document, edit = document.replace(row, 0, row, len(document.lines[row]), state)
            syntax.update(document, [edit])
            check(syntax)
    assert check(syntax)


def test_a_line_that_is_typed_on_is_read_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    source = inspect.getsource(recover)
    document = Document.from_text("file:///a.py", source)
    syntax = Syntax(document)
    row = next(number for number, line in enumerate(document.lines) if line.strip() == "return chunks")
    indent = len(document.lines[row]) - len(document.lines[row].lstrip())
    document, edit = document.replace(row, 0, row, 0, " " * indent + "\n")
    syntax.update(document, [edit])
    read: list[int] = []
    whole = Syntax._parse

    def counted(self: Syntax, parent: Chunk | None, start: int, end: int) -> Block | Failure:
        read.append(start)
        return whole(self, parent, start, end)

    monkeypatch.setattr(Syntax, "_parse", counted)
    text = "rows = list(session.execute(select(User.id).where(User.name =="
    for column, character in enumerate(text, indent):
        document, edit = document.replace(row, column, row, column, character)
        syntax.update(document, [edit])
    # `rows` and `rows = list` are valid, and so is the space behind them.
    assert len(read) < 12
    check(syntax)


def test_edits_that_do_not_lead_to_the_document_are_not_believed() -> None:
    syntax = Syntax(Document.from_text("file:///a.py", "a = 1\n"))
    syntax.update(Document.from_text("file:///a.py", "a = 1\nb = 2\nc = 3\n"), [])
    assert check(syntax)
