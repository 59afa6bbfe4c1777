"""Comments that silence, and comments in general, while the text changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sqlalchemy_guard.syntax.comments import comments
from sqlalchemy_guard.syntax.syntax import Syntax
from sqlalchemy_guard.text.document import Document

if TYPE_CHECKING:
    from sqlalchemy_guard.syntax.suppressions import Suppressions


def suppressions(text: str) -> Suppressions:
    return Syntax(Document.from_text("file:///a.py", text)).suppressions


@pytest.mark.parametrize(
    ("comment", "silenced", "other"),
    [
        ("# noqa", True, True),
        ("#NOQA", True, True),
        ("# noqa: SAG301", True, False),
        ("# noqa:sag301,SAG302", True, False),
        ("# NoQA: SAG302 SAG301", True, False),
        ("# why  # noqa: SAG301", True, False),
        ("# noqa: SAG302", False, False),
        ("# noqa: nothing", False, False),
        ("# noqaa", False, False),
        ("# quite", False, False),
    ],
)
def test_codes(comment: str, silenced: bool, other: bool) -> None:
    found = suppressions(f"x = 1  {comment}\ny = 2\n")
    assert found.silences("SAG301", 0, 1) is silenced
    assert found.silences("SAG999", 0, 1) is other
    assert not found.silences("SAG301", 1, 2)


def test_any_line_of_a_statement_counts_but_no_string() -> None:
    found = suppressions("f(\n    1,  # noqa: SAG301\n)\ng('# noqa')\nh('''\n# noqa\n''')\n")
    assert found.silences("SAG301", 0, 3)
    assert not found.silences("SAG301", 3, 7)


def test_a_whole_file() -> None:
    assert suppressions("# sqlalchemy-guard: noqa\nx = 1\n").silences("SAG101", 1, 2)
    some = suppressions("import a\n# Sqlalchemy-Guard: NoQA: SAG301\nx = 1\n")
    assert some.silences("SAG301", 2, 3)
    assert not some.silences("SAG302", 2, 3)
    assert not suppressions("x = 1  # sqlalchemy-guard: noqa\ny = 2\n").silences("SAG301", 1, 2)


def test_suppressions_follow_edits() -> None:
    document = Document.from_text("file:///a.py", "x = 1\n" * 40 + "y = 2  # noqa\n")
    tree = Syntax(document)
    assert [suppression.span for suppression in tree.suppressions.naming("SAG")] == [(40, 7, 40, 13)]
    document, edit = document.replace(0, 0, 0, 0, "\n\n")
    tree.update(document, [edit])
    assert tree.suppressions.silences("SAG301", 42, 43)
    assert [suppression.span for suppression in tree.suppressions.naming("SAG")] == [(42, 7, 42, 13)]
    document, edit = document.replace(42, 7, 42, 13, "")
    tree.update(document, [edit])
    assert not tree.suppressions.silences("SAG301", 0, 43)
    assert tree.suppressions.naming("SAG") == ()


def test_suppressions_that_name_codes_of_a_prefix() -> None:
    found = suppressions("x = 1  # noqa: E501\ny = 2  # noqa: E501, SAG301\nz = 3  # noqa\n")
    first = found.naming("SAG")
    assert [suppression.span.line for suppression in first] == [1, 2]
    assert found.naming("SAG") is first
    assert [suppression.span.line for suppression in found.naming("F")] == [2]


def test_comments_are_real_comments() -> None:
    lines = Document.from_text("", "a = '#'  # é\nb = f\"{x['#']}#\" # two\n'''\n# no\n'''  # three\n").lines
    found = list(comments(lines, 0, len(lines)))
    assert [(comment.line, comment.column, comment.text) for comment in found] == [
        (0, 9, "# é"),
        (1, 17, "# two"),
        (4, 5, "# three"),
    ]
