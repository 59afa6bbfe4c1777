"""Strings and comments of Python text of any version, found without parsing and without ever failing.

Format strings are read as Python 3.12 and later read them (quotes and comments inside a replacement field
belong to the field), which gives the same answer for older ones. The text must start outside of strings. This
module must never change a text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator


class Literal(NamedTuple):
    """A string or a comment: offsets into the text, the prefix's length and the quote (empty for a comment),
    and for a format or template string where its replacement fields stand, braces included."""

    start: int
    end: int
    prefix: int
    quote: str
    fields: tuple[tuple[int, int], ...]


_START = lazy_pattern(r"""\#[^\r\n]*|(?:(?<!\w)[bfrtuBFRTU]{1,2})?(?:\"\"\"|'''|["'])""")
_INNER = lazy_pattern(r"""\#[^\r\n]*|(?:(?<!\w)[bfrtuBFRTU]{1,2})?(?:\"\"\"|'''|["'])|[()\[\]{}:]""")
_PLAIN = {
    '"': lazy_pattern(r'(?:[^"\\\r\n]|\\(?:\r\n|.))*"?', re.DOTALL),
    "'": lazy_pattern(r"(?:[^'\\\r\n]|\\(?:\r\n|.))*'?", re.DOTALL),
    '"""': lazy_pattern(r'(?:[^"\\]|\\.|"(?!""))*(?:""")?', re.DOTALL),
    "'''": lazy_pattern(r"(?:[^'\\]|\\.|'(?!''))*(?:''')?", re.DOTALL),
}
_FORMATTED = {
    quote: lazy_pattern(
        rf"\{{\{{|\}}\}}|\{{|\\(?:\r\n|.)|{quote}" + ("" if len(quote) == 3 else r"|\r|\n"), re.DOTALL
    )
    for quote in _PLAIN
}
_SPEC = lazy_pattern(r"[{}\r\n]")
_NESTING_LIMIT = 20


def literals(text: str) -> Iterator[Literal]:
    """The comments and strings of a text in order; strings inside replacement fields are not told apart."""
    at = 0
    while match := _START.search(text, at):
        literal = _literal(text, match, 0)
        yield literal
        at = max(literal.end, match.end())


def _literal(text: str, match: re.Match[str], depth: int) -> Literal:
    opening = match.group()
    if opening.startswith("#"):
        return Literal(match.start(), match.end(), 0, "", ())
    quote = opening.lstrip("bfrtuBFRTU")
    prefix = len(opening) - len(quote)
    if prefix and set(opening[:prefix]) & set("ftFT") and depth < _NESTING_LIMIT:
        found = _formatted(text, match.end(), quote, depth)
        if found is not None:
            return Literal(match.start(), found[0], prefix, quote, found[1])
    end = _PLAIN[quote].match(text, match.end())
    return Literal(match.start(), end.end() if end else match.end(), prefix, quote, ())


def _formatted(text: str, at: int, quote: str, depth: int) -> tuple[int, tuple[tuple[int, int], ...]] | None:
    """The end and the fields of a format string whose content starts at `at`; None where it is not closed."""
    fields: list[tuple[int, int]] = []
    while match := _FORMATTED[quote].search(text, at):
        found = match.group()
        at = match.end()
        if found == quote:
            return at, tuple(fields)
        if found in "\r\n":
            return None
        if found == "{":
            end = _field(text, at, depth)
            if end is None:
                return None
            fields.append((match.start(), end))
            at = end
    return None


def _field(text: str, at: int, depth: int) -> int | None:
    """One past the brace that closes the replacement field whose content starts at `at`, None where none
    does."""
    level = 0
    while match := _INNER.search(text, at):
        found = match.group()
        at = match.end()
        if found in ("(", "[", "{"):
            level += 1
        elif found in (")", "]"):
            level -= 1
        elif found == "}":
            if level <= 0:
                return at
            level -= 1
        elif found == ":":
            if level <= 0:
                return _spec(text, at, depth)
        else:
            at = max(_literal(text, match, depth + 1).end, at)
    return None


def _spec(text: str, at: int, depth: int) -> int | None:
    """One past the brace that closes a field whose format specification starts at `at`."""
    while match := _SPEC.search(text, at):
        at = match.end()
        if match.group() == "}":
            return at
        if match.group() != "{" or depth >= _NESTING_LIMIT:
            return None
        inner = _field(text, at, depth + 1)
        if inner is None:
            return None
        at = inner
    return None


def mask(text: str) -> str:
    """The text with the same offsets whose strings are made of `_` and whose comments are blank."""
    parts: list[str] = []
    at = 0
    for literal in literals(text):
        parts.append(text[at : literal.start])
        parts.append(("_" if literal.quote else " ") * (literal.end - literal.start))
        at = literal.end
    parts.append(text[at:])
    return "".join(parts)
