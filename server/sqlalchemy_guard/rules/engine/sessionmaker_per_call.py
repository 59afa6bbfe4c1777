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

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import same
from sqlalchemy_guard.fixes.arguments import replace_node
from sqlalchemy_guard.fixes.hoist import (
    block_of,
    definition_to_hoist_over,
    hoist,
    insertion,
    place_in_front,
)
from sqlalchemy_guard.fixes.naming import fresh
from sqlalchemy_guard.project.bodies import rests_on_all
from sqlalchemy_guard.project.lasting import (
    depends_on_call,
    is_configured,
    is_kept,
    runs_once,
)
from sqlalchemy_guard.project.sessions import bound_name
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact
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
    if function is None or context.is_test() or context.is_migration():
        return
    used = _used(context, fact) if name is None else None
    if (name is None and used is None) or depends_on_call(fact.value):
        return
    if name is not None and is_kept(context.resolver, function, name, context.file):
        return
    if runs_once(context.resolver, function, context.file):
        return
    message = f"Each call of `{function.name}()` makes a session factory; make it once, at module level"
    rests_on_all(context.resolver, context.file)
    around = None
    if name is not None and not is_configured(function, name):
        around = definition_to_hoist_over(context.file, fact, name)
    known = None
    if used is not None:
        known = _known(context, fact)
        around = place_in_front(context.file, fact) if known is None and _is_first(context, fact) else None
    yield context.at_call(
        rule,
        fact,
        message,
        node=fact.node.func,
        applicability=Applicability.SAFE if around is not None or known is not None else None,
        subject=(fact, around, known, used is not None),
    )


def _used(context: Context, fact: CallFact) -> ast.AST | None:
    """The call or the `.begin` that uses a factory where it is made, None where something else becomes of it."""
    parent = context.parent(fact.chunk, fact.node)
    if isinstance(parent, ast.Call) and parent.func is fact.node:
        return parent
    return parent if isinstance(parent, ast.Attribute) and parent.attr == "begin" else None


def _known(context: Context, fact: CallFact) -> str | None:
    """The name of the module's factory that is made in the very same way."""
    for name in context.file.facts.names:
        bound = context.file.facts.value_of(name)
        if bound is not None and same(bound[0], fact.value):
            return name
    return None


def _is_first(context: Context, fact: CallFact) -> bool:
    """Whether no such factory stands further up, which will be the one that this one can use then."""
    for unit in context.file.facts.units():
        for other in unit.calls:
            if other.node is fact.node:
                return True
            if (
                other.function is not None
                and same(other.value.func, fact.value.func)
                and _used(context, other)
            ):
                return False
    return True


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Make the factory in front of the function, or use the one that is there."""
    fact, around, known, is_nameless = violation.subject
    source, shift, file_id = context.source, fact.chunk.shift, context.file.file_id
    if known is not None:
        edits = replace_node(source, fact.node, known, shift, fact.statement)
        return Fix(f"Use `{known}`", Applicability.SAFE, {file_id: edits})
    title = "Make the factory once, at module level"
    if is_nameless:
        text = source.segment(fact.node, shift)
        if "\n" in text or around is None:
            return None
        is_async = text.partition("(")[0].rpartition(".")[2].startswith("async")
        name = fresh("AsyncSessionLocal" if is_async else "SessionLocal", context.file.facts.names)
        edits = replace_node(source, fact.node, name, shift, fact.statement)
        return Fix(
            title, Applicability.SAFE, {file_id: (insertion(source, f"{name} = {text}", around), *edits)}
        )
    block = block_of(fact)
    moved = hoist(source, fact.statement, block, around, shift) if block is not None else None
    return Fix(title, Applicability.SAFE, {file_id: moved}) if moved is not None else None
