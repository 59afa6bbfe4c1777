"""What a revision finds under `alembic.op`: Alembic's own operations, which end in records instead of a database.

Beside it stand what revisions look around with: a connection that answers nothing, an inspector that answers from the records,
`alembic.context`. Arguments that are not known leave a doubt about what the operation is about. This module must never connect
to anything, nor hand strings of the user to what evaluates them.
"""

from __future__ import annotations

import ast
import textwrap
import warnings
from typing import TYPE_CHECKING, Any

import sqlalchemy
from alembic.operations import BatchOperations, Operations
from alembic.operations.batch import BatchOperationsImpl
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy.sql import elements

from sqlalchemy_guard.migrations import reading
from sqlalchemy_guard.migrations.inspection import DialectHost, InspectorHost
from sqlalchemy_guard.migrations.reflection import column_type
from sqlalchemy_guard.migrations.sql_statements import Statements
from sqlalchemy_guard.migrations.state import COLUMNS, CONSTRAINTS
from sqlalchemy_guard.sql.natives import LIBRARY_ERRORS, Unknown, convert
from sqlalchemy_guard.sql.values import ANY_KEYWORDS, Class, Host, Native, Opaque, Value
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.migrations.recorder import Recorder
    from sqlalchemy_guard.sql.evaluator import Evaluator

    Applied = Callable[[str, list[Any], dict[str, Any], str | None], None]

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
_WITHOUT_EFFECT = frozenset(
    """
    bulk_insert create_entity drop_entity replace_entity create_view drop_view replace_view create_function drop_function
    create_trigger drop_trigger create_sequence drop_sequence create_extension create_schema drop_schema
    create_geospatial_index drop_geospatial_index
    """.split()
)
"""Operations, those of well-known extensions among them, that change no table: indexes of geometries belong to their type."""

_LIKE = {
    "create_geospatial_table": "create_table", "drop_geospatial_table": "drop_table",
    "add_geospatial_column": "add_column", "drop_geospatial_column": "drop_column",
}  # fmt: skip
"""GeoAlchemy's operations, which do the same for tables with geometries."""

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
_QUERY = lazy_pattern(
    r"\.(select|insert|update|delete|values|where|limit|order_by|select_from|join|filter|join_from|returning|"
    r"execution_options|on_conflict_do_nothing|on_conflict_do_update|from_select|add_columns|distinct|group_by)\(\)\Z|"
    r"\A(select|insert|update|delete|union|union_all|exists)\(\)\Z"
)
"""Names of unknown values that are queries, whatever they are about."""
_FAILS = (CommandError, *LIBRARY_ERRORS)


class Environment:
    """Everything that revisions of one history find, for one dialect.

    Args:
        evaluator: Runs the revisions.
        recorder: Where operations end.
        metadata: What the environment compares with: its naming convention holds for operations, too. None when unknown.
        limit: Told, in words, what could not be followed.

    Attributes:
        applied: Told each operation that was applied: its name, its arguments, and the table of the batch that it belongs to.
    """

    def __init__(
        self, evaluator: Evaluator, recorder: Recorder, metadata: Any, limit: Callable[[str], None]
    ) -> None:
        self.evaluator = evaluator
        self.recorder = recorder
        self.limit = limit
        self.applied: Applied | None = None
        options = {"as_sql": True, "target_metadata": metadata}
        self.context = MigrationContext.configure(dialect=recorder.dialect, opts=options)
        self.statements = Statements(recorder, limit)
        self.inspector = InspectorHost(recorder)
        self.dialect = DialectHost(recorder, self.inspector)
        self.bind = BindHost(self)
        self.op = OperationsHost(self)
        context = ContextHost(self)
        made: dict[str, Value] = {
            "alembic.op": self.op,
            "alembic.context": context,
            "alembic.operations.Operations": Native("Operations", lambda *_: self.op),
            "alembic.operations.ops": Opaque("ops"),
            "alembic.runtime.migration.MigrationContext.configure": Native("configure", lambda *_: context),
            "alembic.migration.MigrationContext.configure": Native("configure", lambda *_: context),
            "textwrap.dedent": Native("dedent", _dedent),
            "sqlalchemy.inspect": Native("inspect", self._inspect),
            "sqlalchemy.engine.reflection.Inspector.from_engine": Native("inspect", self._inspect),
            "sqlalchemy.Inspector.from_engine": Native("inspect", self._inspect),
        }
        evaluator.hosts.update(made)
        evaluator.methods.update(
            create_all=self._create_all, create=self._create, drop=self._drop, reflect=self._reflect
        )

    def _inspect(self, evaluator: Evaluator, args: list[Value], keywords: dict[str, Value]) -> Value:
        given = args[0] if args else keywords.get("subject")
        # What is not known here is nearly always the connection under another name.
        return self.inspector if isinstance(given, (BindHost, Opaque)) else Opaque("inspect()")

    def sql(self, given: Value) -> None:
        """SQL that a revision runs in whatever way."""
        if isinstance(given, elements.TextClause):
            given = given.text
        if type(given) is str:
            self.statements.run(given)
        elif isinstance(given, Opaque):
            if not _QUERY.search(given.name) and not given.dotted.endswith(
                ("CreateSequence()", "DropSequence()")
            ):
                self.limit(f"runs SQL that is not known here ({given.name})")

    # -- tables that make themselves -----------------------------------------------------------------------------------

    def _create_all(self, receiver: Value, args: list[Value], keywords: dict[str, Value]) -> Value:
        """`metadata.create_all(bind)`."""
        if isinstance(receiver, sqlalchemy.MetaData):
            self._declare()
            chosen = keywords.get("tables", args[1] if len(args) > 1 else None)
            tables = chosen if isinstance(chosen, (list, tuple)) else list(receiver.tables.values())
            for table in tables:
                if isinstance(table, sqlalchemy.Table):
                    self._make(table, keywords)
        return None

    def _declare(self) -> None:
        """Make the classes and tables of the module that runs: names are evaluated only when somebody asks for them."""
        place = self.evaluator.place
        if place is not None:
            module = place[0].module
            for name in module.names():
                if any(isinstance(one, (ast.ClassDef, ast.Assign)) for _, one in module.statements_of(name)):
                    module.get(name)

    def _reflect(self, receiver: Value, args: list[Value], keywords: dict[str, Value]) -> Value:
        """`metadata.reflect(bind)`: the tables as they are now, without their constraints."""
        if isinstance(receiver, sqlalchemy.MetaData):
            for state in self.recorder.schema.tables.values():
                columns = [sqlalchemy.Column(one.name, column_type(one)) for one in state.columns]
                sqlalchemy.Table(state.name, receiver, *columns, schema=state.key[0], extend_existing=True)
        return None

    def _create(self, receiver: Value, args: list[Value], keywords: dict[str, Value]) -> Value:
        """`table.create(bind)`; a type that is created has no effect on tables."""
        if isinstance(receiver, sqlalchemy.Table):
            self._make(receiver, keywords)
        elif isinstance(receiver, sqlalchemy.Index) and receiver.table is not None:
            self.recorder.create_index(receiver)
        return None

    def _make(self, table: sqlalchemy.Table, keywords: dict[str, Value]) -> None:
        state = reading.table_state(table, self.recorder.dialect, self.recorder.revision)
        if state.key not in self.recorder.schema.tables:
            self.recorder.make(state)

    def _drop(self, receiver: Value, args: list[Value], keywords: dict[str, Value]) -> Value:
        if isinstance(receiver, sqlalchemy.Table):
            key = self.recorder.key(receiver.name, receiver.schema)
            self.recorder.unmake(key, keywords.get("checkfirst") is True)
        elif isinstance(receiver, sqlalchemy.Index):
            self.recorder.drop_index(receiver, if_exists=keywords.get("checkfirst") is True)
        return None


def _dedent(evaluator: Evaluator, args: list[Value], keywords: dict[str, Value]) -> Value:
    text = args[0] if args else None
    return textwrap.dedent(text) if type(text) is str else Opaque("dedent()")


class _Applying(Host):
    """Operations whose arguments are converted, or named where they are not known."""

    _names: frozenset[str]
    batch: str | None = None
    """The table of the batch."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def get(self, name: str) -> Value:
        like = _LIKE.get(name, name)
        if like in self._names:
            return Native(f"op.{name}", lambda _, args, keywords: self._apply(like, args, keywords))
        if name in _WITHOUT_EFFECT:
            return Native(f"op.{name}", lambda *_: None)
        if (
            not name.startswith("_")
            and hasattr(self, name)
            and name not in ("get", "set", "enter", "leave", "items")
        ):
            return getattr(self, name)
        return Native(f"op.{name}", lambda _, args, keywords: self._not_known(name, args, keywords))

    def _not_known(self, name: str, args: list[Value], keywords: dict[str, Value]) -> Value:
        """An operation that somebody added: it may have done anything to the tables that it names."""
        self._environment.limit(f"op.{name} is not known here")
        recorder = self._environment.recorder
        given = {str(one) for one in (self.batch, *args, *keywords.values()) if isinstance(one, str)}
        for key in list(recorder.schema.tables):
            if key[1] in given:
                recorder.doubt(key, COLUMNS)
                recorder.doubt(key, CONSTRAINTS)
        if "table" in name:
            recorder.schema.has_unknown_tables = True
        return Opaque(f"op.{name}()")

    def _target(self) -> Any:
        raise NotImplementedError

    def _table(self, name: str, args: list[Value], keywords: dict[str, Value]) -> tuple[Value, Value]:
        """The table and schema that an operation is about, as far as they are known."""
        raise NotImplementedError

    def _apply(self, name: str, args: list[Value], keywords: dict[str, Value]) -> Value:
        environment = self._environment
        evaluator = environment.evaluator
        unknown: list[str] = []
        parts: list[str] = []
        sure: list[Any] = []
        given: dict[str, Any] = {}
        for index, arg in enumerate(args):
            if name == "create_table" and index > 0 and (isinstance(arg, (Opaque, Class))):
                unknown.append(arg.name)
                continue
            try:
                sure.append(convert(evaluator, arg, False))
            except Unknown as error:
                unknown.append(error.name)
                break
        for key, value in keywords.items():
            if key == ANY_KEYWORDS:
                unknown.append(value.name)
                continue
            try:
                given[key] = convert(evaluator, value, False)
            except Unknown as error:
                if key not in _IRRELEVANT:
                    unknown.append(error.name)
                    parts.append(key)
        if unknown and not self._goes_without(name, sure, args, parts, len(unknown)):
            self._doubt(name, args, keywords, f"{unknown[0]} is not known here")
            return Opaque(f"op.{name}()")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result = getattr(self._target(), name)(*sure, **given)
        except _FAILS as error:
            evaluator.budget.check()
            self._doubt(
                name, args, keywords, str(error).splitlines()[0] if str(error) else type(error).__name__
            )
            return Opaque(f"op.{name}()")
        if environment.applied is not None and not unknown:
            environment.applied(name, sure, given, self.batch)
        if unknown:
            self._doubt(name, args, keywords, f"{unknown[0]} is not known here")
        return result

    def _goes_without(
        self, name: str, sure: list[Any], args: list[Value], parts: list[str], number: int
    ) -> bool:
        """Whether an operation makes sense without what is not known of it: a table that has some known columns, a column of
        which only one aspect is not known."""
        if name == "alter_column":
            return len(parts) == number and all(part in _ASPECTS for part in parts)
        return name == "create_table" and bool(sure) and type(args[0]) in (str, sqlalchemy.quoted_name)

    def _doubt(self, name: str, args: list[Value], keywords: dict[str, Value], reason: str) -> None:
        """Of what the operation is about, nothing that it may have changed is known any more."""
        environment = self._environment
        environment.limit(f"op.{name}: {reason}")
        recorder = environment.recorder
        table, schema = self._table(name, args, keywords)
        if isinstance(table, Opaque) or table is None:
            if name in ("create_table", "rename_table"):
                recorder.schema.has_unknown_tables = True
            elif name == "alter_column":
                self._doubt_columns(keywords)
            elif name != "drop_index":
                for key in list(recorder.schema.tables):
                    recorder.doubt(key, CONSTRAINTS if "constraint" in name or "key" in name else COLUMNS)
            return
        key = recorder.key(table, None if isinstance(schema, Opaque) else schema)
        if name in ("create_table", "rename_table", "drop_table"):
            recorder.doubt(key, COLUMNS)
            recorder.doubt(key, CONSTRAINTS)
        elif name in ("add_column", "drop_column", "alter_column"):
            column = self._column(args, keywords)
            state = recorder.schema.tables.get(key)
            if name == "alter_column" and column is not None and state is not None and state.column(column):
                given = {key for key, value in keywords.items() if isinstance(value, Opaque)}
                for what in {_ASPECTS[part] for part in given if part in _ASPECTS} or set(_ASPECTS.values()):
                    recorder.doubt(key, what, column)
            else:
                recorder.doubt(key, COLUMNS)
        else:
            recorder.doubt(key, CONSTRAINTS)

    def _doubt_columns(self, keywords: dict[str, Value]) -> None:
        """Some column of some table was changed."""
        recorder = self._environment.recorder
        names = {
            "type_": "type",
            "nullable": "nullable",
            "server_default": "server_default",
            "new_column_name": "existence",
        }
        doubts = [what for keyword, what in names.items() if keyword in keywords]
        for key, table in list(recorder.schema.tables.items()):
            for column in table.columns:
                for what in doubts:
                    recorder.doubt(key, what, column.name)

    def _column(self, args: list[Value], keywords: dict[str, Value]) -> str | None:
        found = keywords.get("column_name", args[1] if len(args) > 1 else None)
        new = keywords.get("new_column_name", found)
        # What was applied goes by its new name.
        return str(new) if isinstance(found, str) and isinstance(new, str) else None


_ASPECTS = {"type_": "type", "nullable": "nullable", "server_default": "server_default"}
"""Keywords of `alter_column` without which the rest of it makes sense, with what is not known then."""
_IRRELEVANT = frozenset(
    """
    existing_type existing_server_default existing_nullable existing_comment existing_autoincrement postgresql_using info
    if_exists if_not_exists mysql_engine mysql_charset mysql_collate mysql_default_charset mysql_row_format
    """.split()
)


class OperationsHost(_Applying):
    """`alembic.op`."""

    _names = _ON_TABLES

    def __init__(self, environment: Environment) -> None:
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
            self._environment.statements.set_enum(self._environment.recorder.key(name, schema), tuple(values))
        else:
            self._environment.limit("op.sync_enum_values: its arguments are not known here")
        return None

    def implementation_for(self, *_: Value) -> Value:
        """A decorator that registers an operation of the user's own: those are followed as limits."""
        return Native("decorator", lambda _, args, __: args[0] if args else None)

    register_operation = implementation_for


class BatchHost(_Applying):
    """What `with op.batch_alter_table(…) as batch_op` gives; every operation is applied at once."""

    _names = _IN_BATCH

    def __init__(self, environment: Environment, operations: Operations, table: Value, schema: Value) -> None:
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


class ContextHost(Host):
    """`op.get_context()` and `alembic.context`."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.dialect = environment.dialect
        self.bind = environment.bind
        self.connection = environment.bind
        self.as_sql = False

    def is_offline_mode(self) -> Value:
        """Revisions are followed as if they ran on a database."""
        return False

    def get_context(self) -> Value:
        """`context.get_context()`."""
        return self

    def get_bind(self) -> Value:
        """`context.get_bind()`."""
        return self.bind

    def autocommit_block(self) -> Value:
        """`with context.autocommit_block()`."""
        return Host()

    def begin_transaction(self) -> Value:
        """`with context.begin_transaction()`."""
        return Host()


class UrlHost(Host):
    """`bind.engine.url`: nothing but its database is known."""

    def __init__(self, dialect: str) -> None:
        self.drivername = dialect
        self._dialect = dialect

    def get_backend_name(self) -> Value:
        """`url.get_backend_name()`."""
        return self._dialect


class BindHost(Host):
    """The connection of a revision. What it answers is not known; the DDL that it is given counts."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.dialect = environment.dialect
        self.name = environment.recorder.dialect.name
        self.url = UrlHost(self.name)
        self.closed = False

    @property
    def engine(self) -> Value:
        """`bind.engine`."""
        return self

    def execute(self, statement: Value = None, *_: Value, **__: Value) -> Value:
        """`bind.execute(sql)`."""
        self._environment.sql(statement)
        return Opaque("execute()")

    exec_driver_sql = execute
    scalar = execute
    scalars = execute

    def connect(self) -> Value:
        """`with bind.connect()`, and whatever else gives the connection again."""
        return self

    def execution_options(self, **_: Value) -> Value:
        """`bind.execution_options(…)`."""
        return self

    def begin(self) -> Value:
        """`with bind.begin()`."""
        return Host()

    begin_nested = begin

    def commit(self) -> Value:
        """Nothing is committed."""
        return None

    rollback = close = commit
