"""Lazy reads of objects whose session is closed by then: behind its `with` block, or in who gets the object from a function.

This module must never judge a read.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import UNKNOWN, Attr, Call, Enter, Typed, Value, same
from sqlalchemy_guard.project.calls import session_kind
from sqlalchemy_guard.project.effects import is_fresh, session_behind
from sqlalchemy_guard.project.reads import function_around
from sqlalchemy_guard.project.row_calls import root_of
from sqlalchemy_guard.project.types import FunctionType, known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import CallFact, FunctionFacts
    from sqlalchemy_guard.project.reads import LazyRead, Place
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.syntax.chunk import Chunk

_ATTACHING = frozenset(("add", "add_all", "merge", "refresh", "enable_relationship_loading"))


def closing_of(read: LazyRead, workspace: Workspace) -> Place | None:
    """What closes the session of an object before the object is read, None when the session may still be open.

    The place is the expression that opens a `with` block, or the call of `close()`.
    """
    place, resolver = read.executed, workspace.resolver
    if place is None or read.source.load.is_async:
        return None
    name = root_of(place.node)
    if not name or _is_attached(read):
        return None
    for block, context in _blocks(place.chunk, place.node, name):
        fact = _fact_at(place.file, context)
        if fact is None or not _closes(resolver, fact.value, place.file):
            return None
        if _happens_within(read, place, block) or _touches(block, read.info.name):
            return None
        around = function_around(place.chunk, place.node)
        if around is not function_around(read.site.chunk, read.site.node):
            # What a generator hands out is used while its block is open.
            facts = _facts_of(around, place.file)
            if facts is None or facts.yielded is not None:
                return None
        return place._replace(node=context)
    return _closed_by_hand(read, place, resolver)


def _blocks(chunk: Chunk, node: ast.expr, name: str) -> Iterator[tuple[ast.With, ast.expr]]:
    """The `with` blocks around a node that bind a name, with the expression that they enter."""
    for statement in chunk.body:
        for block in ast.walk(statement):
            if isinstance(block, ast.With) and block.lineno <= node.lineno <= (block.end_lineno or 0):
                for item in block.items:
                    if isinstance(item.optional_vars, ast.Name) and item.optional_vars.id == name:
                        yield block, item.context_expr


def _fact_at(file: File, node: ast.expr) -> CallFact | None:
    for unit in file.facts.units():
        for fact in unit.calls:
            if fact.node is node:
                return fact
    return None


def _closes(resolver: Resolver, value: Value, file: SourceFile) -> bool:
    """Whether leaving a context manager closes the session that it gave."""
    if not isinstance(value, Call) or not is_fresh(resolver, value, file):
        return False
    if isinstance(value.func, Attr) and session_kind(resolver, resolver.type_of(value.func.base, file)):
        # `session.begin()` and the like end a transaction only.
        return False
    for option in known(resolver.type_of(value.func, file)):
        if isinstance(option, FunctionType):
            return _function_closes(resolver, option)
    return any(
        session_kind(resolver, resolver.entered(option, is_async=False)) == "sync"
        for option in known(resolver.type_of(value, file))
    )


def _function_closes(resolver: Resolver, option: FunctionType) -> bool:
    """Whether a context manager of the workspace closes the session that it yields, or what it returns closes itself."""
    resolver.keys.add((option.file_id, option.qualname))
    source = resolver.sources.file(option.file_id)
    function = source.facts.function(option.qualname) if source is not None else None
    if function is None or source is None:
        return False
    if function.yielded is None:
        returned = function.returned
        return isinstance(returned, Call) and _closes(resolver, returned, source)
    if isinstance(function.yielded, Enter):
        return _closes(resolver, function.yielded.base, source)
    given, calls = _plain(function.yielded), resolver.calls_in(function, source)
    return any(_closed(call) and same(_receiver(call), given) for call in calls)


def _closed(fact: CallFact) -> bool:
    return isinstance(fact.value.func, Attr) and fact.value.func.name == "close"


def _receiver(fact: CallFact) -> Value:
    return _plain(fact.value.func.base) if isinstance(fact.value.func, Attr) else UNKNOWN


def _plain(value: Value) -> Value:
    return _plain(value.value) if isinstance(value, Typed) else value


def _happens_within(read: LazyRead, place: Place, block: ast.With) -> bool:
    """Whether the read, or a call that passes the object, stands in the block and happens before that is left."""
    if read.outside is not None and read.outside.is_late:
        return False
    first, last = block.lineno + place.chunk.shift, (block.end_lineno or block.lineno) + place.chunk.shift
    lines = [(read.file.file_id, read.site.node.lineno + read.site.chunk.shift)]
    lines += [(source.file_id, fact.node.lineno + fact.chunk.shift) for source, fact in read.source.calls]
    return any(file_id == place.file.file_id and first <= line <= last for file_id, line in lines)


def _touches(node: ast.AST, name: str) -> bool:
    """Whether an attribute of that name is read inside, which may load it."""
    return any(isinstance(each, ast.Attribute) and each.attr == name for each in ast.walk(node))


def _is_attached(read: LazyRead) -> bool:
    """Whether the function of the read gives the object to a session again."""
    root = root_of(read.site.node)
    body = _statements(read.site.chunk, read.site.node)
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _ATTACHING
        and any(root_of(argument) == root for argument in node.args)
        for statement in body
        for node in ast.walk(statement)
    )


def _statements(chunk: Chunk, node: ast.expr) -> list[ast.stmt]:
    """The body of the function around a node."""
    around = function_around(chunk, node)
    if around is None:
        return chunk.body
    if around.body or chunk.parent is None:
        return around.body
    return [statement for child in chunk.parent.children or () for statement in child.body]


def _facts_of(header: ast.AST | None, file: File) -> FunctionFacts | None:
    for functions in file.facts.functions.values():
        for function in functions:
            if function.header is header:
                return function
    return None


def _closed_by_hand(read: LazyRead, place: Place, resolver: Resolver) -> Place | None:
    """The `close()` of the function that made the session, when the object is read outside of it."""
    function = _facts_of(function_around(place.chunk, place.node), place.file)
    fact = _fact_at(place.file, place.node)
    if function is None or fact is None or function.yielded is not None:
        return None
    if function.header is function_around(read.site.chunk, read.site.node):
        return None
    if any(passed.function is function for _, passed in read.source.calls):
        return None
    session = session_behind(resolver, fact.value, place.file)
    if not isinstance(session, Call) or not is_fresh(resolver, session, place.file):
        return None
    if any(_touches(statement, read.info.name) for statement in _statements(place.chunk, place.node)):
        return None
    for call in resolver.calls_in(function, place.file):
        if _closed(call) and same(_receiver(call), session):
            return place._replace(chunk=call.chunk, node=call.node)
    return None
