"""Whether a list or object is needed only for how many there are, or whether there is any: by the code around it.

This module must never resolve anything.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import NamedTuple

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.result_uses import Parent
    from sqlalchemy_guard.syntax.chunk import Chunk


class Question(NamedTuple):
    """What the code around a value asks of it.

    Attributes:
        kind: `count` or `any`.
        node: The expression that asks; it may be replaced by the answer.
        negated: Whether it asks for the opposite: that there is none.
    """

    kind: str
    node: ast.expr
    negated: bool = False


def asked(parent: Parent, chunk: Chunk, node: ast.expr) -> Question | None:
    """What is asked of a list of results; None when its items are needed, or may be."""
    around = parent(chunk, node)
    if isinstance(around, ast.Call) and _is_call_of(around, "len", node):
        compared = parent(chunk, around)
        if isinstance(compared, ast.Compare) and len(compared.ops) == 1 and compared.left is around:
            answer = _compared(compared)
            if answer is not None:
                return Question("any", compared, answer)
        if is_tested(parent, chunk, around):
            return Question("any", around)
        return Question("count", around)
    return _truth(parent, chunk, node, around)


def asked_of_one(parent: Parent, chunk: Chunk, node: ast.expr) -> Question | None:
    """What is asked of a single result, which is None where there is none."""
    around = parent(chunk, node)
    if (
        isinstance(around, ast.Compare)
        and around.left is node
        and len(around.ops) == 1
        and isinstance(around.comparators[0], ast.Constant)
        and around.comparators[0].value is None
    ):
        if isinstance(around.ops[0], (ast.IsNot, ast.NotEq)):
            return Question("any", around)
        if isinstance(around.ops[0], (ast.Is, ast.Eq)):
            return Question("any", around, negated=True)
    return _truth(parent, chunk, node, around)


def _truth(parent: Parent, chunk: Chunk, node: ast.expr, around: ast.AST | None) -> Question | None:
    if isinstance(around, ast.Call) and _is_call_of(around, "bool", node):
        return Question("any", around)
    return Question("any", node) if is_tested(parent, chunk, node) else None


def is_tested(parent: Parent, chunk: Chunk, node: ast.AST) -> bool:
    """Whether only the truth of an expression matters."""
    around = parent(chunk, node)
    if isinstance(around, (ast.If, ast.IfExp, ast.While, ast.Assert)):
        return around.test is node
    if isinstance(around, ast.UnaryOp) and isinstance(around.op, ast.Not):
        return True
    return isinstance(around, ast.BoolOp) and is_tested(parent, chunk, around)


def _is_call_of(call: ast.Call, name: str, node: ast.expr) -> bool:
    return (
        isinstance(call.func, ast.Name) and call.func.id == name and call.args == [node] and not call.keywords
    )


def _compared(node: ast.Compare) -> bool | None:
    """For `len(x) > 0` False, for `len(x) == 0` True; None for any other comparison."""
    number = node.comparators[0].value if isinstance(node.comparators[0], ast.Constant) else None
    match node.ops[0], number:
        case (ast.Gt() | ast.NotEq(), 0) | (ast.GtE(), 1):
            return False
        case (ast.Eq() | ast.LtE(), 0) | (ast.Lt(), 1):
            return True
    return None
