"""Statements are moved, deleted, wrapped and taken out with their comments; strings keep their contents."""

from __future__ import annotations

import ast

import pytest

from sqlalchemy_guard.fixes import blocks
from sqlalchemy_guard.fixes.source import Source
from sqlalchemy_guard.text.edit import apply_edits


def parent_of(text: str, mark: str) -> tuple[ast.stmt, list[ast.stmt], ast.stmt | None]:
    """The statement that is the call `mark()`, the block it stands in, and the statement around that."""

    def search(
        body: list[ast.stmt], around: ast.stmt | None
    ) -> tuple[ast.stmt, list[ast.stmt], ast.stmt | None] | None:
        for node in body:
            if isinstance(node, ast.Expr) and ast.unparse(node) == f"{mark}()":
                return node, body, around
            found = search(getattr(node, "body", []), node)
            if found:
                return found
        return None

    found = search(ast.parse(text).body, None)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("for x in y:\n    a()\n    c()\nd()\n", "for x in y:\n    a()\nc()\nd()\n"),
        ("for x in y:\n    c()\n", "for x in y:\n    pass\nc()\n"),
        ("for x in y:\n    a()\n    c()", "for x in y:\n    a()\nc()"),
        ("for x in y:\n    c()\n    a()", "for x in y:\n    a()\nc()"),
        (
            "for x in y:\n    # first\n    c()  # why\n    a()  # a\n# after\n",
            "for x in y:\n    a()  # a\n# first\nc()  # why\n# after\n",
        ),
        (
            "def f():\r\n\tfor x in y:\r\n\t\tc()\r\n\t\ta()\r\n\telse:\r\n\t\tb()\r\n",
            "def f():\r\n\tfor x in y:\r\n\t\ta()\r\n\telse:\r\n\t\tb()\r\n\tc()\r\n",
        ),
        ("for x in y: c()\n", None),
        ("for x in y:\n    a(); c()\n", None),
    ],
)
def test_move_behind(before: str, after: str | None) -> None:
    statement, siblings, loop = parent_of(before, "c")
    assert loop is not None
    edits = blocks.move_behind(Source(before), statement, siblings, loop)
    assert (edits and apply_edits(before, edits)) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a()\nc()\nb()\n", "a()\nb()\n"),
        ("if x:\n    c()  # why\n", "if x:\n    pass  # why\n"),
        ("if x:\n    a()\n    c()  # why\n", "if x:\n    a()\n    # why\n"),
        ("a(); c(); b()\n", "a(); b()\n"),
        ("a(); c()\n", "a()\n"),
        ("if x: c()\n", "if x: pass\n"),
    ],
)
def test_delete_statement(before: str, after: str) -> None:
    statement, siblings, _ = parent_of(before, "c")
    edits = blocks.delete_statement(Source(before), statement, siblings)
    assert edits is not None
    assert apply_edits(before, edits) == after


def test_replace_statement_indents() -> None:
    before = "if x:\n    c()  # why\n"
    statement, _, _ = parent_of(before, "c")
    assert apply_edits(
        before, blocks.replace_statement(Source(before), statement, "a()\n\nif y:\n    b()")
    ) == ("if x:\n    a()\n\n    if y:\n        b()  # why\n")


WRAPPED = (
    'def f():\n    with s:\n        # note\n        a = """x\n  y"""\n\n        b(\n            1)  # b\n'
)
WRAPPED += "    z()\n"
FLAT = 'def f():\n    # note\n    a = """x\n  y"""\n\n    b(\n        1)  # b\n    z()\n'


def test_wrap_keeps_strings_and_comments() -> None:
    function = ast.parse(FLAT).body[0]
    assert isinstance(function, ast.FunctionDef)
    edits = blocks.wrap(Source(FLAT), function.body[:2], "with s:")
    assert edits is not None
    assert apply_edits(FLAT, edits) == WRAPPED


def test_dedent_keeps_strings_and_comments() -> None:
    function = ast.parse(WRAPPED).body[0]
    assert isinstance(function, ast.FunctionDef)
    [block, _] = function.body
    assert isinstance(block, ast.With)
    edits = blocks.dedent(Source(WRAPPED), block.body)
    assert edits is not None
    assert apply_edits(WRAPPED, edits) == FLAT.replace("    # note", "    with s:\n    # note")
