"""What the properties, methods and functions that an object is handed to read of it, through everything that they call.

A way is followed while it is about an object that the same statement loads; constants of a call decide the branches of what it
calls. This module must never judge a read.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import UNKNOWN, Attr, Const, Value
from sqlalchemy_guard.project.bodies import own_nodes, values_of
from sqlalchemy_guard.project.effects import argument_of, arguments_of
from sqlalchemy_guard.project.scopes import Scope
from sqlalchemy_guard.project.shapes import Loaded
from sqlalchemy_guard.project.sites import condition_of, sites_in
from sqlalchemy_guard.project.types import ClassType, FunctionType, Instance, known
from sqlalchemy_guard.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy_guard.facts.declarations import CallFact, FunctionFacts
    from sqlalchemy_guard.facts.query import RelationshipInfo
    from sqlalchemy_guard.facts.values import Call
    from sqlalchemy_guard.project.resolve import SourceFile
    from sqlalchemy_guard.project.rows import Rows
    from sqlalchemy_guard.project.workspace import File
    from sqlalchemy_guard.syntax.chunk import Chunk

_DEEP = 4
"""So many functions are entered one from the other."""

Hop = tuple["SourceFile", "Chunk", "ast.expr", str]
"""A place on the way to a read, and what happens there."""


class InnerRead(NamedTuple):
    """A relationship or a deferred column that is read of the object, or of one that it leads to.

    Attributes:
        found: What it is read from.
        info: The relationship.
        file: Where it is read.
        chunk: Likewise.
        node: Likewise.
        way: What is read and called on the way there, outermost first.
    """

    found: Loaded
    info: RelationshipInfo
    file: File
    chunk: Chunk
    node: ast.Attribute
    way: tuple[Hop, ...]


def property_of(rows: Rows, ref: tuple[str, str], name: str) -> tuple[FunctionFacts, SourceFile] | None:
    """The function behind a property of a class, None when the attribute is none."""
    member = rows.resolver.member(ClassType(ref), name)
    if member is None or member.function is None or not member.function.parameters:
        return None
    return (member.function, member.file) if rows.resolver.is_property(member.function, member.file) else None


def read_by_property(
    rows: Rows, shape: Loaded, name: str, base: Value, scope: Scope, way: tuple[Hop, ...] = ()
) -> Iterator[InnerRead]:
    """What reading a property of an object reads of it.

    Args:
        rows: What follows values.
        shape: The object.
        name: The property.
        base: The value that it is read from.
        scope: Where that stands.
        way: What led there.
    """
    found = property_of(rows, shape.ref, name)
    if found is None or not scope.may_enter(found[0]):
        return
    function, home = found
    inside = Scope(home, function, {function.parameters[0].name: (base, scope)}, scope)
    yield from read_inside(rows, inside, shape, None, way)


def read_inside(
    rows: Rows, inside: Scope, shape: Loaded, call: Call | None, way: tuple[Hop, ...] = ()
) -> Iterator[InnerRead]:
    """What a function that was entered reads of an object.

    Args:
        rows: What follows values.
        inside: The function with what it was given.
        shape: The object.
        call: What called it, None for a property.
        way: What led there.
    """
    function = inside.function
    file = rows.workspace.file(inside.file.file_id)
    if function is None or file is None or len(way) > _DEEP:
        return
    for chunk, node, base, conditions in _own_reads(rows, function, file):
        if not _holds(conditions, call, function):
            continue
        for found in rows.shapes(base, inside):
            if not isinstance(found, Loaded) or found.load is not shape.load:
                continue
            info = rows.relationship(found, node.attr) or rows.deferred(found, node.attr)
            if info is not None:
                yield InnerRead(found, info, file, chunk, node, way)
            else:
                step: Hop = (file, chunk, node, f"`{node.attr}` is read here")
                yield from read_by_property(rows, found, node.attr, base, inside, (*way, step))
    for fact in rows.resolver.calls_in(function, file):
        if _is_handled(fact) or not _holds(_conditions(fact), call, function):
            continue
        entered = _entered(rows, fact, inside, shape)
        if entered is not None and entered.function is not None:
            step = file, fact.chunk, fact.node, f"`{entered.function.name}()` is called here"
            yield from read_inside(rows, entered, shape, fact.value, (*way, step))


def _entered(rows: Rows, fact: CallFact, inside: Scope, shape: Loaded) -> Scope | None:
    """The scope of the function that a call hands the object to, as what it is called on or as an argument."""
    for option in known(rows.resolver.type_of(fact.value.func, inside.file)):
        if not isinstance(option, FunctionType):
            continue
        given: Iterable[Value] = (value for value, _ in arguments_of(fact))
        if isinstance(option.bound, Instance) and isinstance(fact.value.func, Attr):
            given = (fact.value.func.base, *given)
        if any(
            isinstance(each, Loaded) and each.load is shape.load
            for value in given
            for each in rows.shapes(value, inside)
        ):
            entered = rows.entered(option, fact.value, inside)
            if entered is not None and entered.function is not None and not entered.function.decorators:
                return entered
    return None


def _own_reads(
    rows: Rows, function: FunctionFacts, file: File
) -> list[tuple[Chunk, ast.Attribute, Value, tuple[tuple[str, bool], ...]]]:
    """The attributes that a function reads, each with the value that it reads them from, and the conditions around it."""
    resolver = rows.resolver

    def find() -> list[tuple[Chunk, ast.Attribute, Value, tuple[tuple[str, bool], ...]]]:
        resolver.keys.add((file.file_id, f"*body.{function.qualname}"))
        names = rows.workspace.related_names()
        values = values_of(function, file.facts)
        found = []
        for chunk, node in own_nodes(function):
            if not isinstance(node, ast.Attribute) or node.attr not in names:
                continue
            # Where the attribute was set before, what was set is there.
            if not isinstance(node.ctx, ast.Load) or not isinstance(values.get(node), Attr):
                continue
            site = next((each for each in chunk.once(sites_in, names) if each.node is node), None)
            if site is not None and not site.in_except:
                found.append((chunk, node, values.get(node.value, UNKNOWN), site.conditions))
        return found

    return resolver.remembered(("own reads", file.file_id, function.qualname), find)


def _is_handled(fact: CallFact) -> bool:
    """Whether a call happens only when something failed."""
    return fact.frame is not None and any(frame.kind == "except" for frame in fact.frame.outwards())


def _conditions(fact: CallFact) -> tuple[tuple[str, bool], ...]:
    """Names that the `if`s around a call demand to be true or false."""
    found = []
    for frame in fact.frame.outwards() if fact.frame is not None else ():
        test = getattr(frame.node, "test", None)
        if frame.kind in ("if", "else") and isinstance(test, ast.expr):
            condition = condition_of(test, wanted=frame.kind == "if")
            if condition is not None:
                found.append(condition)
    return tuple(found)


def _holds(conditions: Iterable[tuple[str, bool]], call: Call | None, function: FunctionFacts) -> bool:
    """Whether control comes to a place, as far as the constants of the call tell."""
    for name, wanted in conditions if call is not None else ():
        parameter = function.parameter(name)
        if parameter is None or call is None:
            continue
        given = argument_of(call, function, name) or parameter.default
        if isinstance(given, Const) and bool(given.value) is not wanted:
            return False
    return True
