"""Lazy reads in methods of mapped classes: `[user.as_dict() for user in users]` loads what `as_dict` reads of `self`.

They are told of where the method is called on an object whose statement is known. This module must never judge a read.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import UNKNOWN, Attr, Call, Const, Param
from sqlalchemy_guard.project.bodies import own_nodes, values_of
from sqlalchemy_guard.project.effects import argument_of
from sqlalchemy_guard.project.reads import LazyRead, Outside, is_lazy
from sqlalchemy_guard.project.shapes import Loaded
from sqlalchemy_guard.project.sites import sites_in
from sqlalchemy_guard.project.types import ClassType, FunctionType, Instance, known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import CallFact, FunctionFacts
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.reads import Reader
    from sqlalchemy_guard.project.rows import Rows
    from sqlalchemy_guard.project.scopes import Scope
    from sqlalchemy_guard.project.sites import Site
    from sqlalchemy_guard.project.workspace import File
    from sqlalchemy_guard.syntax.chunk import Chunk

_DEEP = 3


def method_of(fact: CallFact, file: File, rows: Rows) -> FunctionType | None:
    """The method of a mapped class that a call calls on an object, None where it calls something else."""
    if not isinstance(fact.value.func, Attr):
        return None
    for option in known(rows.resolver.type_of(fact.value.func, file)):
        if isinstance(option, FunctionType) and isinstance(option.bound, Instance):
            if isinstance(option.bound.ref, tuple) and rows.resolver.is_model(ClassType(option.bound.ref)):
                return option
    return None


def read_by_method(fact: CallFact, option: FunctionType, site: Site, reader: Reader) -> Iterator[LazyRead]:
    """What a method reads of the object that it is called on."""
    assert isinstance(fact.value.func, Attr), "a method is called on something"
    rows = reader.rows
    scope = rows.scope(reader.file)
    shapes = [each for each in rows.shapes(fact.value.func.base, scope) if isinstance(each, Loaded)]
    if len(shapes) != 1:
        # Of several ways to the object one may load what the method reads.
        return
    (shape,) = shapes
    loop = reader.loop(site, shape)
    for found, file, chunk, node in _reads(option, fact.value, shape, scope, rows, 0):
        info = rows.relationship(found, node.attr)
        if info is not None and is_lazy(rows, found, info):
            read = LazyRead(site, reader.file, found, info, (file, chunk, node), loop)
            read.outside = Outside(f"{fact.value.func.name}()", (), is_looped=False)
            yield read


def _reads(
    option: FunctionType, call: Call, shape: Loaded, scope: Scope, rows: Rows, depth: int
) -> Iterator[tuple[Loaded, File, Chunk, ast.Attribute]]:
    inside = rows.entered(option, call, scope)
    function = inside.function if inside is not None else None
    file = rows.workspace.file(option.file_id)
    if inside is None or function is None or file is None or function.decorators or not function.parameters:
        return
    rows.resolver.keys.add((file.file_id, f"*body.{function.qualname}"))
    names = rows.workspace.related_names()
    values = values_of(function, file.facts)
    for chunk, node in own_nodes(function):
        if isinstance(node, ast.Attribute) and node.attr in names and isinstance(node.ctx, ast.Load):
            if not isinstance(values.get(node), Attr) or not _runs(chunk, node, names, call, function):
                continue
            for found in rows.shapes(values.get(node.value, UNKNOWN), inside):
                if isinstance(found, Loaded) and found.load is shape.load:
                    yield found, file, chunk, node
    if depth < _DEEP:
        for fact in rows.resolver.calls_in(function, file):
            if _is_own(fact.value.func, function):
                inner = method_of(fact, file, rows)
                if inner is not None:
                    yield from _reads(inner, fact.value, shape, inside, rows, depth + 1)


def _is_own(func: Value, function: FunctionFacts) -> bool:
    """Whether a method calls another method of the same object."""
    return isinstance(func, Attr) and func.base == Param(function.qualname, function.parameters[0].name)


def _runs(
    chunk: Chunk, node: ast.Attribute, names: frozenset[str], call: Call, function: FunctionFacts
) -> bool:
    """Whether control comes to a read, as far as the call's constants tell, and not only when something failed."""
    site = next((each for each in chunk.once(sites_in, names) if each.node is node), None)
    if site is None or site.in_except:
        return False
    for name, wanted in site.conditions:
        parameter = function.parameter(name)
        if parameter is None:
            continue
        given = argument_of(call, function, name) or parameter.default
        if isinstance(given, Const) and bool(given.value) is not wanted:
            return False
    return True
