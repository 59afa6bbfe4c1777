"""What a revision finds under `alembic.op` and in a batch: Alembic's own operations, which end in records instead of a database.

How arguments are handed over, and what is in doubt where they are not known, says `applying.py`; what else a revision looks
around with stands in `emulation.py` and `connection.py`. This module must never connect to anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alembic.operations import BatchOperations, Operations
from alembic.operations.batch import BatchOperationsImpl

from sqlalchemy_guard.migrations.applying import Applying
from sqlalchemy_guard.migrations.connection import ContextHost
from sqlalchemy_guard.migrations.enum_types import set_enum
from sqlalchemy_guard.sql.values import Native, Opaque, Value

if TYPE_CHECKING:
    from sqlalchemy_guard.migrations.emulation import Emulation

_ON_TABLES = frozenset(
    """
    create_table drop_table rename_table add_column drop_column alter_column create_table_comment drop_table_comment
    create_index drop_index create_unique_constraint create_foreign_key create_check_constraint create_primary_key
    create_exclude_constraint drop_constraint
    """.split()
)
_IN_BATCH = frozenset(
    """
    add_column drop_column alter_column create_table_comment drop_table_comment create_index drop_index
    create_unique_constraint create_foreign_key create_check_constraint create_primary_key create_exclude_constraint
    drop_constraint
    """.split()
)
_TABLE_AT = {
    "create_index": (1, "table_name"),
    "drop_index": (1, "table_name"),
    "create_unique_constraint": (1, "table_name"),
    "create_foreign_key": (1, "source_table"),
    "create_check_constraint": (1, "table_name"),
    "create_primary_key": (1, "table_name"),
    "create_exclude_constraint": (1, "table_name"),
    "drop_constraint": (1, "table_name"),
    "rename_table": (0, "old_table_name"),
}


class OperationsHost(Applying):
    """`alembic.op`."""

    _names = _ON_TABLES

    def __init__(self, environment: Emulation) -> None:
        super().__init__(environment)
        self._operations = Operations(environment.context, impl=environment.recorder)  # type: ignore[arg-type]

    def _target(self) -> Any:
        return self._operations

    def _table(self, name: str, args: list[Value], keywords: dict[str, Value]) -> tuple[Value, Value]:
        index, keyword = _TABLE_AT.get(name, (0, "table_name"))
        table = keywords.get(keyword, args[index] if len(args) > index else None)
        return table, keywords.get("source_schema" if name == "create_foreign_key" else "schema")

    def f(self, name: Value) -> Value:
        """`op.f(name)`: a final name."""
        return self._operations.f(name) if type(name) is str else name

    def inline_literal(self, value: Value, *_: Value, **__: Value) -> Value:
        """`op.inline_literal(value)`."""
        return value

    def get_bind(self) -> Value:
        """`op.get_bind()`."""
        return self._environment.bind

    def get_context(self) -> Value:
        """`op.get_context()`."""
        return ContextHost(self._environment)

    def execute(self, sqltext: Value = None, *_: Value, **__: Value) -> Value:
        """`op.execute(sql)`."""
        self._environment.sql(sqltext)
        return None

    def batch_alter_table(self, table_name: Value = None, schema: Value = None, **keywords: Value) -> Value:
        """`with op.batch_alter_table(…)`."""
        return BatchHost(self._environment, self._operations, table_name, schema)

    def sync_enum_values(self, *args: Value, **keywords: Value) -> Value:
        """What `alembic_postgresql_enum` adds: the values of a type are set."""
        names = ("enum_schema", "enum_name", "new_values")
        given = dict(zip(names, args, strict=False)) | keywords
        name, values, schema = given.get("enum_name"), given.get("new_values"), given.get("enum_schema")
        if (
            type(name) is str
            and isinstance(values, (list, tuple))
            and all(type(one) is str for one in values)
        ):
            recorder = self._environment.recorder
            set_enum(recorder, recorder.key(name, schema), tuple(values))
        else:
            self._environment.limit("op.sync_enum_values: its arguments are not known here")
        return None

    def implementation_for(self, *_: Value) -> Value:
        """A decorator that registers an operation of the user's own: those are followed as limits."""
        return Native("decorator", lambda _, args, __: args[0] if args else None)

    register_operation = implementation_for


class BatchHost(Applying):
    """What `with op.batch_alter_table(…) as batch_op` gives; every operation is applied at once."""

    _names = _IN_BATCH

    def __init__(self, environment: Emulation, operations: Operations, table: Value, schema: Value) -> None:
        super().__init__(environment)
        self._name, self._schema = table, schema
        self._implementation: Any = None
        if isinstance(table, str):
            self.batch = str(table)
            plain = None if isinstance(schema, Opaque) else schema
            implementation = BatchOperationsImpl(  # type: ignore[no-untyped-call]
                operations, str(table), plain, "never", None, (), {}, (), {}, None, ()
            )
            self._implementation = implementation
            self._operations = BatchOperations(environment.context, impl=implementation)

    def _target(self) -> Any:
        if self._implementation is None:
            raise ValueError("the table's name is not known here")
        return _Flushing(self._operations, self._implementation)

    def _table(self, name: str, args: list[Value], keywords: dict[str, Value]) -> tuple[Value, Value]:
        return self._name, self._schema

    def _column(self, args: list[Value], keywords: dict[str, Value]) -> str | None:
        return super()._column([None, *args], keywords)

    def f(self, name: Value) -> Value:
        """`batch_op.f(name)`: a final name."""
        return self._operations.f(name) if type(name) is str and self._implementation is not None else name

    def execute(self, sqltext: Value = None, *_: Value, **__: Value) -> Value:
        """`batch_op.execute(sql)`."""
        self._environment.sql(sqltext)
        return None

    def get_bind(self) -> Value:
        """`batch_op.get_bind()`."""
        return self._environment.bind

    def get_context(self) -> Value:
        """`batch_op.get_context()`."""
        return ContextHost(self._environment)


class _Flushing:
    """A batch that does not wait for its end: whether an operation happens is known while it is told."""

    def __init__(self, operations: BatchOperations, implementation: BatchOperationsImpl) -> None:
        self._operations, self._implementation = operations, implementation

    def __getattr__(self, name: str) -> Any:
        def apply(*args: Any, **keywords: Any) -> Any:
            result = getattr(self._operations, name)(*args, **keywords)
            try:
                self._implementation.flush()
            finally:
                self._implementation.batch = []
            return result

        return apply
