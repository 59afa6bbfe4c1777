"""Engine whose connection pool was never sized for the application.

## What it does
Reports engines that are created without `pool_size` and `max_overflow`, and `SQLALCHEMY_ENGINE_OPTIONS` or `engine_options` of
Flask-SQLAlchemy without them. Silent in tests, migrations and the `__main__` block of a script, for SQLite, for other kinds
of pools, and where options come from a mapping that cannot be read.

## Why is this bad?
The default pool holds 5 connections and 10 more under load. An application with more workers or threads than that waits for
connections and fails with a timeout; one with many processes can open more than its database admits. Write the numbers down.

## Example
```python
from sqlalchemy import create_engine

engine = create_engine("postgresql+psycopg://db/shop", pool_pre_ping=True)
```

## Use instead
```python
from sqlalchemy import create_engine

engine = create_engine(
    "postgresql+psycopg://db/shop", pool_pre_ping=True, pool_size=10, max_overflow=20
)
```

## Fix safety
Unsafe: more connections may be open at once. The numbers are those of the settings `pool-size` and `max-overflow`.

## References
- [Connection pool configuration](https://docs.sqlalchemy.org/en/20/core/pooling.html#connection-pool-configuration)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.arguments import add_entry, add_keyword
from sqlalchemy_guard.project.bodies import in_main_block
from sqlalchemy_guard.project.engines import CREATORS, engine_of
from sqlalchemy_guard.project.flask_options import EngineOptions, is_filled_later, uses_flask_sqlalchemy
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG102", Severity.WARNING, Applicability.UNSAFE)

_SIZES = ("pool_size", "max_overflow")
_SIZED = (None, "QueuePool", "AsyncAdaptedQueuePool")


@rule.on_call(*CREATORS)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report an engine with a pool of unknown size."""
    if context.is_test() or context.is_migration() or in_main_block(call.fact):
        return
    engine = engine_of(context.resolver, call.fact.value, context.file)
    if engine.is_open or engine.pool not in _SIZED:
        return
    if engine.dialect == "sqlite" or {"pool", "creator", "async_creator"} & engine.options.keys():
        return
    missing = [name for name in _SIZES if name not in engine.options]
    if not missing:
        return
    applicability = None if call.name.endswith("engine_from_config") else Applicability.UNSAFE
    yield context.at_call(
        rule,
        call.fact,
        _message(missing),
        node=call.fact.node.func,
        applicability=applicability,
        subject=(call.fact, missing),
    )


@rule.on(EngineOptions)
def check_options(context: Context, options: EngineOptions) -> Iterator[Violation]:
    """Report options of Flask-SQLAlchemy without sizes."""
    missing = [
        name
        for name in _SIZES
        if name not in options.entries and not is_filled_later(context.resolver, context.file, name)
    ]
    if (
        not missing
        or context.is_test()
        or options.pool not in _SIZED
        or options.database.startswith("sqlite")
    ):
        return
    if uses_flask_sqlalchemy(context.workspace):
        yield context.violation(
            rule,
            options.chunk,
            options.node,
            _message(missing),
            statement=options.statement,
            applicability=Applicability.UNSAFE,
            subject=(options, missing),
        )


def _message(missing: list[str]) -> str:
    names = " and ".join(f"`{name}`" for name in missing)
    return f"Engine without {names}: say how many connections this application may hold"


@rule.fix
def fix(context: Context, violation: Violation) -> Fix:
    """Write the configured sizes behind the other arguments."""
    fact, missing = violation.subject
    values = {"pool_size": context.settings.pool_size, "max_overflow": context.settings.max_overflow}
    first, *others = missing
    source, shift = context.source, fact.chunk.shift
    if isinstance(fact.node, ast.Dict):
        quoted = [f"{source.quote}{name}{source.quote}: {values[name]}" for name in others]
        text = ", ".join([str(values[first]), *quoted])
        edits = add_entry(source, fact.node, first, text, shift, fact.statement)
    else:
        text = ", ".join([str(values[first]), *(f"{name}={values[name]}" for name in others)])
        edits = add_keyword(source, fact.node, first, text, shift, fact.statement)
    title = "Add " + ", ".join(f"`{name}={values[name]}`" for name in missing)
    return Fix(title, Applicability.UNSAFE, {context.file.file_id: edits})
