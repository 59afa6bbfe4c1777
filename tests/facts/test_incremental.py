"""Facts that followed edits are the facts of the text as it now is: nothing depends on how one got there."""

from __future__ import annotations

import ast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sqlalchemy_guard.facts.file import FileFacts
from sqlalchemy_guard.syntax.syntax import Syntax
from sqlalchemy_guard.text.document import Document
from tests.facts.support import SHOP, apply, edits, facts_of


def is_valid(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


class Followed:
    """A text with its tree and facts, both of which follow its edits."""

    def __init__(self, text: str) -> None:
        self.document = Document.from_text("shop.py", text, 1)
        self.before = self.document
        self.syntax = Syntax(self.document)
        self.facts = FileFacts(self.syntax.chunks)

    def do(self, edit: tuple[str, int, object]) -> None:
        if edit[0] == "undo":
            document, line_edit = self.document.replace_all(self.before.text)
            self.follow(document, line_edit)
            return
        self.before = self.document
        for document, line_edit in apply(self.document, edit):
            self.follow(document, line_edit)

    def follow(self, document: Document, line_edit: object) -> None:
        before = dict(self.facts.outlines)
        change = self.syntax.update(document, [line_edit])  # type: ignore[list-item]
        self.document = document
        changed = self.facts.update(self.syntax.chunks, change)
        after = self.facts.outlines
        assert {
            name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
        } <= changed
        if is_valid(document.text):
            self.check()

    def check(self) -> None:
        fresh = Syntax(Document.from_text("shop.py", self.document.text, 1))
        expected = facts_of(fresh, FileFacts(fresh.chunks))
        actual = facts_of(self.syntax, self.facts)
        for part, said in expected.items():
            assert actual[part] == said, part


@settings(max_examples=60, deadline=None)
@given(st.lists(edits, min_size=1, max_size=8))
@example([("insert", 14, "url = 'postgresql://'\n"), ("undo", 0, "")])
@example([("copy", 64, 45), ("delete", 64, 8), ("undo", 0, "")])
@example([("insert", 105, "x = 1\n"), ("type", 20, "url = 'postgresql://'\n")])
def test_facts_follow_edits(steps: list[tuple[str, int, object]]) -> None:
    followed = Followed(SHOP)
    for step in steps:
        followed.do(step)


@pytest.mark.parametrize("line", [12, 33, 64, 66, 72, 96, 120, 160])
def test_facts_follow_a_statement_typed_and_taken_back(line: int) -> None:
    followed = Followed(SHOP)
    text = followed.document.lines[line].rstrip("\n")
    indent = text[: len(text) - len(text.lstrip())]
    typed = indent + "found = session.query(User).filter(User.id == 3).first()\n"
    for column, char in enumerate(typed):
        followed.follow(*followed.document.replace(line, column, line, column, char))
    for column in range(len(typed) - 2, -1, -1):
        followed.follow(*followed.document.replace(line, column, line, column + 1, ""))
    followed.follow(*followed.document.replace(line, 0, line + 1, 0, ""))
    assert followed.document.text == SHOP


def test_a_renamed_class_takes_its_methods_along() -> None:
    followed = Followed(SHOP)
    line = followed.document.lines.index("class Orders(Base):\n")
    followed.follow(*followed.document.replace(line, 6, line, 12, "Sales"))
    assert followed.facts.function("Sales.report") is not None
    assert followed.facts.function("Orders.report") is None


def test_what_stands_behind_a_return_is_not_read_however_the_function_was_cut() -> None:
    short = "def f(a):\n    a.one()\n    return 1\n    a.never()\n"
    filler = "".join(f"    x{i} = {i}\n" for i in range(60))
    long = f"def f(a):\n    a.one()\n    return 1\n{filler}    a.never()\n"
    for text in (short, long):
        function = Followed(text).facts.function("f")
        assert function is not None
        assert [call.node.func.attr for call in function.call_facts] == ["one"]  # type: ignore[attr-defined]
