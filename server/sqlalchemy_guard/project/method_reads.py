"""Lazy reads in methods of mapped classes: `[user.as_dict() for user in users]` loads what `as_dict` reads of `self`.

They are told of where the method is called on an object whose statement is known. This module must never judge a read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr
from sqlalchemy_guard.project.inner_reads import read_inside
from sqlalchemy_guard.project.reads import LazyRead, Outside, is_lazy
from sqlalchemy_guard.project.shapes import Loaded
from sqlalchemy_guard.project.types import ClassType, FunctionType, Instance, known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.project.reads import Reader
    from sqlalchemy_guard.project.rows import Rows
    from sqlalchemy_guard.project.sites import Site
    from sqlalchemy_guard.project.workspace import File


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
    inside = rows.entered(option, fact.value, scope)
    if inside is None or inside.function is None or inside.function.decorators:
        return
    loop = reader.loop(site, shape)
    for inner in read_inside(rows, inside, shape, fact.value):
        if is_lazy(rows, inner.found, inner.info):
            place = (inner.file, inner.chunk, inner.node)
            read = LazyRead(site, reader.file, inner.found, inner.info, place, loop, way=inner.way)
            read.outside = Outside(f"{fact.value.func.name}()", (), is_looped=False)
            yield read
