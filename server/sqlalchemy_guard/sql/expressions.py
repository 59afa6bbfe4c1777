"""Expressions: one small function a kind of node. This module must never call or read anything but through the evaluator."""

from __future__ import annotations

import ast
import enum
import operator
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.sql import allowed, assignment, budget, harmless, natives
from sqlalchemy_guard.sql.scopes import Frame, join
from sqlalchemy_guard.sql.values import (
    ANY_KEYWORDS,
    MISSING,
    Class,
    Host,
    Opaque,
    Spread,
    Super,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy_guard.sql.evaluator import Evaluator


def evaluate(evaluator: Evaluator, node: ast.expr, frame: Frame) -> Value:
    """The value of an expression; see `Evaluator.call` for what it raises."""
    evaluator.budget.spend()
    if type(node) is ast.Constant:
        return _constant(evaluator, node, frame)
    handler = _HANDLERS.get(type(node))
    if handler is None:
        return Opaque(shown(node))
    evaluator.budget.descend()
    try:
        return handler(evaluator, node, frame)
    finally:
        evaluator.budget.ascend()


def shown(node: ast.expr) -> str:
    """An expression in short, as the name of its value."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{shown(node.value)}.{node.attr}"
    if isinstance(node, ast.Call):
        return f"{shown(node.func)}()"
    if isinstance(node, ast.Subscript):
        return f"{shown(node.value)}[…]"
    if isinstance(node, ast.Await):
        return shown(node.value)
    return "…"


# -- atoms ---------------------------------------------------------------------------------------------------------


def _constant(evaluator: Evaluator, node: ast.Constant, frame: Frame) -> Value:
    return node.value if budget.is_small(node.value) else Opaque("…")


def _name(evaluator: Evaluator, node: ast.Name, frame: Frame) -> Value:
    found = frame.find(node.id)
    if type(found) is Opaque:
        # What it is called here says more than where it came from.
        return Opaque(node.id, found.dotted)
    if found is MISSING:
        found = frame.module.get(node.id)
    if found is MISSING:
        found = harmless.builtin(node.id)
    if found is not MISSING:
        return found
    if node.id == "super":
        return Super(frame.owner, frame.receiver) if frame.owner is not None else Opaque("super")
    if node.id == "__name__":
        return frame.module.name
    return Opaque(node.id)


def _joined(evaluator: Evaluator, node: ast.JoinedStr, frame: Frame) -> Value:
    parts: list[str] = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
            continue
        assert isinstance(part, ast.FormattedValue)
        value = evaluator.evaluate(part.value, frame)
        text = evaluator.text_of(value) if part.conversion in (-1, 115) and part.format_spec is None else None
        if not isinstance(text, str):
            return Opaque(value.name if isinstance(value, Opaque) else shown(part.value))
        parts.append(text)
    made = "".join(parts)
    return made if budget.is_small(made) else Opaque("…")


def arguments(evaluator: Evaluator, nodes: Sequence[ast.expr], frame: Frame) -> list[Value]:
    """Expressions in a row, starred ones unfolded."""
    found: list[Value] = []
    for node in nodes:
        if isinstance(node, ast.Starred):
            value = evaluator.evaluate(node.value, frame)
            items = evaluator.iterate(value)
            found.extend([Spread(shown(node.value))] if items is None else items)
        else:
            found.append(evaluator.evaluate(node, frame))
    if len(found) > budget.MOST_ITEMS:
        raise budget.Exhausted("too many items")
    return found


def _list(evaluator: Evaluator, node: ast.List, frame: Frame) -> Value:
    return arguments(evaluator, node.elts, frame)


def _tuple(evaluator: Evaluator, node: ast.Tuple, frame: Frame) -> Value:
    return tuple(arguments(evaluator, node.elts, frame))


def _set(evaluator: Evaluator, node: ast.Set, frame: Frame) -> Value:
    items = arguments(evaluator, node.elts, frame)
    return set(items) if all(map(_is_hashable, items)) else Opaque("{…}")


def _is_hashable(value: Value) -> bool:
    return type(value).__hash__ is not None and (
        not isinstance(value, tuple) or all(map(_is_hashable, value))
    )


def _dict(evaluator: Evaluator, node: ast.Dict, frame: Frame) -> Value:
    found: dict[Value, Value] = {}
    for key_node, value_node in zip(node.keys, node.values, strict=True):
        value = evaluator.evaluate(value_node, frame)
        if key_node is None:
            if not isinstance(value, dict) or evaluator.is_tainted(value):
                evaluator.taint(found)
            else:
                found.update(value)
            continue
        key = evaluator.evaluate(key_node, frame)
        if _is_hashable(key):
            found[key] = value
        else:
            evaluator.taint(found)
    return found


def _lambda(evaluator: Evaluator, node: ast.Lambda, frame: Frame) -> Value:
    return assignment.make_function(evaluator, node, frame)


# -- access and calls ----------------------------------------------------------------------------------------------


def _attribute(evaluator: Evaluator, node: ast.Attribute, frame: Frame) -> Value:
    return evaluator.attribute(evaluator.evaluate(node.value, frame), node.attr)


def _call(evaluator: Evaluator, node: ast.Call, frame: Frame) -> Value:
    callee = evaluator.evaluate(node.func, frame)
    if isinstance(callee, Super):
        return callee
    args = arguments(evaluator, node.args, frame)
    keywords: dict[str, Value] = {}
    for keyword in node.keywords:
        value = evaluator.evaluate(keyword.value, frame)
        if keyword.arg is not None:
            keywords[keyword.arg] = value
        elif (
            isinstance(value, dict)
            and not evaluator.is_tainted(value)
            and all(type(key) is str for key in value)
        ):
            keywords.update(value)
        else:
            keywords[ANY_KEYWORDS] = Spread(shown(keyword.value))
    evaluator.at_call(frame, node)
    result = evaluator.call(callee, args, keywords)
    if evaluator.watch is not None:
        evaluator.watch(frame, node, result)
    if isinstance(result, Opaque) and not result.dotted:
        # What is written where it is used says more than what it came to.
        return Opaque(shown(node))
    return result


def _subscript(evaluator: Evaluator, node: ast.Subscript, frame: Frame) -> Value:
    value = evaluator.evaluate(node.value, frame)
    if isinstance(node.slice, ast.Slice):
        bounds = [
            None if part is None else evaluator.evaluate(part, frame)
            for part in (node.slice.lower, node.slice.upper, node.slice.step)
        ]
        if isinstance(value, (str, list, tuple, bytes)) and all(
            type(one) in (int, type(None)) for one in bounds
        ):
            if not evaluator.is_tainted(value):
                return value[slice(*bounds)]
        return natives.sliced(evaluator, value, bounds, shown(node))
    key = evaluator.evaluate(node.slice, frame)
    if isinstance(value, Host):
        return value.item(key)
    if allowed.is_type(value):
        # `TypeDecorator[Money]`: what Python's values are does not change the type of the column.
        return value
    if isinstance(value, Opaque) or isinstance(key, Opaque) or evaluator.is_tainted(value):
        return natives.item_of_unknown(value, key, shown(node))
    if isinstance(value, (dict, list, tuple, str)):
        if isinstance(value, dict):
            if _is_hashable(key) and key in value:
                return value[key]
            raise KeyError(str(key))
        if type(key) is int:
            return Opaque(shown(node)) if any(isinstance(one, Spread) for one in value) else value[key]
        return Opaque(shown(node))
    if isinstance(value, Class) and not any(isinstance(one, enum.EnumMeta) for one in value.natives):
        # A generic class with its parameters.
        return value
    return natives.item(evaluator, value, key, shown(node))


def _await(evaluator: Evaluator, node: ast.Await, frame: Frame) -> Value:
    return evaluator.evaluate(node.value, frame)


def _yield(evaluator: Evaluator, node: ast.Yield, frame: Frame) -> Value:
    value = evaluator.evaluate(node.value, frame) if node.value is not None else None
    if frame.yields is not None:
        frame.yields.append(Spread("yield") if evaluator.uncertain else value)
    return Opaque("yield")


def _yield_from(evaluator: Evaluator, node: ast.YieldFrom, frame: Frame) -> Value:
    items = evaluator.iterate(evaluator.evaluate(node.value, frame))
    if frame.yields is not None:
        frame.yields.extend([Spread("yield from")] if items is None else items)
    return Opaque("yield")


def _walrus(evaluator: Evaluator, node: ast.NamedExpr, frame: Frame) -> Value:
    value = evaluator.evaluate(node.value, frame)
    assignment.assign(evaluator, node.target, value, frame)
    return value


# -- operators -----------------------------------------------------------------------------------------------------

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}
_NUMBERS = (int, float, bool)


def _binary(evaluator: Evaluator, node: ast.BinOp, frame: Frame) -> Value:
    left = evaluator.evaluate(node.left, frame)
    return operate(evaluator, node.op, left, evaluator.evaluate(node.right, frame), shown(node))


def operate(evaluator: Evaluator, op: ast.operator, left: Value, right: Value, text: str = "…") -> Value:
    """`left op right`, when that is small."""
    if natives.is_clause(left) or natives.is_clause(right):
        function = _OPERATORS.get(type(op))
        return Opaque(text) if function is None else natives.operate(evaluator, function, left, right)
    if isinstance(op, ast.Mod) and type(left) is str:
        made = harmless.format_percent(left, right) if not isinstance(right, Opaque) else None
        return Opaque(text) if made is None else made
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        return _arithmetic(op, left, right, text)
    if isinstance(op, ast.Add) and type(left) is type(right) and type(left) in (str, list, tuple, bytes):
        if evaluator.is_tainted(left) or evaluator.is_tainted(right):
            joined = left + right
            evaluator.taint(joined)
            return joined
        return left + right if len(left) + len(right) <= budget.MOST_ITEMS else Opaque(text)
    if isinstance(op, ast.Add) and type(left) in (list, tuple) and isinstance(right, Opaque):
        return type(left)([*left, Spread(right.name)])
    if isinstance(op, ast.Add) and type(right) in (list, tuple) and isinstance(left, Opaque):
        return type(right)([Spread(left.name), *right])
    if isinstance(op, ast.Mult) and {type(left), type(right)} & {str, list, tuple}:
        count, data = (left, right) if type(left) is int else (right, left)
        small = type(count) is int and 0 <= count * max(1, len(data)) <= budget.MOST_ITEMS
        return data * count if small else Opaque(text)
    if isinstance(op, ast.BitOr):
        if isinstance(left, dict) and isinstance(right, dict):
            return {**left, **right}
        if isinstance(left, (set, frozenset)) and isinstance(right, (set, frozenset)):
            return left | right
        return natives.union(left, right, text)
    if isinstance(op, ast.Sub) and isinstance(left, (set, frozenset)) and isinstance(right, (set, frozenset)):
        return left - right
    return Opaque(text)


def _arithmetic(op: ast.operator, left: Any, right: Any, text: str) -> Value:
    function = _OPERATORS.get(type(op))
    if function is None or not (budget.is_small(left) and budget.is_small(right)):
        return Opaque(text)
    if isinstance(op, ast.Pow) and not (abs(right) <= 64 and abs(left) <= 256):
        return Opaque(text)
    if isinstance(op, (ast.LShift, ast.RShift)) and not (
        type(right) is int and 0 <= right <= budget.MOST_BITS
    ):
        return Opaque(text)
    try:
        result = function(left, right)
    except (ValueError, OverflowError, TypeError):
        return Opaque(text)
    return result if type(result) in _NUMBERS and budget.is_small(result) else Opaque(text)


def _unary(evaluator: Evaluator, node: ast.UnaryOp, frame: Frame) -> Value:
    value = evaluator.evaluate(node.operand, frame)
    if isinstance(node.op, ast.Not):
        known = evaluator.truth(value)
        return Opaque(f"not {shown(node.operand)}") if known is None else not known
    function = _UNARY[type(node.op)]
    if natives.is_clause(value):
        return natives.operate(evaluator, lambda one, _: function(one), value, value)
    if type(value) in _NUMBERS and not (type(value) is float and isinstance(node.op, ast.Invert)):
        return function(value)
    return Opaque(shown(node.operand))


def _boolean(evaluator: Evaluator, node: ast.BoolOp, frame: Frame) -> Value:
    stops = isinstance(node.op, ast.Or)
    possible: list[Value] = []
    for index, part in enumerate(node.values):
        if possible:
            evaluator.uncertain.append(shown(node.values[0]))
        try:
            value = evaluator.evaluate(part, frame)
        finally:
            if possible:
                evaluator.uncertain.pop()
        known = evaluator.truth(value)
        if known is stops or index == len(node.values) - 1:
            possible.append(value)
            break
        if known is None:
            possible.append(value)
    if len(possible) == 1:
        return possible[0]
    if type(possible[-1]) is bool and possible[-1] is stops:
        # Whatever the others are, it counts as true, or as false.
        return stops
    if stops and isinstance(possible[0], Opaque) and not possible[0].dotted:
        # `limit or 20`: some value of that name, as far as SQL is concerned.
        return Opaque(possible[0].name)
    return join(shown(node.values[0]), possible)


def _compare(evaluator: Evaluator, node: ast.Compare, frame: Frame) -> Value:
    left = evaluator.evaluate(node.left, frame)
    result: Value = True
    for op, part in zip(node.ops, node.comparators, strict=True):
        right = evaluator.evaluate(part, frame)
        result = compare(evaluator, op, left, right, f"{shown(node.left)} … {shown(part)}")
        if len(node.ops) > 1:
            known = evaluator.truth(result)
            if not known:
                return result
        left = right
    return result


def compare(evaluator: Evaluator, op: ast.cmpop, left: Value, right: Value, text: str) -> Value:
    """`left op right` for one comparison."""
    # Names of SQLAlchemy (`conv`, `quoted_name`) are texts like others.
    left, right = (str(one) if isinstance(one, str) else one for one in (left, right))
    if isinstance(op, (ast.Is, ast.IsNot)):
        return _identity(isinstance(op, ast.Is), left, right, text)
    if isinstance(op, (ast.In, ast.NotIn)):
        return _membership(evaluator, isinstance(op, ast.In), left, right, text)
    function = _COMPARISONS[type(op)]
    if natives.is_clause(left) or natives.is_clause(right):
        return natives.operate(evaluator, function, left, right)
    if left is right and isinstance(op, (ast.Eq, ast.NotEq)) and not isinstance(left, Opaque):
        return isinstance(op, ast.Eq)
    if harmless.is_known(left) and harmless.is_known(right):
        if evaluator.is_tainted(left) or evaluator.is_tainted(right):
            return Opaque(text)
        try:
            return function(left, right)
        except TypeError:
            return Opaque(text)
    return natives.compare_members(function, left, right, text)


def _identity(wanted: bool, left: Value, right: Value, text: str) -> Value:
    if isinstance(left, Opaque) or isinstance(right, Opaque):
        return Opaque(text)
    same = left is right
    if (
        not same
        and left is not None
        and right is not None
        and harmless.is_data(left)
        and harmless.is_data(right)
    ):
        same = type(left) is type(right) is bool and left == right
    return same is wanted


def _membership(evaluator: Evaluator, wanted: bool, left: Value, right: Value, text: str) -> Value:
    if type(left) is str and type(right) is str:
        return (left in right) is wanted
    if (
        isinstance(right, dict)
        and not evaluator.is_tainted(right)
        and _is_hashable(left)
        and not isinstance(left, Opaque)
    ):
        return (left in right) is wanted
    items = evaluator.iterate(right)
    if items is None or isinstance(left, Opaque):
        return Opaque(text)
    if any(
        item is left or (harmless.is_known(left) and harmless.is_known(item) and item == left)
        for item in items
    ):
        return wanted
    return Opaque(text) if any(isinstance(item, Opaque) for item in items) else not wanted


def _conditional(evaluator: Evaluator, node: ast.IfExp, frame: Frame) -> Value:
    condition = evaluator.evaluate(node.test, frame)
    known = evaluator.truth(condition)
    if known is not None:
        return evaluator.evaluate(node.body if known else node.orelse, frame)
    evaluator.uncertain.append(shown(node.test))
    try:
        values = [evaluator.evaluate(node.body, frame), evaluator.evaluate(node.orelse, frame)]
    finally:
        evaluator.uncertain.pop()
    named = next((value.name for value in values if isinstance(value, Opaque)), shown(node.test))
    return join(named, values)


# -- comprehensions ------------------------------------------------------------------------------------------------


def _comprehension(
    evaluator: Evaluator, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, frame: Frame
) -> Value:
    found: list[Value] = []
    inner = _inner(frame)
    _generate(
        evaluator, node.generators, inner, lambda: found.append(evaluator.evaluate(node.elt, inner)), found
    )
    if isinstance(node, ast.SetComp):
        return set(found) if all(map(_is_hashable, found)) else Opaque("{…}")
    return found


def _dict_comprehension(evaluator: Evaluator, node: ast.DictComp, frame: Frame) -> Value:
    found: dict[Value, Value] = {}
    unknown: list[Value] = []
    inner = _inner(frame)

    def add() -> None:
        key = evaluator.evaluate(node.key, inner)
        if isinstance(key, Opaque) or not _is_hashable(key):
            unknown.append(key)
        else:
            found[key] = evaluator.evaluate(node.value, inner)

    _generate(evaluator, node.generators, inner, add, unknown)
    if unknown:
        evaluator.taint(found)
    return found


def _inner(frame: Frame) -> Frame:
    inner = Frame(frame.module, frame, frame.chunk)
    inner.owner, inner.receiver = frame.owner, frame.receiver
    if frame.is_class:
        # Its first iterable sees the class body; giving it all the names harms nothing that works in Python.
        inner.env.update(frame.env)
    return inner


def _generate(
    evaluator: Evaluator,
    generators: Sequence[ast.comprehension],
    frame: Frame,
    add: Callable[[], None],
    found: list[Value],
) -> None:
    first, *rest = generators
    iterable = evaluator.evaluate(first.iter, frame)
    items = evaluator.iterate(iterable)
    if items is None:
        found.append(Spread(shown(first.iter)))
        return
    for item in items:
        evaluator.budget.spend()
        if isinstance(item, Spread):
            found.append(item)
            continue
        assignment.assign(evaluator, first.target, item, frame)
        truths = [evaluator.truth(evaluator.evaluate(test, frame)) for test in first.ifs]
        if False in truths:
            continue
        if None in truths:
            found.append(Spread(shown(first.iter)))
        elif rest:
            _generate(evaluator, rest, frame, add, found)
        else:
            add()
        if len(found) > budget.MOST_ITEMS:
            raise budget.Exhausted("too many items")


_HANDLERS: dict[type[ast.expr], Callable[..., Value]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.JoinedStr: _joined,
    ast.List: _list,
    ast.Tuple: _tuple,
    ast.Set: _set,
    ast.Dict: _dict,
    ast.Lambda: _lambda,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.Subscript: _subscript,
    ast.Await: _await,
    ast.Yield: _yield,
    ast.YieldFrom: _yield_from,
    ast.NamedExpr: _walrus,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.Compare: _compare,
    ast.IfExp: _conditional,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.DictComp: _dict_comprehension,
}
