"""The schema that a history builds against the models: Alembic's own comparison, and what it does not look at.

Alembic compares as `alembic check` does, over records instead of a database. Added to it: the values of enum types, named checks,
defaults of the server, and renames, which are told from a drop and an add. What is not known on either side is not compared,
nor are primary keys and indexes on expressions. This module must never know where anything is written.
"""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any

import sqlalchemy
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from alembic.util import sqla_compat

from sqlalchemy_guard.migrations import beyond, renames
from sqlalchemy_guard.migrations.difference import Comparison, Difference, Side
from sqlalchemy_guard.migrations.reflection import Reflection
from sqlalchemy_guard.migrations.state import COLUMNS, CONSTRAINTS, EXISTENCE, Schema
from sqlalchemy_guard.sql.natives import LIBRARY_ERRORS, UNKNOWN, UnknownType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy_guard.migrations.configured import Configured
    from sqlalchemy_guard.migrations.replay import Replay
    from sqlalchemy_guard.migrations.state import Key

EXPRESSIONS = "sqlalchemy_guard.expressions"
"""The key of a copied table's `info` with the names of its indexes that are not compared."""
_INDEX_PARTS = {"index", "unique", "foreign_keys", "constraints", "arguments"}


def compare(
    replay: Replay,
    metadata: Sequence[sqlalchemy.MetaData],
    configured: Configured,
    is_own: Callable[[sqlalchemy.Table], bool] = lambda _: True,
    may_be_elsewhere: Callable[[str], bool] = lambda _: False,
    open_parts: Callable[[sqlalchemy.Table], frozenset[str]] = lambda _: frozenset(),
) -> Comparison:
    """What differs.

    Args:
        replay: A history, replayed.
        metadata: The models' tables.
        configured: What `env.py` says about comparing.
        is_own: Whether a table is declared in the user's own files; others are not looked at.
        may_be_elsewhere: Whether a table of a name may be declared in a way that nobody saw: it is not missed then.
        open_parts: What a table may have that nobody saw: columns, constraints.
    """
    dialect = replay.dialect
    target, left_out = _copied(metadata, dialect, configured, is_own, open_parts)
    left_out |= _stood_in_for(target)
    # What may not be there, or not be the same, is not compared at all.
    left_out |= {key for key, table in replay.schema.tables.items() if EXISTENCE in table.unknown}
    schema = _compared(replay.schema, configured, left_out)
    side = Side(schema, target, dialect, frozenset(left_out))
    upgrade = ops.UpgradeOps([])
    for table in list(side.target.tables.values()):
        _drop_unresolved(side, table)
    # One thing that Alembic cannot compare must not cost the rest.
    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")
        _alembic(side, configured, upgrade)
    found = [
        difference
        for operation in upgrade.ops
        for difference in _differences(side, operation, replay.schema, may_be_elsewhere)
    ]
    found = renames.recognised(side, found)
    found += beyond.differences(
        side, configured, {one.key for one in found if one.kind in ("add_table", "remove_table")}
    )
    return Comparison(
        sorted(found, key=lambda one: (one.key[0] or "", one.key[1], one.column or "", one.kind)), side
    )


class _quiet:
    """Alembic says on its logger what it finds; here that is nobody's business."""

    def __enter__(self) -> None:
        self._logger = logging.getLogger("alembic")
        self._disabled = self._logger.disabled
        self._levels = (self._logger.level,)
        self._logger.setLevel(logging.CRITICAL)

    def __exit__(self, *_: object) -> None:
        self._logger.setLevel(self._levels[0])


# -- the two sides -----------------------------------------------------------------------------------------------------


def _copied(
    metadata: Sequence[sqlalchemy.MetaData],
    dialect: Any,
    configured: Configured,
    is_own: Callable[[sqlalchemy.Table], bool],
    open_parts: Callable[[sqlalchemy.Table], frozenset[str]],
) -> tuple[sqlalchemy.MetaData, set[Key]]:
    """The tables of the models, copied so that they may be changed, and the keys of those that are not compared: foreign keys
    of others point at them."""
    from sqlalchemy_guard.migrations.reading import key_of

    convention = next((one.naming_convention for one in metadata if one.naming_convention), None)
    target = sqlalchemy.MetaData(naming_convention=convention)
    left_out: set[Key] = set()
    for one in metadata:
        for table in one.tables.values():
            key = key_of(table.name, table.schema, dialect)
            if not is_own(table) or _is_filtered(configured, table, key):
                left_out.add(key)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                copy = table.to_metadata(target, schema=key[0])  # type: ignore[arg-type]
            copy.info = dict(table.info)
            if unseen := open_parts(table):
                copy.info[UNKNOWN] = frozenset(copy.info.get(UNKNOWN, ())) | unseen
            for column in copy.columns:
                if column.info.get(UNKNOWN) and _INDEX_PARTS & set(column.info[UNKNOWN]):
                    copy.info[UNKNOWN] = frozenset(copy.info.get(UNKNOWN, ())) | {CONSTRAINTS}
            conditional = {one.name for one in table.indexes if not _is_for(one, dialect)}
            for index in list(copy.indexes):
                plain = all(isinstance(each, sqlalchemy.Column) for each in index.expressions)
                if not plain or index.name in conditional:
                    copy.indexes.discard(index)
                    named = sqla_compat._get_constraint_final_name(index, dialect)
                    copy.info[EXPRESSIONS] = frozenset(copy.info.get(EXPRESSIONS, ())) | {named}
    return target, left_out


def _is_for(index: sqlalchemy.Index, dialect: Any) -> bool:
    """Whether an index is made on a dialect, as far as `ddl_if` says."""
    condition = index._ddl_if
    if condition is None:
        return True
    named = (condition.dialect,) if isinstance(condition.dialect, str) else condition.dialect
    return condition.callable_ is None and (named is None or dialect.name in named)


def _is_filtered(configured: Configured, table: sqlalchemy.Table, key: Key) -> bool:
    """Whether `env.py` leaves a table out, or may do so."""
    if (
        configured.include_object is not None
        and configured.include_object(table, key[1], "table", False, None) is not True
    ):
        return True
    return _is_name_filtered(configured, key)


def _is_name_filtered(configured: Configured, key: Key) -> bool:
    if configured.include_name is None:
        return False
    return (
        configured.include_name(
            key[1], "table", {"schema_name": key[0], "schema_qualified_table_name": key[1]}
        )
        is not True
    )


def _compared(schema: Schema, configured: Configured, left_out: set[Key]) -> Schema:
    """The records that are compared: those that are surely there and not left out."""
    version = configured.options.get("version_table", "alembic_version")
    found = Schema(has_unknown_tables=schema.has_unknown_tables)
    for key, table in schema.tables.items():
        if key in left_out or key[1] == version or _is_name_filtered(configured, key):
            continue
        found.tables[key] = table
    return found


def _stood_in_for(target: sqlalchemy.MetaData) -> set[Key]:
    """Put tables that nobody saw where foreign keys name them, those of libraries mostly, and give their keys."""
    found: set[Key] = set()
    for table in list(target.tables.values()):
        for constraint in table.foreign_key_constraints:
            for element in constraint.elements:
                if not isinstance(element._colspec, str) or element.target_fullname.count(".") < 1:
                    continue
                schema, name, column = element._column_tokens
                key = ".".join(part for part in (schema, name) if part)
                if key not in target.tables:
                    sqlalchemy.Table(name, target, schema=schema)
                    found.add((schema, name))
                if (schema, name) in found and column is not None and column not in target.tables[key].c:
                    target.tables[key].append_column(sqlalchemy.Column(column, UnknownType(key)))
    return found


def _drop_unresolved(side: Side, table: sqlalchemy.Table) -> None:
    """Foreign keys to columns that are not there cannot be compared; then none of the table is."""
    for constraint in list(table.foreign_key_constraints):
        try:
            resolved = all(element.column is not None for element in constraint.elements)
        except LIBRARY_ERRORS:
            resolved = False
        if not resolved:
            table.constraints.discard(constraint)
            table.info[UNKNOWN] = frozenset(table.info.get(UNKNOWN, ())) | {"foreign keys"}


def _alembic(side: Side, configured: Configured, upgrade: ops.UpgradeOps) -> None:
    """Alembic's comparison of both sides."""
    options = {
        "target_metadata": side.target,
        "include_schemas": True,
        "compare_type": _Types(configured.options.get("compare_type", True) is not False),
        "compare_server_default": False,
        "autogenerate_plugins": ["alembic.autogenerate.*"],
    }
    options["include_object"] = _object_filter(side, configured.include_object)
    context = MigrationContext.configure(dialect=side.dialect, opts=options)
    autogenerate = AutogenContext(context, side.target)
    autogenerate.__dict__["inspector"] = Reflection(side.schema, side.dialect)
    schemas = (
        {key[0] for key in side.schema.tables}
        | {table.schema for table in side.target.tables.values()}
        | {None}
    )
    autogenerate.comparators.dispatch("schema", qualifier=side.dialect.name)(autogenerate, upgrade, schemas)


class _Types:
    """Alembic's comparison of types; what it cannot compile is the same, and so is what compiles to the same SQL."""

    def __init__(self, is_wanted: bool) -> None:
        self._is_wanted = is_wanted

    def __call__(self, context: Any, old: Any, new: Any, old_type: Any, new_type: Any) -> bool:
        if not self._is_wanted or isinstance(new_type, UnknownType):
            return False
        try:
            written = [context.dialect.type_compiler_instance.process(one) for one in (old_type, new_type)]
            return written[0].lower() != written[1].lower() and bool(context.impl.compare_type(old, new))
        except (*LIBRARY_ERRORS, NotImplementedError):
            return False


def _object_filter(side: Side, ask: Callable[..., bool | None] | None) -> Callable[..., bool]:
    """What of the tables and their parts is compared: what is not left out, and the filter of the user's lets pass."""

    def is_compared(element: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
        if kind == "table" and (element.schema, str(name)) in side.left_out:
            return False
        plain = None if name is None else str(name)
        return ask is None or ask(element, plain, kind, reflected, other) is True

    return is_compared


# -- what Alembic found ------------------------------------------------------------------------------------------------


def _differences(
    side: Side, operation: Any, history: Schema, may_be_elsewhere: Callable[[str], bool]
) -> Iterator[Difference]:
    """The differences that an operation of Alembic stands for, those left out that rest on what is not known."""
    if isinstance(operation, ops.ModifyTableOps):
        for inner in operation.ops:
            yield from _differences(side, inner, history, may_be_elsewhere)
        return
    if isinstance(operation, ops.CreateTableOp):
        key = (operation.schema, str(operation.table_name))
        if not history.has_unknown_tables and key not in history.tables:
            yield Difference("add_table", key, None, "", (operation,))
        return
    if isinstance(operation, ops.DropTableOp):
        key = (operation.schema, str(operation.table_name))
        if not may_be_elsewhere(key[1]):
            yield Difference("remove_table", key, None, side.schema.tables[key].revision, (operation,))
        return
    if isinstance(operation, ops.CreateForeignKeyOp):
        key = (operation.kw.get("source_schema"), str(operation.source_table))
    else:
        key = (operation.schema, str(getattr(operation, "table_name", "")))
    state = side.schema.tables.get(key)
    model = side.table(key)
    if state is None or model is None:
        # What comes with a new table or goes with an old one.
        if (
            isinstance(operation, ops.CreateIndexOp)
            and key not in history.tables
            and not history.has_unknown_tables
        ):
            yield Difference("part_of_table", key, None, "", (operation,))
        return
    unknown = set(model.info.get(UNKNOWN, ()))
    if isinstance(operation, (ops.AddColumnOp, ops.DropColumnOp, ops.AlterColumnOp)):
        yield from _column(state, model, unknown, operation, key)
    elif isinstance(operation, (ops.CreateTableCommentOp, ops.DropTableCommentOp)):
        yield Difference("comment", key, None, state.revision, (operation,))
    elif not {CONSTRAINTS, "arguments"} & unknown and CONSTRAINTS not in state.unknown:
        yield from _part(state, model, unknown, operation, key)


def _column(
    state: Any, model: sqlalchemy.Table, unknown: set[str], operation: Any, key: Key
) -> Iterator[Difference]:
    if isinstance(operation, ops.AddColumnOp):
        name = str(operation.column.name)
        if COLUMNS not in state.unknown:
            yield Difference("add_column", key, name, state.revision, (operation,))
        return
    name = str(operation.column_name)
    column = state.column(name)
    revision = column.revision if column is not None else state.revision
    doubts = set(column.unknown) if column is not None else set()
    if EXISTENCE in doubts:
        return
    if isinstance(operation, ops.DropColumnOp):
        if COLUMNS not in state.unknown and not unknown & {"columns", "arguments"}:
            yield Difference("remove_column", key, name, revision, (operation,))
        return
    doubts |= set(model.c[name].info.get(UNKNOWN, ())) if name in model.c else set()
    parts = {
        "modify_type": ("type", None),
        "modify_nullable": ("nullable", None),
        "modify_comment": ("comment", False),
    }
    if operation.modify_name:
        return
    for attribute, (what, absent) in parts.items():
        value = getattr(operation, attribute)
        if value is absent or what in doubts or "arguments" in doubts:
            continue
        if what == "nullable" and any(name in one.columns for one in state.of_kind("primary")):
            # Whether key columns say NOT NULL, too, makes no difference to a database.
            continue
        alone = ops.AlterColumnOp(
            operation.table_name,
            operation.column_name,
            schema=operation.schema,
            existing_type=operation.existing_type,
            existing_nullable=operation.existing_nullable,
            existing_server_default=column.default if column is not None else False,
            existing_comment=operation.existing_comment,
            **{attribute: value},
        )
        yield Difference(what, key, name, revision, (alone,))


def _part(
    state: Any, model: sqlalchemy.Table, unknown: set[str], operation: Any, key: Key
) -> Iterator[Difference]:
    """A constraint or an index."""
    if isinstance(operation, ops.DropIndexOp):
        index = state.index(str(operation.index_name))
        if str(operation.index_name) in model.info.get(EXPRESSIONS, ()) or _is_on_unseen(
            index, model, unknown
        ):
            return
        yield Difference("remove_index", key, None, index.revision if index else state.revision, (operation,))
    elif isinstance(operation, ops.CreateIndexOp):
        if (
            state.index(str(operation.index_name)) is not None
            and None in state.index(str(operation.index_name)).columns
        ):
            return
        yield Difference("add_index", key, None, state.revision, (operation,))
    elif isinstance(operation, ops.DropConstraintOp):
        constraint = state.constraint(str(operation.constraint_name)) if operation.constraint_name else None
        kind = "foreignkey" if operation.constraint_type == "foreignkey" else "unique"
        if (kind == "foreignkey" and "foreign keys" in unknown) or _is_on_unseen(constraint, model, unknown):
            return
        revision = constraint.revision if constraint is not None else state.revision
        yield Difference(f"remove_{kind}", key, None, revision, (operation,))
    elif isinstance(operation, ops.CreateForeignKeyOp):
        yield Difference("add_foreignkey", key, None, state.revision, (operation,))
    elif isinstance(operation, ops.CreateUniqueConstraintOp):
        yield Difference("add_unique", key, None, state.revision, (operation,))


def _is_on_unseen(part: Any, model: sqlalchemy.Table, unknown: set[str]) -> bool:
    """Whether a part of a table in the history may come with a column of the model that nobody saw."""
    return COLUMNS in unknown and (part is None or any(name not in model.c for name in part.columns))
