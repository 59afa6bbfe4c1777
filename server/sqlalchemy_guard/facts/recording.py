"""The values of expressions, noted while code is evaluated, and those of an earlier time taken again where they are equal.

What is known about a value is kept with it: a value that outlives an edit is not resolved anew. This module must never
look at what a value says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sqlalchemy_guard.facts.values import Value, same

if TYPE_CHECKING:
    import ast
    from collections.abc import Mapping

    from sqlalchemy_guard.syntax.chunk import Chunk

V = TypeVar("V", bound=Value)


class Noted:
    """The values of one chunk.

    Args:
        known: What nodes that may stand in it were worth before.
    """

    __slots__ = ("_known", "values")

    def __init__(self, known: Mapping[ast.expr, Value]) -> None:
        self._known = known
        self.values: dict[ast.expr, Value] = {}

    def note(self, node: ast.expr, value: V) -> V:
        """Note what an expression is worth; gives the value that its node had before if that is equal."""
        before = self._known.get(node)
        if (
            before is not None
            and before is not value
            and isinstance(before, type(value))
            and same(before, value)
        ):
            value = before
        self.values[node] = value
        return value


class Recording:
    """The values of all that is evaluated while it runs.

    Args:
        known: What nodes were worth before.
    """

    def __init__(self, known: Mapping[ast.expr, Value]) -> None:
        self._known = known
        self.noted: dict[Chunk, Noted] = {}

    def begin(self, chunk: Chunk) -> None:
        """A chunk is evaluated from its first statement on: what an evaluation before noted does not count."""
        self.noted.pop(chunk, None)

    def of(self, chunk: Chunk) -> Noted:
        """Where the values of a chunk are noted."""
        found = self.noted.get(chunk)
        if found is None:
            found = self.noted[chunk] = Noted(self._known)
        return found
