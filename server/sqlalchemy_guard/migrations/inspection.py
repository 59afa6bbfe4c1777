"""What revisions look around with: an inspector and a dialect that answer from the records replayed so far.

What is in doubt there is not known here. This module must never change a record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.migrations.reflected_types import reflected
from sqlalchemy_guard.migrations.state import COLUMNS, CONSTRAINTS, EXISTENCE
from sqlalchemy_guard.sql.values import Host, Opaque, Value

if TYPE_CHECKING:
    from sqlalchemy_guard.migrations.recorder import Recorder
    from sqlalchemy_guard.migrations.state import ColumnState, ConstraintState, TableState

_VERSION_TABLE = "alembic_version"
_DIALECTS = "sqlalchemy.dialects."


def _name(name: str | None) -> Value:
    """A name as plain text; where nobody chose one, which the database took is not known."""
    return Opaque("name") if name is None else str(name)


def _column(name: str | None) -> Value:
    """A column of an index or constraint as plain text; an expression has no name."""
    return None if name is None else str(name)


class InspectorHost(Host):
    """`sqlalchemy.inspect(bind)`."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    @property
    def default_schema_name(self) -> Value:
        """The schema of tables without one."""
        return Opaque("default_schema_name")

    def _is_known(self, schema: Value) -> bool:
        return schema is None or isinstance(schema, str)

    def has_table(self, table_name: Value = None, schema: Value = None, **_: Value) -> Value:
        """Whether a table is there."""
        if not isinstance(table_name, str) or not self._is_known(schema):
            return Opaque("has_table()")
        found = self._recorder.schema.tables.get(self._recorder.key(table_name, schema))
        if found is None:
            unknown = self._recorder.schema.has_unknown_tables
            return Opaque("has_table()") if unknown else table_name == _VERSION_TABLE
        return Opaque("has_table()") if EXISTENCE in found.unknown else True

    def get_table_names(self, schema: Value = None, **_: Value) -> Value:
        """The names of all tables."""
        tables = self._recorder.schema.tables
        if self._recorder.schema.has_unknown_tables or not self._is_known(schema):
            return Opaque("get_table_names()")
        if any(EXISTENCE in table.unknown for table in tables.values()):
            return Opaque("get_table_names()")
        wanted = self._recorder.key("", schema)[0]
        return [*(name for place, name in tables if place == wanted), _VERSION_TABLE]

    def get_view_names(self, schema: Value = None, **_: Value) -> Value:
        """Views are not followed."""
        return Opaque("get_view_names()")

    def _table(self, name: Value, schema: Value, doubt: str) -> TableState | None:
        if not isinstance(name, str) or not self._is_known(schema):
            return None
        found = self._recorder.schema.tables.get(self._recorder.key(name, schema))
        return None if found is None or found.unknown & {doubt, EXISTENCE} else found

    def get_columns(self, table_name: Value = None, schema: Value = None, **_: Value) -> Value:
        """The columns of a table."""
        table = self._table(table_name, schema, COLUMNS)
        if table is None or any(EXISTENCE in column.unknown for column in table.columns):
            return Opaque("get_columns()")
        return [
            {
                "name": _name(column.name),
                "type": self._type(column),
                "nullable": Opaque("nullable") if "nullable" in column.unknown else column.nullable,
                "default": None if column.default is None else Opaque("default"),
                "comment": column.comment,
            }
            for column in table.columns
        ]

    def _type(self, column: ColumnState) -> Value:
        """A type as the database reports it, whatever the revision called it."""
        found = None if "type" in column.unknown else reflected(column.type, self._recorder.dialect)
        return Opaque("type") if found is None else found

    def get_indexes(self, table_name: Value = None, schema: Value = None, **_: Value) -> Value:
        """The indexes of a table; PostgreSQL and MySQL list unique constraints among them."""
        table = self._table(table_name, schema, CONSTRAINTS)
        if table is None:
            return Opaque("get_indexes()")
        found: list[dict[str, Any]] = [
            {
                "name": _name(index.name),
                "column_names": list(map(_column, index.columns)),
                "unique": index.unique,
            }
            for index in table.indexes
        ]
        if self._recorder.dialect.name in ("postgresql", "mysql", "mariadb"):
            found += [
                {"name": _name(one.name), "column_names": list(map(_column, one.columns)), "unique": True}
                for one in table.of_kind("unique")
            ]
        return found

    def has_index(
        self, table_name: Value = None, index_name: Value = None, schema: Value = None, **_: Value
    ) -> Value:
        """Whether an index is there."""
        table = self._table(table_name, schema, CONSTRAINTS)
        if table is None or not isinstance(index_name, str):
            return Opaque("has_index()")
        return table.index(index_name) is not None

    def _constraints(self, table_name: Value, schema: Value, kind: str) -> list[ConstraintState] | None:
        table = self._table(table_name, schema, CONSTRAINTS)
        return None if table is None else list(table.of_kind(kind))

    def get_unique_constraints(self, table_name: Value = None, schema: Value = None, **_: Value) -> Value:
        """The unique constraints of a table."""
        found = self._constraints(table_name, schema, "unique")
        if found is None:
            return Opaque("get_unique_constraints()")
        return [{"name": _name(one.name), "column_names": list(map(_column, one.columns))} for one in found]

    def get_check_constraints(self, table_name: Value = None, schema: Value = None, **_: Value) -> Value:
        """The checks of a table."""
        found = self._constraints(table_name, schema, "check")
        if found is None:
            return Opaque("get_check_constraints()")
        return [{"name": _name(one.name), "sqltext": Opaque("sqltext")} for one in found]

    def get_foreign_keys(self, table_name: Value = None, schema: Value = None, **_: Value) -> Value:
        """The foreign keys of a table."""
        found = self._constraints(table_name, schema, "foreignkey")
        if found is None:
            return Opaque("get_foreign_keys()")
        return [
            {
                "name": _name(one.name),
                "constrained_columns": list(map(_column, one.columns)),
                "referred_schema": one.target[0],
                "referred_table": one.target[1],
                "referred_columns": list(map(_column, one.target_columns)),
                "options": {key: value for key, value in one.options if key in ("ondelete", "onupdate")},
            }
            for one in found
        ]

    def get_pk_constraint(self, table_name: Value = None, schema: Value = None, **_: Value) -> Value:
        """The primary key of a table."""
        found = self._constraints(table_name, schema, "primary")
        if found is None:
            return Opaque("get_pk_constraint()")
        first = found[0] if found else None
        return {
            "name": _name(first.name) if first is not None else None,
            "constrained_columns": list(map(_column, first.columns)) if first is not None else [],
        }


class DialectHost(Host):
    """`bind.dialect`."""

    def __init__(self, recorder: Recorder, inspector: InspectorHost) -> None:
        self.name = recorder.dialect.name
        self._inspector = inspector

    def is_kind_of(self, cls: Value) -> bool | None:
        """`isinstance(bind.dialect, PGDialect)`, where the dialect of a whole module means whichever driver it has."""
        if not isinstance(cls, Opaque) or not cls.dotted.startswith(_DIALECTS):
            return None
        rest = cls.dotted.removeprefix(_DIALECTS)
        backend, _, name = rest.partition(".")
        if backend != self.name:
            return False
        return True if name == "dialect" or name.startswith("base.") else None

    def has_table(
        self, connection: Value = None, table_name: Value = None, schema: Value = None, **_: Value
    ) -> Value:
        """`dialect.has_table(connection, name)`."""
        return self._inspector.has_table(table_name, schema)

    def get_table_names(self, connection: Value = None, schema: Value = None, **_: Value) -> Value:
        """`dialect.get_table_names(connection)`."""
        return self._inspector.get_table_names(schema)
