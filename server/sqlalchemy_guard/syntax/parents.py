"""Which node of a chunk contains which: one walk, kept for the chunks that were asked for last.

This module must never know what the nodes mean.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from sqlalchemy_guard.syntax.chunk import Chunk

_KEPT = 64
"""Chunks: those of one large function and of what it calls. All chunks of all files would fill the memory."""
_PARENTS: dict[Chunk, dict[ast.AST, ast.AST]] = {}
"""The chunk that was asked for last stands last."""


def parents_in(chunk: Chunk) -> dict[ast.AST, ast.AST]:
    """For each node of a chunk below its statements the node that contains it.

    Contexts (`ast.Load`) and operators are shared between nodes and are left out. The keys come in no particular order.
    """
    parents = _PARENTS.pop(chunk, None)
    if parents is None:
        parents = {}
        _walk(chunk.body, parents)
        while len(_PARENTS) >= _KEPT:
            del _PARENTS[next(iter(_PARENTS))]
    _PARENTS[chunk] = parents
    return parents


def hand_on(old: Chunk, new: Chunk) -> None:
    """Take what is known of a chunk for the one in its place, which may share nodes with it: only the others are walked."""
    parents = _PARENTS.pop(old, None)
    if parents is None:
        return
    before, after = set(old.body), set(new.body)
    come: dict[ast.AST, ast.AST] = {}
    gone: dict[ast.AST, ast.AST] = {}
    _walk((node for node in new.body if node not in before), come, parents)
    _walk((node for node in old.body if node not in after), gone, come)
    for node in gone:
        if node not in come:
            del parents[node]
    parents.update(come)
    _PARENTS[new] = parents


def _walk(
    nodes: Iterable[ast.AST], parents: dict[ast.AST, ast.AST], known: Container[ast.AST] = frozenset()
) -> None:
    """Note what is below some nodes, but nothing that is below known ones."""
    todo = list(nodes)
    while todo:
        node = todo.pop()
        for name in node._fields:
            child = getattr(node, name, None)
            if isinstance(child, ast.AST):
                if child._fields:
                    parents[child] = node
                    if child not in known:
                        todo.append(child)
            elif type(child) is list:
                for one in child:
                    if isinstance(one, ast.AST) and one._fields:
                        parents[one] = node
                        if one not in known:
                            todo.append(one)
