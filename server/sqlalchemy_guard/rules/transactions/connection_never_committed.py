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
import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Const, Enter, Value, same
from sqlalchemy_guard.project.engines import leading_text
from sqlalchemy_guard.project.sessions import uses_of
from sqlalchemy_guard.project.types import Instance, known
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact, Frame
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG409", Severity.ERROR, Applicability.SAFE)

_CHANGES = frozenset({"sqlalchemy.Insert", "sqlalchemy.Update", "sqlalchemy.Delete"})
_ENGINES = frozenset({"sqlalchemy.Engine", "sqlalchemy.ext.asyncio.AsyncEngine"})
_CHANGING_TEXT = re.compile(r"\s*(INSERT|UPDATE|DELETE|MERGE|REPLACE)\b", re.IGNORECASE)
_COMMITTING = frozenset(
    {"commit", "begin", "begin_nested", "begin_twophase", "execution_options", "get_transaction", "run_sync"}
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
        or not _is_change(context, fact)
    ):
        return
    frame, manager, connection = found
    item = next((one for one in _items(frame) if isinstance(one.optional_vars, ast.Name)), None)
    if item is None or not isinstance(item.optional_vars, ast.Name) or len(_items(frame)) != 1:
        return
    uses = uses_of(context.resolver, fact.function, item.optional_vars.id, context.file)
    if uses.escapes or uses.bindings != 1:
        return
    rolls_back = False
    for other in fact.function.calls:
        func = other.value.func
        given = (*other.value.args, *(value for _, value in other.value.keywords))
        if any(same(value, connection) for value in given):
            # Whoever is handed the connection may commit it.
            return
        if type(func) is not Attr or not same(func.base, connection):
            continue
        earlier = other.chunk is fact.chunk and _place(other) < _place(fact)
        if func.name in _COMMITTING or (earlier and _is_change(context, other)):
            return
        rolls_back = rolls_back or func.name == "rollback"
    message = (
        "This change is rolled back when the `connect()` block ends: nothing commits it; use `engine.begin()`"
    )
    likely = call.likely or any(
        isinstance(option, Instance) and option.likely for option in known(context.type_of(manager.func))
    )
    applicability = Applicability.UNSAFE if likely or rolls_back else Applicability.SAFE
    plain = isinstance(item.context_expr, ast.Call) and isinstance(item.context_expr.func, ast.Attribute)
    yield context.at_call(
        rule, fact, message, applicability=applicability if plain else None, subject=(frame, item)
    )


def _place(fact: CallFact) -> tuple[int, int]:
    return fact.node.lineno, fact.node.col_offset


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
    if _is_autocommit(context, manager.func.base):
        return None
    for frame in fact.frame.outwards() if fact.frame is not None else ():
        if frame.kind in ("with", "async with") and any(same(one, manager) for one in frame.contexts):
            return frame, manager, connection
    return None


def _is_autocommit(context: Context, engine: Value) -> bool:
    """Whether the engine, or the options it was made with, may set an isolation level."""
    value, _ = context.resolver.definition_of(engine, context.file)
    if type(value) is not Call:
        return False
    return value.has_mapping or any(
        name in ("isolation_level", "execution_options") for name, _ in value.keywords
    )


def _is_change(context: Context, fact: CallFact) -> bool:
    """Whether a call executes a statement that changes rows, as far as the code says."""
    if not (type(fact.value.func) is Attr and fact.value.func.name == "execute" and fact.value.args):
        return False
    statement = fact.value.args[0]
    for option in known(context.type_of(statement)):
        if isinstance(option, Instance) and option.ref in _CHANGES:
            return True
    value, file = context.resolver.definition_of(statement, context.file)
    if (
        type(value) is Call
        and context.resolver.external_name(value.func, file) == "sqlalchemy.text"
        and value.args
    ):
        text = leading_text(context.resolver, value.args[0], file)
        return text is not None and _CHANGING_TEXT.match(text) is not None
    return type(value) is Const and isinstance(value.value, str) and bool(_CHANGING_TEXT.match(value.value))


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
