"""Where a key or a value stands in TOML text, so that a problem can be shown and mended at its place.

A small scan of our own, because `tomllib` tells no positions. It takes what is valid TOML apart and skips the
line where it is not. This module must never judge a value.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from sqlalchemy_guard.config.settings import KeyPath

_BLANK = lazy_pattern(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = lazy_pattern(r"[ \t]*")
_BARE_KEY = lazy_pattern(r"[A-Za-z0-9_-]+")
_BASIC = lazy_pattern(r'"(?:[^"\\\n]|\\.)*"')
_LITERAL = lazy_pattern(r"'[^'\n]*'")
_LONG = lazy_pattern(r'"""(?:[^\\]|\\.)*?"""(?!")|\'\'\'.*?\'\'\'(?!\')', re.DOTALL)
_OTHER = lazy_pattern(r"[^,\]}#\r\n]*")
_DEPTH = 100
_REST = lazy_pattern(r"[^\n]*")


class Place(NamedTuple):
    """Offsets of a key and its value, end exclusive; for headers and array elements both are the same."""

    key_start: int
    key_end: int
    start: int
    end: int


class Position(NamedTuple):
    """A range: 0-based lines, columns in code points, end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


def locate(text: str, key: KeyPath, *, value: bool = False) -> Position:
    """Where a key or its value stands.

    Args:
        key: The path from the top of the document; integers are positions in arrays.
        value: Whether the place of the value is wanted.

    Returns:
        The place of the longest known beginning of the path; the start of the text when there is none.
    """
    start, end = locate_offsets(text, key, value=value)
    return Position(*_line_and_column(text, start), *_line_and_column(text, end))


def locate_offsets(text: str, key: KeyPath, *, value: bool = False) -> tuple[int, int]:
    """As `locate`, in offsets of code points."""
    places = scan(text) if key else {}
    for count in range(len(key), 0, -1):
        place = places.get(key[:count])
        if place is not None:
            whole = value and count == len(key)
            return (place.start, place.end) if whole else (place.key_start, place.key_end)
    return 0, 0


def scan(text: str) -> dict[KeyPath, Place]:
    """The places of all keys and array elements by their paths."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.places


def _line_and_column(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset), offset - (text.rfind("\n", 0, offset) + 1)


class _UnexpectedError(Exception):
    """This is not TOML; the rest of the line is skipped."""


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.places: dict[KeyPath, Place] = {}
        self._arrays: dict[KeyPath, int] = {}

    def document(self) -> None:
        table: KeyPath = ()
        while self._skip(_BLANK) < len(self.text):
            try:
                if self._peek("["):
                    table = self._header()
                else:
                    self._pair(table)
            except _UnexpectedError:
                self._skip(_REST)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.at

    def _peek(self, word: str) -> bool:
        return self.text.startswith(word, self.at)

    def _expect(self, word: str) -> None:
        if not self._peek(word):
            raise _UnexpectedError
        self.at += len(word)

    def _header(self) -> KeyPath:
        brackets = 2 if self._peek("[[") else 1
        self.at += brackets
        keys = self._dotted()
        self._expect("]" * brackets)
        path: KeyPath = ()
        for number, (word, start, end) in enumerate(keys):
            path = (*path, word)
            self.places.setdefault(path, Place(start, end, start, end))
            last = number == len(keys) - 1
            if last and brackets == 2:
                self._arrays[path] = self._arrays.get(path, -1) + 1
            if path in self._arrays:
                path = (*path, self._arrays[path])
                self.places.setdefault(path, Place(start, end, start, end))
        return path

    def _dotted(self) -> list[tuple[str, int, int]]:
        keys = []
        while True:
            self._skip(_SPACE)
            start = self.at
            for pattern in (_BASIC, _LITERAL, _BARE_KEY):
                if self._skip(pattern) > start:
                    break
            raw = self.text[start : self.at]
            if not raw:
                raise _UnexpectedError
            keys.append((_unquoted(raw), start, self.at))
            self._skip(_SPACE)
            if not self._peek("."):
                return keys
            self.at += 1

    def _pair(self, table: KeyPath) -> None:
        keys = self._dotted()
        self._expect("=")
        self._skip(_SPACE)
        start = self.at
        path = table
        for word, key_start, key_end in keys:
            path = (*path, word)
            self.places.setdefault(path, Place(key_start, key_end, key_start, key_end))
        self._value(path)
        _, key_start, key_end = keys[-1]
        self.places[path] = Place(key_start, key_end, start, self.at)

    def _value(self, path: KeyPath) -> None:
        if len(path) > _DEPTH:
            raise _UnexpectedError
        if self._peek("["):
            self._array(path)
        elif self._peek("{"):
            self._inline_table(path)
        elif self._peek('"""') or self._peek("'''"):
            self._text(_LONG)
        elif self._peek('"') or self._peek("'"):
            self._text(_BASIC if self._peek('"') else _LITERAL)
        else:
            start = self.at
            self._skip(_OTHER)
            self.at = start + len(self.text[start : self.at].rstrip())
            if self.at == start:
                raise _UnexpectedError

    def _text(self, pattern: re.Pattern[str]) -> None:
        start = self.at
        if self._skip(pattern) == start:
            raise _UnexpectedError

    def _array(self, path: KeyPath) -> None:
        self.at += 1
        index = 0
        while True:
            self._skip(_BLANK)
            if self._peek("]"):
                self.at += 1
                return
            start = self.at
            self._value((*path, index))
            self.places[(*path, index)] = Place(start, self.at, start, self.at)
            index += 1
            self._skip(_BLANK)
            if not self._peek("]"):
                self._expect(",")

    def _inline_table(self, path: KeyPath) -> None:
        self.at += 1
        while True:
            self._skip(_BLANK)
            if self._peek("}"):
                self.at += 1
                return
            self._pair(path)
            self._skip(_BLANK)
            if not self._peek("}"):
                self._expect(",")


def _unquoted(raw: str) -> str:
    if raw[0] not in "\"'":
        return raw
    try:
        return str(tomllib.loads(f"key = {raw}")["key"])
    except tomllib.TOMLDecodeError:
        return raw[1:-1]
