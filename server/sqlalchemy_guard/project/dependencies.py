"""Generators that hand out sessions, as facts: is the session closed on every path?

This module must never judge.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Await, Either, Enter, Typed, Value
from sqlalchemy_guard.project.bodies import own_nodes
from sqlalchemy_guard.project.calls import session_kind
from sqlalchemy_guard.project.effects import is_fresh
from sqlalchemy_guard.project.types import Instance, known
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import CallFact, FunctionFacts
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.syntax.chunk import Chunk


_REGISTERING = frozenset({"push", "push_async_exit", "enter_context", "enter_async_context", "addfinalizer"})


@dataclass(slots=True, eq=False)
class Leak:
    """A session that a generator makes, yields and may leave open.

    Attributes:
        chunk: Of the `yield`.
        node: The `yield` expression.
        value: The session's value.
        name: The name that it is yielded by, "" when it is yielded as it is made.
        assignment: The one statement that binds the name, or None.
        is_async: Whether it is an AsyncSession.
        likely: Whether that it is a session was concluded from names.
    """

    chunk: Chunk
    node: ast.Yield
    value: Value
    name: str
    assignment: ast.stmt | None
    is_async: bool
    likely: bool


def leaked_session(resolver: Resolver, function: FunctionFacts, file: SourceFile) -> Leak | None:
    """The session that a generator function leaves open when its caller fails, or None."""
    value = _plain(function.yielded)
    if value is None or not is_fresh(resolver, value, file):
        return None
    type_ = resolver.type_of(value, file)
    kind = session_kind(resolver, type_)
    if kind is None or _is_managed(value):
        return None
    calls = resolver.calls_in(function, file)
    yields = [(chunk, node) for chunk, node in own_nodes(function) if isinstance(node, ast.Yield)]
    if len(yields) != 1 or yields[0][1].value is None or _closed_in_finally(calls, value):
        return None
    if _is_registered(calls, value):
        return None
    chunk, node = yields[0]
    name = node.value.id if isinstance(node.value, ast.Name) else ""
    assignments = [
        inner
        for _, inner in own_nodes(function)
        if isinstance(inner, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) and name in _targets(inner)
    ]
    only = assignments[0] if len(assignments) == 1 and isinstance(assignments[0], ast.Assign) else None
    if name and any(
        isinstance(inner, ast.With | ast.AsyncWith) and _manages(inner, name)
        for _, inner in own_nodes(function)
    ):
        return None
    likely = all(option.likely for option in known(type_) if isinstance(option, Instance))
    return Leak(chunk, node, value, name, only, kind == "async", likely)


def _plain(value: Value | None) -> Value | None:
    while type(value) is Typed:
        value = value.value
    return value


def _may_be(candidate: Value, value: Value) -> bool:
    """Whether a value is another one, however it is annotated, and on whichever of several ways."""
    if type(candidate) is Either:
        return any(_may_be(option, value) for option in candidate.options)
    return _plain(candidate) == value


def _is_managed(value: Value) -> bool:
    """Whether a `with` block made the value."""
    if isinstance(value, Either):
        return any(_is_managed(option) for option in value.options)
    if isinstance(value, Await):
        return _is_managed(value.base)
    return isinstance(value, Enter)


def _targets(node: ast.AST) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {
        part.id
        for target in targets
        if target is not None
        for part in ast.walk(target)
        if isinstance(part, ast.Name)
    }


def _closed_in_finally(calls: list[CallFact], value: Value) -> bool:
    """Whether a `finally` block calls something on the session, or hands it to something that may close it."""
    for fact in calls:
        frames = list(fact.frame.outwards()) if fact.frame is not None else []
        if not any(frame.kind == "finally" for frame in frames):
            continue
        func = fact.value.func
        if (
            isinstance(func, Attr)
            and _may_be(func.base, value)
            and func.name in ("close", "aclose", "remove", "close_all")
        ):
            return True
        if isinstance(func, Attr) and func.name == "remove":
            return True
        if any(_may_be(argument, value) for argument in fact.value.args):
            return True
    return False


def _is_registered(calls: list[CallFact], value: Value) -> bool:
    """Whether something is told to close it later: `stack.callback(session.close)`, `stack.push(session)`."""
    return any(
        (
            isinstance(argument, Attr)
            and _may_be(argument.base, value)
            and argument.name in ("close", "aclose")
        )
        or (
            _may_be(argument, value)
            and isinstance(fact.value.func, Attr)
            and fact.value.func.name in _REGISTERING
        )
        for fact in calls
        for argument in fact.value.args
    )


def _manages(node: ast.With | ast.AsyncWith, name: str) -> bool:
    """`with session:`, `with closing(session):`"""
    return any(
        isinstance(part, ast.Name) and part.id == name
        for item in node.items
        for part in ast.walk(item.context_expr)
    )
