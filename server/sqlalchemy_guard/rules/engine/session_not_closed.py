"""A session that is made and not closed on every path.

## What it does
Reports functions that make a session, keep it to themselves, and close it neither by `with` nor in `finally`: sessions that
are never closed, and those whose `close()` an exception or an early `return` jumps over. A session that is returned,
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
import itertools
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.declarations import FunctionFacts
from sqlalchemy_guard.fixes.managed import manage
from sqlalchemy_guard.project.bodies import body_of
from sqlalchemy_guard.project.sessions import MadeSession, gives_live, is_closed_always, made_sessions
from sqlalchemy_guard.project.types import ClassType
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy_guard.context import Context

rule = Rule("SAG107", Severity.WARNING, Applicability.SAFE)


@rule.on(FunctionFacts)
def check(context: Context, function: FunctionFacts) -> Iterator[Violation]:
    """Report the sessions of a function that some path leaves open."""
    if context.is_test() or context.is_migration():
        return
    for session in made_sessions(context.resolver, function, context.file):
        if session.uses.escapes or is_closed_always(session) or _is_unbound(context, session):
            continue
        if gives_live(context.resolver, function, context.file):
            continue
        if session.likely and context.settings.inference == "proven":
            continue
        what = "is closed only when no error occurs before" if session.uses.closings else "is never closed"
        message = (
            f"`{session.name}` {what}: its connection does not go back to the pool; make it in a `with` block"
        )
        region = _region(function, session)
        yield context.at_call(
            rule,
            session.fact,
            message,
            applicability=_applicability(function, session, region) if region is not None else None,
            subject=(function, session),
        )


def _is_unbound(context: Context, session: MadeSession) -> bool:
    """Whether it is the library's class called without any argument: such a session has no engine and no connection."""
    call = session.fact.value
    made = context.type_of(call.func)
    plain = isinstance(made, ClassType) and isinstance(made.ref, str)
    return plain and not call.args and not call.keywords


def _block(function: FunctionFacts, statement: ast.stmt) -> list[ast.stmt] | None:
    """The block that a statement of a function stands in."""
    blocks = [[inner for _, inner in body_of(function)]]
    while blocks:
        block = blocks.pop()
        if statement in block:
            return block
        for inner in block:
            for part in ast.walk(inner):
                for name in ("body", "orelse", "finalbody"):
                    found = getattr(part, name, None)
                    if isinstance(found, list) and statement in found:
                        return found
    return None


def _region(function: FunctionFacts, session: MadeSession) -> tuple[list[ast.stmt], list[ast.stmt]] | None:
    """The block of the assignment and the statements behind it up to the last use; None when uses stand elsewhere."""
    if len({chunk.shift for chunk, _ in body_of(function)}) != 1:
        return None
    block = _block(function, session.assignment)
    if block is None:
        return None
    names = set(session.uses.names)
    rest = block[block.index(session.assignment) + 1 :]
    users = [statement for statement in rest if any(part in names for part in ast.walk(statement))]
    if not users or sum(part in names for user in users for part in ast.walk(user)) != len(names):
        return None
    inside = rest[: rest.index(users[-1]) + 1]
    if len(inside) > 1 and _closing(inside[-1], session):
        inside = inside[:-1]
    return (block, inside) if not _closing(inside[-1], session) else None


def _closing(statement: ast.stmt, session: MadeSession) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    value = value.value if isinstance(value, ast.Await) else value
    return any(value is call for call, _ in session.uses.closings)


def _superfluous(
    block: Sequence[ast.stmt], inside: Sequence[ast.stmt], session: MadeSession
) -> list[tuple[ast.stmt, Sequence[ast.stmt]]]:
    """The calls that close the session where the `with` block is left anyway."""
    found: list[tuple[ast.stmt, Sequence[ast.stmt]]] = []
    end = block.index(inside[-1]) + 1
    if end < len(block) and _closing(block[end], session):
        found.append((block[end], block))
    for statement in inside:
        for part in ast.walk(statement):
            for name in ("body", "orelse"):
                inner = getattr(part, name, None)
                if not isinstance(inner, list):
                    continue
                found.extend(
                    (one, inner)
                    for one, following in itertools.pairwise(inner)
                    if _closing(one, session) and isinstance(following, (ast.Return, ast.Raise))
                )
    return found


def _applicability(
    function: FunctionFacts, session: MadeSession, region: tuple[list[ast.stmt], list[ast.stmt]]
) -> Applicability | None:
    block, inside = region
    if session.kind == "async" and not function.is_async:
        return None
    if session.likely:
        return Applicability.UNSAFE
    dropped = {statement for statement, _ in _superfluous(block, inside, session)}
    closes_at_end = any(statement in dropped for statement in block)
    for statement in inside:
        for part in ast.walk(statement):
            if not isinstance(part, ast.Return) or part.value is None or isinstance(part.value, ast.Constant):
                continue
            if not any(one.lineno < part.lineno and _precedes(one, part, statement) for one in dropped):
                return Applicability.UNSAFE
    if closes_at_end:
        return Applicability.SAFE
    behind = block[block.index(inside[-1]) + 1 :]
    outermost = any(session.assignment is statement for _, statement in body_of(function))
    return Applicability.SAFE if not behind and outermost else Applicability.UNSAFE


def _precedes(one: ast.stmt, leaving: ast.Return, top: ast.stmt) -> bool:
    """Whether a statement stands directly in front of a `return`."""
    for part in ast.walk(top):
        for name in ("body", "orelse"):
            block = getattr(part, name, None)
            if isinstance(block, list) and one in block and leaving in block:
                return block.index(leaving) == block.index(one) + 1
    return False


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Put the uses of the session into `with … as name:` and drop the calls of `close()` that it makes superfluous."""
    function, session = violation.subject
    region = _region(function, session)
    if region is None or violation.applicability is None:
        return None
    block, inside = region
    edits = manage(
        context.source,
        session.assignment,
        block,
        inside,
        _superfluous(block, inside, session),
        is_async=session.kind == "async",
        shift=session.fact.chunk.shift,
    )
    if edits is None:
        return None
    title = f"Make the session in `{'async with' if session.kind == 'async' else 'with'}`"
    if violation.applicability is Applicability.UNSAFE:
        title += ", which detaches the objects it loaded at the block's end"
    return Fix(title, violation.applicability, {context.file.file_id: edits})
