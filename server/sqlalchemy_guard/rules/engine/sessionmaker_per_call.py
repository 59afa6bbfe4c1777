"""A session factory that is made anew each time a function runs.

## What it does
Reports `sessionmaker()`, `async_sessionmaker()` and `scoped_session()` in functions that use the factory themselves and throw it
away. Factories that are stored, returned or yielded, factories of applications, cached functions, scripts and tests are left alone.

## Why is this bad?
A factory is the one place where a project says how its sessions behave. Made per call it builds a class each time, there is no
place that says it, and a `scoped_session` is a new registry whose sessions nobody shares or removes.

## Example
```python
from sqlalchemy import Engine, text
from sqlalchemy.orm import sessionmaker

from database import engine


def count_users():
    SessionLocal = sessionmaker(engine)
    with SessionLocal() as session:
        return session.scalar(text("SELECT count(*) FROM users"))
```

## Use instead
```python
from sqlalchemy import Engine, text
from sqlalchemy.orm import sessionmaker

from database import engine


SessionLocal = sessionmaker(engine)


def count_users():
    with SessionLocal() as session:
        return session.scalar(text("SELECT count(*) FROM users"))
```

## Fix safety
Safe: a factory connects to nothing. Offered where all arguments are literals and names of the module that are bound above the
function.

## References
- [Using a sessionmaker](https://docs.sqlalchemy.org/en/20/orm/session_basics.html#using-a-sessionmaker)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.hoist import block_of, definition_to_hoist_over, hoist
from sqlalchemy_guard.project.bodies import rests_on_all
from sqlalchemy_guard.project.lasting import (
    depends_on_call,
    is_kept,
    runs_once,
)
from sqlalchemy_guard.project.sessions import bound_name
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG106", Severity.WARNING, Applicability.SAFE)


@rule.on_call(
    "sqlalchemy.orm.sessionmaker",
    "sqlalchemy.ext.asyncio.async_sessionmaker",
    "sqlalchemy.orm.scoped_session",
    "sqlalchemy.ext.asyncio.async_scoped_session",
)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a factory that lives as long as a call."""
    fact, function, name = call.fact, call.fact.function, bound_name(call.fact)
    if function is None or name is None or context.is_test() or context.is_migration():
        return
    if depends_on_call(fact.value) or is_kept(context.resolver, function, name, context.file):
        return
    if runs_once(context.resolver, function, context.file):
        return
    message = f"Each call of `{function.name}()` makes a session factory; make it once, at module level"
    rests_on_all(context.resolver, context.file)
    around = definition_to_hoist_over(context.file, fact, name)
    yield context.at_call(
        rule,
        fact,
        message,
        node=fact.node.func,
        applicability=Applicability.SAFE if around is not None else None,
        subject=(fact, around),
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Make the factory in front of the function."""
    fact, around = violation.subject
    block = block_of(fact)
    edits = (
        hoist(context.source, fact.statement, block, around, fact.chunk.shift) if block is not None else None
    )
    if edits is None:
        return None
    return Fix("Make the factory once, at module level", Applicability.SAFE, {context.file.file_id: edits})
