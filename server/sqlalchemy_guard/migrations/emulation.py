"""Everything that revisions of one history find where they run: `alembic.op`, the connection, and tables that make themselves.

SQL that they run in whatever way is handed to `sql_statements.py`. This module must never connect to anything, nor hand strings of
the user to what evaluates them.
"""

from __future__ import annotations

import ast
import textwrap
from typing import TYPE_CHECKING, Any

import sqlalchemy
from alembic.runtime.migration import MigrationContext
from sqlalchemy.sql import elements

from sqlalchemy_guard.migrations import reading
from sqlalchemy_guard.migrations.connection import BindHost, ConfigHost, ContextHost
from sqlalchemy_guard.migrations.inspection import DialectHost, InspectorHost
from sqlalchemy_guard.migrations.operations import OperationsHost
from sqlalchemy_guard.migrations.reflection import column_type
from sqlalchemy_guard.migrations.sql_statements import Statements
from sqlalchemy_guard.sql.values import MISSING, Native, Opaque, Value
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy_guard.migrations.recorder import Recorder
    from sqlalchemy_guard.sql.evaluator import Evaluator

    Applied = Callable[[str, list[Any], dict[str, Any], str | None], None]

_QUERY = lazy_pattern(
    r"\.(select|insert|update|delete|values|where|limit|order_by|select_from|join|filter|join_from|returning|"
    r"execution_options|on_conflict_do_nothing|on_conflict_do_update|from_select|add_columns|distinct|group_by)\(\)\Z|"
    r"\A(select|insert|update|delete|union|union_all|exists)\(\)\Z"
)
"""Names of unknown values that are queries, whatever they are about."""


class Emulation:
    """Everything that revisions of one history find, for one dialect.

    Args:
        evaluator: Runs the revisions.
        recorder: Where operations end.
        metadata: What the environment compares with: its naming convention holds for operations, too. None when unknown.
        limit: Told, in words, what could not be followed.
        configuration: What the configuration file says.

    Attributes:
        applied: Told each operation that was applied: its name, its arguments, and the table of the batch that it belongs to.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        recorder: Recorder,
        metadata: Any,
        limit: Callable[[str], None],
        configuration: Mapping[str, str],
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
        self.config = ConfigHost(configuration)
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
        evaluator.unknown_call = self._unknown_call
        evaluator.methods.update(
            create_all=self._create_all, create=self._create, drop=self._drop, reflect=self._reflect
        )

    def _inspect(self, evaluator: Evaluator, args: list[Value], keywords: dict[str, Value]) -> Value:
        given = args[0] if args else keywords.get("subject")
        # What is not known here is nearly always the connection under another name.
        return self.inspector if isinstance(given, (BindHost, Opaque)) else Opaque("inspect()")

    def _unknown_call(self, callee: Opaque, args: list[Value], keywords: dict[str, Value]) -> Value:
        """What is unknown and executes SQL stands for the connection: a session, an engine, a helper's result."""
        if callee.name.endswith((".execute", ".exec_driver_sql")):
            given = args[0] if args else keywords.get("statement")
            if isinstance(given, (str, elements.TextClause)):
                self.sql(given)
        return MISSING

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
