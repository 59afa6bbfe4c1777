"""Records given to Alembic as if a database had been reflected. This module must never know what is compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import schema as sa_schema
from sqlalchemy.types import NULLTYPE, Enum, String

from sqlalchemy_guard.migrations.state import CONSTRAINTS
from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.sql.natives import UnknownType

if TYPE_CHECKING:
    from sqlalchemy_guard.migrations.state import ColumnState, Key, Schema, TableState

_INFO = (
    "columns",
    "pk_constraint",
    "foreign_keys",
    "indexes",
    "unique_constraints",
    "table_comment",
    "check_constraints",
    "table_options",
)
_FOREIGN_KEY_OPTIONS = ("ondelete", "onupdate", "deferrable", "initially")


class _Bind(NamedTuple):
    dialect: Any


class Reflection:
    """What Alembic asks an inspector for.

    Args:
        schema: The records.
        dialect: A dialect that is connected to nothing.
    """

    def __init__(self, schema: Schema, dialect: Any) -> None:
        self._schema = schema
        self.dialect = dialect
        self.bind = _Bind(dialect)
        # Nothing is read ahead: every look-up costs nothing.
        self.info_cache: dict[str, Any] = {f"alembic_{name}": {} for name in _INFO}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("get_multi_"):
            return lambda **_: {}
        raise AttributeError(name)

    def _table(self, name: str, schema: str | None) -> TableState:
        key: Key = (schema, str(name))
        return self._schema.tables[key]

    def get_schema_names(self) -> list[str | None]:
        """The schemas with tables."""
        return list({key[0] for key in self._schema.tables})

    def get_table_names(self, schema: str | None = None) -> list[str]:
        """The tables of a schema."""
        return [name for place, name in self._schema.tables if place == schema]

    def get_columns(self, name: str, schema: str | None = None, **_: Any) -> list[dict[str, Any]]:
        """The columns of a table."""
        return [
            {
                "name": column.name,
                "type": column_type(column, self.dialect),
                "nullable": column.nullable,
                "default": None,
            }
            for column in self._table(name, schema).columns
        ]

    def get_pk_constraint(self, name: str, schema: str | None = None, **_: Any) -> dict[str, Any]:
        """The primary key of a table."""
        for one in self._table(name, schema).of_kind("primary"):
            return {"name": one.name, "constrained_columns": list(one.columns)}
        return {"name": None, "constrained_columns": []}

    def get_unique_constraints(self, name: str, schema: str | None = None, **_: Any) -> list[dict[str, Any]]:
        """The unique constraints of a table."""
        table = self._table(name, schema)
        if CONSTRAINTS in table.unknown:
            return []
        is_index = self.dialect.name in ("mysql", "mariadb")
        return [
            {
                "name": one.name,
                "column_names": list(one.columns),
                "dialect_options": _of_dialect(one.options, self.dialect.name),
                **({"duplicates_index": one.name} if is_index else {}),
            }
            for one in table.of_kind("unique")
            if all(table.column(column) is not None for column in one.columns)
        ]

    def get_indexes(self, name: str, schema: str | None = None, **_: Any) -> list[dict[str, Any]]:
        """The indexes of a table, those on expressions left out."""
        table = self._table(name, schema)
        if CONSTRAINTS in table.unknown:
            return []
        found: list[dict[str, Any]] = [
            {
                "name": index.name,
                "column_names": list(index.columns),
                "unique": index.unique,
                "dialect_options": _of_dialect(index.options, self.dialect.name),
            }
            for index in table.indexes
            if all(column is not None and table.column(column) is not None for column in index.columns)
        ]
        if self.dialect.name in ("mysql", "mariadb"):
            found += [
                {"name": one.name, "column_names": list(one.columns), "unique": True, "dialect_options": {}}
                for one in table.of_kind("unique")
            ]
        return found

    def get_foreign_keys(self, name: str, schema: str | None = None, **_: Any) -> list[dict[str, Any]]:
        """The foreign keys of a table."""
        table = self._table(name, schema)
        if CONSTRAINTS in table.unknown:
            return []
        return [
            {
                "name": one.name,
                "constrained_columns": list(one.columns),
                "referred_schema": one.target[0],
                "referred_table": one.target[1],
                "referred_columns": list(one.target_columns),
                "options": {key: value for key, value in one.options if key in _FOREIGN_KEY_OPTIONS},
            }
            for one in table.of_kind("foreignkey")
            if all(table.column(column) is not None for column in one.columns)
        ]

    def get_table_comment(self, name: str, schema: str | None = None, **_: Any) -> dict[str, Any]:
        """The comment of a table."""
        return {"text": self._table(name, schema).comment}

    def get_check_constraints(self, name: str, schema: str | None = None, **_: Any) -> list[dict[str, Any]]:
        """Checks are compared elsewhere."""
        return []

    def get_table_options(self, name: str, schema: str | None = None, **_: Any) -> dict[str, Any]:
        """Options of tables are not compared."""
        return {}

    def reflect_table(self, table: sa_schema.Table, *_: Any, **__: Any) -> None:
        """Fill a table with the columns, the primary key and the constraints of its record."""
        state = self._table(table.name, table.schema)
        fill(table, state, self.dialect)


def column_type(column: ColumnState, dialect: Any = None) -> Any:
    """The type of a column as Alembic takes it: none where it is not known.

    Args:
        column: The column.
        dialect: Of the database that is asked for its columns: where it has no enums, it knows of them as of texts.
    """
    if "type" in column.unknown or isinstance(column.type, UnknownType):
        return NULLTYPE
    if dialect is not None and isinstance(column.type, Enum):
        if not (column.type.native_enum and dialect.supports_native_enum):
            return String(column.type.length)
    return column.type


def fill(table: sa_schema.Table, state: TableState, dialect: Any) -> None:
    """Give a table the columns and keys of a record, as a database of that dialect knows them."""
    primary = next((set(one.columns) for one in state.of_kind("primary")), set[str]())
    for column in state.columns:
        default = column.default
        items: list[Any] = []
        given: dict[str, Any] = {}
        if isinstance(default, (sa_schema.Computed, sa_schema.Identity)):
            items.append(default._copy())
        elif isinstance(default, sa_schema.DefaultClause):
            given["server_default"] = sa_schema.DefaultClause(default.arg)
        table.append_column(
            sa_schema.Column(
                column.name,
                column_type(column, dialect),
                *items,
                nullable=column.nullable,
                primary_key=column.name in primary,
                comment=column.comment,
                autoincrement=False,
                **given,
            )
        )
    table.comment = state.comment
    # A dropped table is written again by its downgrade, with all that stood in it.
    for one in state.constraints:
        if any(column not in table.c for column in one.columns):
            continue
        if one.kind == "foreignkey":
            target = ".".join(part for part in one.target if part)
            options = {key: value for key, value in one.options if key in _FOREIGN_KEY_OPTIONS}
            remote = [f"{target}.{column}" for column in one.target_columns]
            table.append_constraint(
                sa_schema.ForeignKeyConstraint(list(one.columns), remote, name=_final(one.name), **options)
            )
        elif one.kind == "unique":
            table.append_constraint(
                sa_schema.UniqueConstraint(
                    *[table.c[column] for column in one.columns], name=_final(one.name)
                )
            )
        elif one.kind == "primary":
            table.primary_key.name = _final(one.name)


def _final(name: str | None) -> str | None:
    return None if name is None else sqlalchemy.sql.elements.conv(name)


def _of_dialect(options: tuple[tuple[str, Any], ...], dialect: str) -> dict[str, Any]:
    return {key: value for key, value in options if key.startswith(f"{dialect}_")}
