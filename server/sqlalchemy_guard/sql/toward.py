"""The way to one statement of a function: which branches lead to it, and which statements before it make no difference.

What is run is what the statement rests on, so that a line deep inside of a long function costs no more than another. A
statement counts that binds or may change a name that is needed further on. This module must never evaluate anything.
"""

from __future__ import annotations

import ast
from itertools import pairwise
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.sql.bindings import bound_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Block = list[ast.stmt]
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_OWN = ("self", "cls")


class Reached(Exception):
    """The statement was run: what follows makes no difference."""


class Step(NamedTuple):
    """A statement on the way, and the block that it stands in."""

    node: ast.stmt
    block: Block


class Toward:
    """The way to a statement.

    Args:
        steps: The statements around it, itself last, from the body of the outermost function inwards.

    Attributes:
        last: The statement.
        skipped: The statements before it, by id, that make no difference.
        before: Those before it that do: what they cannot do leaves their names unknown, and goes on.
        needed: The names that count, those of the function's parameters among them.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self.last = steps[-1].node
        self.skipped: set[int] = set()
        self.before: set[int] = set()
        self._next = {id(one.node): other.node for one, other in pairwise(steps)}
        self.needed = set(_loaded(self.last, header=True))
        for step in reversed(steps):
            if step.node is not self.last:
                self.needed |= _loaded(step.node, header=True)
            at = next(number for number, one in enumerate(step.block) if one is step.node)
            for one in reversed(step.block[:at]):
                if _changes(one, self.needed):
                    self.before.add(id(one))
                    self.needed |= _loaded(one, header=False)
                else:
                    self.skipped.add(id(one))

    def passes(self, node: ast.stmt) -> ast.stmt | None:
        """The statement inside of another one by which the way goes on; None beside the way, and at its end."""
        return self._next.get(id(node))

    def within(self, node: ast.stmt, block: Sequence[ast.stmt]) -> bool:
        """Whether the way goes through a block of a statement."""
        inner = self._next.get(id(node))
        return inner is not None and any(one is inner for one in block)


def _changes(statement: ast.stmt, needed: set[str]) -> bool:
    """Whether a statement binds one of some names, or may change what it stands for."""
    if not needed.isdisjoint(bound_names(statement)):
        return True
    if isinstance(statement, _SCOPES):
        return False
    for node in ast.walk(statement):
        if isinstance(node, ast.NamedExpr):
            if node.target.id in needed:
                return True
        elif isinstance(node, (ast.withitem, ast.comprehension)):
            target = node.optional_vars if isinstance(node, ast.withitem) else None
            if target is not None and not needed.isdisjoint(_names(target)):
                return True
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
            if node.name in needed:
                return True
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            if not needed.isdisjoint(node.names):
                return True
        elif isinstance(node, ast.Expr) and _may_change(node.value, needed):
            return True
    return False


def _may_change(value: ast.expr, needed: set[str]) -> bool:
    """Whether a call that stands alone is made on one of some names, or is given one."""
    value = value.value if isinstance(value, ast.Await) else value
    if not isinstance(value, ast.Call):
        return False
    function = value.func
    if isinstance(function, ast.Attribute):
        root: ast.expr = function.value
        if isinstance(root, ast.Name) and root.id in needed:
            return True
        while isinstance(root, (ast.Attribute, ast.Subscript)):
            root = root.value
        if isinstance(root, ast.Name) and root.id in needed and root.id not in _OWN:
            return True
    given = [*value.args, *(one.value for one in value.keywords)]
    return any(isinstance(one, ast.Name) and one.id in needed for one in given)


def _names(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Name):
            yield one.id


def _loaded(statement: ast.stmt, *, header: bool) -> set[str]:
    """The names that a statement reads; of one with blocks inside, on the way, those of its header."""
    if not header or not hasattr(statement, "body"):
        return set(_names(statement))
    found: set[str] = set()
    for name, field in ast.iter_fields(statement):
        if name in ("body", "orelse", "finalbody", "handlers", "cases"):
            continue
        for one in field if isinstance(field, list) else [field]:
            if isinstance(one, ast.AST):
                found.update(_names(one))
    return found
