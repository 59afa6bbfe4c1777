"""`create_all()` in the application makes a schema that the migrations know nothing of.

## What it does
Reports `metadata.create_all()`, `metadata.drop_all()`, `db.create_all()` and `db.drop_all()` outside tests.

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

from sqlalchemy_guard.facts.values import Call
from sqlalchemy_guard.project.engines import CREATORS, engine_of
from sqlalchemy_guard.rules.api import Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.check import Context
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG501", Severity.WARNING, None)


@rule.on_call(
    "sqlalchemy.MetaData.create_all",
    "sqlalchemy.MetaData.drop_all",
    "flask_sqlalchemy.SQLAlchemy.create_all",
    "flask_sqlalchemy.SQLAlchemy.drop_all",
)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report schema creation outside tests and migration environments."""
    if context.is_test() or context.is_migration() or _binds_memory(context, call):
        return
    method = call.name.rpartition(".")[2]
    verb = "creates tables" if method == "create_all" else "drops every table"
    message = (
        f"`{method}()` {verb} behind the back of the migrations; use Alembic (`alembic upgrade head`) instead"
    )
    yield context.at_call(rule, call.fact, message, node=call.fact.node.func)


def _binds_memory(context: Context, call: LibraryCall) -> bool:
    """Whether the engine is known to be an in-memory SQLite database."""
    value = call.fact.value
    bind = value.args[0] if value.args else value.keyword("bind")
    if bind is None:
        return False
    made, file = context.resolver.definition_of(bind, context.file)
    return (
        type(made) is Call
        and context.resolver.external_name(made.func, file) in CREATORS
        and engine_of(context.resolver, made, file).in_memory
    )
