"""Objects of SQLAlchemy read into records: what a table, a column, a constraint or an index would be in the database.

Names are the final ones: conventions are applied, long ones cut, and what has none gets the name that the dialect's database
chooses, where that can be told. This module must never change what it reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alembic.util import sqla_compat
from sqlalchemy import schema as sa_schema
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import elements, visitors

from sqlalchemy_guard.migrations.state import (
    COLUMNS,
    CONSTRAINTS,
    ColumnState,
    ConstraintState,
    IndexState,
    Key,
    TableState,
)
from sqlalchemy_guard.sql.natives import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Dialect

DEFAULT_SCHEMAS = {"postgresql": "public", "mssql": "dbo"}
"""The schema that tables without one are in, by dialect."""

_LONGEST_POSTGRESQL_NAME = 63
_FOREIGN_KEY_OPTIONS = ("ondelete", "onupdate", "deferrable", "initially")


def key_of(name: str, schema: str | None, dialect: Dialect) -> Key:
    """The key of a table; the default schema is none."""
    plain = None if schema is None or schema == DEFAULT_SCHEMAS.get(dialect.name) else str(schema)
    return plain, str(name)


def column_state(column: sa_schema.Column[Any], revision: str) -> ColumnState:
    """The record of a column."""
    unknown = frozenset(column.info.get(UNKNOWN, ()))
    return ColumnState(
        str(column.name),
        column.type,
        bool(column.nullable),
        column.server_default,
        column.comment,
        unknown - {"foreign_keys", "constraints", "index", "unique"},
        revision,
    )


def unknown_constraints(columns: Iterable[sa_schema.Column[Any]]) -> bool:
    """Whether columns may bring constraints or indexes that are not known."""
    parts = {"foreign_keys", "constraints", "index", "unique", "arguments"}
    return any(parts & set(column.info.get(UNKNOWN, ())) for column in columns)


def table_state(table: sa_schema.Table, dialect: Dialect, revision: str) -> TableState:
    """The record of a table with all that stands in it."""
    unknown = set(table.info.get(UNKNOWN, ())) & {COLUMNS, CONSTRAINTS}
    if "arguments" in table.info.get(UNKNOWN, ()):
        unknown |= {COLUMNS, CONSTRAINTS}
    if unknown_constraints(table.columns):
        unknown.add(CONSTRAINTS)
    state = TableState(
        key_of(table.name, table.schema, dialect),
        tuple(column_state(column, revision) for column in table.columns if not column.system),
        comment=table.comment,
        unknown=frozenset(unknown),
        revision=revision,
    )
    constraints: list[ConstraintState] = []
    # In the order of the source: databases number what they name themselves.
    own = (check for column in table.columns for check in checks_of(column))
    for constraint in sorted((*table.constraints, *own), key=lambda one: one._creation_order):
        if is_made(constraint, dialect):
            constraints.append(constraint_state(constraint, dialect, revision, state, constraints))
    indexes = sorted(
        (index_state(index, dialect, revision) for index in table.indexes), key=lambda one: one.name or ""
    )
    return TableState(
        state.key,
        state.columns,
        tuple(constraints),
        tuple(indexes),
        state.comment,
        state.unknown,
        state.revision,
    )


def checks_of(column: sa_schema.Column[Any]) -> list[sa_schema.CheckConstraint]:
    """The checks that a column was given, which its table does not know."""
    return [one for one in column.constraints if isinstance(one, sa_schema.CheckConstraint)]


def final_name(constraint: sa_schema.Constraint, dialect: Dialect) -> str | None:
    """The name of a constraint with its convention applied; None where the database chooses it."""
    of_column = isinstance(getattr(constraint, "parent", None), sa_schema.Column)
    if of_column and not isinstance(constraint.name, str):
        return None
    name = sqla_compat._get_constraint_final_name(constraint, dialect)
    return None if name is None else str(name)


def is_made(constraint: sa_schema.Constraint, dialect: Dialect) -> bool:
    """Whether a constraint comes to be on a dialect: those of types may be for others, and an empty key is none."""
    if isinstance(constraint, sa_schema.PrimaryKeyConstraint) and not len(constraint.columns):
        return False
    rule = getattr(constraint, "_create_rule", None)
    return rule is None or bool(rule(_Compiler(dialect)))


class _Compiler:
    """What rules of constraints ask for."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect


def constraint_state(
    constraint: sa_schema.Constraint,
    dialect: Dialect,
    revision: str,
    table: TableState,
    others: Iterable[ConstraintState],
) -> ConstraintState:
    """The record of a constraint.

    Args:
        constraint: A constraint of a table.
        dialect: Of the database.
        revision: What makes it.
        table: Its table.
        others: The constraints that are there already: a name that the database chooses is unlike theirs.
    """
    name = final_name(constraint, dialect)
    kind, text = "check", ""
    columns: tuple[str, ...] = ()
    target: Key = (None, "")
    target_columns: tuple[str, ...] = ()
    options: dict[str, Any] = dict(constraint.dialect_kwargs)
    if isinstance(constraint, sa_schema.ForeignKeyConstraint):
        kind = "foreignkey"
        tokens = [sqla_compat._fk_target_tokens(element) for element in constraint.elements]
        target = key_of(tokens[0].table_name, tokens[0].schema, dialect)
        columns = tuple(element.parent.name for element in constraint.elements)
        target_columns = tuple(
            token.column_name or local for token, local in zip(tokens, columns, strict=True)
        )
        options |= {key: getattr(constraint, key) for key in _FOREIGN_KEY_OPTIONS if getattr(constraint, key)}
    elif isinstance(constraint, sa_schema.CheckConstraint):
        text = compiled(constraint.sqltext, dialect)
        columns = columns_in(constraint.sqltext)
    elif isinstance(constraint, postgresql.ExcludeConstraint):
        kind, columns = "exclude", tuple(column.name for column in constraint.columns)
    elif isinstance(constraint, (sa_schema.PrimaryKeyConstraint, sa_schema.UniqueConstraint)):
        kind = "primary" if isinstance(constraint, sa_schema.PrimaryKeyConstraint) else "unique"
        columns = tuple(column.name for column in constraint.columns)
    for key in ("deferrable", "initially"):
        if getattr(constraint, key, None):
            options[key] = getattr(constraint, key)
    return ConstraintState(
        kind,
        name or chosen_name(kind, table, columns, dialect, others),
        columns,
        text,
        target,
        target_columns,
        tuple(sorted(options.items())),
        name is not None,
        bool(getattr(constraint, "_type_bound", False)),
        revision,
    )


def compiled(clause: Any, dialect: Dialect) -> str:
    """SQL as text with its values in it."""
    return str(
        clause.compile(dialect=dialect, compile_kwargs={"literal_binds": True, "include_table": False})
    )


def columns_in(clause: Any) -> tuple[str, ...]:
    """The columns that an expression names; none for plain text."""
    found = (each.name for each in visitors.iterate(clause) if isinstance(each, elements.ColumnClause))
    return tuple(dict.fromkeys(found))


def index_state(index: sa_schema.Index, dialect: Dialect, revision: str) -> IndexState:
    """The record of an index."""
    name = sqla_compat._get_constraint_final_name(index, dialect)
    return IndexState(
        name,
        tuple(_column_name(expression) for expression in index.expressions),
        bool(index.unique),
        tuple(sorted((key, value) for key, value in index.dialect_kwargs.items())),
        revision,
    )


def _column_name(expression: Any) -> str | None:
    if sqla_compat.is_expression(expression) or isinstance(expression, elements.UnaryExpression):
        return None
    return str(expression.name)


# -- names that the database chooses ---------------------------------------------------------------------------------


def chosen_name(
    kind: str,
    table: TableState,
    columns: tuple[str, ...],
    dialect: Dialect,
    others: Iterable[ConstraintState],
    more: Iterable[str] = (),
) -> str | None:
    """The name that the database gives to a constraint without one, beside those that are taken; None where that is not known."""
    taken = {one.name for one in others} | {index.name for index in table.indexes} | set(more)
    if dialect.name == "postgresql":
        return _postgresql_name(kind, table.name, columns, taken)
    if dialect.name in ("mysql", "mariadb"):
        return _mysql_name(kind, table.name, columns, taken)
    return None


def _postgresql_name(kind: str, table: str, columns: tuple[str, ...], taken: set[str | None]) -> str | None:
    label = {"primary": "pkey", "unique": "key", "foreignkey": "fkey", "check": "check", "exclude": "excl"}[
        kind
    ]
    middle = "" if kind == "primary" else "_".join(columns if kind != "check" or len(columns) == 1 else ())
    number = 0
    while True:
        suffix = label if number == 0 else f"{label}{number}"
        name = _shortened(table, middle, suffix)
        if name not in taken:
            return name
        number += 1


def _shortened(first: str, second: str, label: str) -> str:
    """Names are cut where they are too long together, the longer one first."""
    room = _LONGEST_POSTGRESQL_NAME - len(label.encode()) - (2 if second else 1)
    while len(first.encode()) + len(second.encode()) > room:
        if len(first.encode()) > len(second.encode()):
            first = first[:-1]
        else:
            second = second[:-1]
    return "_".join(part for part in (first, second, label) if part)


def _mysql_name(kind: str, table: str, columns: tuple[str, ...], taken: set[str | None]) -> str | None:
    if kind == "primary":
        return "PRIMARY"
    if kind == "unique":
        name, number = columns[0] if columns else table, 2
        while name in taken:
            name, number = f"{columns[0]}_{number}", number + 1
        return name
    if kind in ("foreignkey", "check"):
        stem, number = f"{table}_{'ibfk' if kind == 'foreignkey' else 'chk'}_", 1
        while f"{stem}{number}" in taken:
            number += 1
        return f"{stem}{number}"
    return None
