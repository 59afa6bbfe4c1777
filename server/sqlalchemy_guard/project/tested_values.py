"""Values that a function tests before it uses them: by a pattern, a method of text, or as one of those that are allowed.

This module must never judge what a value is used for.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.uses import body
from sqlalchemy_guard.facts.values import Attr, Await, Call, Collected, Def, Element, Item, Param, Ref, Value
from sqlalchemy_guard.project.bodies import values_of

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import FunctionFacts
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

_DEEP = 12
_TESTS = frozenset(
    (
        "match",
        "fullmatch",
        "isidentifier",
        "isalnum",
        "isdigit",
        "isdecimal",
        "isnumeric",
        "isalpha",
        "index",
        "get_enum",
    )
)
_CHECKING = (
    "valid",
    "sanit",
    "allow",
    "whitelist",
    "ensure_safe",
    "check_ident",
    "is_safe",
    "assert_safe",
    "escape_ident",
)


def is_checked(resolver: Resolver, value: Value, function: FunctionFacts, file: SourceFile) -> bool:
    """Whether a function tests a value against what is allowed, and so decides what may pass."""
    for call in resolver.calls_in(function, file):
        func = call.value.func
        if not isinstance(func, (Attr, Ref, Def)):
            continue
        name = func.qualname.rpartition(".")[2] if isinstance(func, Def) else func.name
        subjects = [*call.value.args, *(item for _, item in call.value.keywords)]
        if type(func) is Attr:
            subjects.append(func.base)
        if value in subjects and (name in _TESTS or any(word in name.lower() for word in _CHECKING)):
            return True
    return _is_tested(resolver, value, function, file)


def _is_tested(resolver: Resolver, value: Value, function: FunctionFacts, file: SourceFile) -> bool:
    """Whether a function asks if a value is one of some, or matches it against literals."""
    resolver.keys.add((file.file_id, f"*body.{function.qualname}"))
    values = values_of(function, file.facts)
    if type(value) is Element and type(value.base) is Collected:
        # What a comprehension lets pass is what it tested.
        value = value.base.element
    for _, statements in body(function.header, function.chunk):
        for node in (part for statement in statements for part in ast.walk(statement)):
            match node:
                case ast.Compare(left=tested, ops=[ast.In() | ast.NotIn()], comparators=[among]):
                    if values.get(tested) == value and _is_independent(values.get(among), value):
                        return True
                case ast.Match(subject=tested) if values.get(tested) == value:
                    return True
    return False


def _is_independent(among: Value | None, value: Value) -> bool:
    """Whether what a value has to be one of was not handed in together with it."""
    return among is None or type(value) is Param or _root(among) != _root(value)


def _root(value: Value) -> Value:
    """What a value was read off."""
    for _ in range(_DEEP):
        if type(value) in (Attr, Item, Element, Await):
            value = value.base  # type: ignore[attr-defined]
        elif type(value) is Call and type(value.func) is Attr:
            value = value.func.base
        else:
            break
    return value
