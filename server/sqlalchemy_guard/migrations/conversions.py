"""What PostgreSQL wants to be told when a column gets another type: how its values are converted, that an enum type exists, and
that a default does not stand in the way.

Alembic writes `alter_column(type_=…)` alone, which PostgreSQL refuses for such types. This module must never decide what differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy
from alembic.autogenerate.render import _repr_type, renderers
from alembic.operations import ops
from sqlalchemy import types

from sqlalchemy_guard.sql.natives import LIBRARY_ERRORS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alembic.autogenerate.api import AutogenContext
    from sqlalchemy.engine import Dialect

    from sqlalchemy_guard.migrations.state import TableState

_FAMILIES: tuple[tuple[type, ...], ...] = (
    (types.String,),
    (types.Integer, types.Numeric),
    (types.DateTime, types.Date),
    (types.Time,),
    (types.JSON,),
    (types.LargeBinary,),
    (types.Boolean,),
    (types.Interval,),
    (types.Uuid,),
)
"""Types among which PostgreSQL converts by itself."""


class EnumTypeOp(ops.MigrateOperation):
    """Makes or drops an enum type by itself, unless it is there already, or is not: a database keeps types that nobody uses.

    Args:
        type_: The type.
        verb: `create` or `drop`.
    """

    def __init__(self, type_: sqlalchemy.Enum, verb: str) -> None:
        self.type, self.verb = type_, verb


@renderers.dispatch_for(EnumTypeOp)
def _rendered(context: AutogenContext, operation: EnumTypeOp) -> str:
    return f"{_repr_type(operation.type, context)}.{operation.verb}(op.get_bind(), checkfirst=True)"


def steps(
    operation: ops.AlterColumnOp, dialect: Dialect, enums: Iterable[str]
) -> list[tuple[Any, Any]] | None:
    """The operations that give a column another type, each with the one that takes it back, in their order.

    Args:
        operation: What Alembic would do.
        dialect: Of the database.
        enums: The names of the enum types that are there.

    Returns:
        None where Alembic's operation does.
    """
    old, new = operation.existing_type, operation.modify_type
    if dialect.name != "postgresql" or old is None or new is None or isinstance(old, types.NullType):
        return None
    forth, back = _using(old, new, dialect), _using(new, old, dialect)
    if not forth and not back:
        return None
    found: list[tuple[Any, Any]] = []
    if _is_native(new) and new.name and str(new.name) not in set(enums):
        found.append((EnumTypeOp(new, "create"), EnumTypeOp(new, "drop")))
    default = operation.existing_server_default
    has_default = default is not None and default is not False
    if has_default:
        found.append((_default(operation, old, None, default), _default(operation, old, default, None)))
    plain = _altered(operation, old, modify_type=new)
    reverse = plain.reverse()
    found.append(
        (
            _converted(operation, new, forth, dialect) if forth else plain,
            _converted(operation, old, back, dialect) if back else reverse,
        )
    )
    if has_default:
        found.append((_default(operation, new, default, None), _default(operation, new, None, default)))
    return found


def enums_of(tables: Iterable[TableState]) -> set[str]:
    """The names of the enum types of some tables."""
    return {
        str(column.type.name)
        for table in tables
        for column in table.columns
        if isinstance(column.type, sqlalchemy.Enum) and column.type.name
    }


def _using(old: Any, new: Any, dialect: Dialect) -> str:
    """What stands between a column's name and the new type in USING; empty where PostgreSQL needs no such thing."""
    old, new = _plain(old, dialect), _plain(new, dialect)
    if isinstance(new, types.String) and not _is_native(new):
        return ""
    if _is_native(old) and _is_native(new):
        return "::text::"
    if _is_native(old) or _is_native(new):
        return "::"
    for family in _FAMILIES:
        if isinstance(old, family):
            return "" if isinstance(new, family) else "::"
    return "::"


def _plain(type_: Any, dialect: Dialect) -> Any:
    try:
        return type_.dialect_impl(dialect)
    except LIBRARY_ERRORS:
        return type_


def _is_native(type_: Any) -> bool:
    return isinstance(type_, sqlalchemy.Enum) and bool(type_.native_enum)


def _converted(operation: ops.AlterColumnOp, type_: Any, using: str, dialect: Dialect) -> ops.ExecuteSQLOp:
    quote = dialect.identifier_preparer.quote
    table = ".".join(quote(part) for part in (operation.schema, operation.table_name) if part)
    column = quote(operation.column_name)
    written = dialect.type_compiler_instance.process(type_)
    return ops.ExecuteSQLOp(
        f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {written} USING {column}{using}{written}"
    )


def _default(operation: ops.AlterColumnOp, type_: Any, new: Any, old: Any) -> ops.AlterColumnOp:
    return _altered(operation, type_, existing_server_default=old, modify_server_default=new)


def _altered(operation: ops.AlterColumnOp, type_: Any, **changes: Any) -> ops.AlterColumnOp:
    """A change of the same column, which has a type now."""
    return ops.AlterColumnOp(
        operation.table_name,
        operation.column_name,
        schema=operation.schema,
        existing_type=type_,
        existing_nullable=operation.existing_nullable,
        **changes,
    )
