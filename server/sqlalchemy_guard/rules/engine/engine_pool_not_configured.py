"""Engine whose connection pool was never sized for the application.

## What it does
Reports engines that are created without `pool_size` and `max_overflow`, outside tests and migrations.

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

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.arguments import add_keyword
from sqlalchemy_guard.project.engines import CREATORS, engine_of
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.check import Context
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG102", Severity.WARNING, Applicability.UNSAFE)


@rule.on_call(*CREATORS)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report an engine with a pool of unknown size."""
    if context.is_test() or context.is_migration():
        return
    engine = engine_of(context.resolver, call.fact.value, context.file)
    if engine.is_open or engine.pool not in (None, "QueuePool", "AsyncAdaptedQueuePool"):
        return
    if engine.dialect == "sqlite" or {"pool", "creator", "async_creator"} & engine.options.keys():
        return
    missing = [name for name in ("pool_size", "max_overflow") if name not in engine.options]
    if not missing:
        return
    names = " and ".join(f"`{name}`" for name in missing)
    message = f"Engine without {names}: say how many connections this application may hold"
    applicability = None if call.name.endswith("engine_from_config") else Applicability.UNSAFE
    yield context.at_call(
        rule,
        call.fact,
        message,
        node=call.fact.node.func,
        applicability=applicability,
        subject=(call.fact, missing),
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix:
    """Write the configured sizes behind the other arguments."""
    fact, missing = violation.subject
    values = {"pool_size": context.settings.pool_size, "max_overflow": context.settings.max_overflow}
    text = ", ".join(f"{name}={values[name]}" for name in missing)
    name, _, value = text.partition("=")
    edits = add_keyword(context.source, fact.node, name, value, fact.chunk.shift, fact.statement)
    return Fix(f"Add `{text}`", Applicability.UNSAFE, {context.file.file_id: edits})
