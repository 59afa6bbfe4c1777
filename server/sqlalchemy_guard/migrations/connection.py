"""What a revision looks around with: a connection that answers nothing, its URL, and `alembic.context`.

The dialect and the inspector that they lead to answer from the records (`inspection.py`). This module must never connect to
anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.sql.values import Host, Opaque, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy_guard.migrations.emulation import Emulation


class ConfigHost(Host):
    """`op.get_context().config`: what the configuration file says; whatever it does not say is not set."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = options

    def get_main_option(self, name: Value = None, default: Value = None) -> Value:
        """`config.get_main_option(name)`; where the database is, only the run knows."""
        if not isinstance(name, str) or "url" in name:
            return Opaque("get_main_option()")
        return self._options.get(name, default)


class ContextHost(Host):
    """`op.get_context()` and `alembic.context`."""

    def __init__(self, environment: Emulation) -> None:
        self._environment = environment
        self.dialect = environment.dialect
        self.bind = environment.bind
        self.connection = environment.bind
        self.config = environment.config
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

    def __init__(self, environment: Emulation) -> None:
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
