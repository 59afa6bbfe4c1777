"""Criteria as they are written: the comparisons and Boolean operations that stand directly in a WHERE, ON or HAVING.

Found by the names of the methods alone, since what counts is whether the operands are columns, which whoever subscribes asks.
This module must never resolve anything.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.facts.units import Unit

_TAKING = frozenset(
    ("where", "filter", "having", "and_", "or_", "not_", "case", "any", "has", "join", "outerjoin", "join_from",
     "with_loader_criteria", "exists", "when")
)  # fmt: skip
_PYTHON_OPERATORS = (ast.Is, ast.IsNot, ast.In, ast.NotIn)


@dataclass(slots=True, eq=False)
class PythonCriterion:
    """An operation in criteria that Python decides by itself, unless its operands say otherwise: `and`, `not`, `is`, `in`.

    Attributes:
        fact: The call whose criterion it is.
        node: The outermost operation of that kind.
    """

    fact: CallFact
    node: ast.BoolOp | ast.UnaryOp | ast.Compare


@dataclass(slots=True, eq=False)
class NoneCriterion:
    """A comparison with `== None` or `!= None` in criteria."""

    fact: CallFact
    node: ast.Compare


def python_criteria(unit: Unit) -> Iterator[PythonCriterion]:
    """The operations of Python in the criteria of a unit."""
    for fact in _calls(unit):
        for argument in _arguments(fact.node):
            for node in outermost(argument):
                yield PythonCriterion(fact, node)


def none_criteria(unit: Unit) -> Iterator[NoneCriterion]:
    """The comparisons with None in the criteria of a unit."""
    for fact in _calls(unit):
        for argument in _arguments(fact.node):
            for node in _operations(argument):
                if isinstance(node, ast.Compare) and is_none_comparison(node):
                    yield NoneCriterion(fact, node)


def is_none_comparison(node: ast.Compare) -> bool:
    """Whether it is `x == None`, `x != None` or one of these the other way round."""
    sides = (node.left, *node.comparators)
    return (
        len(node.ops) == 1
        and isinstance(node.ops[0], (ast.Eq, ast.NotEq))
        and sum(isinstance(side, ast.Constant) and side.value is None for side in sides) == 1
    )


def is_pythons(node: ast.expr) -> bool:
    """Whether Python decides an operation by itself."""
    if isinstance(node, ast.Compare):
        return len(node.ops) > 1 or isinstance(node.ops[0], _PYTHON_OPERATORS)
    return isinstance(node, ast.BoolOp) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not))


def outermost(node: ast.expr) -> Iterator[ast.BoolOp | ast.UnaryOp | ast.Compare]:
    """The operations of Python that no other one contains."""
    if isinstance(node, (ast.BoolOp, ast.UnaryOp, ast.Compare)) and is_pythons(node):
        yield node
        return
    for operand in operands(node):
        yield from outermost(operand)


def _operations(node: ast.expr) -> Iterator[ast.expr]:
    yield node
    for operand in operands(node):
        yield from _operations(operand)


def operands(node: ast.expr) -> list[ast.expr]:
    """What of a criterion is a criterion itself; the arguments of calls are those calls' own."""
    match node:
        case ast.BoolOp(values=values):
            return values
        case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
            return [operand]
        case ast.BinOp(left=left, right=right, op=ast.BitAnd() | ast.BitOr()):
            return [left, right]
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return items
        case ast.Starred(value=value):
            return [value]
        case ast.ListComp(elt=element) | ast.GeneratorExp(elt=element):
            return [element]
        case ast.IfExp(body=body, orelse=orelse):
            return [body, orelse]
    return []


def _calls(unit: Unit) -> Iterator[CallFact]:
    for fact in unit.calls:
        func = fact.node.func
        name = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
        if name in _TAKING:
            yield fact


def _arguments(call: ast.Call) -> Iterator[ast.expr]:
    yield from call.args
    for keyword in call.keywords:
        if keyword.arg in ("onclause", "whereclause"):
            yield keyword.value
