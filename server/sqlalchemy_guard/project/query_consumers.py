"""What the code around a legacy query does with its value, by the nodes that hold it.

This module must never resolve a type: names of builtins are taken for what they are where the file does not bind them.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import Consumer

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    Parent = Callable[[ast.AST], ast.AST | None]

_BUILTINS = {
    "list": Consumer.LISTED,
    "tuple": Consumer.LISTED,
    "set": Consumer.LISTED,
    "frozenset": Consumer.LISTED,
    "sorted": Consumer.LISTED,
    "len": Consumer.LENGTH,
    "bool": Consumer.TRUTH,
    "dict": Consumer.UNPACKED,
    "enumerate": Consumer.ITERATED,
    "zip": Consumer.ITERATED,
    "any": Consumer.ITERATED,
    "all": Consumer.ITERATED,
    "sum": Consumer.ITERATED,
    "min": Consumer.ITERATED,
    "max": Consumer.ITERATED,
}
_NESTING = frozenset(
    ("in_", "notin_", "not_in", "union", "union_all", "intersect", "intersect_all", "except_", "except_all", "exists",
     "any_", "all_", "select_from", "from_select")
)  # fmt: skip
"""Methods and functions of statements and columns that take a statement."""
SET_OPERATIONS = frozenset(("union", "union_all", "intersect", "intersect_all", "except_", "except_all"))


def consumer_of(node: ast.expr, parent: Parent, bound: Container[str] = ()) -> Consumer:
    """What becomes of the value of an expression.

    Args:
        node: The outermost expression of a chain.
        parent: Gives the node that holds a node.
        bound: Names of builtins that mean something else in the file.
    """
    holder = parent(node)
    if isinstance(holder, ast.Starred):
        return Consumer.LISTED
    if isinstance(holder, ast.keyword):
        outer = parent(holder)
        return (
            Consumer.NESTED if isinstance(outer, ast.Call) and _takes_statements(outer) else Consumer.PASSED
        )
    if isinstance(holder, ast.Call):
        return _argument(holder, bound)
    if isinstance(holder, ast.For | ast.comprehension) and holder.iter is node:
        by_position = isinstance(holder.target, ast.Tuple | ast.List) and not any(
            isinstance(each, ast.Starred) for each in holder.target.elts
        )
        return Consumer.UNPACKED if by_position else Consumer.ITERATED
    if isinstance(holder, ast.Assign | ast.AnnAssign):
        target = holder.targets[0] if isinstance(holder, ast.Assign) else holder.target
        if isinstance(target, ast.Tuple | ast.List):
            return Consumer.UNPACKED
        return Consumer.ASSIGNED if isinstance(target, ast.Name) else Consumer.PASSED
    if isinstance(holder, ast.Compare):
        is_member = isinstance(holder.ops[-1], ast.In | ast.NotIn) and holder.comparators[-1] is node
        return Consumer.ITERATED if is_member else Consumer.UNKNOWN
    if isinstance(holder, ast.UnaryOp) and not isinstance(holder.op, ast.Not):
        return Consumer.NESTED
    tests = (ast.If, ast.While, ast.IfExp)
    if (isinstance(holder, tests) and holder.test is node) or isinstance(
        holder, ast.BoolOp | ast.UnaryOp | ast.Assert
    ):
        return Consumer.TRUTH
    return _PLAIN.get(type(holder), Consumer.UNKNOWN)


_PLAIN: dict[type, Consumer] = {
    ast.Expr: Consumer.STATEMENT,
    ast.Await: Consumer.AWAITED,
    ast.Return: Consumer.RETURNED,
    ast.Lambda: Consumer.RETURNED,
    ast.Yield: Consumer.RETURNED,
    ast.YieldFrom: Consumer.ITERATED,
    ast.List: Consumer.PASSED,
    ast.Tuple: Consumer.PASSED,
    ast.Dict: Consumer.PASSED,
}


def _argument(call: ast.Call, bound: Container[str]) -> Consumer:
    func = call.func
    if isinstance(func, ast.Name) and func.id not in bound and func.id in _BUILTINS:
        return _BUILTINS[func.id]
    return Consumer.NESTED if _takes_statements(call) else Consumer.PASSED


def _takes_statements(call: ast.Call) -> bool:
    func = call.func
    name = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
    if name in SET_OPERATIONS and isinstance(func, ast.Attribute) and isinstance(func.value, ast.Call):
        # A set operation of Query wants queries: only as a whole is it rewritten.
        return False
    return name in _NESTING


def is_method_of_query(
    node: ast.expr, parent: Parent, qualified_name: Callable[[ast.expr], str | None]
) -> bool:
    """Whether an expression is an argument of a set operation of Query, which wants queries: `query.union(node)`.

    Args:
        node: The outermost expression of a chain.
        parent: Gives the node that holds a node.
        qualified_name: Tells functions of SQLAlchemy.
    """
    holder = parent(node)
    func = holder.func if isinstance(holder, ast.Call) and node is not holder.func else None
    return (
        isinstance(func, ast.Attribute)
        and func.attr in SET_OPERATIONS
        and not (qualified_name(func) or "").startswith("sqlalchemy.")
    )


def statement_of(node: ast.AST, parent: Parent) -> ast.stmt | None:
    """The statement that a node stands in."""
    here: ast.AST | None = node
    while here is not None and not isinstance(here, ast.stmt):
        here = parent(here)
    return here
