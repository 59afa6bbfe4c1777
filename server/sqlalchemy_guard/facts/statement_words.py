"""What a statement says: its names, and whether control may leave it, so that walks can pass over most statements.

This module must never say what a name means.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import NamedTuple

if TYPE_CHECKING:
    from sqlalchemy_guard.syntax.chunk import Chunk

_LEAVING = (ast.Return, ast.Raise, ast.Break, ast.Continue)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Words(NamedTuple):
    """What tells of a statement whether a walk has to go through it.

    Attributes:
        own: The names that its own expressions read or bind; for a definition the same as `said`.
        said: The names that it reads or binds, in the statements and scopes inside as well.
        leaves: Whether control may leave it otherwise than at its end.
    """

    own: frozenset[str]
    said: frozenset[str]
    leaves: bool


def words_in(chunk: Chunk) -> dict[ast.stmt, Words]:
    """The words of every statement in a chunk."""
    found: dict[ast.stmt, Words] = {}
    # Inner statements come behind those around them, so that going backwards meets them first.
    order: list[tuple[ast.stmt, list[ast.stmt]]] = []
    todo = list(chunk.body)
    while todo:
        statement = todo.pop()
        inner: list[ast.stmt] = []
        order.append((statement, inner))
        said: set[str | None] = set()
        leaves = isinstance(statement, _LEAVING)
        parts: list[ast.AST] = [statement]
        while parts:
            node = parts.pop()
            if isinstance(node, ast.Name):
                said.add(node.id)
                continue
            if isinstance(node, (ast.Global, ast.Nonlocal)):
                said.update(node.names)
            elif not isinstance(node, ast.Attribute):
                said.update(
                    (getattr(node, "name", None), getattr(node, "asname", None), getattr(node, "rest", None))
                )
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.stmt):
                    inner.append(child)
                else:
                    parts.append(child)
        own = frozenset(name for name in said if name is not None)
        found[statement] = Words(own, own, leaves)
        todo.extend(inner)
    for statement, inner in reversed(order):
        if inner:
            words = found[statement]
            all_of_them = [found[one] for one in inner]
            every = words.own.union(*(one.said for one in all_of_them))
            found[statement] = Words(
                every if isinstance(statement, _DEFINITIONS) else words.own,
                every,
                words.leaves or any(one.leaves for one in all_of_them),
            )
    return found


def words_of_cut(chunk: Chunk) -> Words:
    """The words of a definition that was cut, with all that is inside."""
    every = [words for part in chunk.parts() for words in part.once(words_in).values()]
    said = frozenset().union(*(words.said for words in every))
    return Words(said, said, any(words.leaves for words in every))
