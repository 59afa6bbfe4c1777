"""Nodes on untouched lines outlive an edit in place, and the tree still is the one of a parse from scratch."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlalchemy_guard.syntax.syntax import Syntax
from sqlalchemy_guard.syntax.tree import walk
from sqlalchemy_guard.text.document import Document
from tests.syntax.trees import check

if TYPE_CHECKING:
    import random

SOURCE = '''\
@route(
    "/users",
    name="users",
)
async def listed(
    session: Session,
    title: str = "all",
) -> list[User]:
    query = (
        session.query(User)
        .filter(
            User.name == title,
            User.id
            + 1
            * 2
            > limit,
        )
        .order_by(User.id)
    )
    note(title)
    with (
        opened(title) as file,
        other as (
            one,
            two,
        ),
    ):
        text = f"""
        {one}
        {two}
        """
        try:
            note(one)
            for each in (
                one,
                two,
            ):
                each.run(
                    lambda item: (
                        item,
                        one,
                    ),
                )
        except (
            ValueError,
            KeyError,
        ) as error:
            raise Wrong(text) from error
    match title:
        case "all":
            note(two)
        case {"one": one, **rest}:
            note(rest)
    return [
        user
        for user in query
        if user.name
        and user.id
    ]
'''
WORDS = (
    "one",
    "two",
    "query",
    "+",
    "*",
    "and",
    "or",
    "==",
    "in",
    "note",
    "(",
    ")",
    "[",
    "]",
    ",",
    "'",
    "=",
    ":=",
    "#",
    "pass",
)


def edited(document: Document, line: int, old: str, new: str) -> tuple[Document, tuple[int, int, int]]:
    column = document.lines[line].index(old)
    return document.replace(line, column, line, column + len(old), new, "utf-32")


def nodes(syntax: Syntax) -> dict[ast.AST, int]:
    """All nodes, and what to add to their lines."""
    return {
        node: chunk.shift for chunk in walk(syntax.chunks) for each in chunk.body for node in ast.walk(each)
    }


@given(st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_edits_in_place(random: random.Random) -> None:
    document = Document.from_text("file:///a.py", SOURCE)
    syntax = Syntax(document)
    for _ in range(12):
        line = random.randrange(len(document.lines))
        words = document.lines[line].split()
        if not words:
            continue
        document, edit = edited(document, line, random.choice(words), random.choice(WORDS))
        syntax.update(document, [edit])
        check(syntax)
        if random.random() < 0.5:
            document, edit = document.replace_all(SOURCE)
            syntax.update(document, [edit])
            check(syntax)


@pytest.mark.parametrize("old", ["note(one)", "note(two)", "note(title)", "User.id", "user.name"])
def test_other_lines_keep_their_nodes(old: str) -> None:
    document = Document.from_text("file:///a.py", SOURCE)
    syntax = Syntax(document)
    line = next(number for number, text in enumerate(document.lines) if old in text)
    for new in ("None", old, old.replace("e", "a")):
        before = nodes(syntax)
        document, edit = edited(document, line, old, new)
        syntax.update(document, [edit])
        old = new
    check(syntax)
    after = nodes(syntax)
    gone = [
        (node, shift) for node, shift in before.items() if node not in after and isinstance(node, ast.expr)
    ]
    # The edited line's own nodes, and those around it.
    assert gone
    assert all(node.lineno - 1 + shift <= line < (node.end_lineno or 0) + shift for node, shift in gone)


def test_a_name_that_is_bound_now_is_another_node() -> None:
    document = Document.from_text("file:///a.py", "run(\n    first,\n    second,\n)\n")
    syntax = Syntax(document)
    before = nodes(syntax)
    for line, old, new in ((0, "run(", "("), (3, ")", ") = pair")):
        document, edit = edited(document, line, old, new)
        syntax.update(document, [edit])
    check(syntax)
    names = [node for node in nodes(syntax) if isinstance(node, ast.Name) and node.id in ("first", "second")]
    assert names
    assert all(isinstance(node.ctx, ast.Store) and node not in before for node in names)


def test_lines_that_moved_have_new_nodes() -> None:
    document = Document.from_text("file:///a.py", "if a:\n    x = 1\n    x = 2\n    x = 3\n")
    syntax = Syntax(document)
    document, one = document.replace(1, 0, 2, 0, "", "utf-32")
    document, other = document.replace(0, 0, 0, 0, "\n", "utf-32")
    syntax.update(document, [one, other])
    check(syntax)
