"""Results of executions that are iterated: in a loop, a comprehension, or by `list()` and the like.

Looks at the tree around the call and at the uses of a name that the result gets. This module must never resolve anything.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.uses import sole_use

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.facts.result_uses import Parent

_COLLECTING = frozenset(("list", "tuple", "set", "sorted", "next", "dict", "enumerate"))


def iterated(parent: Parent, fact: CallFact) -> ast.expr | None:
    """The result that an execution gives and that is iterated; None where something else becomes of it.

    Args:
        parent: Gives the node around a node.
        fact: The execution.
    """
    node: ast.expr = fact.node
    around = parent(fact.chunk, node)
    if isinstance(around, ast.Await):
        node, around = around, parent(fact.chunk, around)
    while isinstance(around, ast.Attribute) and around.attr in ("scalars", "mappings"):
        called = parent(fact.chunk, around)
        if not isinstance(called, ast.Call):
            return None
        node, around = called, parent(fact.chunk, called)
    if _iterates(around, node):
        return node
    if (
        not isinstance(around, ast.Assign)
        or around is not fact.statement
        or fact.function is None
        or not isinstance(around.targets[0], ast.Name)
    ):
        return None
    use = sole_use(fact.function.header, fact.function.chunk, around, around.targets[0].id)
    return node if use is not None and _iterates(parent(use.chunk, use.node), use.node) else None


def _iterates(around: ast.AST | None, node: ast.expr) -> bool:
    if isinstance(around, (ast.For, ast.AsyncFor, ast.comprehension)):
        return around.iter is node
    return (
        isinstance(around, ast.Call)
        and isinstance(around.func, ast.Name)
        and around.func.id in _COLLECTING
        and around.args[:1] == [node]
    )
