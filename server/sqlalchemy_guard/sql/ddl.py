"""The statements that create a rebuilt schema, for a dialect; what is not known of it stands beside it in comments.

This module must never connect to anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateSequence, CreateTable
from sqlalchemy.sql.ddl import sort_tables_and_constraints

from sqlalchemy_guard.sql import natives
from sqlalchemy_guard.sql.natives import UNKNOWN, UnknownType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.sql.models import Schema

_MAKERS: dict[str, Any] = {
    # The base: drivers write casts and parameters in ways of their own.
    "postgresql": postgresql.base.PGDialect,
    "mysql": mysql.dialect,
    "sqlite": sqlite.dialect,
    "mssql": mssql.dialect,
    "oracle": oracle.dialect,
}
DIALECTS = tuple(_MAKERS)


def dialect_named(name: str) -> sqlalchemy.Dialect:
    """A dialect without a driver or a database.

    Raises:
        KeyError: none of `DIALECTS`.
    """
    made: sqlalchemy.Dialect = _MAKERS[name]()
    return made


def statements(schema: Schema, dialect: str) -> Iterator[str]:
    """The DDL of a schema, each statement without its semicolon, comments on what is not known in front of it.

    Args:
        dialect: One of `DIALECTS`.
    """
    target = dialect_named(dialect)
    made: set[str] = set()
    for base in schema.bases:
        if len(schema.bases) > 1:
            yield f"-- {base.name}: {len(base.metadata.tables)} tables"
        yield from _types(base.metadata, target, made)
        for table, constraints in natives.quietly(lambda: _sorted(base.metadata)):  # noqa: B023
            if table is not None:
                yield from _table(table, constraints, target)
            elif target.supports_alter:
                for constraint in filter(_leads_somewhere, constraints):
                    yield _compiled(
                        sqlalchemy.schema.AddConstraint(constraint, isolate_from_table=False), target
                    )


def _sorted(metadata: sqlalchemy.MetaData) -> list[tuple[Any, Any]]:
    """The tables, each behind those that it refers to, with their foreign keys; at the end, without a table, the keys that
    have to wait."""
    sort: Any = sort_tables_and_constraints
    return list(sort(metadata.tables.values(), lambda key: None if _leads_somewhere(key) else True))


def _leads_somewhere(key: sqlalchemy.ForeignKeyConstraint) -> bool:
    """Whether a foreign key points at columns that are there."""
    try:
        return all(element.column is not None for element in key.elements)
    except natives.LIBRARY_ERRORS:
        return False


def _types(metadata: sqlalchemy.MetaData, dialect: sqlalchemy.Dialect, seen: set[str]) -> Iterator[str]:
    """Schemas, types and sequences that have to be there first; `seen` are those that were given before."""
    if dialect.name == "postgresql":
        for schema in sorted({table.schema for table in metadata.tables.values() if table.schema} - seen):
            seen.add(schema)
            if schema != "public":
                yield _compiled(sqlalchemy.schema.CreateSchema(schema, if_not_exists=True), dialect)
        for table in metadata.sorted_tables if _is_sortable(metadata) else metadata.tables.values():
            for column in table.columns:
                kind = column.type.dialect_impl(dialect)
                if isinstance(kind, postgresql.ENUM) and kind.name and kind.name not in seen:
                    seen.add(kind.name)
                    yield _compiled(postgresql.CreateEnumType(kind), dialect)
    if dialect.supports_sequences:
        for sequence in metadata._sequences.values():
            yield _compiled(CreateSequence(sequence), dialect)


def _is_sortable(metadata: sqlalchemy.MetaData) -> bool:
    try:
        return bool(natives.quietly(lambda: metadata.sorted_tables) is not None)
    except natives.LIBRARY_ERRORS:
        return False


def _table(table: sqlalchemy.Table, constraints: Any, dialect: sqlalchemy.Dialect) -> Iterator[str]:
    # Keys in a cycle are added when both tables are there, where a dialect can.
    keys = constraints if dialect.supports_alter else table.foreign_key_constraints
    within = [key for key in keys if _leads_somewhere(key)]
    # The type of a column that a key to another table was to give: one table more must not be lost for it.
    untyped = [column for column in table.columns if isinstance(column.type, sqlalchemy.types.NullType)]
    kept = [column.type for column in untyped]
    try:
        for column in untyped:
            column.type = UnknownType("of what it refers to")
        notes = "".join(f"-- {note}\n" for note in unknown(table))
        text = _compiled(CreateTable(table, include_foreign_key_constraints=within), dialect)
    finally:
        for column, type_ in zip(untyped, kept, strict=True):
            column.type = type_
    yield notes + text
    for index in sorted(table.indexes, key=lambda one: str(one.name)):
        yield _compiled(CreateIndex(index), dialect)
    if dialect.supports_comments and not dialect.inline_comments:
        if table.comment:
            yield _compiled(sqlalchemy.schema.SetTableComment(table), dialect)
        for column in table.columns:
            if column.comment:
                yield _compiled(sqlalchemy.schema.SetColumnComment(column), dialect)


def unknown(table: sqlalchemy.Table) -> Iterator[str]:
    """What is not known of a table and its columns, one sentence each."""
    for aspect in sorted(table.info.get(UNKNOWN, ())):
        yield f"{table.fullname}: its {aspect} are not all known"
    for column in table.columns:
        aspects = set(column.info.get(UNKNOWN, ()))
        if isinstance(column.type, UnknownType):
            aspects = (aspects - {"type"}) | {f"type ({column.type.reason})"}
        for aspect in sorted(aspects):
            yield f"{table.fullname}.{column.name}: its {aspect} could not be told"
    for key in table.foreign_key_constraints:
        if not _leads_somewhere(key):
            targets = ", ".join(sorted(element.target_fullname for element in key.elements))
            yield f"{table.fullname}: the foreign key to {targets} is left out: no model has that"


def _compiled(element: Any, dialect: sqlalchemy.Dialect) -> str:
    try:
        text = str(natives.quietly(lambda: element.compile(dialect=dialect))).strip()
    except natives.LIBRARY_ERRORS as error:
        shown = getattr(getattr(element, "element", None), "name", None) or type(element).__name__
        return f"-- {shown}: {str(error).partition(chr(10))[0]}"
    return "\n".join(line.rstrip() for line in text.expandtabs(4).splitlines())


def described(schema: Schema) -> list[dict[str, Any]]:
    """The tables as data, ready for JSON."""
    return [
        {
            "name": table.name,
            "schema": table.schema,
            "base": base.name,
            "model": cls.qualname if (cls := schema.owners.get(id(table))) is not None else None,
            **_described_place(schema, table),
            "columns": [_described_column(schema, table, column) for column in table.columns],
            "indexes": [
                {
                    "name": index.name and str(index.name),
                    "unique": bool(index.unique),
                    "expressions": [getattr(one, "name", None) or str(one) for one in index.expressions],
                }
                for index in sorted(table.indexes, key=lambda one: str(one.name))
            ],
            "constraints": sorted(
                (
                    {
                        "kind": type(one).__name__,
                        "name": one.name and str(one.name),
                        "columns": _column_names(one),
                    }
                    for one in table.constraints
                ),
                key=lambda one: (one["kind"], one["columns"]),
            ),
            "unknown": sorted(unknown(table)),
        }
        for base in schema.bases
        for _, table in sorted(base.metadata.tables.items())
    ]


def _described_place(schema: Schema, table: sqlalchemy.Table, column: str | None = None) -> dict[str, Any]:
    place = schema.place(table, column)
    return {"filename": place and place.file_id, "row": place and place.span.line + 1}


def _described_column(
    schema: Schema, table: sqlalchemy.Table, column: sqlalchemy.Column[Any]
) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": None if isinstance(column.type, UnknownType) else repr(column.type),
        "nullable": bool(column.nullable),
        "primary_key": column.primary_key,
        "foreign_keys": sorted(key.target_fullname for key in column.foreign_keys),
        "server_default": column.server_default is not None,
        **_described_place(schema, table, column.name),
    }


def _column_names(constraint: Any) -> list[str]:
    return [column.name for column in getattr(constraint, "columns", ())]
