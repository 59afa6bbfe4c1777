"""Where in a piece of SQL a placeholder stands: in the place of a value, or in that of a name or a whole clause.

Reads any dialect approximately, and fragments of statements too. A placeholder is one character, `HOLE`. This module
must never know where the text comes from, and must never raise.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.text.patterns import lazy_pattern

HOLE = "\ue000"
"""Stands for an interpolated expression: a character of the private use area, which no SQL contains."""


class Position(Enum):
    """What a placeholder stands for."""

    VALUE = auto()
    LIST = auto()
    """The values between the parentheses of `IN (…)`."""
    NAME = auto()
    """A name, a keyword, a clause or anything else that cannot be bound."""
    BIND = auto()
    """The name of a bound parameter: `:{name}`."""


class Placeholder(NamedTuple):
    """One placeholder.

    Attributes:
        at: Where its character stands in the text.
        position: What it stands for.
        start: Where the text starts that a bound parameter takes the place of: the quote, or the parenthesis of a list.
        end: One past that text.
        quoted: Whether it stands in a string literal.
        is_bindable: Whether the database accepts a parameter in its place, written as `:name`.
    """

    at: int
    position: Position
    start: int
    end: int
    quoted: bool = False
    is_bindable: bool = True


_TOKEN = lazy_pattern(
    rf"""
    (?P<space>\s+)
  | (?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
  | (?P<string>'(?:[^']|'')*(?:'|\Z))
  | (?P<dollar>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
  | (?P<quoted>"[^"]*(?:"|\Z)|`[^`]*(?:`|\Z))
  | (?P<bind>(?<![:\w]):[\w{HOLE}]+)
  | (?P<cast>::)
  | (?P<word>[\w${HOLE}]+)
  | (?P<open>[(\[])
  | (?P<close>[)\]])
  | (?P<operator>[=<>!|+\-/%~@\#&^?]+)
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)

_words = str.split

_UTILITY = frozenset(
    _words("""
    CREATE ALTER DROP GRANT REVOKE COMMENT SET PRAGMA USE TRUNCATE VACUUM ANALYZE REINDEX LISTEN NOTIFY UNLISTEN ATTACH
    DETACH COPY LOCK SHOW KILL SAVEPOINT RELEASE ROLLBACK DO BEGIN DECLARE REFRESH CLUSTER RENAME LOAD FLUSH OPTIMIZE
    CHECKPOINT DISCARD RESET EXECUTE DESCRIBE UNLOAD EXEC
    """)
)
_BEFORE_VALUE = frozenset(
    _words("LIKE ILIKE RLIKE REGEXP GLOB LIMIT OFFSET TOP BETWEEN ESCAPE THEN ELSE INTERVAL IN")
)
_TYPED = frozenset(_words("INTERVAL DATE TIME TIMESTAMP DATETIME TIMESTAMPTZ"))
_VALUES = frozenset({"IN", "VALUES", "VALUE", "ANY", "ALL", "SOME"})


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        return self.text.upper() if self.kind == "word" else ""


class _Level:
    """What an open parenthesis holds: `values`, `list` (of IN), or anything else. `between` counts the words of
    `BETWEEN … AND …` that were read."""

    __slots__ = ("between", "clause", "kind", "opened")

    def __init__(self, kind: str, opened: int) -> None:
        self.kind = kind
        self.opened = opened
        self.between = 0
        self.clause = ""


def can_bind(text: str) -> bool:
    """Whether a statement is one that takes bound parameters: no DDL, no utility command."""
    for token in _tokens(text):
        return token.word not in _UTILITY
    return True


def placeholders(text: str) -> list[Placeholder]:
    """The placeholders of a text, in order."""
    tokens = list(_tokens(text))
    if HOLE not in text:
        return []
    found: list[Placeholder] = []
    levels = [_Level("", 0)]
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else None
        after = tokens[index + 1] if index + 1 < len(tokens) else None
        if HOLE in token.text:
            found.extend(_placed(token, before, after, levels[-1]))
        _advance(token, before, levels)
    placed = {place.at for place in found}
    # Comments are no tokens: what stands there reaches no part of the statement that counts.
    found.extend(
        Placeholder(at, Position.NAME, at, at + 1)
        for at, char in enumerate(text)
        if char == HOLE and at not in placed
    )
    return sorted(found)


def _tokens(text: str) -> list[_Token]:
    return [
        _Token(match.lastgroup or "other", match.group(), match.start(), match.end())
        for match in _TOKEN.finditer(text)
        if match.lastgroup not in ("space", "comment")
    ]


def _advance(token: _Token, before: _Token | None, levels: list[_Level]) -> None:
    """Keep track of parentheses and of `BETWEEN … AND …`."""
    level = levels[-1]
    if token.kind == "open":
        word = before.word if before is not None else ""
        if word in _VALUES:
            levels.append(_Level("list" if word == "IN" else "values", token.start))
        elif before is not None and before.text == "," and level.clause == "VALUES":
            levels.append(_Level("values", token.start))
        else:
            levels.append(_Level("", token.start))
    elif token.kind == "close":
        if len(levels) > 1:
            levels.pop()
    elif token.word == "BETWEEN":
        level.between = 1
    elif token.word == "AND":
        level.between = 2 if level.between == 1 else 0
    elif token.word in ("SELECT", "FROM", "WHERE", "SET", "VALUES", "BY", "RETURNING", "LIMIT", "ON"):
        level.clause = token.word


def _placed(token: _Token, before: _Token | None, after: _Token | None, level: _Level) -> list[Placeholder]:
    holes = [token.start + at for at, char in enumerate(token.text) if char == HOLE]
    if token.kind == "bind":
        return [Placeholder(at, Position.BIND, at, at + 1) for at in holes]
    if token.kind == "string":
        return _in_string(token, before, after, holes)
    if token.text != HOLE:
        return [Placeholder(at, Position.NAME, at, at + 1) for at in holes]
    at = token.start
    position = _bare(before, after, level)
    start, end = at, at + 1
    if position is Position.LIST and before is not None and before.kind == "open" and after is not None:
        start, end = before.start, after.end
    is_bindable = not (after is not None and after.kind == "cast") and not (
        before is not None and before.word in _TYPED
    )
    return [Placeholder(at, position, start, end, False, is_bindable)]


def _in_string(
    token: _Token, before: _Token | None, after: _Token | None, holes: list[int]
) -> list[Placeholder]:
    word = before.word if before is not None else ""
    if word == "AS" or (before is not None and before.text == "."):
        return [Placeholder(at, Position.NAME, at, at + 1) for at in holes]
    prefixed = before is not None and before.kind == "word" and before.end == token.start
    body = token.text[1:-1]
    is_bindable = (
        not prefixed
        and word not in _TYPED
        and word != "ESCAPE"
        and "'" not in body
        and "\\" not in body
        and len(token.text) > 1
        and token.text.endswith("'")
        and (
            after is None
            or (after.kind != "cast" and after.start > token.end)
            or after.kind in ("close", "other")
        )
    )
    return [Placeholder(at, Position.VALUE, token.start, token.end, True, is_bindable) for at in holes]


def _bare(before: _Token | None, after: _Token | None, level: _Level) -> Position:
    """The position of a placeholder that stands by itself."""
    if before is None or (after is not None and after.text in (".", "(")):
        return Position.NAME
    if before.kind == "operator":
        # `SELECT -{x}` aside, what an operator is followed by is an operand.
        return Position.VALUE
    if before.word == "IN":
        return Position.LIST
    if before.word == "AND":
        return Position.VALUE if level.between == 2 else Position.NAME
    if before.word in _BEFORE_VALUE:
        return Position.VALUE
    if before.kind == "open" and level.kind == "list":
        closes = after is not None and after.kind == "close"
        return Position.LIST if closes else Position.VALUE
    if before.kind == "open" and level.kind == "values":
        # `VALUES ({row})` holds a list of values that was written as text.
        return Position.NAME if after is not None and after.kind == "close" else Position.VALUE
    if before.text == ",":
        return Position.VALUE if level.kind or level.clause == "LIMIT" else Position.NAME
    return Position.NAME
