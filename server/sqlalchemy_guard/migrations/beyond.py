"""What Alembic does not compare: values of enum types, named checks, defaults of the server.

Only what is written on both sides plainly enough is compared. This module must never compare SQL of which the meaning would have
to be understood.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Any

import sqlalchemy
from alembic.operations import ops
from alembic.util import sqla_compat
from sqlalchemy import schema as sa_schema

from sqlalchemy_guard.migrations import reading
from sqlalchemy_guard.migrations.difference import Difference
from sqlalchemy_guard.migrations.reflection import column_type
from sqlalchemy_guard.migrations.state import COLUMNS, CONSTRAINTS, EXISTENCE
from sqlalchemy_guard.sql.natives import LIBRARY_ERRORS, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.migrations.configured import Configured
    from sqlalchemy_guard.migrations.difference import Side
    from sqlalchemy_guard.migrations.state import ColumnState, Key, TableState


def differences(side: Side, configured: Configured, without: set[Key]) -> list[Difference]:
    """The differences that Alembic would not have told.

    Args:
        side: Both sides.
        configured: What `env.py` says about comparing.
        without: Tables that are only on one side.
    """
    found: list[Difference] = []
    for key, state in side.schema.tables.items():
        model = side.table(key)
        if model is None or key in without or EXISTENCE in state.unknown:
            continue
        both = bool(configured.options.get("compare_server_default"))
        for column in state.columns:
            if column.name in model.c and EXISTENCE not in column.unknown:
                found += _of_column(side, key, column, model.c[column.name], both)
        found += _checks(side, state, model)
    return found


def _of_column(
    side: Side, key: Key, state: ColumnState, model: sqlalchemy.Column[Any], both: bool
) -> Iterator[Difference]:
    unknown = set(state.unknown) | set(model.info.get(UNKNOWN, ()))
    if "arguments" in unknown:
        return
    if "type" not in unknown:
        yield from _enum(side, key, state, model)
    if "server_default" not in unknown:
        yield from _default(side, key, state, model, both)


# -- enum types ----------------------------------------------------------------------------------------------------------


def _enum(side: Side, key: Key, state: ColumnState, model: sqlalchemy.Column[Any]) -> Iterator[Difference]:
    """Other values of a type that the database knows by name, or writes into the column's type."""
    old, new = _enum_of(column_type(state), side), _enum_of(model.type, side)
    if old is None or new is None or side.dialect.name not in ("postgresql", "mysql", "mariadb"):
        return
    before, after = tuple(old.enums), tuple(new.enums)
    if set(before) == set(after) or not after:
        return
    if side.dialect.name == "postgresql" and old.name != new.name:
        return
    operations: list[Any] = []
    if side.dialect.name == "postgresql":
        name = ".".join(part for part in (new.schema, new.name) if part)
        operations = [
            ops.ExecuteSQLOp(
                f"ALTER TYPE {name} ADD VALUE IF NOT EXISTS '{value.replace(chr(39), chr(39) * 2)}'"
            )
            for value in after
            if value not in before
        ]
    else:
        operations = [
            ops.AlterColumnOp(
                key[1],
                state.name,
                schema=key[0],
                existing_type=column_type(state),
                existing_nullable=state.nullable,
                modify_type=model.type,
            )
        ]
    yield Difference("enum", key, state.name, state.revision, tuple(operations), (before, after))


def _enum_of(type_: Any, side: Side) -> sqlalchemy.Enum | None:
    """The enum that a type is in a database: one kept as text is none."""
    try:
        resolved = sqla_compat._resolve_for_variant(type_, side.dialect)  # type: ignore[no-untyped-call]
        if isinstance(resolved, sqlalchemy.types.TypeDecorator):
            resolved = resolved.impl_instance if hasattr(resolved, "impl_instance") else resolved.impl
    except LIBRARY_ERRORS:
        return None
    is_enum = isinstance(resolved, sqlalchemy.Enum) and resolved.native_enum
    return resolved if is_enum else None


# -- defaults of the server ----------------------------------------------------------------------------------------------


def _default(
    side: Side, key: Key, state: ColumnState, model: sqlalchemy.Column[Any], both: bool
) -> Iterator[Difference]:
    """A default that the models have and the history has not, or another one; the other way round only where Alembic is told
    to compare them, too: a default that was once needed to add a column harms nobody."""
    old, new = state.default, model.server_default
    if not isinstance(old, (sa_schema.DefaultClause, type(None))) or not isinstance(
        new, (sa_schema.DefaultClause, type(None))
    ):
        return
    if (new is None and not (both and old is not None)) or model.primary_key:
        return
    if new is not None and _is_null(side, new, model.type):
        # What a column has that says nothing of a default.
        return
    before, after = _normal(side, old, column_type(state)), _normal(side, new, model.type)
    if before == after or (before is None and old is not None) or (after is None and new is not None):
        return
    if before is not None and after is not None and not (_is_plain(before) and _is_plain(after)):
        return
    operation = ops.AlterColumnOp(
        key[1],
        state.name,
        schema=key[0],
        existing_type=column_type(state),
        existing_nullable=state.nullable,
        existing_server_default=old,
        modify_server_default=new,
    )
    yield Difference("default", key, state.name, state.revision, (operation,), (before, after))


_WORDS = {
    "now()": "current_timestamp",
    "current_timestamp()": "current_timestamp",
    "true": "1",
    "false": "0",
    "t": "1",
    "f": "0",
}


def _is_null(side: Side, default: sa_schema.DefaultClause, type_: Any) -> bool:
    """Whether a default is SQL for NULL, and not the text; of a number that text can mean nothing else."""
    if isinstance(default.arg, str):
        is_number = isinstance(type_, (sqlalchemy.Integer, sqlalchemy.Numeric))
        return is_number and default.arg.upper() == "NULL"
    return not isinstance(default.arg, (str, enum.Enum)) and _normal(side, default, None) in ("NULL", "null")


def _normal(side: Side, default: sa_schema.DefaultClause | None, type_: Any) -> str | None:
    """A default in the form in which it is compared; None for none, and for what cannot be written."""
    if default is None:
        return None
    argument = default.arg
    if isinstance(argument, enum.Enum):
        # Its value may be made by code of the user's.
        return None
    if not isinstance(argument, str):
        try:
            argument = reading.compiled(argument, side.dialect)
        except LIBRARY_ERRORS:
            return None
    text = argument.strip()
    while text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    text = re.sub(r"::[\w\" ]+(\[\])?(\(\d+\))?\Z", "", text).strip()
    if len(text) > 1 and text[0] == text[-1] == "'":
        text = text[1:-1]
    lower = text.lower()
    return _WORDS.get(lower, lower if re.fullmatch(r"[\w.]+\(.*\)|current_\w+", lower) else text)


def _is_plain(text: str) -> bool:
    """Whether a default is a value, and no SQL that may be written in two ways."""
    return re.search(r"[()]|current_|\s", text) is None


# -- checks --------------------------------------------------------------------------------------------------------------


def _on_table(condition: Any, name: str, key: Key) -> sa_schema.CheckConstraint:
    """A check as one of a table of its own, which Alembic's operations ask for."""
    made = sa_schema.CheckConstraint(condition, name=sqlalchemy.sql.elements.conv(name))
    sa_schema.Table(key[1], sqlalchemy.MetaData(), schema=key[0]).append_constraint(made)
    return made


def _checks(side: Side, state: TableState, model: sqlalchemy.Table) -> Iterator[Difference]:
    """Named checks that only one side has. SQLite forgets them whenever Alembic makes a table anew."""
    if side.dialect.name not in ("postgresql", "mysql", "mariadb", "mssql", "oracle"):
        return
    unknown = set(model.info.get(UNKNOWN, ()))
    if state.unknown & {CONSTRAINTS, COLUMNS} or unknown & {"constraints", "columns", "arguments"}:
        return
    found: dict[str, sa_schema.CheckConstraint] = {}
    own = (check for column in model.columns for check in reading.checks_of(column))
    for check in (*model.constraints, *own):
        if not isinstance(check, sa_schema.CheckConstraint) or getattr(check, "_type_bound", False):
            continue
        name = reading.final_name(check, side.dialect)
        if name is None:
            # It may be any of those in the history.
            return
        found[name] = check
    before = {one.name: one for one in state.of_kind("check") if not one.is_implied}
    implied = {one.name for one in state.of_kind("check") if one.is_implied}
    if any(not one.is_named for one in before.values()):
        return
    for name, check in found.items():
        if name not in before and name not in implied:
            operation = ops.CreateCheckConstraintOp.from_constraint(_on_table(check.sqltext, name, state.key))
            yield Difference("add_check", state.key, None, state.revision, (operation,), name)
    for named, one in before.items():
        if named not in found and named is not None:
            drop = ops.DropConstraintOp.from_constraint(_on_table(one.text, named, state.key))
            yield Difference("remove_check", state.key, None, one.revision, (drop,), named)
