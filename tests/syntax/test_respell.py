"""A statement that is typed in is parsed alone where that gives the tree of a parse from scratch, and else not."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlalchemy_guard.syntax.syntax import Syntax
from sqlalchemy_guard.syntax.tree import walk
from sqlalchemy_guard.text.document import Document
from tests.syntax.trees import check

SOURCE = """\
one = 1; two = 2
if one: two = 3
else: two = 4
if one: \\
    two = 5
else:
    two = (
        6,
        7,
    )
@route("/")
async def listed(session):
    '''Words
    of many lines'''
    with session as current: note(current); note(two)
    try:
        text = f'''
        {one}
        {two}
        '''
    except ValueError as error:
        raise Wrong(
            text,
        ) from error
    finally:
        note(\\
            two)
    match one:
        case 1:
            note(one)
        case {"two": [first, *rest]} if first: pass
        case _:
            return [
                each
                for each in rest
            ]
\tif two:
\t    note(two)  # said
    while one:
        one -= 1
    else:
        await note("\N{GRINNING FACE}", one)
one = 2
"""
SOURCE = SOURCE.replace("\tif two:\n\t    note(two)", "    if two:\n    \tnote(two)")
TEXTS = (
    "one",
    "one = 1",
    "one; two",
    "one,",
    "(one",
    "one)",
    "else: one",
    "if one: two",
    "pass  # done",
    "# nothing",
    "",
    "one \\",
    "'''",
    '"\N{GRINNING FACE}", one',
    "return [",
    ")",
    "case 2: one",
    "@one",
    "yield one",
    "    one",
)


@given(st.lists(st.tuples(st.integers(0, SOURCE.count("\n") - 1), st.sampled_from(TEXTS)), max_size=4))
@settings(max_examples=300, deadline=None)
def test_lines_that_become_others(edits: list[tuple[int, str]]) -> None:
    document = Document.from_text("file:///a.py", SOURCE)
    syntax = Syntax(document)
    assert check(syntax)
    for line, text in edits:
        before = document
        old = before.lines[line]
        indent = len(old) - len(old.lstrip(" \t"))
        end = len(old.rstrip("\n"))
        document, edit = before.replace(line, indent, line, end, text, "utf-32")
        syntax.update(document, [edit])
        check(syntax)
        if not check(syntax):
            document, edit = document.replace(
                line, indent, line, indent + len(text), old[indent:end], "utf-32"
            )
            syntax.update(document, [edit])
            check(syntax)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("    note(one)\n", "    noted(one)\n"),
        ("one = 2\n", "one = 3\n"),
        ("        7,\n", "        8, 9,\n"),
        ("            text,\n", "            text, one,\n"),
    ],
)
def test_all_other_statements_are_the_same_nodes(line: str, text: str) -> None:
    document = Document.from_text("file:///a.py", SOURCE)
    syntax = Syntax(document)
    simple = (ast.Assign, ast.Expr, ast.Raise, ast.Return)
    before = statements(syntax, simple)
    number = next(number for number, each in enumerate(document.lines) if each.endswith(line))
    column = document.lines[number].index(line.strip())
    end = len(document.lines[number].rstrip("\n"))
    document, edit = document.replace(number, column, number, end, text.strip(), "utf-32")
    syntax.update(document, [edit])
    assert check(syntax)
    assert len(before - statements(syntax, simple)) == 1


def test_the_old_tree_stays_as_it_was() -> None:
    document = Document.from_text("file:///a.py", "if one:\n    two = 3\nelse:\n    two = 44\n")
    syntax = Syntax(document)
    (old,) = syntax.chunks[0].body
    before = ast.dump(old, include_attributes=True)
    document, edit = document.replace(3, 4, 3, 12, "x = 1", "utf-32")
    syntax.update(document, [edit])
    assert check(syntax)
    assert ast.dump(old, include_attributes=True) == before
    (new,) = syntax.chunks[0].body
    assert isinstance(old, ast.If)
    assert isinstance(new, ast.If)
    assert new.test is old.test
    assert new.body[0] is old.body[0]


def statements(syntax: Syntax, kinds: tuple[type[ast.stmt], ...]) -> set[ast.stmt]:
    return {
        node
        for chunk in walk(syntax.chunks)
        for each in chunk.body
        for node in ast.walk(each)
        if isinstance(node, kinds)
    }
