"""An engine that is made anew each time a function runs.

## What it does
Reports engines that a function makes for itself: for its own call alone, in a loop, or in a function that requests, dependencies
and tasks call each time. Functions that run once (cached, fixtures, commands, scripts, factories of applications), engines that
are stored or returned elsewhere, engines for a URL that was passed in, and engines without a pool are left alone.

## Why is this bad?
An engine is a pool of connections. Made per call it pools nothing: each call connects anew, its connections stay open until the
garbage collector comes, and the database runs out of them under load. The cache of compiled statements starts empty, too.

## Example
```python
from sqlalchemy import create_engine, text

URL = "postgresql://localhost/shop"


def count_users():
    engine = create_engine(URL, pool_size=10, max_overflow=20, pool_pre_ping=True)
    with engine.connect() as connection:
        return connection.scalar(text("SELECT count(*) FROM users"))
```

## Use instead
```python
from sqlalchemy import create_engine, text

URL = "postgresql://localhost/shop"


engine = create_engine(URL, pool_size=10, max_overflow=20, pool_pre_ping=True)


def count_users():
    with engine.connect() as connection:
        return connection.scalar(text("SELECT count(*) FROM users"))
```

## Fix safety
Safe: the engine connects when it is first used, wherever it was made. Offered where all arguments are literals and names of the
module that are bound above the function.

## References
- [Engine configuration](https://docs.sqlalchemy.org/en/20/core/engines.html)
- [How do I use engines with Python multiprocessing, or os.fork()?](https://docs.sqlalchemy.org/en/20/core/pooling.html#using-connection-pools-with-multiprocessing-or-os-fork)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Const, Joined
from sqlalchemy_guard.fixes.hoist import block_of, definition_to_hoist_over, hoist
from sqlalchemy_guard.project.bodies import rests_on_all
from sqlalchemy_guard.project.engines import engine_of
from sqlalchemy_guard.project.lasting import (
    callers_of,
    depends_on_call,
    is_kept,
    runs_once,
    runs_per_request,
)
from sqlalchemy_guard.project.mentions import last_name
from sqlalchemy_guard.project.sessions import bound_name
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import FunctionFacts
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.rules.api import Related

rule = Rule("SAG104", Severity.WARNING, Applicability.SAFE)

_SET_UP = frozenset({"create_all", "drop_all", "create_database", "drop_database"})
"""What is called to set up a database, and to be rid of it."""


@rule.on_call("sqlalchemy.create_engine", "sqlalchemy.ext.asyncio.create_async_engine")
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report an engine that lives as long as a call."""
    fact, function = call.fact, call.fact.function
    if function is None or context.is_test() or context.is_migration():
        return
    if depends_on_call(fact.value) or engine_of(context.resolver, fact.value, context.file).has_no_pool:
        return
    name = bound_name(fact)
    related: tuple[Related, ...] = ()
    if isinstance(fact.statement, ast.Return) and fact.statement.value is fact.node:
        related = _callers(context, function)
        if not related:
            return
    elif name is not None:
        if is_kept(context.resolver, function, name, context.file):
            return
    elif not isinstance(fact.statement, (ast.Expr, ast.With, ast.AsyncWith)):
        return
    if not related and (
        runs_once(context.resolver, function, context.file) or _sets_up_database(context, function)
    ):
        return
    message = f"Each call of `{function.name}()` makes an engine with connections of its own; make it once, at module level"
    rests_on_all(context.resolver, context.file)
    around = definition_to_hoist_over(context.file, fact, name) if not related else None
    yield context.at_call(
        rule,
        fact,
        message,
        node=fact.node.func,
        applicability=Applicability.SAFE if around is not None else None,
        related=related,
        subject=(fact, around),
    )


def _sets_up_database(context: Context, function: FunctionFacts) -> bool:
    """Whether a function creates or drops a whole database, or all of its tables: nobody does that again and again."""
    for fact in context.resolver.calls_in(function, context.file):
        call = fact.value
        if any(last_name(value) in _SET_UP for value in (call.func, *call.args)):
            return True
        for value in call.args:
            first = value.parts[0] if type(value) is Joined and value.parts else value
            words = first.value.split() if type(first) is Const and isinstance(first.value, str) else []
            if [word.upper() for word in words[:2]] in (["CREATE", "DATABASE"], ["DROP", "DATABASE"]):
                return True
    return False


def _callers(context: Context, function: FunctionFacts) -> tuple[Related, ...]:
    """The calls of a function that gives engines away which run for each request, or in a loop."""
    if runs_once(context.resolver, function, context.file):
        return ()
    return tuple(
        context.related(file, call.chunk, call.node, "a new engine each time")
        for call, file in callers_of(context.workspace, function, context.file, passing=False)
        if call.function is not None and runs_per_request(context.resolver, call.function, file) is not None
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Make the engine in front of the function."""
    fact, around = violation.subject
    block = block_of(fact)
    edits = (
        hoist(context.source, fact.statement, block, around, fact.chunk.shift) if block is not None else None
    )
    if edits is None:
        return None
    return Fix("Make the engine once, at module level", Applicability.SAFE, {context.file.file_id: edits})
