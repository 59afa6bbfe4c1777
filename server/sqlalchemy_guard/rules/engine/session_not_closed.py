"""A session that is made and not closed on every path.

## What it does
Reports functions that make a session, keep it to themselves, and close it neither by `with` nor in `finally`: sessions that
are never closed, those whose `close()` an exception or an early `return` jumps over, and those that are made for a single call,
as in `make_session().execute(…)`. A session that is returned,
stored, yielded, registered for clean-up or handed to something that may close it is left alone, and so are tests.

## Why is this bad?
An open session keeps its connection and its transaction until the garbage collector finds it. After a few errors the pool
is empty and every other request waits.

## Example
```python
from sqlalchemy import text
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker()


def clear_basket(basket_id):
    session = SessionLocal()
    session.execute(text("DELETE FROM item WHERE basket = :id"), {"id": basket_id})
    session.commit()
    session.close()
```

## Use instead
```python
from sqlalchemy import text
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker()


def clear_basket(basket_id):
    with SessionLocal() as session:
        session.execute(text("DELETE FROM item WHERE basket = :id"), {"id": basket_id})
        session.commit()
```

## Fix safety
Safe where `close()` stood at the end of the ordinary path, or where nothing follows the block and nothing leaves the function:
`with` closes at the same place, and after an error too. Unsafe where objects may be used behind the block, which detaches
them, or where the session is only likely one. No fix where the uses do not follow the assignment in one block.

## References
- [Opening and closing a session](https://docs.sqlalchemy.org/en/20/orm/session_basics.html#opening-and-closing-a-session)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.declarations import FunctionFacts
from sqlalchemy_guard.fixes.managed import Region, detaches, manage, region_of
from sqlalchemy_guard.project.bodies import body_of
from sqlalchemy_guard.project.runs import is_fixture
from sqlalchemy_guard.project.sessions import (
    MadeSession,
    gives_live,
    made_sessions,
    nameless_sessions,
    ways_left_open,
)
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.rules.api import Related

rule = Rule("SAG107", Severity.WARNING, Applicability.SAFE)


@rule.on(FunctionFacts)
def check(context: Context, function: FunctionFacts) -> Iterator[Violation]:
    """Report the sessions of a function that some path leaves open."""
    if context.is_test() or context.is_migration():
        return
    if is_fixture(context.resolver, function, context.file):
        return
    yield from _nameless(context, function)
    for session in made_sessions(context.resolver, function, context.file):
        if session.uses.escapes:
            continue
        ways = ways_left_open(context.resolver, session, function, context.file)
        if not ways or gives_live(context.resolver, function, context.file):
            continue
        if session.likely and context.settings.inference == "proven":
            continue
        early = next((point.node for point in ways if isinstance(point.node, ast.Return)), None)
        related: tuple[Related, ...] = ()
        if session.uses.closings and not session.closings:
            what = "is never closed, as nothing awaits `close()`"
        elif not session.uses.closings:
            what = "is never closed"
        elif early is not None:
            what = "stays open where the function returns early"
            related = (context.related(context.file, session.fact.chunk, early, "still open here"),)
        else:
            what = "is closed only when no error occurs before"
        message = (
            f"`{session.name}` {what}: its connection does not go back to the pool; make it in a `with` block"
        )
        region = _region(function, session)
        yield context.at_call(
            rule,
            session.fact,
            message,
            applicability=_applicability(function, session, region) if region is not None else None,
            related=related,
            subject=(function, session),
        )


def _nameless(context: Context, function: FunctionFacts) -> Iterator[Violation]:
    """Sessions that are made for one call and left to the garbage collector."""
    for fact, kind, likely in nameless_sessions(context.resolver, function, context.file):
        if gives_live(context.resolver, function, context.file):
            return
        if likely and context.settings.inference == "proven":
            continue
        node = fact.node.func.value if isinstance(fact.node.func, ast.Attribute) else fact.node
        keyword = "async with" if kind == "async" else "with"
        message = (
            "This session is made for one call and never closed: its connection does not go back to the pool; make it in"
            f" `{keyword} … as session:`"
        )
        yield context.at_call(rule, fact, message, node=node)


def _applicability(function: FunctionFacts, session: MadeSession, region: Region) -> Applicability | None:
    if session.kind == "async" and not function.is_async:
        return None
    if session.likely or detaches(region):
        return Applicability.UNSAFE
    if any(statement in region.block for statement, _ in region.closings):
        return Applicability.SAFE
    behind = region.block[region.block.index(region.inside[-1]) + 1 :]
    outermost = any(session.assignment is statement for _, statement in body_of(function))
    return Applicability.SAFE if not behind and outermost else Applicability.UNSAFE


def _region(function: FunctionFacts, session: MadeSession) -> Region | None:
    body = body_of(function)
    if len({chunk.shift for chunk, _ in body}) != 1:
        return None
    closings = [call for call, _ in session.uses.closings]
    return region_of([one for _, one in body], session.assignment, session.uses.names, closings)


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Put the uses of the session into `with … as name:` and drop the calls of `close()` that it makes superfluous."""
    function, session = violation.subject
    region = _region(function, session)
    if region is None or violation.applicability is None:
        return None
    edits = manage(
        context.source,
        session.assignment,
        region.block,
        region.inside,
        region.closings,
        is_async=session.kind == "async",
        shift=session.fact.chunk.shift,
    )
    if edits is None:
        return None
    title = f"Make the session in `{'async with' if session.kind == 'async' else 'with'}`"
    if violation.applicability is Applicability.UNSAFE:
        title += ", which detaches the objects it loaded at the block's end"
    return Fix(title, violation.applicability, {context.file.file_id: edits})
