"""The schema at one point of a history, as plain records over real SQLAlchemy types.

Records are never changed: an operation replaces the record of a table, so that a copy of a whole schema costs one dictionary.
Each knows the revision that touched it last, and what of it is not known. This module must never know Alembic's operations.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.records import dataclass, field, replace

if TYPE_CHECKING:
    from collections.abc import Iterator

Key = tuple[str | None, str]
"""The schema and name of a table; the schema is None for the default one."""

COLUMNS, CONSTRAINTS, EXISTENCE = "columns", "constraints", "existence"
"""What may be unknown of a table: which columns it has, which constraints and indexes, whether it is there at all."""


@dataclass(frozen=True, slots=True)
class ColumnState:
    """A column.

    Attributes:
        name: Its name in the database.
        type: A SQLAlchemy type; that of an unknown one is the evaluator's `UnknownType`.
        nullable: Whether it takes NULL.
        default: What the server puts there: a `DefaultClause`, `Computed`, `Identity`, `Sequence` or None.
        comment: Its comment.
        unknown: What is not known of it: "type", "nullable", "server_default", "existence" …
        revision: The revision that touched it last.
    """

    name: str
    type: Any
    nullable: bool = True
    default: Any = None
    comment: str | None = None
    unknown: frozenset[str] = frozenset()
    revision: str = ""


@dataclass(frozen=True, slots=True)
class ConstraintState:
    """A constraint.

    Attributes:
        kind: "primary", "unique", "foreignkey", "check" or "exclude", as Alembic calls them.
        name: Its name in the database; None when the database chose one that nobody knows.
        columns: The columns it stands on, in order.
        text: The SQL of a check.
        target: The table that a foreign key points to.
        target_columns: The columns there.
        options: `ondelete`, `onupdate`, `deferrable`, `initially` and options of dialects.
        is_named: Whether the history names it, itself or by convention.
        is_implied: Whether a type brought it (`Boolean`, `Enum`).
        revision: The revision that made it.
    """

    kind: str
    name: str | None
    columns: tuple[str, ...] = ()
    text: str = ""
    target: Key = (None, "")
    target_columns: tuple[str, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()
    is_named: bool = True
    is_implied: bool = False
    revision: str = ""


@dataclass(frozen=True, slots=True)
class IndexState:
    """An index.

    Attributes:
        name: Its name.
        columns: The columns in order; None for an expression.
        unique: Whether it is unique.
        options: Options of dialects, as keyword arguments of `Index`.
        revision: The revision that made it.
    """

    name: str | None
    columns: tuple[str | None, ...]
    unique: bool = False
    options: tuple[tuple[str, Any], ...] = ()
    revision: str = ""


@dataclass(frozen=True, slots=True)
class TableState:
    """A table.

    Attributes:
        key: Its schema and name.
        columns: Its columns, in the order of the database.
        constraints: Its constraints.
        indexes: Its indexes.
        comment: Its comment.
        unknown: What is not known of it (`COLUMNS`, `CONSTRAINTS`, `EXISTENCE`).
        revision: The revision that touched it last.
    """

    key: Key
    columns: tuple[ColumnState, ...] = ()
    constraints: tuple[ConstraintState, ...] = ()
    indexes: tuple[IndexState, ...] = ()
    comment: str | None = None
    unknown: frozenset[str] = frozenset()
    revision: str = ""

    @property
    def name(self) -> str:
        """Its name without the schema."""
        return self.key[1]

    def column(self, name: str) -> ColumnState | None:
        """The column of a name."""
        return next((column for column in self.columns if column.name == name), None)

    def constraint(self, name: str, kind: str | None = None) -> ConstraintState | None:
        """The constraint of a name, and of a kind where one is asked for."""
        found = (one for one in self.constraints if one.name == name and kind in (None, one.kind))
        return next(found, None)

    def index(self, name: str) -> IndexState | None:
        """The index of a name."""
        return next((index for index in self.indexes if index.name == name), None)

    def of_kind(self, kind: str) -> Iterator[ConstraintState]:
        """The constraints of a kind."""
        return (one for one in self.constraints if one.kind == kind)

    def without_column(self, name: str) -> TableState:
        """The table after a column was dropped: what stood on it goes, too."""
        return replace(
            self,
            columns=tuple(column for column in self.columns if column.name != name),
            constraints=tuple(
                one for one in self.constraints if name not in one.columns and not _has_word(one.text, name)
            ),
            indexes=tuple(index for index in self.indexes if name not in index.columns),
        )

    def with_column(self, name: str, column: ColumnState) -> TableState:
        """The table with another column in the place of one; whatever stands on it follows a new name."""
        changed = replace(self, columns=tuple(column if one.name == name else one for one in self.columns))
        return changed if column.name == name else _followed(changed, name, column.name)


def _has_word(text: str, word: str) -> bool:
    return bool(text) and re.search(rf"\b{re.escape(word)}\b", text) is not None


def _followed(table: TableState, old: str, new: str) -> TableState:
    def names(columns: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(new if column == old else column for column in columns)

    return replace(
        table,
        constraints=tuple(
            replace(one, columns=names(one.columns), text=re.sub(rf"\b{re.escape(old)}\b", new, one.text))
            for one in table.constraints
        ),
        indexes=tuple(replace(index, columns=names(index.columns)) for index in table.indexes),
    )


@dataclass(slots=True)
class Schema:
    """All tables at one point of a history. Mutable; `copy` is cheap.

    Attributes:
        tables: By schema and name.
        enums: The values of named enum types that were made without a column.
        has_unknown_tables: Whether a table of an unknown name was made, so that none is known to be missing.
    """

    tables: dict[Key, TableState] = field(default_factory=dict)
    enums: dict[Key, tuple[str, ...]] = field(default_factory=dict)
    has_unknown_tables: bool = False

    def copy(self) -> Schema:
        """A schema of its own with the same records."""
        return Schema(dict(self.tables), dict(self.enums), self.has_unknown_tables)

    def put(self, table: TableState) -> None:
        """Make or replace a table."""
        self.tables[table.key] = table

    def rename(self, key: Key, new: Key, revision: str) -> None:
        """Rename a table; foreign keys that point at it follow."""
        table = self.tables.pop(key)
        self.tables[new] = replace(table, key=new, revision=revision)
        for other in list(self.tables.values()):
            if any(one.target == key for one in other.constraints):
                self.put(
                    replace(
                        other,
                        constraints=tuple(
                            replace(one, target=new) if one.target == key else one
                            for one in other.constraints
                        ),
                    )
                )

    def column_was_renamed(self, key: Key, old: str, new: str) -> None:
        """Foreign keys that point at a column follow its new name."""
        for other in list(self.tables.values()):
            if any(one.target == key and old in one.target_columns for one in other.constraints):
                changed = tuple(
                    replace(
                        one, target_columns=tuple(new if name == old else name for name in one.target_columns)
                    )
                    if one.target == key
                    else one
                    for one in other.constraints
                )
                self.put(replace(other, constraints=changed))

    def doubt(self, key: Key, what: str, column: str | None = None) -> None:
        """Something of a table, or of one of its columns, is not known from here on."""
        table = self.tables.get(key)
        if table is None:
            return
        if column is None:
            self.put(replace(table, unknown=table.unknown | {what}))
            return
        state = table.column(column)
        if state is None:
            self.put(replace(table, unknown=table.unknown | {COLUMNS}))
        else:
            self.put(table.with_column(column, replace(state, unknown=state.unknown | {what})))
