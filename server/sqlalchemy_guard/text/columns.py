"""Columns of one line in three units: code points, UTF-8 bytes, UTF-16 code units.

A line of ASCII costs the same whatever its length, because all units agree there. A column that lies beyond
the line or inside a character is clamped, never an error. This module must never see more than one line.
"""

from __future__ import annotations

from typing import Literal

Encoding = Literal["utf-8", "utf-16", "utf-32"]


def from_utf8(line: str, column: int) -> int:
    """The code point column at which `column` UTF-8 bytes have passed; inside a character is its start."""
    if line.isascii() or column <= 0:
        return max(0, min(column, len(line)))
    return len(line.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "ignore")) if column else 0


def to_utf8(line: str, column: int) -> int:
    """The number of UTF-8 bytes before the code point column."""
    if line.isascii():
        return max(0, min(column, len(line)))
    return len(line[: max(0, column)].encode("utf-8", "surrogatepass"))


def from_utf16(line: str, column: int) -> int:
    """The code point column at which `column` UTF-16 units have passed; the middle of a pair is its start."""
    if line.isascii() or column <= 0:
        return max(0, min(column, len(line)))
    units = 0
    for index, character in enumerate(line):
        units += 2 if character > "\uffff" else 1
        if units > column:
            return index
    return len(line)


def to_utf16(line: str, column: int) -> int:
    """The number of UTF-16 code units before the code point column."""
    if line.isascii():
        return max(0, min(column, len(line)))
    before = line[: max(0, column)]
    return len(before) + sum(character > "\uffff" for character in before)


def to_code_points(line: str, column: int, encoding: Encoding) -> int:
    """A column of the given unit as a code point column, clamped to the line."""
    if encoding == "utf-16":
        return from_utf16(line, column)
    if encoding == "utf-8":
        return from_utf8(line, column)
    return max(0, min(column, len(line)))


def from_code_points(line: str, column: int, encoding: Encoding) -> int:
    """A code point column as a column of the given unit, clamped to the line."""
    if encoding == "utf-16":
        return to_utf16(line, column)
    if encoding == "utf-8":
        return to_utf8(line, column)
    return max(0, min(column, len(line)))
