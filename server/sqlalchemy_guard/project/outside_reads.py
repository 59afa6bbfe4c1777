"""Lazy reads that no expression of the code around makes: a template, a serializer or a method reads what it is handed.

They are told of where the objects are handed over. This module must never judge a read.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.memos import values_in
from sqlalchemy_guard.facts.values import Attr, Call, Collected, Element, Item
from sqlalchemy_guard.project.effects import arguments_of
from sqlalchemy_guard.project.method_reads import method_of, read_by_method
from sqlalchemy_guard.project.reads import Outside, Place, Reader, Spot, told
from sqlalchemy_guard.project.renders import Render, may_render, render_of, renderer_of, returned_names
from sqlalchemy_guard.project.rows import Rows
from sqlalchemy_guard.project.serializations import may_serialize, returned, serializations
from sqlalchemy_guard.project.serializers import serialized
from sqlalchemy_guard.project.sites import Site
from sqlalchemy_guard.project.template_reads import reads_of

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.facts.units import Unit
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.reads import LazyRead
    from sqlalchemy_guard.project.serializations import Serialization
    from sqlalchemy_guard.project.template_reads import TemplateRead
    from sqlalchemy_guard.project.workspace import File, Workspace


def outside_reads(unit: Unit, file: File, workspace: Workspace) -> Iterator[LazyRead]:
    """The lazy reads of what a unit hands to templates and serializers, those of the rows of one statement together."""
    groups: dict[object, LazyRead] = {}
    for read in _each(unit, file, workspace):
        load = read.source.load
        group = (id(read.site.node), id(load.statement.root), load.is_async, read.is_repeated)
        first = groups.setdefault(group, read)
        if first is not read:
            first.along.append(read)
    yield from groups.values()


def _each(unit: Unit, file: File, workspace: Workspace) -> Iterator[LazyRead]:
    seen: set[object] = set()
    shared = Rows(workspace)
    for fact in unit.calls:
        if may_render(fact):
            render = render_of(workspace, fact, file)
            if render is not None:
                yield from _rendered(render, partial(_argument_site, fact), file, workspace, seen)
        method = method_of(fact, file, shared)
        if method is not None:
            site = site_at(fact, fact.node)
            found = read_by_method(fact, method, site, Reader(shared, file))
            values = values_in(fact.chunk)
            yield from told(found, seen, Place(file, fact.chunk, fact.node), values, workspace)
        if may_serialize(fact):
            rows = Rows(workspace)
            for each in serializations(workspace, fact, file, rows):
                site = site_at(fact, node_of(fact, each.given))
                yield from _serialized(each, site, Reader(rows, file), seen, is_late=False)
    for function in unit.functions:
        rows = Rows(workspace)
        template = renderer_of(workspace, function, file)
        for chunk, node, names in returned_names(function, file) if template is not None else ():
            assert template is not None, "asked for above"
            assert node.value is not None, "a `return` that returns something"
            site = Site(node.value, chunk, node, (), function.header, in_except=False, leaves=False)
            render = Render(template, names)
            yield from _rendered(render, partial(_same_site, site), file, workspace, seen, is_late=True)
        for chunk, node, each in returned(workspace, function, file, rows):
            assert node.value is not None, "a `return` that returns something"
            site = Site(node.value, chunk, node, (), function.header, in_except=False, leaves=False)
            yield from _serialized(each, site, Reader(rows, file), seen, is_late=True)


def _serialized(
    given: Serialization, site: Site, reader: Reader, seen: set[object], *, is_late: bool
) -> Iterator[LazyRead]:
    rows, file = reader.rows, reader.file
    workspace = rows.workspace
    if not rows.shapes(given.given, rows.scope(file)):
        return
    names = workspace.related_names()
    for read in serialized(workspace, given.schema, given.value):
        if read.name not in names:
            continue
        found = []
        for lazy in reader.of(site, read.base, read.name):
            what = _what(lazy, read.name)
            step = (read.file, read.chunk, read.node, f"{what} is read for this field")
            is_looped = lazy.source.walked and lazy.loop is None
            lazy.outside = Outside(read.serializer, (step,), is_looped, is_late)
            found.append(lazy)
        values = values_in(site.chunk)
        yield from told(found, seen, Place(file, site.chunk, site.node), values, workspace)


def _argument_site(fact: CallFact, value: Value) -> Site:
    return site_at(fact, node_of(fact, value))


def _same_site(site: Site, _value: Value) -> Site:
    return site


def _rendered(
    render: Render,
    site_of: Callable[[Value], Site],
    file: File,
    workspace: Workspace,
    seen: set[object],
    *,
    is_late: bool = False,
) -> Iterator[LazyRead]:
    rows = Rows(workspace)
    scope = rows.scope(file)
    given = {name: value for name, value in render.names.items() if rows.shapes(value, scope)}
    if not given:
        return
    names = workspace.related_names()
    reader = Reader(rows, file)
    for read in reads_of(workspace, render.template, {**render.names}):
        found = []
        site = site_of(_root(read.read.base, given.values()))
        # What is no relationship and no property may be a method that the template calls.
        reads = reader.of if read.read.name in names else reader.by_method
        for lazy in reads(site, read.read.base, read.read.name):
            lazy.outside = _by_template(read, lazy, is_late=is_late)
            found.append(lazy)
        values = values_in(site.chunk)
        yield from told(found, seen, Place(file, site.chunk, site.node), values, workspace)


def site_at(fact: CallFact, node: ast.expr) -> Site:
    """The site of something that is handed over in a call."""
    frames = list(fact.frame.outwards()) if fact.frame is not None else []
    function = fact.function.header if fact.function is not None else None
    loops = tuple(frame.node for frame in fact.loops())
    in_except = any(frame.kind == "except" for frame in frames)
    return Site(node, fact.chunk, fact.statement, loops, function, in_except, leaves=False)


def _what(lazy: LazyRead, name: str) -> str:
    """What is read of the object: the relationship itself, or something that reads it."""
    return "the relationship" if lazy.inner is None else f"`{name}`"


def _by_template(found: TemplateRead, lazy: LazyRead, *, is_late: bool) -> Outside:
    read, template, is_walked = found.read, found.template, lazy.source.walked
    steps = []
    if found.loop is not None and is_walked and not read.of_many:
        loop = found.loop
        steps.append(Spot(loop.template.path, loop.template.span(loop.start, loop.end), "the loop"))
    span = template.span(read.start, read.end)
    steps.append(Spot(template.path, span, f"{_what(lazy, read.name)} is read here"))
    is_looped = is_walked and (found.loop is not None or read.of_many)
    return Outside(template.name, tuple(steps), is_looped, is_late)


def _root(value: Value, given: Iterable[Value]) -> Value:
    """Which of the values that a template is given another one comes from."""
    while isinstance(value, Attr | Element | Item | Call | Collected) and not any(
        value is each for each in given
    ):
        if isinstance(value, Call):
            value = value.func
        else:
            value = value.element if isinstance(value, Collected) else value.base
    return value


def node_of(fact: CallFact, value: Value) -> ast.expr:
    """The argument of a call that a value is, the call itself when it is none."""
    return next((node for given, node in arguments_of(fact) if given is value), fact.node)
