"""The statements among which a query is followed: one leaf chunk, or all leaves of a function that was cut.

This module must never look at an expression.
"""

from __future__ import annotations

import ast
from collections import ChainMap
from typing import TYPE_CHECKING

from sqlalchemy_guard.syntax.parents import parents_in

if TYPE_CHECKING:
    from sqlalchemy_guard.syntax.chunk import Chunk


class QueryScope:
    """The nodes of a chunk and of those that it makes a function with.

    Args:
        chunk: A leaf.

    Attributes:
        chunks: The leaves, in order.
        body: Their statements.
        is_function: Whether these are the statements of a function.
    """

    def __init__(self, chunk: Chunk) -> None:
        around = chunk.parent
        self.is_function = around is not None and isinstance(
            around.body[0], ast.FunctionDef | ast.AsyncFunctionDef
        )
        self.chunks = list(around.leaves()) if self.is_function and around is not None else [chunk]
        self.body: list[ast.stmt] = [statement for each in self.chunks for statement in each.body]
        self._chunk_of = {statement: each for each in self.chunks for statement in each.body}
        parts = [parents_in(each) for each in self.chunks]
        self._parents = parts[0] if len(parts) == 1 else ChainMap(*parts)

    def parent(self, node: ast.AST) -> ast.AST | None:
        """The node that holds a node; None for the statements of the body."""
        return self._parents.get(node)

    def holds(self, node: ast.AST) -> bool:
        """Whether a node stands in the scope."""
        return node in self._parents or node in self._chunk_of

    def chunk_of(self, node: ast.AST) -> Chunk:
        """The chunk that a node comes from."""
        here: ast.AST | None = node
        while here is not None:
            top, here = here, self._parents.get(here)
        return self._chunk_of.get(top, self.chunks[0]) if isinstance(top, ast.stmt) else self.chunks[0]

    def shift(self, node: ast.AST) -> int:
        """The shift of the chunk that a node comes from."""
        return self.chunk_of(node).shift
