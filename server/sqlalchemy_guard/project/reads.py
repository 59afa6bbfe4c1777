"""Reads of relationships and deferred columns that are not loaded yet, as facts: where, of which objects, and what loaded these.

A read is told of only when the statement that loads its object is known, with all its loader options, and neither they
nor the mapping load the attribute. This module must never judge a read.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.memos import values_in
from sqlalchemy_guard.facts.query import DEFERRED
from sqlalchemy_guard.facts.values import UNKNOWN, Attr, Call, Const, Value
from sqlalchemy_guard.project.effects import argument_of
from sqlalchemy_guard.project.inner_reads import read_by_property, read_inside
from sqlalchemy_guard.project.loader_options import undefers
from sqlalchemy_guard.project.loops import head_of
from sqlalchemy_guard.project.row_calls import bound_by, root_of
from sqlalchemy_guard.project.rows import Rows
from sqlalchemy_guard.project.shapes import Loaded
from sqlalchemy_guard.project.sites import Site, sites_in
from sqlalchemy_guard.project.types import ClassType, FunctionType, Instance, known
from sqlalchemy_guard.records import NamedTuple, dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlalchemy_guard.facts.query import RelationshipInfo
    from sqlalchemy_guard.facts.units import Unit
    from sqlalchemy_guard.project.resolve import SourceFile
    from sqlalchemy_guard.project.scopes import Scope
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.syntax.chunk import Chunk
    from sqlalchemy_guard.text.span import Span

_LAZY = frozenset(("select", "True", DEFERRED))
_LONGEST = 3


class Place(NamedTuple):
    """An expression of a file."""

    file: File
    chunk: Chunk
    node: ast.expr


class Spot(NamedTuple):
    """A place of a file that is no Python, and what happens there."""

    path: str
    span: Span
    message: str


if TYPE_CHECKING:
    # A place that explains a read: in Python with its file and chunk, else a spot.
    Step = tuple[SourceFile, Chunk, ast.expr | ast.stmt, str] | Spot


@dataclass(slots=True, eq=False)
class Outside:
    """Who reads attributes of what he is handed: a template, a response model, a schema.

    Attributes:
        name: How he is called.
        steps: Where he reads the relationship, and what walks the objects there.
        is_looped: Whether he reads it of one object after the other.
        is_late: Whether he does so when the function around has returned.
    """

    name: str
    steps: tuple[Step, ...]
    is_looped: bool
    is_late: bool = False


@dataclass(slots=True, eq=False)
class LazyRead:
    """A relationship that is loaded when it is read.

    Attributes:
        site: Where it is read, in the file that is looked at.
        file: That file.
        source: The object that it is read from.
        info: The relationship.
        inner: Where a property or method reads the relationship, with its file and chunk; else None.
        loop: The loop that makes it happen again and again, None when it happens once.
        way: What is read and called between the site and that place.
        query: Where the statement begins that loads the object, as far as the place is known.
        executed: Where that is executed, likewise.
        others: How else the object may have been loaded, the relationship lazily as well.
        outside: Who reads it, when that is no expression of Python.
        along: What he reads besides, lazily as well, of the rows of the same statement.
    """

    site: Site
    file: File
    source: Loaded
    info: RelationshipInfo
    inner: tuple[File, Chunk, ast.Attribute] | None
    loop: ast.AST | None
    way: tuple[Step, ...] = ()
    query: Place | None = None
    executed: Place | None = None
    others: list[Loaded] = field(default_factory=list)
    outside: Outside | None = None
    along: list[LazyRead] = field(default_factory=list)

    @property
    def is_repeated(self) -> bool:
        """Whether it happens once per object of a loop, here or around the call that passed the object."""
        if self.outside is not None and self.outside.is_looped:
            return True
        return self.loop is not None or self.source.repeated

    @property
    def reader(self) -> str:
        """What reads the relationship when it is not the expression itself: a property, a template; else ""."""
        if self.outside is not None:
            return self.outside.name
        return (
            self.site.node.attr
            if self.inner is not None and isinstance(self.site.node, ast.Attribute)
            else ""
        )

    @property
    def path(self) -> tuple[str, ...]:
        """The relationships from the loaded entity to this one."""
        return (*self.source.names, self.info.name)


def lazy_reads(unit: Unit, file: File, workspace: Workspace) -> Iterator[LazyRead]:
    """The lazy reads of a unit in the order in which they stand, each relationship of the same rows once."""
    if unit.kind == "class" or not unit.attribute_names:
        return
    names = workspace.related_names()
    if unit.attribute_names.isdisjoint(names):
        return
    rows = Rows(workspace)
    seen: set[object] = set()
    for chunk in unit.chunk.leaves():
        sites = chunk.once(sites_in, names)
        if not sites:
            continue
        values = values_in(chunk)
        for site in sites:
            found = Reader(rows, file).reads(site, values)
            yield from told(found, seen, Place(file, chunk, site.node), values, workspace)


def told(
    found: Iterable[LazyRead],
    seen: set[object],
    here: Place,
    values: Mapping[ast.expr, Value],
    workspace: Workspace,
) -> Iterator[LazyRead]:
    """Of the lazy reads of one site those to tell of, with the places that they rest on.

    Args:
        found: The reads.
        seen: What was told before; more is added.
        here: The site.
        values: The values of its chunk.
        workspace: The files.
    """
    plain = [read for read in found if _is_plain(read)]
    for is_async in (False, True):
        reads = [read for read in plain if read.source.load.is_async is is_async]
        keys = {(id(each.source.load.statement.root), each.path, id(each.site.function)) for each in reads}
        if not reads or keys <= seen:
            continue
        seen |= keys
        # The shortest way is the easiest to follow.
        reads.sort(key=lambda read: (not read.is_repeated, len(read.source.calls), len(read.path)))
        read = reads[0]
        read.others = [each.source for each in reads[1:] if each.path == read.path]
        if read.inner is not None:
            # One place reads them all: a property, or what it calls.
            besides = {each.path: each for each in reversed(reads) if each.path != read.path}
            read.along = [each for each in reads if besides.get(each.path) is each]
        load = read.source.load
        read.query = place_of(load.statement.root, load.statement.file, here, values, workspace)
        read.executed = read.query
        if load.call is not None:
            read.executed = place_of(load.call, load.file, here, values, workspace)
        yield read


def _is_plain(read: LazyRead) -> bool:
    """Whether the way from the statement to the read is short enough to be the statement's own business.

    What becomes of a single object that functions hand on to each other is not.
    """
    source = read.source
    if source.alone and source.calls:
        return False
    return len(read.path) <= _LONGEST and len(source.calls) <= _LONGEST


def place_of(
    root: Value, home: SourceFile, here: Place, values: Mapping[ast.expr, Value], workspace: Workspace
) -> Place | None:
    """Where a value is written.

    Args:
        root: The value.
        home: Its file.
        here: Any place of the chunk whose values are known.
        values: These.
        workspace: The files.
    """
    for node, value in values.items():
        if value is root:
            return Place(here.file, here.chunk, node)
    file = workspace.file(home.file_id)
    if file is None:
        return None
    for unit in file.facts.units():
        for fact in unit.calls:
            if fact.value is root:
                return Place(file, fact.chunk, fact.node)
            # `Model.query` is no call: the first link stands on it.
            if isinstance(fact.value.func, Attr) and fact.value.func.base is root:
                assert isinstance(fact.node.func, ast.Attribute)
                return Place(file, fact.chunk, fact.node.func.value)
    return None


def chain_of(read: LazyRead, workspace: Workspace) -> Iterator[Step]:
    """The places that explain a read, in the order in which things happen there."""
    if read.query is not None:
        yield read.query.file, read.query.chunk, read.query.node, "the rows are loaded here"
    for source, fact in read.source.calls:
        yield source, fact.chunk, fact.node, "an object is passed on here"
    if read.loop is not None:
        yield read.file, read.site.chunk, head_of(read.loop), "the loop"
    if read.outside is not None:
        yield from read.outside.steps
    yield from read.way
    if read.inner is not None:
        what = "the column" if read.info.lazy == DEFERRED else "the relationship"
        yield *read.inner, f"{what} is read here"
    member = workspace.resolver.member(ClassType(read.source.ref), read.info.name)
    # Where another class's `backref` makes the relationship there is no declaration.
    if member is not None and member.attribute is not None:
        what = "the column is deferred" if read.info.lazy == DEFERRED else "the relationship is lazy"
        yield member.file, member.attribute.chunk, member.attribute.node, what


def is_loaded_by_hand(read: LazyRead) -> bool:
    """Whether the function around the read names the relationship in `refresh(…)` or reads it from `awaitable_attrs`."""
    function = function_around(read.site.chunk, read.site.node)
    if function is not None and function.body:
        body: list[ast.stmt] = function.body
    else:
        # A function that was cut, or the top of a module.
        parent = read.site.chunk.parent if function is not None else None
        chunks = list(parent.children or ()) if parent is not None else [read.site.chunk]
        body = [statement for chunk in chunks for statement in chunk.body]
    for node in (part for statement in body for part in ast.walk(statement)):
        if isinstance(node, ast.Attribute) and node.attr == read.info.name:
            if isinstance(node.value, ast.Attribute) and node.value.attr == "awaitable_attrs":
                return True
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "refresh" and _may_name(node, read.info.name):
                return True
    return False


def _may_name(call: ast.Call, name: str) -> bool:
    """Whether a call of `refresh` may name an attribute: it does, or its names are not written out."""
    given = call.args[1] if len(call.args) > 1 else None
    given = given or next((each.value for each in call.keywords if each.arg == "attribute_names"), None)
    if isinstance(given, ast.List | ast.Tuple | ast.Set):
        return any(not isinstance(each, ast.Constant) or each.value == name for each in given.elts)
    return given is not None


def function_around(chunk: Chunk, node: ast.expr) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The function around a node of a chunk; of a function that was cut, its header."""
    functions = [
        each
        for each in chunk.once(_functions)
        if each.lineno <= node.lineno <= (each.end_lineno or each.lineno)
    ]
    if functions:
        return max(functions, key=lambda each: each.lineno)
    header = chunk.parent.body[0] if chunk.parent is not None and chunk.parent.body else None
    return header if isinstance(header, ast.FunctionDef | ast.AsyncFunctionDef) else None


def _functions(chunk: Chunk) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions that are written in a chunk."""
    return [
        each
        for statement in chunk.body
        for each in ast.walk(statement)
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


class Reader:
    """Decides for one site which relationships it loads."""

    def __init__(self, rows: Rows, file: File) -> None:
        self.rows = rows
        self.file = file

    def reads(self, site: Site, values: Mapping[ast.expr, Value]) -> Iterator[LazyRead]:
        assert isinstance(site.node, ast.Attribute)
        value = values.get(site.node.value, UNKNOWN)
        # Where the attribute was set before, what was set is there.
        if isinstance(values.get(site.node), Attr):
            yield from self.of(site, value, site.node.attr)

    def of(self, site: Site, value: Value, name: str) -> Iterator[LazyRead]:
        """What reading an attribute of a value at a site loads."""
        if not self._may_relate(value, name):
            return
        scope = self.rows.scope(self.file)
        shapes = [shape for shape in self.rows.shapes(value, scope) if isinstance(shape, Loaded)]
        for shape in shapes:
            if any(_decides_otherwise(other, shape, name) for other in shapes):
                continue
            if not self._happens(site, shape):
                continue
            loop = self.loop(site, shape)
            info = self.rows.relationship(shape, name) or self.rows.deferred(shape, name)
            if info is not None:
                if is_lazy(self.rows, shape, info):
                    yield LazyRead(site, self.file, shape, info, None, loop)
            else:
                yield from self._through(site, shape, loop, name, value, scope)

    def by_method(self, site: Site, value: Value, name: str) -> Iterator[LazyRead]:
        """What a method of a value reads that is called at a site without arguments that are known."""
        if not self._may_relate(value, name):
            return
        scope = self.rows.scope(self.file)
        for shape in self.rows.shapes(value, scope):
            member = (
                self.rows.resolver.member(ClassType(shape.ref), name) if isinstance(shape, Loaded) else None
            )
            if member is None or member.function is None or not isinstance(shape, Loaded):
                continue
            method = FunctionType(member.file.file_id, member.function.qualname)
            call = Call(Attr(value, name), (), ())
            inside = self.rows.entered(method, call, scope)
            if inside is None or member.function.decorators:
                continue
            for inner in read_inside(self.rows, inside, shape, call):
                if is_lazy(self.rows, inner.found, inner.info):
                    place, loop = (inner.file, inner.chunk, inner.node), self.loop(site, shape)
                    yield LazyRead(site, self.file, inner.found, inner.info, place, loop, way=inner.way)

    def _may_relate(self, value: Value, name: str) -> bool:
        """Whether the object is, by its type, of a mapped class with such an attribute, or of an unknown one."""
        types = list(known(self.rows.resolver.type_of(value, self.file)))
        if not types:
            return True
        for option in types:
            if isinstance(option, Instance):
                if not isinstance(option.ref, tuple) or not self.rows.resolver.is_model(
                    ClassType(option.ref)
                ):
                    continue
                model = self.rows.model(option.ref)
                if model is None or name in model.relationships or name in model.columns:
                    return True
                member = self.rows.resolver.member(ClassType(option.ref), name)
                if member is not None and member.function is not None:
                    return True
        return False

    def _happens(self, site: Site, shape: Loaded) -> bool:
        """Whether the last call that passed the object lets control come to the read, as far as its arguments tell."""
        if not shape.calls or not site.conditions:
            return True
        _, fact = shape.calls[-1]
        for option in known(self.rows.resolver.type_of(fact.value.func, shape.calls[-1][0])):
            function = self.file.facts.function(option.qualname) if isinstance(option, FunctionType) else None
            for name, wanted in site.conditions if function is not None else ():
                assert function is not None
                parameter = function.parameter(name)
                if parameter is None:
                    continue
                given = argument_of(fact.value, function, name) or parameter.default
                if isinstance(given, Const) and bool(given.value) is not wanted:
                    return False
        return True

    def loop(self, site: Site, shape: Loaded) -> ast.AST | None:
        """The loop that walks the object."""
        if not shape.walked:
            return None
        root = root_of(site.node)
        return next((loop for loop in site.loops if root and root in bound_by(loop)), None)

    def _through(
        self, site: Site, shape: Loaded, loop: ast.AST | None, name: str, value: Value, scope: Scope
    ) -> Iterator[LazyRead]:
        """What a property of the object reads."""
        for inner in read_by_property(self.rows, shape, name, value, scope):
            if is_lazy(self.rows, inner.found, inner.info):
                place = (inner.file, inner.chunk, inner.node)
                yield LazyRead(site, self.file, inner.found, inner.info, place, loop, way=inner.way)


def _decides_otherwise(other: Loaded, shape: Loaded, name: str) -> bool:
    """Whether the same statement, taken another way through its branches, has an option for the relationship."""
    statement = other.load.statement
    if other is shape or statement.root is not shape.load.statement.root:
        return False
    path = (*other.names, name)
    return (
        statement.options is None or statement.decided(path) is not None or undefers(statement.options, path)
    )


def is_lazy(rows: Rows, source: Loaded, info: RelationshipInfo) -> bool:
    """Whether reading the relationship runs a SELECT that the author did not ask for.

    What a loader option names is the author's decision, and the object at the other end of a collection that was just
    walked is in the session already.
    """
    statement = source.load.statement
    if statement.options is None or info.lazy not in _LAZY or not info.known:
        return False
    if info.lazy == DEFERRED:
        return not undefers(statement.options, (*source.names, info.name))
    if statement.decided((*source.names, info.name)) is not None:
        return False
    target = info.target
    if target is None:
        return False
    if info.collection is not True:
        if rows.is_way_back(source, info):
            return False
        if not source.path and _names_one(rows, source, info):
            return False
    return True


def _names_one(rows: Rows, source: Loaded, info: RelationshipInfo) -> bool:
    """Whether the criteria name the object at the other end, so that it is the same for all rows."""
    keyed = source.load.statement.keyed
    if not keyed:
        return False
    if "*" in keyed or any(name == info.name or name.startswith(f"{info.name}_") for name in keyed):
        return True
    target = info.target
    table = None
    if target is not None:
        file_id, _, qualname = target.identity.rpartition(":")
        table = rows.workspace.mappings.declared((file_id, qualname)).table
    columns = rows.workspace.mappings.declared(source.ref).columns
    return any(
        name in keyed and any(other == table for other, _ in column.foreign)
        for name, column in columns.items()
    )
