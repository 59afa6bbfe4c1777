"""Tables with several entries under one name, kept in step with what comes and goes.

This module must never know what the entries are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from sqlalchemy_guard.syntax.chunk import Chunk

T = TypeVar("T")


def put(table: dict[str, list[T]], name: str, found: list[T]) -> None:
    """Make these the entries under a name."""
    if found:
        table[name] = found
    else:
        table.pop(name, None)


def move(table: dict[str, list[Chunk]], before: set[str], after: set[str], chunk: Chunk) -> None:
    """A chunk stands under other names than before."""
    for name in before - after:
        take(table, name, chunk)
    for name in after - before:
        table.setdefault(name, []).append(chunk)


def take(table: dict[str, list[T]], name: str, one: T) -> None:
    """Remove an entry that stands under a name."""
    held = table[name]
    held.remove(one)
    if not held:
        del table[name]


def mark(table: dict[Chunk, None], chunk: Chunk, wanted: object) -> None:
    """Keep a chunk in a set that remembers its order, or take it out."""
    if wanted:
        table[chunk] = None
    else:
        table.pop(chunk, None)
