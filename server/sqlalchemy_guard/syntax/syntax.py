"""The syntax of one document: a tree of chunks that follows the document's edits. Never raises on any text.

This module must never know what a statement means.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy_guard.syntax.cut import cut
from sqlalchemy_guard.text.columns import from_utf8
from sqlalchemy_guard.text.span import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy_guard.syntax.chunk import Chunk
    from sqlalchemy_guard.text.document import Document, LineEdit


class Problem(NamedTuple):
    """A place that could not be parsed: 0-based line, column in code points."""

    line: int
    column: int
    message: str


class Change(NamedTuple):
    """What an update did: leaf or cut chunks that are no longer in the tree, and those that came."""

    removed: list[Chunk]
    added: list[Chunk]


class Syntax:
    """The tree of one document.

    Attributes:
        document: The version that the tree describes.
        chunks: The chunks of the module's own level; they tile the document's lines.
        problems: What could not be parsed.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self.chunks: list[Chunk] = []
        self.problems: list[Problem] = []
        self._parse_whole()

    def update(self, document: Document, line_edits: Sequence[LineEdit]) -> Change:
        """Follow the document to its next version.

        Args:
            document: The new version.
            line_edits: The edits that lead to it, in the order in which they were made.
        """
        removed = list(walk(self.chunks))
        self.document = document
        if line_edits:
            self._parse_whole()
            return Change(removed, list(walk(self.chunks)))
        return Change([], [])

    def iter_leaves(self) -> Iterator[Chunk]:
        """All chunks that were not cut, in order."""
        return (chunk for chunk in walk(self.chunks) if chunk.children is None)

    def chunk_at(self, line: int) -> Chunk | None:
        """The innermost chunk that holds a line; for a header's line the cut chunk. None outside the
        document."""
        found: Chunk | None = None
        chunks: list[Chunk] | None = self.chunks
        while chunks:
            inner = next((chunk for chunk in chunks if chunk.start <= line < chunk.end), None)
            if inner is None:
                break
            found, chunks = inner, inner.children
        return found

    def node_span(self, chunk: Chunk, node: ast.expr | ast.stmt) -> Span:
        """Where a node of a chunk stands now."""
        lines = self.document.lines
        line = node.lineno - 1 + chunk.shift
        end_line = (node.end_lineno or node.lineno) - 1 + chunk.shift
        end = node.end_col_offset or 0
        return Span(line, from_utf8(lines[line], node.col_offset), end_line, from_utf8(lines[end_line], end))

    def _parse_whole(self) -> None:
        document = self.document
        self.problems = []
        try:
            body = ast.parse(document.text).body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = (getattr(error, "lineno", 1) or 1) - 1
            self.problems.append(Problem(line, 0, str(getattr(error, "msg", error))))
            body = []
        self.chunks = cut(body, 0, len(document.lines), 0, document.lines)


def walk(chunks: Sequence[Chunk]) -> Iterator[Chunk]:
    """Chunks and everything below them, in the order of their lines."""
    for chunk in chunks:
        yield chunk
        if chunk.children is not None:
            yield from walk(chunk.children)
