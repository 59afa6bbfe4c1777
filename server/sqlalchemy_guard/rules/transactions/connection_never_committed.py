"""Changes on a connection that is never committed.

## What it does
Reports `INSERT`, `UPDATE` and `DELETE` in a block of `engine.connect()` that neither commits nor begins a transaction, nor hands
the connection to anybody who might. Projects for 1.4 and connections with the isolation level `AUTOCOMMIT` are left alone.

## Why is this bad?
Since SQLAlchemy 2.0 a connection rolls back when it is closed. The statements run, nothing fails, and nothing is saved.

## Example
```python
from sqlalchemy import Engine, text


def clear(engine: Engine):
    with engine.connect() as connection:
        connection.execute(text("DELETE FROM basket"))
```

## Use instead
```python
from sqlalchemy import Engine, text


def clear(engine: Engine):
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM basket"))
```

## Fix safety
Safe: the block runs the same statements and commits at its end, as the code says it should. Unsafe where the engine is only likely
one, or where the block also rolls back.

## References
- [Commit as you go](https://docs.sqlalchemy.org/en/20/core/connections.html#commit-as-you-go)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Enter, Value, same
from sqlalchemy_guard.project.courses import HANDED, Course
from sqlalchemy_guard.project.engines import sets_isolation
from sqlalchemy_guard.project.sessions import uses_of
from sqlalchemy_guard.project.types import Instance, known
from sqlalchemy_guard.project.writes import executes_change, first_lost, makes_temporary_table
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact, Frame
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG409", Severity.ERROR, Applicability.SAFE, modern=True)

_ENGINES = frozenset({"sqlalchemy.Engine", "sqlalchemy.ext.asyncio.AsyncEngine"})
_OPENING = frozenset(
    {"begin", "begin_nested", "begin_twophase", "execution_options", "get_transaction", "run_sync"}
)


@rule.on_call("sqlalchemy.Connection.execute", "sqlalchemy.ext.asyncio.AsyncConnection.execute")
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report the first change of a block that loses it."""
    fact = call.fact
    found = _block(context, fact)
    if (
        found is None
        or fact.function is None
        or context.target_version == "1.4"
        or not executes_change(context.resolver, fact, context.file)
    ):
        return
    frame, manager, connection = found
    item = next((one for one in _items(frame) if isinstance(one.optional_vars, ast.Name)), None)
    if item is None or not isinstance(item.optional_vars, ast.Name) or len(_items(frame)) != 1:
        return
    uses = uses_of(context.resolver, fact.function, item.optional_vars.id, context.file)
    if uses.escapes or uses.bindings != 1:
        return
    course = Course(context.resolver, fact.function, connection, context.file)
    events = list(course.events())
    if any(event.name == HANDED or event.name in _OPENING for event in events):
        # Whoever is handed the connection may commit it.
        return
    if any(makes_temporary_table(context.resolver, event.fact, context.file) for event in events):
        # What is written there is read by the same connection, and is not wanted behind it.
        return
    lost = first_lost(context.resolver, course, context.file)
    if lost is None or lost.fact.node is not fact.node:
        return
    message = (
        "This change is rolled back when the `connect()` block ends: nothing commits it; use `engine.begin()`"
    )
    likely = call.likely or any(
        isinstance(option, Instance) and option.likely for option in known(context.type_of(manager.func))
    )
    names = {event.name for event in events}
    applicability = Applicability.UNSAFE if likely or "rollback" in names else Applicability.SAFE
    plain = (
        "commit" not in names
        and isinstance(item.context_expr, ast.Call)
        and isinstance(item.context_expr.func, ast.Attribute)
    )
    yield context.at_call(
        rule, fact, message, applicability=applicability if plain else None, subject=(frame, item)
    )


def _items(frame: Frame) -> list[ast.withitem]:
    return getattr(frame.node, "items", [])


def _block(context: Context, fact: CallFact) -> tuple[Frame, Call, Value] | None:
    """The `with engine.connect() as …` block that entered the connection of a call."""
    func = fact.value.func
    connection = func.base if type(func) is Attr else None
    if type(connection) is not Enter:
        return None
    manager = connection.base
    if type(manager) is not Call or type(manager.func) is not Attr or manager.func.name != "connect":
        return None
    engines = list(known(context.type_of(manager.func.base)))
    if not any(isinstance(option, Instance) and option.ref in _ENGINES for option in engines):
        return None
    if sets_isolation(context.resolver, manager.func.base, context.file):
        return None
    for frame in fact.frame.outwards() if fact.frame is not None else ():
        if frame.kind in ("with", "async with") and any(same(one, manager) for one in frame.contexts):
            return frame, manager, connection
    return None


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Say `begin` where `connect` stands."""
    frame, item = violation.subject
    source, shift = context.source, frame.chunk.shift
    end = source.end(item.context_expr.func, shift)
    if source.text[end - len("connect") : end] != "connect" or violation.applicability is None:
        return None
    edit = Edit(end - len("connect"), end, "begin")
    return Fix("Use `begin()`, which commits", violation.applicability, {context.file.file_id: (edit,)})
