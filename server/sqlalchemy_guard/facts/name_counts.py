"""How often names are bound and read in a chunk: what spares longer looks at a function or a file.

This module must never tell scopes apart.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.syntax.parents import parents_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy_guard.syntax.chunk import Chunk


class NameCount(NamedTuple):
    """How often a name is bound (or deleted) by itself, and how often it is read."""

    bound: int
    read: int


_NONE = NameCount(0, 0)


def name_count(chunks: Iterable[Chunk], name: str) -> NameCount:
    """How often a name is bound and read in some chunks, without those that they are cut into."""
    found = [chunk.once(_counted).get(name, _NONE) for chunk in chunks]
    return NameCount(sum(each.bound for each in found), sum(each.read for each in found))


def _counted(chunk: Chunk) -> Mapping[str, NameCount]:
    found: dict[str, NameCount] = {}
    for node in parents_in(chunk):
        if isinstance(node, ast.Name):
            bound, read = found.get(node.id, _NONE)
            is_read = isinstance(node.ctx, ast.Load)
            found[node.id] = NameCount(bound + (not is_read), read + is_read)
    return found
