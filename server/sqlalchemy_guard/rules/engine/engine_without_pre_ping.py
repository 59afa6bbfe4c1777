"""Engine without `pool_pre_ping`: connections that the database has closed fail requests.

## What it does
Reports engines that are created without `pool_pre_ping=True`, and `SQLALCHEMY_ENGINE_OPTIONS` or `engine_options` of
Flask-SQLAlchemy without it. Silent in tests, migrations and the `__main__` block of a script, without a pool, for in-memory
SQLite, and where options come from a mapping that cannot be read.

## Why is this bad?
Databases, proxies and firewalls close idle connections. Without the ping the pool hands out such a dead connection, and the
first statement on it fails with a disconnection error. The ping costs one light round trip per checkout.

## Example
```python
from sqlalchemy import create_engine

engine = create_engine("postgresql+psycopg://db", pool_size=5, max_overflow=9)
```

## Use instead
```python
from sqlalchemy import create_engine

engine = create_engine(
    "postgresql+psycopg://db", pool_size=5, max_overflow=9, pool_pre_ping=True
)
```

## Fix safety
Safe: the statements and their results stay the same.

## References
- [Disconnect handling, pessimistic](https://docs.sqlalchemy.org/en/20/core/pooling.html#disconnect-handling-pessimistic)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Const
from sqlalchemy_guard.fixes.arguments import add_entry, add_keyword, replace_node, replace_value
from sqlalchemy_guard.project.bodies import in_main_block
from sqlalchemy_guard.project.engines import CREATORS, engine_of
from sqlalchemy_guard.project.flask_options import EngineOptions, is_filled_later, uses_flask_sqlalchemy
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG101", Severity.WARNING, Applicability.SAFE)

_MESSAGE = (
    "Engine without `pool_pre_ping=True`: a connection that the database has closed will fail a request"
)


@rule.on_call(*CREATORS)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report an engine whose options are all known and do not have the ping."""
    if context.is_test() or context.is_migration() or in_main_block(call.fact):
        return
    engine = engine_of(context.resolver, call.fact.value, context.file)
    given = engine.options.get("pool_pre_ping")
    if given is None and engine.is_open:
        return
    if engine.has_no_pool or (given is not None and not (type(given) is Const and given.value is False)):
        return
    yield context.at_call(
        rule, call.fact, _MESSAGE, node=call.fact.node.func, applicability=_applicability(call)
    )


@rule.on(EngineOptions)
def check_options(context: Context, options: EngineOptions) -> Iterator[Violation]:
    """Report options of Flask-SQLAlchemy without the ping."""
    given = options.entries.get("pool_pre_ping")
    if context.is_test() or options.has_no_pool:
        return
    if given is None and is_filled_later(context.resolver, context.file, "pool_pre_ping"):
        return
    if given is not None and not (isinstance(given, ast.Constant) and given.value is False):
        return
    if uses_flask_sqlalchemy(context.workspace):
        yield context.violation(
            rule,
            options.chunk,
            options.node,
            _MESSAGE,
            statement=options.statement,
            applicability=Applicability.SAFE,
            subject=options,
        )


def _applicability(call: LibraryCall) -> Applicability | None:
    """A setting that comes from a configuration dictionary is mended there, not at the call."""
    return None if call.name.endswith("engine_from_config") else Applicability.SAFE


@rule.fix
def fix(context: Context, violation: Violation) -> Fix:
    """Add the keyword, or turn the one that is there on."""
    fact = violation.subject
    shift = fact.chunk.shift
    title = "Add `pool_pre_ping=True`"
    if isinstance(fact, EngineOptions) and isinstance(fact.node, ast.Dict):
        off = fact.entries.get("pool_pre_ping")
        edits = (
            add_entry(context.source, fact.node, "pool_pre_ping", "True", shift, fact.statement)
            if off is None
            else replace_node(context.source, off, "True", shift, fact.statement)
        )
        return Fix(title, Applicability.SAFE, {context.file.file_id: edits})
    given = next((keyword for keyword in fact.node.keywords if keyword.arg == "pool_pre_ping"), None)
    edits = (
        add_keyword(context.source, fact.node, "pool_pre_ping", "True", shift, fact.statement)
        if given is None
        else replace_value(context.source, given, "True", shift, fact.statement)
    )
    return Fix(title, Applicability.SAFE, {context.file.file_id: edits})
