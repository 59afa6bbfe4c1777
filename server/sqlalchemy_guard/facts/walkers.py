"""Lambdas that run once for each item of something: keys of sorting and grouping, and what is mapped and filtered.

Told by the form of the call alone. This module must never resolve a name.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import UNKNOWN, Attr, Call, Element, Value
from sqlalchemy_guard.syntax.parents import parents_in

if TYPE_CHECKING:
    from sqlalchemy_guard.syntax.chunk import Chunk

_KEYED = frozenset({"sorted", "min", "max", "groupby", "nlargest", "nsmallest"})
_MAPPED = frozenset({"map", "filter", "filterfalse", "takewhile", "dropwhile"})


def walked_by(call: ast.Call) -> tuple[ast.Lambda, tuple[ast.expr, ...]] | None:
    """The lambda among the arguments of a call with what each of its parameters is an item of; None when there is none."""
    func = call.func
    name = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
    walked: tuple[ast.expr, ...] = ()
    given: ast.expr | None = None
    if name in _MAPPED and len(call.args) > 1:
        given, walked = call.args[0], tuple(call.args[1:])
    elif name in _KEYED and call.args:
        given = next((each.value for each in call.keywords if each.arg == "key"), None)
        walked = (call.args[-1] if name in ("nlargest", "nsmallest") else call.args[0],)
        if name == "groupby" and given is None and len(call.args) > 1:
            given = call.args[1]
    elif name == "sort" and isinstance(func, ast.Attribute):
        given = next((each.value for each in call.keywords if each.arg == "key"), None)
        walked = (func.value,)
    if not isinstance(given, ast.Lambda) or len(given.args.args) != len(walked) or given.args.vararg:
        return None
    if any(isinstance(each, ast.Starred) for each in walked):
        return None
    return given, walked


def waits(node: ast.Lambda, chunk: Chunk) -> bool:
    """Whether a lambda is called with the items of what the call around it is given."""
    parents = parents_in(chunk)
    call = parents.get(node)
    if isinstance(call, ast.keyword):
        call = parents.get(call)
    walked = walked_by(call) if isinstance(call, ast.Call) else None
    return walked is not None and walked[0] is node


def items_of(node: ast.Call, value: Call, waiting: ast.Lambda) -> dict[str, Value]:
    """What the parameters of a lambda stand for; empty when it belongs to another call."""
    walked = walked_by(node)
    if walked is None or walked[0] is not waiting:
        return {}
    given = dict(zip(node.args, value.args, strict=True))
    base = value.func.base if type(value.func) is Attr else UNKNOWN
    pairs = zip(waiting.args.args, walked[1], strict=True)
    return {parameter.arg: Element(given.get(iterable, base)) for parameter, iterable in pairs}


def with_lambda(node: ast.Call, value: Call, waiting: ast.Lambda, function: Value) -> Call:
    """A call with the value of a lambda among its arguments."""
    pairs = zip(node.args, value.args, strict=True)
    named = zip(node.keywords, value.keywords, strict=True)
    return Call(
        value.func,
        tuple([function if arg is waiting else each for arg, each in pairs]),
        tuple([(name, function if key.value is waiting else each) for key, (name, each) in named]),
    )
