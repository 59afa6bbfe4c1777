"""What a loop does besides work on its session: calls that reach out of the program, or of which nobody knows what they do.

Rows that were committed before such a call fails stay; whoever moves the commit changes that. This module must never
judge a loop.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr
from sqlalchemy_guard.project.calls import library_name
from sqlalchemy_guard.project.types import ClassType, FunctionType, Type, known

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy_guard.facts.declarations import CallFact, Frame
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

_QUIET = frozenset(
    {
        "builtins",
        "collections",
        "copy",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "flask_sqlalchemy",
        "fractions",
        "functools",
        "hashlib",
        "itertools",
        "json",
        "logging",
        "math",
        "operator",
        "random",
        "re",
        "secrets",
        "sqlalchemy",
        "sqlmodel",
        "statistics",
        "string",
        "textwrap",
        "typing",
        "uuid",
    }
)
"""Packages whose calls leave nothing behind but in the program and its session."""
_LOUD = frozenset(
    {"builtins.__import__", "builtins.eval", "builtins.exec", "builtins.input", "builtins.open"}
)
_SAYING = frozenset(
    {"critical", "debug", "echo", "error", "exception", "info", "log", "print", "secho", "warn", "warning"}
)
_OF_VALUES = frozenset(
    name
    for kind in (str, bytes, int, float, dict, list, set, tuple)
    for name in dir(kind)
    if not name.startswith("_")
) | {"date", "isoformat", "strftime", "time", "timestamp", "total_seconds"}
"""Methods that values have: what is called so on something unknown is most likely such a value."""
_MAX_DEPTH = 4


def reaches_out(resolver: Resolver, fact: CallFact, loop: Frame, file: SourceFile) -> str | None:
    """The name of what a loop calls besides, None when all that it does is work on values and on the session.

    Args:
        resolver: Types.
        fact: A call in the loop, which does not count.
        loop: The loop.
        file: Their file.
    """
    if fact.function is not None:
        calls: Iterable[CallFact] = resolver.calls_in(fact.function, file)
    else:
        # Of the module itself: nothing but its own chunk is looked at.
        calls = [call for unit in file.facts.units() if unit.chunk is fact.chunk for call in unit.calls]
    inside = {node for part in _repeated(loop.node) for node in ast.walk(part)}
    for call in calls:
        if call.node in inside and call.node is not fact.node and not _is_quiet(resolver, call, file, set()):
            return _name(call)
    return None


def _repeated(loop: ast.AST) -> Iterable[ast.AST]:
    """The parts of a loop that run once per iteration."""
    return [
        child
        for name, child in _fields(loop)
        if name != "iter" or not isinstance(loop, ast.For | ast.AsyncFor)
    ]


def _fields(node: ast.AST) -> Iterable[tuple[str, ast.AST]]:
    for name, value in ast.iter_fields(node):
        for each in value if isinstance(value, list) else (value,):
            if isinstance(each, ast.AST):
                yield name, each


def _is_quiet(resolver: Resolver, call: CallFact, file: SourceFile, seen: set[tuple[str, str]]) -> bool:
    func = call.value.func
    options = list(known(resolver.type_of(func, file)))
    if not options:
        return type(func) is Attr and func.name in _OF_VALUES | _SAYING
    return all(_is_quiet_type(resolver, option, seen) for option in options)


def _is_quiet_type(resolver: Resolver, option: Type, seen: set[tuple[str, str]]) -> bool:
    if isinstance(option, FunctionType):
        key = (option.file_id, option.qualname)
        if key in seen:
            return True
        source = resolver.sources.file(option.file_id)
        facts = source.facts.function(option.qualname) if source is not None else None
        if source is None or facts is None or len(seen) >= _MAX_DEPTH:
            return False
        seen.add(key)
        resolver.keys.add(key)
        return all(_is_quiet(resolver, inner, source, seen) for inner in resolver.calls_in(facts, source))
    if isinstance(option, ClassType) and not isinstance(option.ref, str):
        # What it does on being made is most of all to keep what it is given.
        return True
    named = library_name(resolver, option)
    return named is not None and named[0].partition(".")[0] in _QUIET and named[0] not in _LOUD


def _name(call: CallFact) -> str:
    func = call.node.func
    return func.attr if isinstance(func, ast.Attribute) else ast.unparse(func)
