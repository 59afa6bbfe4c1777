"""Foreign keys between tables as facts: which columns of which table refer to which other table, composite keys as one.

A key whose target is not found in the workspace is left out and makes its table's keys incomplete. This module must never
choose among keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr
from sqlalchemy_guard.project.metadata import schema_of
from sqlalchemy_guard.project.tables import Table, table_of, tables_named
from sqlalchemy_guard.project.types import ClassType, known
from sqlalchemy_guard.records import NamedTuple, dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy_guard.project.column_calls import KeyTarget
    from sqlalchemy_guard.project.resolve import SourceFile
    from sqlalchemy_guard.project.table_columns import TableColumn
    from sqlalchemy_guard.project.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Link:
    """A foreign key.

    Attributes:
        table: The table that holds it.
        columns: Its columns.
        target: The table that it refers to.
        targets: The names of the columns that it refers to.
    """

    table: Table
    columns: tuple[TableColumn, ...]
    target: Table
    targets: tuple[str, ...]

    @property
    def nullable(self) -> bool | None:
        """Whether a row may refer to nothing; None when that cannot be read."""
        said = [column.nullable for column in self.columns]
        return True if True in said else None if None in said else False

    @property
    def is_unique(self) -> bool | None:
        """Whether at most one row refers to the same target; None when that cannot be read."""
        names = {column.name for column in self.columns}
        keys = [{column.name for column in self.table.primary_key()}]
        keys += [
            {
                found.name if (found := self.table.column(name or "")) is not None else None
                for name in each.columns
            }
            for each in self.table.constraints
            if (each.kind == "unique" or each.unique) and not each.partial
        ]
        keys += [{column.name} for column in self.table.columns.values() if column.flag("unique")]
        if any(key and key <= names for key in keys):
            return True
        readable = all(column.is_readable for column in self.columns)
        return False if self.table.has_all_arguments and readable else None


class Links(NamedTuple):
    """The foreign keys of a table, and whether all of them were understood."""

    links: tuple[Link, ...]
    is_complete: bool


def identity(table: Table) -> tuple[object, ...]:
    """What tells a table from others; the fact itself is made anew when something that it rests on changes."""
    if table.model is not None:
        return (table.model,)
    return table.file.file_id, table.schema, table.name, table.name is None and id(table)


def is_among(table: Table, tables: Iterable[Table]) -> bool:
    """Whether a table is one of these."""
    return identity(table) in {identity(each) for each in tables}


def links_of(workspace: Workspace, table: Table) -> Links:
    """The foreign keys of a table."""
    found: list[Link] = []
    complete = table.is_complete and table.has_all_arguments
    for column in table.columns.values():
        complete = complete and column.is_readable
        for key in column.foreign_keys:
            referred = _referred(workspace, table, key, column.file)
            if referred is None:
                complete = False
            else:
                found.append(Link(table, (column,), referred[0], (referred[1],)))
    for constraint in table.constraints:
        if constraint.kind != "foreign key":
            continue
        columns = [table.column(name) if name is not None else None for name in constraint.columns]
        targets = [_named(workspace, table, text) for text in constraint.targets]
        pairs = [
            (column, target)
            for column, target in zip(columns, targets, strict=False)
            if column is not None and target is not None
        ]
        if not pairs or len(pairs) != len(columns) or len(pairs) != len(targets):
            complete = False
            continue
        names = tuple(target[1] for _, target in pairs)
        found.append(Link(table, tuple(column for column, _ in pairs), pairs[0][1][0], names))
    return Links(tuple(found), complete)


def _referred(
    workspace: Workspace, table: Table, key: KeyTarget, file: SourceFile
) -> tuple[Table, str] | None:
    if key.text is not None:
        return _named(workspace, table, key.text)
    value = key.value
    if type(value) is not Attr:
        return None
    base = value.base
    if type(base) is Attr and base.name in ("c", "columns"):
        base = base.base
    for option in known(workspace.resolver.type_of(base, file)):
        if isinstance(option, ClassType) and isinstance(option.ref, tuple):
            target = table_of(workspace, option.ref)
            column = target.column(value.name) if target is not None else None
            if target is not None and column is not None and column.name is not None:
                return target, column.name
    return None


def _named(workspace: Workspace, table: Table, text: str) -> tuple[Table, str] | None:
    """The table and column that `"schema.table.column"` names for a foreign key of a table."""
    path, _, column = text.rpartition(".")
    schema, _, name = path.rpartition(".")
    default = schema_of(workspace.resolver, table.metadata) if table.metadata is not None else None
    likely = [
        each for each in tables_named(workspace, name or column) if each.metadata in (table.metadata, None)
    ]
    found = [each for each in likely if (each.schema or default or "") == (schema or default or "")]
    if not found:
        # Where the arguments of a table cannot be read, its schema is not known either.
        found = [each for each in likely if not each.has_all_arguments and each.schema is None]
    own = [each for each in found if each.file.file_id == table.file.file_id]
    chosen = own or found
    return (chosen[0], column if name else "id") if chosen else None
