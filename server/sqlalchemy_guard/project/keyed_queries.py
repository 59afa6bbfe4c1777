"""Statements that are executed in a loop with a key of their own in every iteration, here or in a called function.

A key is what a criterion compares a column with, or what `get()` asks for. This module must never judge a statement.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import (
    Attr,
    Await,
    Call,
    Collected,
    Const,
    Either,
    Element,
    Item,
    Joined,
    Mapping,
    Operation,
    Param,
    Ref,
    Sequence,
    Star,
    Typed,
    Value,
)
from sqlalchemy_guard.project import stubs
from sqlalchemy_guard.project.bodies import own_nodes
from sqlalchemy_guard.project.calls import LibraryCall, resolve_call
from sqlalchemy_guard.project.effects import argument_of, is_fresh, session_behind
from sqlalchemy_guard.project.types import ClassType, FunctionType, Instance, known
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import CallFact, FunctionFacts
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

_SESSIONS = ("sqlalchemy.orm.Session.", "sqlalchemy.ext.asyncio.AsyncSession.")
EXECUTING = frozenset(
    f"{session}{method}"
    for session in _SESSIONS
    for method in ("execute", "scalars", "scalar", "get", "get_one", "exec")
) | frozenset(
    f"sqlalchemy.orm.Query.{method}"
    for method in (
        "all",
        "first",
        "one",
        "one_or_none",
        "scalar",
        "count",
        "get",
        "get_or_404",
        "first_or_404",
    )
)
"""Calls that run a SELECT when what they are called on or with is one."""
_CRITERIA = frozenset(("where", "filter", "filter_by"))
_WRITES = frozenset(
    (
        "add",
        "add_all",
        "delete",
        "commit",
        "flush",
        "merge",
        "rollback",
        "update",
        "insert",
        "bulk_save_objects",
        "refresh",
    )
)
_CACHES = ("cache", "memo", "seen")
FEW = 10
"""So many iterations over constants cost little."""


@dataclass(frozen=True, slots=True)
class Key:
    """One comparison of a criterion.

    Attributes:
        column: The attribute, "" for the primary key of `get()`.
        value: What it is compared with.
    """

    column: str
    value: Value


def keys_of(resolver: Resolver, call: Call, name: str, file: SourceFile) -> list[Key]:
    """What the criteria of an executed SELECT compare columns with; empty when it is no SELECT.

    Args:
        resolver: Types.
        call: The call that executes it.
        name: The canonical name of what is called: one of `EXECUTING`.
        file: Their file.
    """
    method = name.rpartition(".")[2]
    if method in ("get", "get_one", "get_or_404"):
        at = 0 if name.startswith("sqlalchemy.orm.Query") else 1
        return [Key("", call.args[at])] if len(call.args) > at else []
    if name.startswith("sqlalchemy.orm.Query"):
        statement = call.func.base if isinstance(call.func, Attr) else None
    else:
        statement = call.args[0] if call.args else call.keyword("statement")
    if statement is None or not _selects(resolver, statement, file):
        return []
    return list(_criteria(statement))


def _selects(resolver: Resolver, statement: Value, file: SourceFile) -> bool:
    return any(
        isinstance(option, Instance) and option.ref in (stubs.SELECT, stubs.QUERY, "flask_sqlalchemy.Query")
        for option in known(resolver.type_of(statement, file))
    )


def _criteria(statement: Value) -> Iterator[Key]:
    while isinstance(statement, Typed):
        statement = statement.value
    while isinstance(statement, Call) and isinstance(statement.func, Attr):
        if statement.func.name in _CRITERIA:
            for name, value in statement.keywords:
                if name is not None:
                    yield Key(name, value)
            for argument in statement.args:
                if (
                    isinstance(argument, Operation)
                    and argument.name == "Eq"
                    and isinstance(argument.operands[0], Attr)
                ):
                    yield Key(argument.operands[0].name, argument.operands[1])
        statement = statement.func.base


def parts(value: Value) -> Iterator[Value]:
    """A value and the values it is made of."""
    todo = [value]
    count = 0
    while todo and count < 200:
        count += 1
        found = todo.pop()
        yield found
        match found:
            case Attr() | Await() | Star():
                todo.append(found.base)
            case Element():
                # What is walked is another matter.
                pass
            case Item():
                todo += (found.base, found.index)
            case Typed():
                todo.append(found.value)
            case Call():
                todo += (found.func, *found.args, *(each for _, each in found.keywords))
            case Operation():
                todo += found.operands
            case Joined():
                todo += found.parts
            case Either():
                todo += found.options
            case Sequence():
                todo += found.items


def depends_on_loop(value: Value) -> bool:
    """Whether a value differs from iteration to iteration."""
    return any(isinstance(part, Element) and not is_few(part.base) for part in parts(value))


def is_few(walked: Value) -> bool:
    """Whether iterating gives a handful of constants."""
    while isinstance(walked, Typed):
        walked = walked.value
    if isinstance(walked, Call):
        if isinstance(walked.func, Ref) and walked.func.name == "range":
            last = walked.args[-1] if walked.args else None
            return isinstance(last, Const) and isinstance(last.value, int) and last.value <= FEW
        if isinstance(walked.func, Attr) and walked.func.name in ("items", "values", "keys"):
            return is_few(walked.func.base)
        if isinstance(walked.func, Ref) and walked.func.name in (
            "enumerate",
            "zip",
            "sorted",
            "list",
            "reversed",
        ):
            return bool(walked.args) and is_few(walked.args[0])
    if isinstance(walked, Sequence):
        return len(walked.items) <= FEW and not any(isinstance(item, Star) for item in walked.items)
    if isinstance(walked, Mapping):
        return len(walked.entries) <= FEW
    if isinstance(walked, Either):
        return any(is_few(option) for option in walked.options)
    return False


def few_at(resolver: Resolver, value: Value, file: SourceFile) -> bool:
    """Whether every loop that a value depends on walks constants or members of a class."""
    walked = [part.base for part in parts(value) if isinstance(part, Element)]
    for base in walked:
        followed, _ = resolver.definition_of(base, file)
        if isinstance(followed, Collected) or not (is_few(followed) or _is_class(resolver, base, file)):
            return False
    return bool(walked)


def _is_class(resolver: Resolver, value: Value, file: SourceFile) -> bool:
    """Whether a class is walked: the members of an enumeration."""
    return any(type(option).__name__ == "ClassType" for option in known(resolver.type_of(value, file)))


def executed_inside(
    resolver: Resolver, function: FunctionType, call: CallFact
) -> tuple[SourceFile, CallFact] | None:
    """The SELECT that a called function certainly runs with a key that this call passes, None when there is none.

    Args:
        resolver: Types.
        function: What is called.
        call: The call.
    """
    resolver.keys.add((function.file_id, function.qualname))
    file = resolver.sources.file(function.file_id)
    facts = file.facts.function(function.qualname) if file is not None else None
    if file is None or facts is None or facts.yielded is not None:
        return None
    if facts.is_async and not call.awaited:
        return None
    if isinstance(function.bound, Instance) and _is_class_method(resolver, facts, file):
        # `row.data.get(key)` is hardly meant to be the class method of that name of what `data` may hold.
        return None
    answers = list(parts(facts.returned)) if facts.returned is not None else []
    if any(_writes(resolver, fact, file) for fact in resolver.calls_in(facts, file)):
        # What it does for one item may be more than to look it up.
        return None
    for fact in resolver.calls_in(facts, file):
        if not _is_certain(fact) or not any(part is fact.value for part in answers):
            continue
        resolved = resolve_call(resolver, fact, file)
        if isinstance(resolved, LibraryCall) and resolved.name in EXECUTING:
            session = session_behind(resolver, fact.value.func, file)
            if session is not None and is_fresh(resolver, session, file):
                continue
            keys = keys_of(resolver, fact.value, resolved.name, file)
            if any(_is_passed(resolver, key.value, function, facts, call) for key in keys):
                return None if _remembers(resolver, facts, file) else (file, fact)
    return None


def walked_object(resolver: Resolver, option: FunctionType, call: CallFact) -> Value | None:
    """The mapped object that a method is called on, None for other calls."""
    func, owner = call.value.func, option.bound
    if not isinstance(func, Attr) or not isinstance(owner, Instance) or owner.likely:
        return None
    return func.base if resolver.is_model(ClassType(owner.ref)) else None


def _is_class_method(resolver: Resolver, function: FunctionFacts, file: SourceFile) -> bool:
    return any(resolver.external_name(each, file) == "builtins.classmethod" for each in function.decorators)


def _is_passed(
    resolver: Resolver, value: Value, option: FunctionType, function: FunctionFacts, call: CallFact
) -> bool:
    """Whether a key is what a call passes, or of the object that it is called on, and differs from iteration to iteration."""
    for part in parts(value):
        if isinstance(part, Param) and part.qualname == function.qualname:
            given = argument_of(call.value, function, part.name)
            if given is None and function.parameters[0].name == part.name:
                given = walked_object(resolver, option, call)
            if given is not None and depends_on_loop(given):
                return True
    return False


def _writes(resolver: Resolver, fact: CallFact, file: SourceFile, *, deeper: bool = True) -> bool:
    """Whether a call, or one that it leads to directly, may write."""
    func = fact.value.func
    if isinstance(func, Attr) and func.name in _WRITES:
        return True
    for option in known(resolver.type_of(func, file)) if deeper else ():
        if isinstance(option, FunctionType):
            resolver.keys.add((option.file_id, option.qualname))
            source = resolver.sources.file(option.file_id)
            called = source.facts.function(option.qualname) if source is not None else None
            if called is not None and source is not None:
                inner = resolver.calls_in(called, source)
                if any(_writes(resolver, each, source, deeper=False) for each in inner):
                    return True
    return False


def _is_certain(fact: CallFact) -> bool:
    """Whether control reaches a call whenever its function runs, as far as its own blocks tell."""
    frame = fact.frame
    while frame is not None and frame.kind not in ("function", "class"):
        if frame.kind not in ("with", "async with", "try", "finally"):
            return False
        frame = frame.parent
    return True


def _remembers(resolver: Resolver, function: FunctionFacts, file: SourceFile) -> bool:
    """Whether a function keeps its answers: it is decorated, or speaks of a cache."""
    for decorator in function.decorators:
        name = resolver.external_name(decorator.func if isinstance(decorator, Call) else decorator, file)
        if name is None or "cache" in name:
            last = getattr(decorator, "name", "")
            if "cache" in last or "memo" in last or (name is not None and "cache" in name):
                return True
    for _, node in own_nodes(function):
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if any(word in name.lower() for word in _CACHES):
            return True
    return False
