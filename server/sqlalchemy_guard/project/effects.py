"""What calling a function of the workspace does to sessions that it did not make itself, through everything it calls.

A fact for rules about transactions. Where a path is conditional on an argument, the call's own argument decides.
This module must never judge an effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Await, Call, Const, Either, Enter, Typed, Value
from sqlalchemy_guard.project.calls import LibraryCall, resolve_call, session_kind
from sqlalchemy_guard.project.types import FunctionType, Instance, known
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import CallFact, Frame, FunctionFacts
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

COMMITS = frozenset(
    {
        "sqlalchemy.orm.Session.commit",
        "sqlalchemy.ext.asyncio.AsyncSession.commit",
        "sqlalchemy.Connection.commit",
        "sqlalchemy.ext.asyncio.AsyncConnection.commit",
    }
)

_MAX_DEPTH = 6
_QUERIES = ("sqlalchemy.orm.Query", "flask_sqlalchemy.Query")


@dataclass(frozen=True, slots=True)
class CommitPath:
    """How a call comes to commit: the calls on the way, the commit itself last, each with its file."""

    steps: tuple[tuple[SourceFile, CallFact], ...]


def commit_path(
    resolver: Resolver,
    function: FunctionType,
    call: CallFact,
    seen: set[object] | None = None,
    depth: int = 0,
) -> CommitPath | None:
    """The way in which calling a function certainly commits a session that is not its own, or None.

    Args:
        resolver: Types.
        function: What is called.
        call: The call, whose arguments decide the conditions inside.
        seen: Calls that were looked into already, the same constants given.
        depth: How many calls deep this is.
    """
    seen = set() if seen is None else seen
    source = resolver.sources.file(function.file_id)
    facts = source.facts.function(function.qualname) if source is not None else None
    if source is None or facts is None or depth > _MAX_DEPTH or facts.yielded is not None:
        # Calling a generator function runs nothing of it.
        return None
    if facts.is_async and not call.awaited:
        # Neither does making a coroutine, which may become a task.
        return None
    key = (function.file_id, function.qualname, _constants(call.value))
    if key in seen:
        return None
    seen.add(key)
    resolver.keys.add((function.file_id, function.qualname))
    for fact in resolver.calls_in(facts, source):
        if not _may_commit(fact) or not _runs(resolver, fact, facts, call, source):
            continue
        resolved = resolve_call(resolver, fact, source)
        if isinstance(resolved, LibraryCall):
            if resolved.name in COMMITS and not resolved.likely and not is_own(resolver, fact, source):
                return CommitPath(((source, fact),))
        elif isinstance(resolved, FunctionType) and not _hands_on_own(resolver, fact, source):
            deeper = commit_path(resolver, resolved, fact, seen, depth + 1)
            if deeper is not None:
                return CommitPath(((source, fact), *deeper.steps))
    return None


def _constants(call: Call) -> tuple[object, ...]:
    """The arguments that can decide conditions."""
    given = [(None, value) for value in call.args] + list(call.keywords)
    return tuple((name, value) for name, value in given if type(value) is Const)


def arguments_of(fact: CallFact) -> Iterator[tuple[Value, ast.expr]]:
    """The arguments of a call, values with their expressions."""
    yield from zip(fact.value.args, fact.node.args, strict=False)
    keywords = zip(fact.value.keywords, fact.node.keywords, strict=False)
    yield from ((value, node.value) for (_, value), node in keywords)


def _hands_on_own(resolver: Resolver, fact: CallFact, source: SourceFile) -> bool:
    """Whether a call passes a session that its own function made."""
    return any(
        is_fresh(resolver, value, source)
        and session_kind(resolver, resolver.type_of(value, source)) is not None
        for value, _ in arguments_of(fact)
    )


def _may_commit(fact: CallFact) -> bool:
    """Leave out calls that cannot matter before anything is resolved."""
    func = fact.value.func
    return not (type(func) is Attr and type(func.base) is Const)


def _runs(
    resolver: Resolver, fact: CallFact, function: FunctionFacts, call: CallFact, source: SourceFile
) -> bool:
    """Whether control certainly reaches a call inside a function, given the arguments of the function's call."""
    frame = fact.frame
    while frame is not None and frame.kind not in ("function", "class"):
        if frame.kind in ("except", "match", "lambda", "loop-else", "comprehension"):
            return False
        if frame.kind in ("if", "else") and not _condition_holds(resolver, frame, function, call, source):
            return False
        frame = frame.parent
    return True


def _condition_holds(
    resolver: Resolver, frame: Frame, function: FunctionFacts, call: CallFact, source: SourceFile
) -> bool:
    """Whether the test of an `if` is a parameter (or its negation) whose argument is known and lets control in."""
    test: ast.expr | None = getattr(frame.node, "test", None)
    wanted = frame.kind == "if"
    operand = getattr(test, "operand", None)
    if operand is not None and type(getattr(test, "op", None)).__name__ == "Not":
        test, wanted = operand, not wanted
    name = getattr(test, "id", None)
    parameter = function.parameter(name) if isinstance(name, str) else None
    if parameter is None:
        return False
    argument = argument_of(call.value, function, parameter.name) or parameter.default
    if type(argument) is not Const:
        return False
    return bool(argument.value) is wanted


def argument_of(call: Call, function: FunctionFacts, name: str) -> Value | None:
    """The argument that a call passes for a parameter, None when it passes none."""
    keyword = call.keyword(name)
    if keyword is not None:
        return keyword
    positions = [p.name for p in function.parameters if p.kind == "positional"]
    if function.owner is not None and positions:
        positions = positions[1:]
    if name in positions and positions.index(name) < len(call.args):
        return call.args[positions.index(name)]
    return None


def is_own(resolver: Resolver, fact: CallFact, source: SourceFile) -> bool:
    """Whether the session whose method is called was made in the very function that calls it."""
    func = fact.value.func
    if type(func) is not Attr:
        return False
    behind = session_behind(resolver, func.base, source)
    if behind is None and any(
        isinstance(option, Instance) and option.ref in _QUERIES
        for option in known(resolver.type_of(func.base, source))
    ):
        # `Model.query` asks the session that everybody has.
        return False
    return is_fresh(resolver, behind or func.base, source)


def session_behind(resolver: Resolver, value: Value, source: SourceFile) -> Value | None:
    """The session that a chain of calls begins with: that of `session.query(User).filter(…).all()`."""
    while True:
        if session_kind(resolver, resolver.type_of(value, source)) is not None:
            return value.value if type(value) is Typed else value
        if isinstance(value, Call):
            value = value.func
        elif isinstance(value, Attr):
            value = value.base
        else:
            return None


def is_fresh(resolver: Resolver, value: Value, source: SourceFile) -> bool:
    """Whether a session value was made here: a factory's or class's call, or a context manager's; registries are shared."""
    if type(value) is Typed:
        return is_fresh(resolver, value.value, source)
    if type(value) is Either:
        return all(is_fresh(resolver, option, source) for option in value.options)
    if isinstance(value, (Enter, Await)):
        return is_fresh(resolver, value.base, source)
    if not isinstance(value, Call):
        return False
    for option in known(resolver.type_of(value, source)):
        if isinstance(option, Instance) and option.ref in (
            "sqlalchemy.orm.scoped_session",
            "sqlalchemy.ext.asyncio.async_scoped_session",
        ):
            return False
    # `Session()` of a registry gives the thread's own session every time.
    return not any(
        isinstance(option, Instance) and option.ref in ("sqlalchemy.orm.scoped_session",)
        for option in known(resolver.type_of(value.func, source))
    )
