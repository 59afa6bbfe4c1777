"""`create_all()` in the application makes a schema that the migrations know nothing of.

## What it does
Reports `metadata.create_all()`, `metadata.drop_all()`, `db.create_all()` and `db.drop_all()` outside tests, also where the
method is handed on (`await connection.run_sync(metadata.create_all)`). Silent in an Alembic environment, for in-memory SQLite,
and for tables that a function declares and uses for itself.

## Why is this bad?
`create_all()` only creates what is missing. It never alters a table, so the first changed column leaves databases that differ
from the models, and a later `alembic upgrade` fails on tables that already exist. Schema changes belong into migrations.

## Example
```python no-fix
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    pass


engine = create_engine("postgresql+psycopg://db/shop", pool_size=10, max_overflow=20, pool_pre_ping=True)
Base.metadata.create_all(engine)
```

## Use instead
```sh
alembic revision --autogenerate -m "describe the change"
alembic upgrade head
```

## Fix safety
No fix: where the migration is run is for the team to decide.

## References
- [Alembic: auto generating migrations](https://alembic.sqlalchemy.org/en/latest/autogenerate.html)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Await, Call, Enter
from sqlalchemy_guard.project.engines import CREATORS, engine_of
from sqlalchemy_guard.rules.api import Rule, Severity, Violation

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG501", Severity.WARNING, None)


_METHODS = (
    "sqlalchemy.MetaData.create_all",
    "sqlalchemy.MetaData.drop_all",
    "flask_sqlalchemy.SQLAlchemy.create_all",
    "flask_sqlalchemy.SQLAlchemy.drop_all",
)


@rule.on_call(*_METHODS)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report schema creation outside tests and migration environments."""
    value = call.fact.value
    bind = value.args[0] if value.args else value.keyword("bind")
    yield from _report(context, call, call.name, value.func, bind, call.fact.node.func)


@rule.on_call(
    "sqlalchemy.ext.asyncio.AsyncConnection.run_sync",
    "sqlalchemy.ext.asyncio.AsyncSession.run_sync",
    "asyncio.to_thread",
    "anyio.to_thread.run_sync",
    "fastapi.concurrency.run_in_threadpool",
    "starlette.concurrency.run_in_threadpool",
)
def check_handed_on(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report the method handed to something that calls it."""
    value = call.fact.value
    if not value.args:
        return
    name = context.resolver.external_name(value.args[0], context.file)
    if name in _METHODS:
        runs = call.name.endswith("Connection.run_sync") and isinstance(value.func, Attr)
        bind = value.func.base if runs and isinstance(value.func, Attr) else None
        bind = value.args[1] if bind is None and len(value.args) > 1 else bind
        yield from _report(context, call, name, value.args[0], bind, call.fact.node.args[0])


def _report(
    context: Context, call: LibraryCall, name: str, method: Value, bind: Value | None, node: ast.expr
) -> Iterator[Violation]:
    if context.is_test() or context.is_migration() or _is_local(context, method):
        return
    if bind is not None and _is_memory(context, bind):
        return
    method_name = name.rpartition(".")[2]
    verb = "creates tables" if method_name == "create_all" else "drops every table"
    message = f"`{method_name}()` {verb} behind the back of the migrations; use Alembic (`alembic upgrade head`) instead"
    yield context.at_call(rule, call.fact, message, node=node)


def _is_local(context: Context, method: Value) -> bool:
    """Whether the metadata is made in the function itself, for tables of its own."""
    made = method.base if isinstance(method, Attr) else None
    return (
        type(made) is Call
        and context.resolver.external_name(made.func, context.file) == "sqlalchemy.MetaData"
    )


def _is_memory(context: Context, bind: Value) -> bool:
    """Whether the engine, or that of the connection, is known to be an in-memory SQLite database."""
    made, file = context.resolver.definition_of(bind, context.file)
    for _ in range(6):
        if isinstance(made, (Enter, Await)):
            made = made.base
        elif type(made) is Call and isinstance(made.func, Attr) and made.func.name in ("begin", "connect"):
            made = made.func.base
        made, file = context.resolver.definition_of(made, file)
    return (
        type(made) is Call
        and context.resolver.external_name(made.func, file) in CREATORS
        and engine_of(context.resolver, made, file).in_memory
    )
