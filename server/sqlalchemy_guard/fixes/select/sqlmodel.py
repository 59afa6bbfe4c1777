"""SQLModel's own way to execute: `session.exec(select(...))` with the `select` of `sqlmodel`.

Its `select()` of one expression gives scalars, of several rows; so `exec` takes the place of `scalars` and
`execute` only where that is what is wanted. This module must never rewrite another session's expressions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import SessionKind
from sqlalchemy_guard.fixes.select.tree import Argument, Call, Chain, Imported, Step

if TYPE_CHECKING:
    from sqlalchemy_guard.fixes.select.tree import Tree

_SELECT = Imported("sqlalchemy", "select")
_CHANGES_SHAPE = frozenset(("with_only_columns", "add_columns", "from_statement"))


def executed_by_sqlmodel(tree: Tree, kind: SessionKind) -> Tree:
    """The tree with `exec`, where the session is SQLModel's and that means the same."""
    if kind is not SessionKind.SQLMODEL or not isinstance(tree, Chain) or not tree.steps:
        return tree
    first = tree.steps[0]
    if first.name not in ("scalars", "execute") or len(first.arguments or ()) != 1:
        return tree
    executed = (first.arguments or ())[0].value
    if not isinstance(executed, Chain | Call):
        return tree
    head = executed.head if isinstance(executed, Chain) else executed
    steps = executed.steps if isinstance(executed, Chain) else ()
    if (
        not isinstance(head, Call)
        or head.function != _SELECT
        or any(step.name in _CHANGES_SHAPE for step in steps)
    ):
        return tree
    if first.name == "execute" and len(head.arguments) < 2:
        return tree
    select: Tree = Call(Imported("sqlmodel", "select"), head.arguments)
    if steps:
        select = Chain(select, steps)
    return Chain(tree.head, (Step("exec", (Argument(select),), origin=first.origin), *tree.steps[1:]))
