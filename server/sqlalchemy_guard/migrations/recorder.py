"""Where Alembic's operations end: instead of a database, the records of a schema.

Alembic itself turns what a revision says into tables, columns and constraints, with naming conventions applied; this takes
the place of what would emit their DDL. What an operation cannot find, or what happens only perhaps, leaves a doubt in the
records and never an error. This module must never emit SQL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alembic.ddl.impl import DefaultImpl
from alembic.util import sqla_compat
from sqlalchemy import schema as sa_schema

from sqlalchemy_guard.migrations import reading
from sqlalchemy_guard.migrations.state import (
    COLUMNS,
    CONSTRAINTS,
    EXISTENCE,
    ColumnState,
    ConstraintState,
    Key,
    Schema,
    TableState,
)
from sqlalchemy_guard.records import replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Dialect

_BY_TABLE = ("mysql", "mariadb", "mssql")
"""Dialects whose DROP INDEX names the table: an index of another one stays."""


class Recorder(DefaultImpl):
    """Applies operations to a schema.

    Args:
        dialect: Of the database.
        schema: What they are applied to.
        is_uncertain: Whether what runs now runs only perhaps.
        limit: Told, in words, what could not be followed.

    Attributes:
        schema: The records; may be exchanged between revisions.
        revision: The revision that runs.
        absent: The tables that operations wanted and nobody made, in their order; whoever runs a revision clears it before.
    """

    def __init__(
        self, dialect: Dialect, schema: Schema, is_uncertain: Callable[[], bool], limit: Callable[[str], None]
    ) -> None:
        super().__init__(dialect, None, True, None, None, {})
        self.schema = schema
        self.revision = ""
        self.absent: dict[Key, None] = {}
        self._is_uncertain = is_uncertain
        self._limit = limit

    @property
    def is_uncertain(self) -> bool:
        """Whether what runs now runs only perhaps; whoever asks must leave a doubt then."""
        if not self._is_uncertain():
            return False
        self._limit("changes tables under a condition that is not known here")
        return True

    # -- helpers -----------------------------------------------------------------------------------------------------

    def key(self, name: Any, schema: Any) -> Key:
        """The key of a table."""
        return reading.key_of(str(name), None if schema is None else str(schema), self.dialect)

    def find(self, name: Any, schema: Any) -> TableState | None:
        """The table that an operation is about; None, and remembered, where nobody made it."""
        key = self.key(name, schema)
        table = self.schema.tables.get(key)
        if table is None and not self.schema.has_unknown_tables and not self._is_uncertain():
            self.absent[key] = None
        return table

    def _put(self, table: TableState) -> None:
        self.schema.put(replace(table, revision=self.revision))

    def doubt(self, key: Key, what: str, column: str | None = None) -> None:
        """Something is not known from here on."""
        self.schema.doubt(key, what, column)

    # -- tables ------------------------------------------------------------------------------------------------------

    def create_table(self, table: sa_schema.Table, **kw: Any) -> None:
        """CREATE TABLE."""
        self.make(reading.table_state(table, self.dialect, self.revision), bool(kw.get("if_not_exists")))

    def make(self, state: TableState, if_not_exists: bool = False) -> None:
        """A table comes to be; one that is there already stays, and one that comes only perhaps is in doubt."""
        there, uncertain = state.key in self.schema.tables, self.is_uncertain
        if there and (if_not_exists or uncertain):
            return
        if uncertain:
            state = replace(state, unknown=state.unknown | {EXISTENCE, COLUMNS, CONSTRAINTS})
        self.schema.put(state)

    def drop_table(self, table: sa_schema.Table, **kw: Any) -> None:
        """DROP TABLE."""
        self.unmake(self.key(table.name, table.schema), bool(kw.get("if_exists")))

    def unmake(self, key: Key, if_exists: bool = False) -> None:
        """A table goes."""
        if self.is_uncertain:
            self.doubt(key, EXISTENCE)
        elif key in self.schema.tables:
            del self.schema.tables[key]
            for other in list(self.schema.tables.values()):
                if any(one.target == key for one in other.constraints):
                    # Whether the key went along, or stayed and means the table that takes its place, the database decides.
                    self.doubt(other.key, CONSTRAINTS)
        elif not if_exists:
            self.find(key[1], key[0])

    def rename_table(self, old_table_name: Any, new_table_name: Any, schema: Any = None) -> None:
        """ALTER TABLE … RENAME TO."""
        table = self.find(old_table_name, schema)
        if table is None:
            return
        new = self.key(new_table_name, schema)
        if self.is_uncertain:
            self.doubt(table.key, EXISTENCE)
            self.schema.has_unknown_tables = True
        else:
            self.schema.rename(table.key, new, self.revision)

    def create_table_comment(self, table: sa_schema.Table) -> None:
        """COMMENT ON TABLE."""
        found = self.find(table.name, table.schema)
        if found is not None:
            self._put(replace(found, comment=table.comment))

    def drop_table_comment(self, table: sa_schema.Table) -> None:
        """COMMENT ON TABLE … IS NULL."""
        found = self.find(table.name, table.schema)
        if found is not None:
            self._put(replace(found, comment=None))

    # -- columns -----------------------------------------------------------------------------------------------------

    def add_column(
        self, table_name: Any, column: sa_schema.Column[Any], *, schema: Any = None, **kw: Any
    ) -> None:
        """ALTER TABLE … ADD COLUMN."""
        table = self.find(table_name, schema)
        if table is None:
            return
        if reading.unknown_constraints([column]):
            table = replace(table, unknown=table.unknown | {CONSTRAINTS})
        checks = reading.checks_of(column)
        self.insert(table, reading.column_state(column, self.revision))
        for check in checks:
            self._check_came(table.key, check)

    def _check_came(self, key: Key, check: sa_schema.CheckConstraint) -> None:
        """A check came with a column."""
        table = self.schema.tables[key]
        state = reading.constraint_state(check, self.dialect, self.revision, table, table.constraints)
        self.constrain(table, state)

    def insert(self, table: TableState, state: ColumnState) -> None:
        """A column comes to a table."""
        if table.column(state.name) is not None:
            return
        if self.is_uncertain:
            state = replace(state, unknown=state.unknown | {EXISTENCE})
        self._put(replace(table, columns=(*table.columns, state)))

    def create_column_comment(self, column: sa_schema.Column[Any]) -> None:
        """COMMENT ON COLUMN: it came with the column."""

    def drop_column(
        self, table_name: Any, column: sa_schema.Column[Any], *, schema: Any = None, **kw: Any
    ) -> None:
        """ALTER TABLE … DROP COLUMN."""
        table = self.find(table_name, schema)
        if table is not None:
            self.remove(table, str(column.name))

    def remove(self, table: TableState, name: str) -> None:
        """A column goes."""
        if self.is_uncertain:
            self.doubt(table.key, EXISTENCE, name)
        elif table.column(name) is not None:
            self._put(table.without_column(name))
        elif COLUMNS not in table.unknown:
            self._limit(f"drops {table.name}.{name}, which no revision added")

    def alter_column(self, table_name: Any, column_name: Any, *, schema: Any = None, **kw: Any) -> None:
        """ALTER TABLE … ALTER COLUMN, all forms of it."""
        table = self.find(table_name, schema)
        if table is None:
            return
        column = table.column(str(column_name))
        if column is None:
            if COLUMNS not in table.unknown:
                self._limit(f"changes {table.name}.{column_name}, which no revision added")
                self.doubt(table.key, COLUMNS)
            return
        if self.is_uncertain:
            self._doubt_change(table, column, kw)
            return
        changed = replace(column, revision=self.revision)
        if kw.get("type_") is not None:
            changed = replace(changed, type=kw["type_"], unknown=changed.unknown - {"type"})
        if kw.get("nullable") is not None:
            changed = replace(changed, nullable=bool(kw["nullable"]), unknown=changed.unknown - {"nullable"})
        if kw.get("server_default", False) is not False:
            default = _default(kw["server_default"])
            changed = replace(changed, default=default, unknown=changed.unknown - {"server_default"})
        if kw.get("comment", False) is not False:
            changed = replace(changed, comment=kw["comment"])
        name = kw.get("name")
        if name is not None:
            changed = replace(changed, name=str(name))
        self._put(table.with_column(column.name, changed))
        if name is not None and str(name) != column.name:
            self.schema.column_was_renamed(table.key, column.name, str(name))

    def _doubt_change(self, table: TableState, column: ColumnState, kw: dict[str, Any]) -> None:
        names = {"type_": "type", "nullable": "nullable", "comment": "comment", "name": EXISTENCE}
        for key, what in names.items():
            if kw.get(key) is not None and kw.get(key) is not False:
                self.doubt(table.key, what, column.name)
        if kw.get("server_default", False) is not False:
            self.doubt(table.key, "server_default", column.name)
        if kw.get("name") is not None:
            self.doubt(table.key, COLUMNS)

    # -- constraints and indexes ---------------------------------------------------------------------------------------

    def add_constraint(self, const: Any, **kw: Any) -> None:
        """ALTER TABLE … ADD CONSTRAINT."""
        if not reading.is_made(const, self.dialect):
            return
        owner = sqla_compat._table_for_constraint(const)
        table = self.find(owner.name, owner.schema)
        if table is not None:
            self.constrain(
                table, reading.constraint_state(const, self.dialect, self.revision, table, table.constraints)
            )

    def constrain(self, table: TableState, state: ConstraintState) -> None:
        """A constraint comes to a table; NOT NULL comes with a primary key."""
        if self.is_uncertain:
            self.doubt(table.key, CONSTRAINTS)
            return
        kept = tuple(
            one
            for one in table.constraints
            if not (state.name is not None and (one.kind, one.name) == (state.kind, state.name))
            and not (state.kind == one.kind == "primary")
        )
        columns = table.columns
        if state.kind == "primary":
            columns = tuple(
                replace(column, nullable=False) if column.name in state.columns else column
                for column in columns
            )
        self._put(replace(table, constraints=(*kept, state), columns=columns))

    def drop_constraint(self, const: sa_schema.Constraint, **kw: Any) -> None:
        """ALTER TABLE … DROP CONSTRAINT."""
        owner = sqla_compat._table_for_constraint(const)
        table = self.find(owner.name, owner.schema)
        if table is None:
            return
        name = sqla_compat._get_constraint_final_name(const, self.dialect)
        kind = None
        if isinstance(const, sa_schema.ForeignKeyConstraint):
            kind = "foreignkey"
        elif isinstance(const, sa_schema.PrimaryKeyConstraint):
            kind = "primary"
        elif isinstance(const, sa_schema.UniqueConstraint):
            kind = "unique"
        elif isinstance(const, sa_schema.CheckConstraint):
            kind = "check"
        self.unconstrain(table, name, kind, bool(kw.get("if_exists")))

    def unconstrain(
        self, table: TableState, name: str | None, kind: str | None, if_exists: bool = False
    ) -> None:
        """A constraint goes. One that is there under no known name is found by its kind and columns, or left in doubt."""
        if self.is_uncertain:
            self.doubt(table.key, CONSTRAINTS)
            return
        found = table.constraint(name) if name else None
        if found is None and name:
            found = _likely(table, name, kind)
        if found is not None:
            self._put(replace(table, constraints=tuple(one for one in table.constraints if one is not found)))
            return
        index = table.index(name) if name else None
        if index is not None:
            self._put(replace(table, indexes=tuple(one for one in table.indexes if one is not index)))
        elif not if_exists and kind not in ("check", "primary"):
            self._limit(
                f"drops the constraint {name or 'without a name'} of {table.name}, which no revision made"
            )
            self.doubt(table.key, CONSTRAINTS)

    def create_index(self, index: sa_schema.Index, **kw: Any) -> None:
        """CREATE INDEX."""
        assert index.table is not None
        table = self.find(index.table.name, index.table.schema)
        if table is None:
            return
        if self.is_uncertain:
            self.doubt(table.key, CONSTRAINTS)
            return
        state = reading.index_state(index, self.dialect, self.revision)
        if state.name is None or table.index(state.name) is None:
            self._put(replace(table, indexes=(*table.indexes, state)))

    def drop_index(self, index: sa_schema.Index, **kw: Any) -> None:
        """DROP INDEX: without a table, of whichever has it."""
        name = sqla_compat._get_constraint_final_name(index, self.dialect)
        owner = index.table if index.table is not None and index.table.name != "no_table" else None
        self.unindex(
            name, self.key(owner.name, owner.schema) if owner is not None else None, bool(kw.get("if_exists"))
        )

    def unindex(self, name: str | None, key: Key | None, if_exists: bool = False) -> None:
        """An index goes; a unique constraint may be dropped as the index under it."""
        tables = list(self.schema.tables.values())
        if key is not None:
            table_meant = self.find(key[1], key[0])
            if table_meant is None:
                return
            if self.dialect.name in _BY_TABLE:
                tables = [table_meant]
            else:
                # The table is left out of the statement: whichever has an index of that name loses it.
                tables.sort(key=lambda table: table is not table_meant)
        for table in tables:
            index = table.index(name) if name else None
            constraint = table.constraint(name, "unique") if name else None
            if index is None and constraint is None:
                continue
            if self.is_uncertain:
                self.doubt(table.key, CONSTRAINTS)
            elif index is not None:
                self._put(replace(table, indexes=tuple(one for one in table.indexes if one is not index)))
            else:
                kept = tuple(one for one in table.constraints if one is not constraint)
                self._put(replace(table, constraints=kept))
            return
        if key is not None and not if_exists and not self._is_uncertain():
            self._limit(f"drops the index {name} of {key[1]}, which no revision made")
            self.doubt(key, CONSTRAINTS)

    # -- what has no effect on a schema --------------------------------------------------------------------------------

    def bulk_insert(self, table: Any, rows: Any, multiinsert: bool = True) -> None:
        """INSERT: rows are no schema."""

    def execute(self, sql: Any, execution_options: dict[str, Any] | None = None) -> None:
        """SQL is read by `statements`, not here."""
        raise NotImplementedError


def _default(given: Any) -> Any:
    """The default of a server as columns keep it."""
    if given is None or isinstance(given, (sa_schema.FetchedValue, sa_schema.Sequence)):
        return given
    return sa_schema.DefaultClause(given)


def _likely(table: TableState, name: str, kind: str | None) -> ConstraintState | None:
    """The only constraint that somebody can mean by a name that a convention, or another database, would have given."""
    candidates = [one for one in table.constraints if kind in (None, one.kind) and not one.is_named]
    if kind is None:
        candidates = [one for one in candidates if one.kind != "primary"]
    named = [one for one in candidates if one.columns and all(column in name for column in one.columns)]
    if len(named) > 1:
        longest = max(len("".join(one.columns)) for one in named)
        named = [one for one in named if len("".join(one.columns)) == longest]
    if len(named) == 1:
        return named[0]
    return candidates[0] if len(candidates) == 1 and kind is not None else None
