"""The tables of the workspace as facts: of mapped classes, whichever way they inherit, and of `Table(…)` calls.

    table_of(workspace, ref)           the table that a mapped class is mapped to, its parent's for single-table inheritance
    all_tables(workspace)              every table; the answer holds until a class or a `Table` anywhere changes
    tables_named(workspace, name)      those of a name, in every schema and `MetaData`
    is_closed(workspace, metadata)     whether no table of a `MetaData` can have been missed
    place_of(workspace, table)         where it stands now

A table is whole: columns of mixins, abstract bases and single-table children are among its columns. `is_complete` says
whether any could be missing. Facts hold values and names, never nodes, which edits outlive. This module must never judge.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.units import STORED
from sqlalchemy_guard.facts.values import Call, Ref, Value
from sqlalchemy_guard.project import declared
from sqlalchemy_guard.project.column_calls import column_made_by
from sqlalchemy_guard.project.columns import has_unknown_base, is_columnless
from sqlalchemy_guard.project.index import CALLED
from sqlalchemy_guard.project.mentions import TABLE
from sqlalchemy_guard.project.metadata import MetadataId, metadata_of, metadata_of_class, schema_of
from sqlalchemy_guard.project.model import model_of
from sqlalchemy_guard.project.name_functions import Unreadable, table_name
from sqlalchemy_guard.project.subclasses import subclasses
from sqlalchemy_guard.project.table_arguments import (
    Constraint,
    TableArguments,
    read_class_arguments,
    read_table_arguments,
)
from sqlalchemy_guard.project.table_columns import (
    TableColumn,
    column_from_call,
    column_of_attribute,
    column_of_value,
)
from sqlalchemy_guard.project.types import ClassType, Instance, Literal, known
from sqlalchemy_guard.records import NamedTuple, dataclass, field
from sqlalchemy_guard.text.words import snake_case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import CallFact, ClassFacts
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.syntax.chunk import Chunk

ClassId = tuple[str, str]


@dataclass(slots=True, eq=False)
class Table:
    """A table.

    Attributes:
        name: Its name, None when it cannot be read.
        schema: Its schema, None for the default one of its `MetaData`.
        metadata: The `MetaData` that it belongs to, None when that cannot be followed.
        columns: By name in the table, in the order in which they were found: the class's own before those of its mixins.
        constraints: Indexes and constraints besides what columns say themselves.
        model: The class that it is the table of, None for a `Table`.
        classes: The classes that are mapped to it, single-table children included.
        file: Where it is declared.
        call: The `Table(…)`, None for a class.
        is_complete: Whether all columns are known by name.
        has_all_arguments: Whether all constraints and the schema could be read.
        extends: Whether it may meet a table that is there already.
    """

    name: str | None
    schema: str | None
    metadata: MetadataId | None
    columns: dict[str, TableColumn]
    constraints: list[Constraint]
    model: ClassId | None
    classes: list[ClassId]
    file: SourceFile
    call: Call | None = None
    is_complete: bool = True
    has_all_arguments: bool = True
    extends: bool = False
    hidden: list[TableColumn] = field(default_factory=list)

    def column(self, name: str) -> TableColumn | None:
        """The column of that name in the table, that key, or that attribute of its class."""
        found = self.columns.get(name)
        if found is not None:
            return found
        return next((each for each in self.columns.values() if name in (each.key, each.attribute)), None)

    def primary_key(self) -> list[TableColumn]:
        """The columns of the primary key, in order."""
        for constraint in self.constraints:
            if constraint.kind == "primary key":
                named = [self.column(name) for name in constraint.columns if name is not None]
                return [each for each in named if each is not None]
        return [each for each in self.columns.values() if each.primary_key]


class Place(NamedTuple):
    """Where a table is declared: the class statement, or the call."""

    file: File
    chunk: Chunk
    node: ast.ClassDef | ast.Call

    @property
    def head(self) -> ast.expr:
        """What points to it: `class Name`, or the function that is called."""
        node = self.node
        if isinstance(node, ast.Call):
            return node.func
        end = node.col_offset + len(f"class {node.name}".encode("utf-8", "surrogatepass"))
        return ast.Name(
            node.name,
            lineno=node.lineno,
            col_offset=node.col_offset,
            end_lineno=node.lineno,
            end_col_offset=end,
        )


# -- questions about the workspace ---------------------------------------------------------------------------------


def all_tables(workspace: Workspace) -> list[Table]:
    """Every table of the known files, each once."""
    return workspace.resolver.gathered("tables", lambda: _all(workspace))


def tables_named(workspace: Workspace, name: str) -> list[Table]:
    """The tables of a name, in every schema and `MetaData`."""
    index = workspace.resolver.gathered("tables by name", lambda: _by_name(workspace))
    return index.get(name, [])


def is_closed(workspace: Workspace, metadata: MetadataId) -> bool:
    """Whether no table of a `MetaData` can have been missed: every name is read, nothing reflects, the workspace is read."""
    workspace.resolver.keys.add(workspace.READ)
    if not workspace.is_read:
        return False
    closed = workspace.resolver.gathered("open metadata", lambda: _open(workspace))
    return None not in closed and metadata not in closed


def table_of(workspace: Workspace, ref: ClassId) -> Table | None:
    """The table that a class is mapped to; None when it is mapped to none."""
    return workspace.resolver.remembered(("table", ref), lambda: _of_class(workspace, ref))


def core_tables(workspace: Workspace, file: SourceFile) -> list[Table]:
    """The tables that `Table(…)` calls of a file make."""
    resolver = workspace.resolver
    resolver.keys.add((CALLED, "Table"))
    if "Table" not in file.facts.called_names():
        return []
    return resolver.remembered(("core tables", file.file_id), lambda: _of_calls(resolver, file))


def place_of(workspace: Workspace, table: Table) -> Place | None:
    """Where a table is declared now."""
    file = workspace.file(table.file.file_id)
    if file is None:
        return None
    if table.model is not None:
        facts = file.facts.class_(table.model[1])
        return Place(file, facts.chunk, facts.header) if facts is not None else None
    fact = call_place(file, table.call) if table.call is not None else None
    return Place(file, fact.chunk, fact.node) if fact is not None else None


def order_of(workspace: Workspace, table: Table) -> tuple[str, int]:
    """What sorts tables as they stand in the files: file and line."""
    place = place_of(workspace, table)
    return table.file.file_id, place.node.lineno + place.chunk.shift if place is not None else 0


def call_place(file: File, call: Call) -> CallFact | None:
    """Where a call stands now."""
    return next((fact for unit in file.facts.units() for fact in unit.calls if fact.value == call), None)


def _all(workspace: Workspace) -> list[Table]:
    found: dict[int, Table] = {}
    for file in list(workspace.mentioning((TABLE, ""))):
        for qualname in list(file.facts.classes):
            table = table_of(workspace, (file.file_id, qualname)) if "<locals>" not in qualname else None
            if table is not None:
                found[id(table)] = table
        found.update((id(table), table) for table in core_tables(workspace, file))
    return sorted(found.values(), key=lambda table: order_of(workspace, table))


def _by_name(workspace: Workspace) -> dict[str, list[Table]]:
    found: dict[str, list[Table]] = {}
    for table in all_tables(workspace):
        if table.name is not None:
            found.setdefault(table.name, []).append(table)
    return found


def _open(workspace: Workspace) -> set[MetadataId | None]:
    """The `MetaData` that may have tables which nobody sees; None when that may be any of them."""
    found: set[MetadataId | None] = set()
    resolver = workspace.resolver
    for table in all_tables(workspace):
        # A table whose name is not known may be the one that somebody means; one of an unknown `MetaData` may belong here.
        # A `Table` that is reflected under a name that comes from outside stands for one that is there already.
        hides = table.model is not None or not table.extends
        if hides and (table.name is None or table.metadata is None):
            found.add(table.metadata)
    for name in ("reflect", "prepare", "to_metadata", "tometadata", "make_versioned", "automap_base"):
        for call, file in workspace.calls_of(name, None):
            func = resolver.external_name(call.func, file) or ""
            if name in ("reflect", "prepare") and not func.startswith(("sqlalchemy.", "flask_sqlalchemy.")):
                continue
            base = getattr(call.func, "base", None)
            found.add(metadata_of(resolver, base, file) if name == "reflect" and base is not None else None)
    return found


# -- tables of classes ---------------------------------------------------------------------------------------------


def _of_class(workspace: Workspace, ref: ClassId) -> Table | None:
    resolver = workspace.resolver
    found = resolver.class_facts(ref)
    model = model_of(resolver, *found) if found is not None else None
    if found is None or model is None or not model.is_mapped or not declared.is_mapped(resolver, ref):
        return None
    parents = mapped_parents(resolver, ref)
    name = _class_table(resolver, ref, parents, model.kind)
    if name.is_parents:
        return table_of(workspace, parents[0]) if parents else None
    if name.object is not None:
        return _of_object(workspace, ref, *name.object)
    classes = _own_classes(resolver, ref, parents)
    metadata = metadata_of_class(resolver, ref)
    table = Table(name.text, None, metadata, {}, [], ref, [ref], found[1])
    table.is_complete = not has_unknown_base(resolver, ClassType(ref))
    _arguments(resolver, table, classes)
    for each in classes:
        _add_columns(resolver, table, each, sqlmodel=model.kind == "sqlmodel.SQLModel")
    for child in _single_table_children(workspace, ref):
        table.classes.append(child)
        for each in _own_classes(resolver, child, [ref, *parents]):
            if each not in classes:
                _add_columns(resolver, table, each, sqlmodel=model.kind == "sqlmodel.SQLModel")
    return table


def mapped_parents(resolver: Resolver, ref: ClassId) -> list[ClassId]:
    """The mapped classes among a class's ancestors, nearest first."""
    return [
        each
        for each in resolver.ancestors(ClassType(ref))[1:]
        if isinstance(each, tuple)
        and resolver.is_model(ClassType(each))
        and declared.is_mapped(resolver, each)
    ]


def _own_classes(resolver: Resolver, ref: ClassId, parents: list[ClassId]) -> list[ClassId]:
    """The class and what it inherits columns from for a table of its own: mixins and abstract bases, no mapped parent."""
    theirs = {each for parent in parents for each in resolver.ancestors(ClassType(parent))}
    return [
        each
        for each in resolver.ancestors(ClassType(ref))
        if isinstance(each, tuple) and (each == ref or each not in theirs)
    ]


def _single_table_children(workspace: Workspace, ref: ClassId) -> Iterator[ClassId]:
    resolver = workspace.resolver
    todo, seen = [ref], {ref}
    while todo:
        for child in subclasses(resolver, workspace, todo.pop()):
            if child in seen:
                continue
            seen.add(child)
            found = resolver.class_facts(child)
            model = model_of(resolver, *found) if found is not None else None
            if model is None or not model.is_mapped:
                continue
            if _class_table(resolver, child, mapped_parents(resolver, child), model.kind).is_parents:
                todo.append(child)
                yield child


@dataclass(slots=True)
class _Name:
    """What names a class's table: text, a `Table` object, or nothing, so that the parent's table is taken."""

    text: str | None = None
    is_parents: bool = False
    object: tuple[Value, SourceFile] | None = None


def _class_table(resolver: Resolver, ref: ClassId, parents: list[ClassId], kind: str) -> _Name:
    for each in resolver.ancestors(ClassType(ref)):
        if isinstance(each, str):
            if not is_columnless(each):
                return _Name()
            continue
        found = resolver.class_facts(each)
        if found is None:
            return _Name()
        facts, file = found
        inherited = each in parents
        table = facts.attributes.get("__table__")
        if table is not None and table.value is not None and not inherited:
            return _Name(object=(table.value, file))
        if "__table__" in facts.methods and not inherited:
            return _Name()
        attribute = facts.attributes.get("__tablename__")
        if attribute is not None and not inherited and attribute.value is not None:
            said = resolver.type_of(attribute.value, file)
            if not isinstance(said, Literal):
                return _Name()
            if said.value is None:
                return _Name(is_parents=True)
            return _Name(said.value if isinstance(said.value, str) else None)
        function = file.facts.function(facts.methods.get("__tablename__", ""))
        if function is not None:
            last = ref[1].rpartition(".")[2]
            try:
                text = table_name(resolver, function, file, last, is_child=bool(parents))
            except Unreadable:
                return _Name()
            return _Name(text, is_parents=text is None)
        if not inherited and any(
            next(known(resolver.type_of(base, file)), None) is None for base in facts.bases
        ):
            # Nobody says what an unknown base names.
            return _Name()
    name = ref[1].rpartition(".")[2]
    if kind == "sqlmodel.SQLModel":
        return _Name(name.lower())
    if kind == "flask_sqlalchemy.Model" and (not parents or declared.has_own_table(resolver, ref)):
        return _Name(snake_case(name))
    return _Name(is_parents=True)


def _arguments(resolver: Resolver, table: Table, classes: list[ClassId]) -> None:
    """The nearest `__table_args__` among a class and what it inherits from."""
    for each in classes:
        found = resolver.class_facts(each)
        if found is None:
            continue
        facts, file = found
        attribute = facts.attributes.get("__table_args__")
        function = file.facts.function(facts.methods.get("__table_args__", ""))
        if attribute is None and function is None:
            continue
        value = (
            attribute.value if attribute is not None else function.returned if function is not None else None
        )
        _take_arguments(resolver, table, read_class_arguments(resolver, value, file))
        return


def _take_arguments(resolver: Resolver, table: Table, arguments: TableArguments) -> None:
    table.constraints = arguments.constraints
    table.schema = arguments.schema
    table.has_all_arguments = arguments.is_readable
    table.extends = arguments.extends
    if arguments.is_reflected:
        table.is_complete = False
    if (
        table.metadata is not None
        and table.schema is not None
        and table.schema == schema_of(resolver, table.metadata)
    ):
        table.schema = None


def _add_columns(resolver: Resolver, table: Table, ref: ClassId, *, sqlmodel: bool) -> None:
    """The columns that one class declares; what nearer classes said stays."""
    found = resolver.class_facts(ref)
    if found is None:
        table.is_complete = False
        return
    facts, file = found
    if any(name in (None, "metaclass") for name, _ in facts.keywords) or "__init_subclass__" in facts.methods:
        table.is_complete = False
    for attribute in facts.attributes.values():
        if not attribute.name.startswith("__") and attribute.name not in ("registry", "metadata"):
            _add(table, column_of_attribute(resolver, attribute, facts, file, sqlmodel=sqlmodel))
    resolver.keys.add((file.file_id, STORED))
    for value, name, annotation, assigned in file.facts.foreign_sets:
        if (
            type(value) is Ref
            and not value.module
            and value.name == facts.qualname
            and name not in facts.attributes
        ):
            _add(table, column_of_value(resolver, name, assigned, annotation, ref, file))
    for name, qualname in facts.methods.items():
        function = file.facts.function(qualname)
        if function is None or name.startswith("__") or not _is_declared(resolver, facts, qualname, file):
            continue
        resolver.keys.add((file.file_id, qualname))
        if function.returned is None or type(function.returned) is not Call:
            table.is_complete = table.is_complete and function.returned is not None
            _add(table, function.returned is not None)
        else:
            _add(table, column_of_value(resolver, name, function.returned, function.annotation, ref, file))


def _is_declared(resolver: Resolver, facts: ClassFacts, qualname: str, file: SourceFile) -> bool:
    function = file.facts.function(qualname)
    assert function is not None
    for decorator in function.decorators:
        value = decorator.func if type(decorator) is Call else decorator
        name = resolver.external_name(value, file) or getattr(value, "name", "")
        if name is not None and name.rpartition(".")[2] in ("declared_attr", "cascading", "directive"):
            return True
    return False


def _add(table: Table, column: TableColumn | bool) -> None:
    if column is False:
        return
    if column is True or column.name is None:
        table.is_complete = False
        if isinstance(column, TableColumn):
            table.hidden.append(column)
        return
    if any(each.attribute == column.attribute is not None for each in table.columns.values()):
        return
    if not column.is_readable and column.call is None:
        # The function that makes it may give it another name.
        table.is_complete = False
    table.columns.setdefault(column.name, column)


# -- tables of calls -----------------------------------------------------------------------------------------------


def _of_object(workspace: Workspace, ref: ClassId, value: Value, file: SourceFile) -> Table | None:
    """The table of a class that says `__table__`."""
    made, source = workspace.resolver.definition_of(value, file)
    if type(made) is not Call:
        return None
    for table in core_tables(workspace, source):
        if table.call is made or table.call == made:
            if ref not in table.classes:
                table.classes.append(ref)
            return table
    # A call in the body of a class is not among those of the module.
    own = _of_call(workspace.resolver, made, source)
    if own is not None:
        own.classes.append(ref)
    return own


def _of_calls(resolver: Resolver, file: SourceFile) -> list[Table]:
    resolver.keys.add((CALLED, "Table"))
    found = (_of_call(resolver, call, file) for call in file.facts.calls_of("Table"))
    return [table for table in found if table is not None]


def _of_call(resolver: Resolver, call: Call, file: SourceFile) -> Table | None:
    if not is_table(resolver, call, file) or not call.args:
        return None
    said = resolver.type_of(call.args[0], file)
    name = said.value if isinstance(said, Literal) and isinstance(said.value, str) else None
    owner = call.args[1] if len(call.args) > 1 else call.keyword("metadata")
    rest = list(call.args[2:])
    if owner is not None and column_made_by(resolver, owner, file) is not None:
        # Flask-SQLAlchemy's `db.Table("name", Column(…))` needs no metadata.
        owner, rest = None, list(call.args[1:])
    metadata = metadata_of(resolver, owner, file) if owner is not None else None
    if owner is None and type(call.func).__name__ == "Attr":
        metadata = metadata_of(resolver, call.func.base, file)  # type: ignore[attr-defined]
    table = Table(name, None, metadata, {}, [], None, [], file, call)
    others: list[Value] = []
    for item in rest:
        column = column_made_by(resolver, item, file)
        if column is not None:
            _add(table, column_from_call(resolver, column, None, None, file))
        else:
            others.append(item)
    _take_arguments(resolver, table, read_table_arguments(resolver, others, call.keywords, file))
    if not table.has_all_arguments:
        table.is_complete = False
    return table


def is_table(resolver: Resolver, call: Call, file: SourceFile) -> bool:
    """Whether a call makes a `Table`."""
    if (resolver.external_name(call.func, file) or "").startswith(
        ("sqlalchemy.Table", "flask_sqlalchemy.Table")
    ):
        return True
    return any(
        isinstance(option, Instance) and option.ref == "sqlalchemy.Table"
        for option in known(resolver.type_of(call, file))
    )
