"""The models of a workspace, rebuilt as real tables and mappers from source alone.

    schema = rebuild(workspace, poll)          # kept until an edit touches what it was made of
    schema.bases                               # one for each MetaData: metadata, registry, mapped classes
    schema.unknown                             # what could not be told, each with its reason and place
    schema.place(table) / schema.place(table, "column")    # (file_id, Span), None where nothing is known

A column of which something is not known says so in `column.info[UNKNOWN]` (a set of "type", "nullable", …) and its type is an
`UnknownType`; so does a table with columns or constraints that are not known (`table.info[UNKNOWN]`). Each generation has
registries of its own, configured by themselves and disposed of when the next one takes its place. What SQLAlchemy does not take is
left out and everything made again. This module must never guess.
"""

from __future__ import annotations

import ast
import weakref
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from sqlalchemy_guard.project.file_roles import is_migration_file
from sqlalchemy_guard.project.model import model_of
from sqlalchemy_guard.records import NamedTuple, dataclass, field
from sqlalchemy_guard.sql import declarative, flask, natives, sqlmodels
from sqlalchemy_guard.sql.bindings import bound_names
from sqlalchemy_guard.sql.evaluator import Evaluator
from sqlalchemy_guard.sql.freshness import Freshness
from sqlalchemy_guard.sql.natives import UNKNOWN, UnknownType
from sqlalchemy_guard.sql.relations import Relationships
from sqlalchemy_guard.sql.renewal import Renewal
from sqlalchemy_guard.sql.values import Class, Opaque

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import sqlalchemy
    from sqlalchemy import orm

    from sqlalchemy_guard.facts.declarations import ClassFacts
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.text.span import Span

MOST_ROUNDS = 10
"""How often the models are made again without a relationship that SQLAlchemy cannot make out."""
_MAKERS = frozenset({"Table", "map_imperatively", "mapper", "Index"})
_ADDED = frozenset(
    """
    relationship column_property Column mapped_column synonym deferred association_proxy hybrid_property composite Table
    """.split()
)


class Place(NamedTuple):
    """Where something stands."""

    file_id: str
    span: Span


class Unknown(NamedTuple):
    """Something that could not be told: what (`User.posts`, `users.payload`), why, where, and whether it is a relationship,
    of which no table shows anything."""

    what: str
    reason: str
    place: Place | None
    is_relationship: bool = False


@dataclass(slots=True, eq=False)
class Base:
    """A `MetaData` with what is mapped to its tables.

    Attributes:
        metadata: The tables.
        registry: The registry of its declarative base, None for tables alone.
        classes: The mapped classes of the user's, by qualified name and file.
        name: What the source calls the base or the metadata.
    """

    metadata: sqlalchemy.MetaData
    registry: Any
    name: str
    classes: dict[tuple[str, str], Class] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Schema:
    """All models of a workspace, of one generation.

    Attributes:
        bases: One for each MetaData that has tables.
        unknown: What could not be told.
        evaluator: Where the user's code was run; its values are those of this generation.
        rounds: How often everything was made.
    """

    bases: list[Base]
    unknown: list[Unknown]
    evaluator: Evaluator
    rounds: int
    freshness: Freshness
    renewal: Renewal
    owners: dict[int, Class] = field(default_factory=dict)

    @property
    def tables(self) -> list[sqlalchemy.Table]:
        """All tables, by base and name."""
        return [table for base in self.bases for _, table in sorted(base.metadata.tables.items())]

    def place(self, table: sqlalchemy.Table, column: str | None = None) -> Place | None:
        """Where a table or one of its columns is declared."""
        cls = self.owners.get(id(table))
        if cls is not None:
            return place_of_class(cls, column and _attribute_of(cls, table, column))
        made = self.evaluator.program.tables.get(id(table))
        if made is None or made[1].chunk is None:
            return None
        _, frame, node = made
        assert frame.chunk is not None
        node = _column_call(node, column) if column is not None else node
        return Place(frame.module.file_id, frame.module.file.syntax.node_span(frame.chunk, node))

    def class_named(self, file_id: str, qualname: str) -> Class | None:
        """The mapped class of a file."""
        return next(
            (base.classes[file_id, qualname] for base in self.bases if (file_id, qualname) in base.classes),
            None,
        )

    def dispose(self) -> None:
        """Give back what SQLAlchemy keeps of the mappers of this generation."""
        for base in self.bases:
            if base.registry is not None:
                natives.call_library(self.evaluator, base.name, lambda: base.registry.dispose(cascade=True))  # noqa: B023


_KEPT: weakref.WeakKeyDictionary[Workspace, Schema] = weakref.WeakKeyDictionary()


def rebuild(workspace: Workspace, poll: Callable[[], None] | None = None) -> Schema:
    """The models of the files that the workspace knows; made again only when something that they rest on changed.

    Raises:
        Whatever `poll` raises: the last generation is kept then.
    """
    kept = _KEPT.get(workspace)
    if kept is not None and kept.freshness.holds(workspace) and kept.renewal.catch_up(workspace):
        return kept
    excluded: set[tuple[str, str, str]] = set()
    reasons: dict[tuple[str, str, str], str] = {}
    for number in range(1, MOST_ROUNDS + 1):
        made, failed, reason = _build(workspace, poll, excluded)
        made.rounds = number
        if failed is None or number == MOST_ROUNDS:
            break
        made.dispose()
        excluded.add(failed)
        reasons[failed] = reason
    for (file_id, qualname, name), reason in reasons.items():
        cls = made.class_named(file_id, qualname)
        made.unknown.append(
            Unknown(f"{qualname}.{name}", reason, None if cls is None else place_of_class(cls, name), True)
        )
    if kept is not None:
        kept.dispose()
    _KEPT[workspace] = made
    return made


def _build(
    workspace: Workspace, poll: Callable[[], None] | None, excluded: set[tuple[str, str, str]]
) -> tuple[Schema, tuple[str, str, str] | None, str]:
    """One try: the schema, and the relationship that made it fail with the reason."""
    evaluator = Evaluator(workspace, poll)
    maker = declarative.Declarative(evaluator)
    declarative.install(maker)
    flask.install(maker)
    sqlmodels.install(maker)
    sources = candidates(workspace)
    lost: list[tuple[File, str]] = []
    for file, names in sources:
        module = evaluator.program.module(file.file_id)
        if module is None:
            continue
        for name in names:
            value = module.get(name)
            lost += [(file, name)] if isinstance(value, Opaque) and name in file.facts.classes else []
        module.run_effects(_MAKERS)
    relationships = Relationships(maker, excluded)
    relationships.make_all()
    failed: tuple[str, str, str] | None = None
    reason = ""
    for base in maker.bases:
        try:
            for mapper in base.registry.mappers:
                # Hundreds of mappers take longer than a keystroke may wait.
                event.listen(mapper, "before_mapper_configured", lambda *_: evaluator.budget.check())
            natives.quietly(base.registry.configure)
        except natives.LIBRARY_ERRORS as error:
            evaluator.budget.check()
            reason = str(error).partition("\n")[0][:300]
            if relationships.current is not None:
                cls, name = relationships.current
                failed = (cls.module.file_id, cls.qualname, name)
            break
    freshness = Freshness.of(workspace, evaluator, sources)
    schema = _schema(evaluator, maker, freshness, Renewal(evaluator, workspace, freshness.names))
    for file, name in lost:
        reasons = [one.reason for one in evaluator.notes if one.file_id == file.file_id]
        header = file.facts.classes[name][-1]
        place = Place(file.file_id, file.syntax.node_span(header.chunk, header.header))
        schema.unknown.append(Unknown(name, reasons[-1] if reasons else "not understood", place))
    return schema, failed, reason


def candidates(workspace: Workspace) -> list[tuple[File, list[str]]]:
    """The files with models or tables, each with the names of its module to evaluate, in the order of the source."""
    found: list[tuple[File, list[str]]] = []
    for file in sorted(workspace.known_files(), key=lambda one: one.file_id):
        if is_migration_file(file.file_id) and file.facts.names.keys() >= {"revision", "down_revision"}:
            # What a revision declares is the schema of its day.
            continue
        wanted: dict[str, None] = {}
        for qualname, definitions in sorted(file.facts.classes.items(), key=_line):
            if "." in qualname:
                continue
            named = {"__tablename__", "__table__"} & definitions[-1].attributes.keys()
            if named or model_of(workspace.resolver, definitions[-1], file) is not None:
                wanted[qualname] = None
        wanted.update(dict.fromkeys(_table_names(file)))
        effects = any(
            _mentions(one, _MAKERS)
            for chunk in file.syntax.chunks
            for one in chunk.body
            if isinstance(one, (ast.Expr, ast.For))
        )
        if wanted or effects:
            found.append((file, list(wanted)))
    return found


def _line(item: tuple[str, list[ClassFacts]]) -> int:
    """Where a class is defined last: what is made first, and so comes first in what is printed, must not depend on chance."""
    last = item[1][-1]
    return last.header.lineno + last.chunk.shift


def _table_names(file: File) -> Iterator[str]:
    """The names that a module binds to tables or to classes with tables in them, or adds mapped attributes to."""
    text = file.document.text
    if "Table" not in text and "relationship" not in text and "column_property" not in text:
        return
    for chunk in file.syntax.chunks:
        for statement in chunk.body:
            if isinstance(statement, ast.Assign):
                added = any(isinstance(target, ast.Attribute) for target in statement.targets)
                if _mentions(statement.value, _ADDED if added else _MAKERS):
                    for target in statement.targets:
                        while isinstance(target, ast.Attribute):
                            target = target.value
                        if isinstance(target, ast.Name):
                            yield target.id
            elif isinstance(statement, ast.ClassDef):
                body = (
                    [one for child in chunk.children for one in child.body]
                    if chunk.children
                    else statement.body
                )
                if any(isinstance(one, ast.Assign) and _mentions(one.value, _MAKERS) for one in body):
                    yield statement.name
            elif isinstance(statement, (ast.For, ast.If, ast.With, ast.Try)):
                if _mentions(statement, _MAKERS):
                    yield from bound_names(statement)
            elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
                if isinstance(statement.target, ast.Name) and _mentions(statement.value, _MAKERS):
                    yield statement.target.id


def _mentions(node: ast.AST, wanted: frozenset[str]) -> bool:
    return any(
        (isinstance(part, ast.Name) and part.id in wanted)
        or (isinstance(part, ast.Attribute) and part.attr in wanted)
        for part in ast.walk(node)
    )


# -- the result ----------------------------------------------------------------------------------------------------


def _schema(
    evaluator: Evaluator, maker: declarative.Declarative, freshness: Freshness, renewal: Renewal
) -> Schema:
    bases: dict[int, Base] = {}
    for native in maker.bases:
        metadata = native.metadata
        bases.setdefault(id(metadata), Base(metadata, native.registry, native.__name__))
    for table, _, _ in evaluator.program.tables.values():
        if table.metadata.tables.get(table.key) is table:
            bases.setdefault(id(table.metadata), Base(table.metadata, None, "metadata"))
    schema = Schema([], [], evaluator, 1, freshness, renewal)
    for cls in maker.classes:
        native = cls.native
        if native is None or "__mapper__" not in native.__dict__:
            continue
        table = native.__table__
        base = bases.get(id(getattr(table, "metadata", None))) or bases.get(id(native.metadata))
        if base is not None:
            base.classes[cls.module.file_id, cls.qualname] = cls
        if "__table__" in native.__dict__ and table is not None:
            schema.owners.setdefault(id(table), cls)
    schema.bases = [base for base in bases.values() if base.metadata.tables]
    schema.unknown = [*_failures(maker), *_unknown_columns(schema)]
    return schema


def _failures(maker: declarative.Declarative) -> Iterator[Unknown]:
    seen: set[tuple[str, str]] = set()
    for failures in (maker.failures, maker.unrelated):
        for cls, name, reason in failures:
            what = f"{cls.qualname}.{name}" if name else cls.qualname
            if (what, reason) not in seen:
                seen.add((what, reason))
                yield Unknown(what, reason, place_of_class(cls, name or None), failures is maker.unrelated)


def _unknown_columns(schema: Schema) -> Iterator[Unknown]:
    for table in schema.tables:
        for aspect in sorted(table.info.get(UNKNOWN, ())):
            yield Unknown(table.fullname, f"{aspect} not known", schema.place(table))
        for column in table.columns:
            aspects = set(column.info.get(UNKNOWN, ()))
            if isinstance(column.type, UnknownType):
                aspects.add(f"type {column.type.reason}")
                aspects.discard("type")
            for aspect in sorted(aspects):
                yield Unknown(
                    f"{table.fullname}.{column.name}", f"{aspect} not known", schema.place(table, column.name)
                )


def place_of_class(cls: Class, attribute: str | None = None) -> Place | None:
    """Where a class or the attribute of one, inherited ones included, is written."""
    syntax = cls.module.file.syntax
    if attribute is not None:
        for one in cls.mro:
            if isinstance(one, Class) and attribute in one.places:
                chunk, statement = one.places[attribute]
                return Place(one.module.file_id, one.module.file.syntax.node_span(chunk, statement))
    if cls.node is None or cls.chunk is None:
        return None
    return Place(cls.module.file_id, syntax.node_span(cls.chunk, cls.node))


def _attribute_of(cls: Class, table: sqlalchemy.Table, column: str) -> str:
    """The attribute of a mapped class that a column is mapped to."""
    mapper: orm.Mapper[Any] = cls.native.__mapper__
    if column in table.c and table.c[column] in mapper._columntoproperty:
        return mapper.get_property_by_column(table.c[column]).key
    return column


def _column_call(node: ast.AST, column: str) -> ast.AST:
    """The `Column("name", …)` inside a statement; the statement when it is not written out."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and part.args and isinstance(part.args[0], ast.Constant):
            if part.args[0].value == column and part.lineno:
                return part
    return node
