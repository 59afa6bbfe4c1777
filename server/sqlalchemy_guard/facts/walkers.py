"""Lambdas that run once for each item of something: keys of sorting and grouping, and what is mapped and filtered.

Told by the form of the call alone. This module must never resolve a name.
"""

from __future__ import annotations

import ast

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
