"""An application with models and no migrations: its schema can be created, but never changed.

## What it does
Reports the declarative base of a workspace that has several tables and makes engines, but no Alembic environment. Silent for
libraries, which make no engine, for tests, and where another tool for migrations is in use.

## Why is this bad?
`create_all()` makes what is missing and alters nothing. With the first column that is added, every database that exists must be
changed by hand, each in its own way.

## Example
```python no-fix
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_engine("postgresql+psycopg://db/shop", pool_size=10, max_overflow=20, pool_pre_ping=True)


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class Product(Base):
    __tablename__ = "product"

    id: Mapped[int] = mapped_column(primary_key=True)


class Cart(Base):
    __tablename__ = "cart"

    id: Mapped[int] = mapped_column(primary_key=True)


class Customer(Base):
    __tablename__ = "customer"

    id: Mapped[int] = mapped_column(primary_key=True)
```

## Use instead
```sh
alembic init alembic
alembic revision --autogenerate -m "first tables"
alembic upgrade head
```

## Fix safety
No fix: an environment is made once, with `alembic init`.

## References
- [Alembic: tutorial](https://alembic.sqlalchemy.org/en/latest/tutorial.html)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Call
from sqlalchemy_guard.project.file_roles import is_migration_file, is_script_file, is_test_file
from sqlalchemy_guard.project.metadata import metadata_of_class
from sqlalchemy_guard.project.model import Model
from sqlalchemy_guard.project.tables import all_tables
from sqlalchemy_guard.project.types import ClassType
from sqlalchemy_guard.rules.api import Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.project.metadata import MetadataId
    from sqlalchemy_guard.project.workspace import Workspace

rule = Rule("SAG515", Severity.INFORMATION, None)

_FEW = 3
"""Fewer tables are an example, or a tool's own."""
_TOOLS = ("alembic", "flask_migrate", "yoyo", "aerich", "migrate", "migrations")
_ENGINES = (
    "create_engine",
    "create_async_engine",
    "engine_from_config",
    "async_engine_from_config",
    "SQLAlchemy",
)
_EXAMPLES = frozenset({"examples", "example", "docs", "docs_src", "demo", "benchmarks", "bench"})


@rule.on(Model)
def check(context: Context, model: Model) -> Iterator[Violation]:
    """Report the base class of an application's models."""
    if model.is_base and isinstance(model.type, ClassType) and isinstance(model.type.ref, tuple):
        facts = model.facts
        node = context.name_of(facts.chunk, facts.header)
        message = _message(context, metadata_of_class(context.resolver, model.type.ref))
        if message is not None:
            yield context.violation(rule, facts.chunk, node, message, statement=facts.header)


@rule.on_call("sqlalchemy.orm.declarative_base", "flask_sqlalchemy.SQLAlchemy")
def check_call(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report the call that makes the base of an application's models."""
    names = context.file.facts.names
    bound = [
        name
        for name in names
        for value in [context.file.facts.value_of(name)]
        if value is not None and type(value[0]) is Call and value[0] == call.fact.value
    ]
    message = _message(context, (context.file_id, bound[0])) if len(bound) == 1 else None
    if message is not None:
        yield context.at_call(rule, call.fact, message)


def _message(context: Context, metadata: MetadataId | None) -> str | None:
    workspace = context.workspace
    context.resolver.keys.add(workspace.READ)
    if metadata is None or not workspace.is_read or not _counts(context.file_id):
        return None
    tables = [
        each for each in all_tables(workspace) if each.metadata == metadata and _counts(each.file.file_id)
    ]
    if (
        len(tables) < _FEW
        or not _is_application(workspace)
        or any(workspace.naming(tool)[0] for tool in _TOOLS)
    ):
        return None
    return f"These {len(tables)} tables have no migrations: a change of them reaches no database that exists; set up Alembic"


def _counts(file_id: str) -> bool:
    folders = file_id.replace("\\", "/").lower().split("/")[-6:-1]
    aside = is_test_file(file_id) or is_migration_file(file_id) or is_script_file(file_id)
    return not aside and _EXAMPLES.isdisjoint(folders)


def _is_application(workspace: Workspace) -> bool:
    """Whether an engine is made anywhere but in tests."""
    return any(_counts(file.file_id) for name in _ENGINES for _, file in workspace.calls_of(name, None))
