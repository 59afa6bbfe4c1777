"""Jinja text as tokens: what stands between `{%` and `%}` or `{{` and `}}`, string literals understood, comments left out.

This module must never know what a tag means, and never fail: what is no Jinja is text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPEN = lazy_pattern(r"\{(?P<kind>[%{#])[-+]?")
_TOKEN = lazy_pattern(
    r"""(?P<space>\s+)
      | (?P<end>[-+]?(?:%\}|\}\}))
      | (?P<name>[^\W\d]\w*)
      | (?P<number>\d[\d_]*(?:\.\d+)?)
      | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<operator>==|!=|<=|>=|//|\*\*|.)""",
    re.VERBOSE | re.DOTALL,
)
_END_RAW = lazy_pattern(r"\{%[-+]?\s*endraw\s*[-+]?%\}")


class Token(NamedTuple):
    """A word of an expression; `kind` is one of name, number, string, operator."""

    kind: str
    text: str
    start: int
    end: int


class Tag(NamedTuple):
    """What stands between two delimiters; `kind` is `%` for statements and `{` for output."""

    kind: str
    tokens: tuple[Token, ...]


def tags(text: str) -> Iterator[Tag]:
    """The tags of a template in order; one that is never closed ends the template."""
    at = 0
    while (opened := _OPEN.search(text, at)) is not None:
        kind = opened["kind"]
        if kind == "#":
            end = text.find("#}", opened.end())
            if end < 0:
                return
            at = end + 2
            continue
        found = _inside(text, opened.end(), "%}" if kind == "%" else "}}")
        if found is None:
            return
        tokens, at = found
        if kind == "%" and len(tokens) == 1 and tokens[0].text == "raw":
            closed = _END_RAW.search(text, at)
            if closed is None:
                return
            at = closed.end()
            continue
        yield Tag(kind, tokens)


def _inside(text: str, at: int, close: str) -> tuple[tuple[Token, ...], int] | None:
    """The tokens up to a closing delimiter, and where the text goes on."""
    tokens: list[Token] = []
    braces = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        assert match is not None, "any character is an operator at least"
        kind, word = match.lastgroup or "operator", match[0]
        if kind == "end":
            if word.endswith(close) and not (close == "}}" and braces):
                return tuple(tokens), match.end()
            # `}}` may close two dictionaries.
            kind, word = "operator", word[:1]
        if word in "{}":
            braces += 1 if word == "{" else -1
        at += len(word)
        if kind != "space":
            tokens.append(Token(kind, word, at - len(word), at))
    return None
