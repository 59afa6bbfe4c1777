"""Walk the tree of chunks, and move its lines when text above or inside of them changes.

This module must never parse and never look at a document.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy_guard.syntax.chunk import Chunk

start_of = attrgetter("start")


def walk(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Chunks and everything below them, in the order of their lines."""
    for chunk in chunks:
        yield chunk
        if chunk.children is not None:
            yield from walk(chunk.children)


def walk_new(chunk: Chunk, kept: set[Chunk]) -> Iterator[Chunk]:
    """A new chunk and those below it that are new as well."""
    yield chunk
    for child in chunk.children or ():
        if child not in kept:
            yield from walk_new(child, kept)


def is_broken(chunk: Chunk) -> bool:
    return chunk.problem is not None or bool(chunk.broken)


def indents_of(parent: Chunk | None) -> list[str]:
    """The indentation of the statements of each enclosing definition, outermost first."""
    indents: list[str] = []
    while parent is not None:
        indents.append(parent.indent)
        parent = parent.parent
    indents.reverse()
    return indents


def move(chunks: list[Chunk], start: int, end: int, added: int, touched: list[Chunk]) -> None:
    """Make room for an edit of the lines `[start, end)`: the added lines go to the chunk that held `start`.

    Chunks behind the edit move; those that hold one of its lines are added to `touched` (a cut one when its
    header does) and lose or gain lines, possibly all of them.
    """
    delta = added - (end - start)
    index = max(0, bisect_right(chunks, start, key=start_of) - 1)
    for position in range(index, len(chunks)):
        chunk = chunks[position]
        if chunk.start >= end:
            if delta:
                _shift(chunks[position:], delta)
            return
        if chunk.end <= start:
            continue
        if chunk.children is None:
            touched.append(chunk)
            if delta or start < chunk.start or end > chunk.end:
                chunk.patches = ()
            if chunk.broken:
                chunk.broken = tuple(
                    line + delta if line + chunk.shift >= end else line for line in chunk.broken
                )
        else:
            if start < chunk.children[0].start:
                touched.append(chunk)
            move(chunk.children, start, end, added, touched)
        chunk.start = _moved(chunk.start, start, end, added)
        chunk.end = _moved(chunk.end, start, end, added)


def _moved(boundary: int, start: int, end: int, added: int) -> int:
    """Where the boundary between two chunks stands after an edit."""
    if boundary <= start:
        return boundary
    return start + added if boundary <= end else boundary + added - (end - start)


def _shift(chunks: list[Chunk], delta: int) -> None:
    for chunk in chunks:
        chunk.start += delta
        chunk.end += delta
        chunk.shift += delta
        if chunk.children is not None:
            _shift(chunk.children, delta)
