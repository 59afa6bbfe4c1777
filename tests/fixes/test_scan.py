"""The scanner finds the comments and strings that `tokenize` finds, and f-strings that only newer Pythons know."""

from __future__ import annotations

import io
import tokenize
from pathlib import Path

import pytest

import sqlalchemy_guard
from sqlalchemy_guard.fixes.scan import tokens
from sqlalchemy_guard.text.lines import LineIndex, split_lines

FILES = sorted(Path(sqlalchemy_guard.__file__).parent.rglob("*.py"))


@pytest.mark.skipif(hasattr(tokenize, "FSTRING_START"), reason="this tokenize cuts f-strings into pieces")
def test_comments_and_strings_equal_those_of_tokenize() -> None:
    assert FILES
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        index = LineIndex(split_lines(text))
        expected = [
            (index.offset(token.start[0] - 1, token.start[1]), index.offset(token.end[0] - 1, token.end[1]))
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type in (tokenize.COMMENT, tokenize.STRING)
        ]
        found = [(token.start, token.end) for token in tokens(text) if token.kind in ("comment", "string")]
        assert found == expected, path


@pytest.mark.parametrize(
    "string",
    [
        "f'{a['b']}'",
        'f"{x:\'>10}"',
        "f'{x!r:{width}}'",
        "f'{{#}}'",
        'rf"""{\nx  # inside\n}"""',
        "t'{f'{1}'}'",
        "b'\\'#'",
        r"rf'\{{#|{x}'",
        "f'{ {1: 2}[1] }'",
    ],
)
def test_a_string_is_one_token(string: str) -> None:
    text = f"{string}  # c"
    found = [(token.kind, text[token.start : token.end]) for token in tokens(text)]
    assert found == [("string", string), ("comment", "# c")]


def test_a_string_that_is_being_typed_ends_with_its_line() -> None:
    text = "x = 'a\n# c\n"
    assert [text[token.start : token.end] for token in tokens(text) if token.kind == "comment"] == ["# c"]
