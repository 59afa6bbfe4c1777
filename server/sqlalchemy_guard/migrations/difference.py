"""What differs between a history and the models, as data. This module must never find differences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    import sqlalchemy

    from sqlalchemy_guard.migrations.state import Key, Schema


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that the history and the models do not agree upon.

    Attributes:
        kind: "add_table", "remove_table", "rename_table", "add_column", "remove_column", "rename_column", "type", "nullable",
            "default", "comment", "enum", "add_index", "remove_index", "change_index", "add_unique", "remove_unique",
            "change_unique", "add_foreignkey", "remove_foreignkey", "change_foreignkey", "add_check", "remove_check", or
            "part_of_table" for what belongs to a new table. What is added is in the models and not in the history.
        key: The table; by its new name where it was renamed.
        column: The column; by its new name where it was renamed.
        revision: The revision that touched it last; empty for what is new.
        operations: Alembic's operations that would put the history in step.
        old: The name before a rename, the old values of an enum, the old default: for people.
    """

    kind: str
    key: Key
    column: str | None
    revision: str
    operations: tuple[Any, ...]
    old: Any = None

    @property
    def table(self) -> str:
        """The table as SQL names it."""
        return ".".join(part for part in self.key if part)


@dataclass(slots=True, eq=False)
class Side:
    """Both sides of a comparison.

    Attributes:
        schema: The records of the history.
        target: The tables of the models, copied; those of `left_out` are there for foreign keys to point at.
        dialect: For which they are compared.
        left_out: The keys of the tables that are not compared.
    """

    schema: Schema
    target: sqlalchemy.MetaData
    dialect: Any
    left_out: frozenset[Key] = frozenset()

    def table(self, key: Key) -> sqlalchemy.Table | None:
        """The model's table, None for one that is not compared."""
        if key in self.left_out:
            return None
        return self.target.tables.get(".".join(part for part in key if part))


@dataclass(slots=True, eq=False)
class Comparison:
    """What a comparison found.

    Attributes:
        differences: In the order of tables and columns.
        side: What was compared.
    """

    differences: list[Difference]
    side: Side
