"""Foreign keys as facts: where one is written, which tables it stands in, and what it refers to.

This module must never judge a key.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.project.column_types import python_name, python_type
from sqlalchemy_guard.project.columns import columns_of
from sqlalchemy_guard.project.metadata import schema_of
from sqlalchemy_guard.project.model import model_of
from sqlalchemy_guard.project.table_arguments import read_constraint
from sqlalchemy_guard.project.tables import (
    all_tables,
    core_tables,
    is_closed,
    is_table,
    table_of,
    tables_named,
)
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy_guard.facts.declarations import ClassFacts
    from sqlalchemy_guard.facts.units import Unit
    from sqlalchemy_guard.facts.values import Call, Value
    from sqlalchemy_guard.project.column_types import PythonType
    from sqlalchemy_guard.project.columns import Column
    from sqlalchemy_guard.project.table_columns import TableColumn
    from sqlalchemy_guard.project.tables import ClassId, Table
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.syntax.chunk import Chunk


@dataclass(slots=True, eq=False)
class ForeignKey:
    """A foreign key of one column, at the place where it is written.

    Attributes:
        text: What it refers to as written, `"table.column"` with the schema perhaps.
        node: The string, or the expression that gives it.
        chunk: The chunk that the node belongs to.
        statement: The statement that a suppression may stand on.
        columns: The column that has it, in each table that it stands in: several for a mixin's.
        attribute: The column as an attribute of a class, None in a `Table` and in constraints.
        is_part: Whether it is one of several columns of a constraint.
    """

    text: str
    node: ast.expr
    chunk: Chunk
    statement: ast.stmt | None
    columns: list[tuple[Table, TableColumn]]
    attribute: Column | None = None
    is_part: bool = False


@dataclass(slots=True, eq=False)
class Target:
    """What a foreign key refers to, as far as it is known.

    Attributes:
        schema: The schema in the key, None for the default one.
        table: The table's name in the key.
        column: The column's name in the key.
        tables: The tables of that name, schema and `MetaData`; several where definitions are alternatives.
    """

    schema: str | None
    table: str
    column: str
    tables: list[Table]


def target_of(workspace: Workspace, table: Table, column: TableColumn, text: str) -> Target | None:
    """What a key of a table refers to; None when the table's `MetaData` is not known."""
    if table.metadata is None:
        return None
    parts = text.split(".")
    if len(parts) == 1:
        parts.append(column.key or "")
    schema: str | None = ".".join(parts[:-2]) or None
    if schema is not None and schema == schema_of(workspace.resolver, table.metadata):
        schema = None
    found = [
        each
        for each in tables_named(workspace, parts[-2])
        if each.metadata == table.metadata and (each.schema == schema or not each.has_all_arguments)
    ]
    return Target(schema, parts[-2], parts[-1], found)


def referred_columns(
    workspace: Workspace, table: Table, column: TableColumn, text: str
) -> list[tuple[Table, TableColumn]]:
    """The columns that a key may refer to, one for each table that it may mean."""
    target = target_of(workspace, table, column, text)
    tables = target.tables if target is not None else []
    return [
        (each, found)
        for each in tables
        if (found := each.column(target.column if target else "")) is not None
    ]


def followed_type(workspace: Workspace, owner: ClassFacts, file: File, name: str) -> PythonType | None:
    """The Python type of a column that names no SQL type, by what its foreign key leads to; None when tables differ."""
    ref = (file.file_id, owner.qualname)
    found = [
        _python(workspace, table, column, 0)
        for table in tables_with(workspace, ref, owner, file)
        for column in table.columns.values()
        if column.owner == ref and column.attribute == name
    ]
    return found[0] if found and all(each == found[0] for each in found) else None


def _python(workspace: Workspace, table: Table, column: TableColumn, depth: int) -> PythonType | None:
    if column.type is not None:
        value, file = column.type
        return python_type(workspace.resolver, value, None, file)
    if not column.foreign_keys:
        return python_name(column.python) if column.python is not None else None
    texts = [key.text for key in column.foreign_keys]
    if len(texts) != 1 or texts[0] is None or depth > 4:
        return None
    found = [
        _python(workspace, other, each, depth + 1)
        for other, each in referred_columns(workspace, table, column, texts[0])
    ]
    return found[0] if found and all(each == found[0] for each in found) else None


def may_be_elsewhere(workspace: Workspace, table: Table) -> bool:
    """Whether a table that is nowhere in the workspace may be there at run time."""
    return table.metadata is None or not is_closed(workspace, table.metadata)


# -- where they are written ----------------------------------------------------------------------------------------


def foreign_keys(unit: Unit, file: File, workspace: Workspace) -> Iterator[ForeignKey]:
    """The foreign keys that a unit writes down as strings."""
    for class_ in unit.classes:
        yield from _of_class(class_, file, workspace)
    for fact in unit.calls:
        name = getattr(fact.value.func, "name", "")
        if name == "Table" and is_table(workspace.resolver, fact.value, file):
            in_classes = [
                table
                for class_ in unit.classes
                if "__table__" in class_.attributes
                and (table := table_of(workspace, (file.file_id, class_.qualname)))
            ]
            for table in (*core_tables(workspace, file), *in_classes):
                if table.call == fact.value:
                    for found in _of_table(table, fact.value, fact.node, fact.chunk, file, workspace):
                        found.statement = fact.statement
                        yield found
                    break


def _of_class(class_: ClassFacts, file: File, workspace: Workspace) -> Iterator[ForeignKey]:
    resolver = workspace.resolver
    ref = (file.file_id, class_.qualname)
    own = list(columns_of(resolver, class_, file))
    arguments = class_.attributes.get("__table_args__")
    if not any(column.foreign_keys for column in own) and arguments is None:
        return
    tables = tables_with(workspace, ref, class_, file)
    for column in own:
        placed = [
            (table, each)
            for table in tables
            for each in table.columns.values()
            if each.owner == ref and each.attribute == column.name
        ]
        for key in column.foreign_keys:
            if key.target is None or key.node is None or not placed:
                continue
            node = _string_in(key.node)
            yield ForeignKey(key.target, node, column.attribute.chunk, column.statement, placed, column)
    if arguments is not None and isinstance(arguments.node, (ast.Assign, ast.AnnAssign)):
        items = getattr(arguments.value, "items", ())
        nodes = getattr(arguments.node.value, "elts", ())
        yield from _constraints(items, nodes, arguments.chunk, arguments.node, tables, file, workspace)


def tables_with(workspace: Workspace, ref: ClassId, class_: ClassFacts, file: File) -> list[Table]:
    """The tables that the columns of a class stand in: its own, or those of the classes below a mixin or abstract base."""
    model = model_of(workspace.resolver, class_, file)
    if model is not None and model.is_mapped:
        own = table_of(workspace, ref)
        return [own] if own is not None else []
    by_owner = workspace.resolver.gathered("tables by owner", lambda: _by_owner(workspace))
    return by_owner.get(ref, [])


def _by_owner(workspace: Workspace) -> dict[object, list[Table]]:
    found: dict[object, list[Table]] = {}
    for table in all_tables(workspace):
        for owner in dict.fromkeys(column.owner for column in table.columns.values()):
            found.setdefault(owner, []).append(table)
    return found


def _of_table(
    table: Table, call: Call, node: ast.Call, chunk: Chunk, file: File, workspace: Workspace
) -> Iterator[ForeignKey]:
    pairs = list(zip(call.args, node.args, strict=False))
    for column in table.columns.values():
        made = column.call
        holder = next((inner for value, inner in pairs if made is not None and value == made.call), None)
        if made is None or not isinstance(holder, ast.Call):
            continue
        inside = list(zip(made.call.args, holder.args, strict=False))
        for key in made.foreign_keys:
            inner = next((each for value, each in inside if value == key.call), None)
            if key.text is not None and inner is not None:
                yield ForeignKey(key.text, _string_in(inner), chunk, None, [(table, column)])
    yield from _constraints(call.args, node.args, chunk, None, [table], file, workspace)


def _constraints(
    items: Iterable[Value],
    nodes: Iterable[ast.expr],
    chunk: Chunk,
    statement: ast.stmt | None,
    tables: list[Table],
    file: File,
    workspace: Workspace,
) -> Iterator[ForeignKey]:
    for value, node in zip(items, nodes, strict=False):
        if type(value).__name__ != "Call" or not isinstance(node, ast.Call) or len(node.args) < 2:
            continue
        constraint = read_constraint(workspace.resolver, value, file)  # type: ignore[arg-type]
        targets = getattr(node.args[1], "elts", ())
        if constraint is None or constraint.kind != "foreign key" or len(targets) != len(constraint.targets):
            continue
        for name, text, target in zip(constraint.columns, constraint.targets, targets, strict=False):
            placed = [
                (table, column)
                for table in tables
                if name is not None and (column := table.column(name)) is not None
            ]
            if placed and isinstance(target, ast.Constant):
                yield ForeignKey(text, target, chunk, statement, placed, None, len(targets) > 1)


def _string_in(node: ast.expr) -> ast.expr:
    """The string among a call's arguments; the node itself when it is none."""
    if isinstance(node, ast.Call) and node.args:
        return node.args[0]
    return node
