"""Sessions that several tasks or threads get at the same time.

This module must never judge them.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import (
    Attr,
    Await,
    Call,
    Collected,
    Enter,
    Sequence,
    Star,
    Typed,
    Value,
    same,
)
from sqlalchemy_guard.project.bodies import root_name
from sqlalchemy_guard.project.calls import is_proven_session, session_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import CallFact, Frame, FunctionFacts
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

TOGETHER = frozenset({"asyncio.gather", "asyncio.wait", "asyncio.as_completed", "asyncio.tasks.gather"})
"""Functions that run all that they are given at the same time."""

_STARTS = frozenset({"asyncio.create_task", "asyncio.ensure_future"})
_GROUPS = {"asyncio.TaskGroup": "create_task", "anyio.create_task_group": "start_soon"}
_THREADS = frozenset(
    {"asyncio.to_thread", "anyio.to_thread.run_sync", "starlette.concurrency.run_in_threadpool"}
)


def used_together(resolver: Resolver, fact: CallFact, file: SourceFile) -> Value | None:
    """The session that more than one of the things that a call runs at the same time works with, or None."""
    works = list(_works(fact.value))
    for work, many in works:
        if many and type(work) is Call and resolver.external_name(work.func, file) in _STARTS:
            # The start is what is wrong, whoever waits for the tasks.
            continue
        for session in _sessions_in(resolver, work, fact, file):
            others = sum(any(same(session, other) for other in _given(one)) for one, _ in works)
            if many or others > 1:
                return session
    return None


def _works(call: Call) -> Iterator[tuple[Value, bool]]:
    """What a call runs, and whether it stands for one each of a collection."""
    for argument in call.args:
        value = argument.base if type(argument) is Star else argument
        if type(value) is Collected:
            yield value.element, True
        elif type(value) is Sequence:
            yield from ((item, False) for item in value.items)
        else:
            yield value, False


def _given(value: Value) -> Iterator[Value]:
    """What a coroutine or task works with: its arguments, what it is a method of, and those of a coroutine in it."""
    if type(value) is Typed:
        yield from _given(value.value)
    if type(value) is not Call:
        return
    if type(value.func) is Attr:
        yield _plain(value.func.base)
    for given in (*value.args, *(item for _, item in value.keywords)):
        if type(given) is Call:
            yield from _given(given)
        yield _plain(given)


def _plain(value: Value) -> Value:
    while type(value) is Typed:
        value = value.value
    return value


def _sessions_in(resolver: Resolver, work: Value, fact: CallFact, file: SourceFile) -> Iterator[Value]:
    threaded = type(work) is Call and resolver.external_name(work.func, file) in _THREADS
    for given in _given(work):
        type_ = resolver.type_of(given, file)
        if is_proven_session(resolver, type_) and not _is_made_there(resolver, given, fact, file):
            if threaded or session_kind(resolver, type_) == "async":
                yield given


def _is_made_there(resolver: Resolver, value: Value, fact: CallFact, file: SourceFile) -> bool:
    """Whether a session is made where it is given: each evaluation makes another one."""
    inside = set(ast.walk(fact.node))
    made = value.base if type(value) is Await else value
    return any(
        same(other.value, made)
        and (
            other.node in inside
            or (
                other.frame is not None and any(one.kind == "comprehension" for one in other.frame.outwards())
            )
        )
        for other in (resolver.calls_in(fact.function, file) if fact.function is not None else ())
    )


def started_in_loop(resolver: Resolver, fact: CallFact, file: SourceFile) -> Value | None:
    """The session of a task that is started once for each iteration of a loop, where the loop did not make it."""
    if not is_start(resolver, fact, file):
        return None
    stored = {
        part.id
        for loop in fact.loops()
        for part in ast.walk(loop.node)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }
    if next(fact.loops(), None) is None or _is_waited_for(fact):
        return None
    for work, _ in _works(fact.value):
        for session in _sessions_in(resolver, work, fact, file):
            names = {
                root_name(node) for node in ast.walk(fact.node) if isinstance(node, (ast.Name, ast.Attribute))
            }
            if names.isdisjoint(stored & _names_of(resolver, session, fact, file)):
                return session
    return None


def _names_of(resolver: Resolver, session: Value, fact: CallFact, file: SourceFile) -> set[str]:
    """The names in a call that stand for a session."""
    facts = resolver.calls_in(fact.function, file) if fact.function is not None else ()
    found: set[str] = set()
    inside = set(ast.walk(fact.node))
    for other in facts:
        if other.node in inside:
            pairs = zip(other.value.args, other.node.args, strict=False)
            found |= {
                node.id
                for value, node in pairs
                if isinstance(node, ast.Name) and same(_plain(value), session)
            }
            for (_, value), keyword in zip(other.value.keywords, other.node.keywords, strict=False):
                if isinstance(keyword.value, ast.Name) and same(_plain(value), session):
                    found.add(keyword.value.id)
    return found


def _is_waited_for(fact: CallFact) -> bool:
    """Whether the task is awaited where it is started, or in the same round."""
    if fact.awaited or not isinstance(fact.statement, ast.Assign):
        return fact.awaited
    names = {target.id for target in fact.statement.targets if isinstance(target, ast.Name)}
    loop = next(fact.loops())
    return any(
        isinstance(part, ast.Await) and names & {n.id for n in ast.walk(part) if isinstance(n, ast.Name)}
        for part in ast.walk(loop.node)
    )


def is_start(resolver: Resolver, fact: CallFact, file: SourceFile) -> bool:
    """Whether a call starts a task that runs beside what follows."""
    return (
        resolver.external_name(fact.value.func, file) in _STARTS or group_of(resolver, fact, file) is not None
    )


def group_of(resolver: Resolver, fact: CallFact, file: SourceFile) -> Frame | None:
    """The block of a task group that a call starts a task of."""
    func = fact.value.func
    made = func.base.base if type(func) is Attr and type(func.base) is Enter else None
    if type(func) is not Attr or type(made) is not Call:
        return None
    if _GROUPS.get(resolver.external_name(made.func, file) or "") != func.name:
        return None
    for frame in fact.frame.outwards() if fact.frame is not None else ():
        if any(same(context, made) for context in frame.contexts):
            return frame
    return None


def shared_in_group(
    resolver: Resolver, function: FunctionFacts, fact: CallFact, file: SourceFile
) -> CallFact | None:
    """An earlier task of the same group that works with the same session."""
    group = group_of(resolver, fact, file)
    if group is None:
        return None
    mine = [session for work, _ in _works(fact.value) for session in _sessions_in(resolver, work, fact, file)]
    for other in resolver.calls_in(function, file):
        if other is fact or other.node is fact.node:
            return None
        if mine and group_of(resolver, other, file) is group:
            theirs = [given for work, _ in _works(other.value) for given in _given(work)]
            if any(same(one, two) for one in mine for two in theirs):
                return other
    return None
