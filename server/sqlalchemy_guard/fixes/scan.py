"""A scanner for tokens of any part of a Python text: comments, strings, brackets, words.

It needs no valid file around the part, gives offsets in code points, and knows strings nested in f-strings (PEP 701)
on every Python. This module must never decide what a token means.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["comment", "string", "open", "close", "comma", "word", "newline", "operator"]


class Token(NamedTuple):
    """A token `text[start:end]`; `newline` is a line end that is not escaped by a backslash."""

    kind: Kind
    start: int
    end: int


_TOKEN = lazy_pattern(
    r"""(?P<space>(?:[ \t\f]|\\\r\n|\\\n|\\\r)+)
      | (?P<newline>\r\n|\n|\r)
      | (?P<comment>\#[^\r\n]*)
      | (?P<string>(?P<prefix>[rRbBuUfFtT]{0,2})(?P<quote>'''|\"\"\"|'|"))
      | (?P<word>\w+)
      | (?P<open>[(\[{])
      | (?P<close>[)\]}])
      | (?P<comma>,)
      | (?P<operator>:=|->|\*\*|//|[=!<>]=|.)
    """,
    re.VERBOSE | re.DOTALL,
)


def tokens(text: str, start: int = 0, end: int | None = None) -> Iterator[Token]:
    """The tokens from `start`, which must not lie inside one, up to the one that reaches `end`."""
    at = start
    end = len(text) if end is None else end
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            return
        kind = match.lastgroup if match.lastgroup not in ("prefix", "quote") else "string"
        stop = match.end()
        if match["quote"]:
            kind = "string"
            stop = _string_end(text, stop, match["quote"], match["prefix"])
        if kind != "space":
            yield Token(kind, at, stop)  # type: ignore[arg-type]  # the pattern's group names are the kinds
        at = stop


def _string_end(text: str, at: int, quote: str, prefix: str) -> int:
    """The end of a string whose opening quote ends at `at`; a string without an end reaches to the line's end."""
    interpolated = any(letter in "fFtT" for letter in prefix)
    while at < len(text):
        character = text[at]
        if character == "\\":
            # A backslash does not escape the brace of a field.
            at += 1 if interpolated and text.startswith("{", at + 1) else 2
        elif text.startswith(quote, at):
            return at + len(quote)
        elif character in "\r\n" and len(quote) == 1:
            return at
        elif interpolated and text.startswith("{{", at):
            at += 2
        elif interpolated and character == "{":
            at = field_end(text, at + 1, quote)
        else:
            at += 1
    return len(text)


def field_end(text: str, at: int, quote: str) -> int:
    """The end of a replacement field of an f-string whose opening brace ends at `at`."""
    depth = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            break
        if match["quote"] and not (match["quote"] == quote and not match["prefix"] and _unclosed(text, at)):
            at = _string_end(text, match.end(), match["quote"], match["prefix"])
            continue
        symbol = match.group()
        at = match.end()
        if symbol in ("(", "[", "{"):
            depth += 1
        elif symbol == "}" and depth == 0:
            return at
        elif symbol in (")", "]", "}"):
            depth -= 1
        elif depth == 0 and symbol in (":", ":="):
            # A walrus needs parentheses here, so `:=` too starts a format specification.
            return _specification_end(text, at - len(symbol) + 1, quote)
    return len(text)


def _unclosed(text: str, at: int) -> bool:
    """Whether no brace closes the field on this line: then the quote ends a string that is being typed."""
    return re.compile(r"[^\r\n]*\}").match(text, at) is None


def _specification_end(text: str, at: int, quote: str) -> int:
    """The end of the field whose format specification, literal text and nested fields, starts at `at`."""
    while at < len(text):
        if text[at] == "{":
            at = field_end(text, at + 1, quote)
        elif text[at] == "}":
            return at + 1
        elif text.startswith(quote, at) or (text[at] in "\r\n" and len(quote) == 1):
            return at
        else:
            at += 1
    return len(text)
