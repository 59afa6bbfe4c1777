"""Operations of a new revision, reviewed: in an order that works, safe for the rows that are there, and with their reverse.

This module must never write Python.
"""

from __future__ import annotations

from itertools import chain, count
from typing import TYPE_CHECKING, Any

import sqlalchemy
from alembic.operations import ops
from alembic.util import sqla_compat
from sqlalchemy import schema as sa_schema
from sqlalchemy.sql.elements import conv

from sqlalchemy_guard.migrations import conversions
from sqlalchemy_guard.migrations.reading import chosen_name
from sqlalchemy_guard.records import dataclass, field
from sqlalchemy_guard.sql.natives import LIBRARY_ERRORS, quietly

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy_guard.migrations.difference import Difference
    from sqlalchemy_guard.migrations.drift import Drift
    from sqlalchemy_guard.migrations.state import Key
    from sqlalchemy_guard.project.workspace import Workspace

_ORDER = {
    "rename_table": 0,
    "remove_foreignkey": 1,
    "remove_index": 1,
    "remove_unique": 1,
    "remove_check": 1,
    "remove_table": 7,
    "remove_column": 6,
    "add_table": 2,
    "part_of_table": 3,
    "rename_column": 3,
    "add_column": 4,
    "enum": 2,
}
"""What comes first; whatever is not named stands between the new columns and the old ones."""
_BETWEEN = 5


_ALONE = (ops.CreateTableOp, ops.DropTableOp, ops.RenameTableOp, ops.ExecuteSQLOp, conversions.EnumTypeOp)
CONVENTION = {
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
}
"""What batch mode calls constraints without a name while it makes a table anew."""


@dataclass(slots=True, eq=False)
class Review:
    """The operations of both directions.

    Attributes:
        upgrade: Alembic's operations.
        downgrade: Their reverse.
        upgrade_notes: Comments for the first lines of `upgrade`.
        downgrade_notes: The same of `downgrade`.
        notes: What somebody should know who reads it, in sentences.
        enums: The names of the enum types that the operations make.
        has_unnamed: Whether a constraint is dropped that has no name in the database: `CONVENTION` is needed to find it.
    """

    upgrade: list[Any] = field(default_factory=list)
    downgrade: list[Any] = field(default_factory=list)
    upgrade_notes: list[str] = field(default_factory=list)
    downgrade_notes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    enums: set[str] = field(default_factory=set)
    has_unnamed: bool = False


def table_of(operation: Any) -> Key | None:
    """The table that an operation changes; None for those that stand alone."""
    if isinstance(operation, _ALONE):
        return None
    if isinstance(operation, ops.CreateIndexOp) and operation.kw.get("postgresql_concurrently"):
        return None
    if isinstance(operation, ops.CreateForeignKeyOp):
        return operation.kw.get("source_schema"), str(operation.source_table)
    return operation.schema, str(operation.table_name)


def review(workspace: Workspace, drift: Drift, differences: Sequence[Difference]) -> Review:
    """The operations that put a history in step.

    Args:
        workspace: All files.
        drift: What differs.
        differences: Which of them the revision is for.
    """
    made = Review()
    assert drift.comparison is not None
    new = {one.key for one in differences if one.kind == "add_table"}
    chosen = [
        *differences,
        # What belongs to a new table comes with it.
        *(
            one
            for one in drift.comparison.differences
            if one.kind == "part_of_table" and one.key in new and one not in differences
        ),
    ]
    concurrently = drift.comparison.side.dialect.name == "postgresql" and _is_concurrent(workspace, drift)
    tables = _ordered(drift, [one for one in chosen if one.kind == "add_table"])
    rest = sorted(
        (one for one in chosen if one.kind != "add_table"),
        key=lambda one: (_ORDER.get(one.kind, _BETWEEN), one.table),
    )
    before = [one for one in rest if _ORDER.get(one.kind, _BETWEEN) < _ORDER["add_table"]]
    for one in (*before, *tables, *rest[len(before) :]):
        for operation in one.operations:
            _add(made, drift, one, operation, concurrently and one.key not in new)
    made.downgrade.reverse()
    return made


def _ordered(drift: Drift, tables: list[Difference]) -> list[Difference]:
    """New tables, each behind those that it refers to."""
    assert drift.comparison is not None
    target = drift.comparison.side.target
    names = [table.key for table in quietly(lambda: target.sorted_tables)]
    return sorted(tables, key=lambda one: names.index(one.table) if one.table in names else len(names))


def _is_concurrent(workspace: Workspace, drift: Drift) -> bool:
    """Whether revisions of this history build indexes without locking the table."""
    return any(
        "postgresql_concurrently=True" in file.document.text
        for revision in drift.environment.revisions
        if (file := workspace.file(revision.file_id)) is not None
    )


def _add(made: Review, drift: Drift, one: Difference, operation: Any, concurrently: bool) -> None:
    if isinstance(operation, ops.AddColumnOp):
        _add_column(made, drift, one, operation)
        return
    if isinstance(operation, ops.ExecuteSQLOp):
        text = str(operation.sqltext)
        note = f"PostgreSQL cannot take values out of the type {text.split()[2]}: they stay."
        # Each column of the type asks for its values.
        if all(str(getattr(other, "sqltext", "")) != text for other in made.upgrade):
            made.upgrade.append(operation)
        if note not in made.downgrade_notes:
            made.downgrade_notes.append(note)
        return
    if (
        isinstance(operation, ops.CreateIndexOp)
        and concurrently
        and not operation.kw.get("postgresql_concurrently")
    ):
        operation = ops.CreateIndexOp.from_index(operation.to_index())
        operation.kw["postgresql_concurrently"] = True
    if isinstance(operation, (ops.CreateForeignKeyOp, ops.CreateUniqueConstraintOp)):
        _name(made, drift, operation)
    if isinstance(operation, ops.DropConstraintOp) and operation.constraint_name is None:
        operation = _named_by_convention(operation)
        made.has_unnamed = True
    if isinstance(operation, ops.CreateTableOp):
        made.downgrade += _types_of(drift, operation)
    if isinstance(operation, ops.AlterColumnOp) and operation.modify_type is not None:
        assert drift.comparison is not None
        side = drift.comparison.side
        enums = conversions.enums_of(side.schema.tables.values()) | made.enums
        converted = conversions.steps(operation, side.dialect, enums)
        if converted is not None:
            made.upgrade += [forth for forth, _ in converted]
            made.downgrade += [back for _, back in converted]
            if isinstance(operation.modify_type, sqlalchemy.Enum):
                made.enums.add(str(operation.modify_type.name))
            made.notes.append(
                f"every value of {one.table}.{one.column} is converted: try it on a copy of the data"
            )
            return
    if isinstance(operation, ops.AlterColumnOp) and operation.modify_nullable is False:
        made.upgrade_notes.append(
            f"Rows in which {one.table}.{one.column} is NULL must be filled in before this runs."
        )
        made.notes.append(f"{one.table}.{one.column} becomes NOT NULL: no row may hold NULL there")
    if isinstance(operation, (ops.DropColumnOp, ops.DropTableOp)):
        made.notes.append(f"{one.table}{'.' + one.column if one.column else ''} is dropped with its data")
    made.upgrade.append(operation)
    made.downgrade.append(_reversed(operation))


def _reversed(operation: Any) -> Any:
    """The operation that takes one back."""
    if isinstance(operation, ops.RenameTableOp):
        return ops.RenameTableOp(operation.new_table_name, operation.table_name, schema=operation.schema)
    if isinstance(operation, ops.AlterColumnOp) and operation.modify_name:
        return ops.AlterColumnOp(
            operation.table_name,
            operation.modify_name,
            schema=operation.schema,
            modify_name=operation.column_name,
            existing_type=operation.existing_type,
            existing_nullable=operation.existing_nullable,
        )
    return operation.reverse()


def _name(made: Review, drift: Drift, operation: Any) -> None:
    """A constraint needs a name, or its downgrade could not drop it: the one that the database would have chosen."""
    if operation.constraint_name is not None:
        return
    assert drift.comparison is not None
    key = table_of(operation)
    assert key is not None
    state = drift.comparison.side.schema.tables[key]
    is_key = isinstance(operation, ops.CreateForeignKeyOp)
    columns = tuple(operation.local_cols if is_key else operation.columns)
    kind = "foreignkey" if is_key else "unique"
    plain = "_".join(("fk" if is_key else "uq", key[1], *columns))
    gone = {str(one.constraint_name) for one in made.upgrade if isinstance(one, ops.DropConstraintOp)}
    others = [one for one in state.constraints if one.name not in gone]
    new = {
        str(one.constraint_name)
        for one in made.upgrade
        if isinstance(one, (ops.CreateForeignKeyOp, ops.CreateUniqueConstraintOp)) and table_of(one) == key
    }
    name = chosen_name(kind, state, columns, drift.comparison.side.dialect, others, new)
    operation.constraint_name = conv(
        name
        if name is not None and name != columns[0]
        else _free(plain, {*new, *(one.name for one in others)})
    )


def _free(name: str, taken: Collection[str | None]) -> str:
    """A name that is not taken, with a number where it has to be."""
    return next(
        one for one in chain((name,), (f"{name}_{number}" for number in count(1))) if one not in taken
    )


def _named_by_convention(operation: ops.DropConstraintOp) -> ops.DropConstraintOp:
    """The same with the name that batch mode gives to the constraint."""
    constraint = operation.to_constraint()
    if isinstance(constraint, sa_schema.ForeignKeyConstraint):
        column = constraint.elements[0].parent.name
        target = sqla_compat._fk_target_tokens(constraint.elements[0]).table_name
        name = f"fk_{operation.table_name}_{column}_{target}"
    else:
        columns = list(getattr(constraint, "columns", ()))
        name = f"uq_{operation.table_name}_{columns[0].name if columns else ''}"
    named = ops.DropConstraintOp.from_constraint(constraint)
    named.constraint_name = conv(name)
    return named


def _types_of(drift: Drift, operation: ops.CreateTableOp) -> list[Any]:
    """What drops the types that a table brings: PostgreSQL keeps them when the table goes."""
    assert drift.comparison is not None
    if drift.comparison.side.dialect.name != "postgresql":
        return []
    used = {
        column.type.name
        for table in drift.comparison.side.schema.tables.values()
        for column in table.columns
        if isinstance(column.type, sqlalchemy.Enum)
    }
    found = []
    for column in operation.columns:
        kind = getattr(column, "type", None)
        if isinstance(kind, sqlalchemy.Enum) and kind.native_enum and kind.name and kind.name not in used:
            found.append(ops.ExecuteSQLOp(f"DROP TYPE IF EXISTS {kind.name}"))
    return found


def _add_column(made: Review, drift: Drift, one: Difference, operation: ops.AddColumnOp) -> None:
    """A column that takes no NULL needs a value for the rows that are there."""
    column = operation.column
    made.downgrade.append(operation.reverse())
    if column.nullable or column.server_default is not None:
        made.upgrade.append(operation)
        return
    assert drift.comparison is not None
    default = _filling(column)
    copy = column._copy()
    if default is None:
        copy.nullable = True
        made.upgrade_notes.append(
            f"{one.table}.{one.column} has no value for the rows that are there: fill it in, then make it NOT NULL."
        )
        made.notes.append(f"{one.table}.{one.column} is added nullable: nothing says what existing rows get")
        made.upgrade.append(ops.AddColumnOp(operation.table_name, copy, schema=operation.schema))
        return
    copy.server_default = sa_schema.DefaultClause(default)
    made.upgrade.append(ops.AddColumnOp(operation.table_name, copy, schema=operation.schema))
    can_alter = drift.comparison.side.dialect.name != "sqlite" or drift.configured.options.get(
        "render_as_batch"
    )
    if can_alter:
        made.upgrade.append(
            ops.AlterColumnOp(
                operation.table_name,
                column.name,
                schema=operation.schema,
                existing_type=column.type,
                existing_nullable=False,
                modify_server_default=None,
            )
        )
    shown = repr(default) if isinstance(default, str) else str(default)
    made.notes.append(f"existing rows get {shown} in {one.table}.{one.column}")


def _filling(column: sa_schema.Column[Any]) -> Any:
    """The value that rows get which are there already: the default of the model, or the nothing of a plain type."""
    given = next(_plain_default(column), None)
    if isinstance(given, bool):
        return sqlalchemy.text("true" if given else "false")
    if isinstance(given, (int, float)):
        return sqlalchemy.text(str(given))
    if isinstance(given, str):
        return given
    try:
        kind = column.type.python_type
    except (*LIBRARY_ERRORS, NotImplementedError):
        return None
    if column.default is not None or column.foreign_keys:
        return None
    nothing: dict[type, Any] = {bool: sqlalchemy.text("false"), int: sqlalchemy.text("0"), str: ""}
    return nothing.get(kind)


def _plain_default(column: sa_schema.Column[Any]) -> Iterator[Any]:
    default = column.default
    if default is not None and getattr(default, "is_scalar", False):
        yield default.arg  # type: ignore[attr-defined]
