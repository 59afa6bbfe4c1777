"""A failed commit that is caught, and the session used again without a rollback.

## What it does
Reports `except` clauses that go on after a failed `commit()` or `flush()` in their `try` block, without `rollback()`, where the
same session is used again: behind the `try`, or in the next round of a loop. Handlers that raise or return, sessions that are
closed, `with session.begin():` and savepoints are left alone.

## Why is this bad?
After a failed flush the session refuses every statement with `PendingRollbackError` until it is rolled back: the error that was
handled comes back as another one, further away from its cause.

## Example
```python
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session


def register(session: Session, user, event):
    session.add(user)
    try:
        session.commit()
    except IntegrityError:
        print("already registered")
    session.add(event)
    session.commit()
```

## Use instead
```python
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session


def register(session: Session, user, event):
    session.add(user)
    try:
        session.commit()
    except IntegrityError:
        session.rollback()
        print("already registered")
    session.add(event)
    session.commit()
```

## Fix safety
Safe where the `try` block does nothing but commit or flush: whatever the handler sees, the session is unusable until the
rollback. Unsafe where other statements may fail too, whose changes are then rolled back with the rest.

## References
- [Rolling back](https://docs.sqlalchemy.org/en/20/orm/session_basics.html#rolling-back)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.project.bodies import root_name
from sqlalchemy_guard.project.courses import Course, receiver_of, work_after_failure
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact, Frame
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG402", Severity.WARNING, Applicability.SAFE)

_SESSIONS = ("sqlalchemy.orm.Session", "sqlalchemy.ext.asyncio.AsyncSession")
_CAUGHT = frozenset(
    {
        "Exception", "BaseException", "SQLAlchemyError", "DBAPIError", "IntegrityError", "OperationalError",
        "DatabaseError", "DataError", "ProgrammingError", "StatementError", "InternalError", "FlushError",
        "StaleDataError",
    }
)  # fmt: skip


@rule.on_call(*(f"{session}.{name}" for session in _SESSIONS for name in ("commit", "flush")))
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report the handlers around a commit that go on with a session that needs a rollback."""
    fact = call.fact
    receiver = receiver_of(fact)
    frame = _try_around(fact)
    if receiver is None or frame is None or fact.function is None:
        return
    node = frame.node
    course = Course(context.resolver, fact.function, receiver, context.file)
    if not isinstance(node, ast.Try) or _first_of(course, node) is not fact:
        return
    for handler in node.handlers:
        later = work_after_failure(course, handler, root_name(fact.node.func)) if _catches(handler) else None
        if later is None:
            continue
        ends = call.name.rpartition(".")[2]
        message = f"After a failed `{ends}()` the session refuses all work until `rollback()`; roll back in this handler"
        related = (context.related(context.file, later.chunk, later.node, "used again here"),)
        yield context.violation(
            rule,
            frame.chunk,
            handler.type or handler.body[0],
            message,
            statement=handler.body[0],
            applicability=_applicability(call, node),
            related=related,
            subject=(fact, frame, handler),
        )


def _try_around(fact: CallFact) -> Frame | None:
    """The innermost `try` that guards a call, unless a `with` inside it may end the transaction by itself."""
    for frame in fact.frame.outwards() if fact.frame is not None else ():
        if frame.kind == "try":
            return frame
        if frame.kind in ("with", "async with", "except", "finally", "try-else", "lambda"):
            return None
    return None


def _first_of(course: Course, node: ast.Try) -> CallFact | None:
    """The first commit or flush of a `try` block, so that its handlers are reported once."""
    inside = {part for statement in node.body for part in ast.walk(statement)}
    found = [e.fact for e in course.events() if e.name in ("commit", "flush") and e.fact.node in inside]
    return min(found, key=lambda fact: (fact.node.lineno, fact.node.col_offset), default=None)


def _catches(handler: ast.ExceptHandler) -> bool:
    """Whether a handler sees what a failed flush raises."""
    names = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    for name in names:
        last = name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", "")
        if name is None or last in _CAUGHT:
            return True
    return False


def _applicability(call: LibraryCall, node: ast.Try) -> Applicability:
    only = len(node.body) == 1 and node.body[0] is call.fact.statement and isinstance(node.body[0], ast.Expr)
    return Applicability.SAFE if only and not call.likely else Applicability.UNSAFE


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Begin the handler with a rollback; it takes the place of a lone `pass`."""
    fact, frame, handler = violation.subject
    source, shift = context.source, frame.chunk.shift
    first = handler.body[0]
    start = source.start(first, shift)
    if not isinstance(fact.node.func, ast.Attribute) or violation.applicability is None:
        return None
    if source.text[source.line_start(start) : start].strip():
        return None
    call = f"{source.segment(fact.node.func.value, fact.chunk.shift)}.rollback()"
    text = f"await {call}" if fact.awaited else call
    if len(handler.body) == 1 and isinstance(first, ast.Pass):
        edit = Edit(start, source.end(first, shift), text)
    else:
        edit = Edit(start, start, f"{text}{source.newline}{source.margin(start)}")
    return Fix("Roll back in the handler", violation.applicability, {context.file.file_id: (edit,)})
