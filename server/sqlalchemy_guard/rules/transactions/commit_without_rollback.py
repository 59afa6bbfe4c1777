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

from sqlalchemy_guard.facts.declarations import LOOPS
from sqlalchemy_guard.facts.values import Attr, Typed, Value, same
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
_ENDS = frozenset({"rollback", "close", "aclose", "remove", "reset", "invalidate", "expunge_all"})
_NEEDS_TRANSACTION = frozenset(
    {
        "execute", "scalars", "scalar", "query", "get", "get_one", "commit", "flush", "refresh", "exec", "merge", "add",
        "add_all", "delete",
    }
)  # fmt: skip


@rule.on_call(*(f"{session}.{name}" for session in _SESSIONS for name in ("commit", "flush")))
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report the handlers around a commit that go on with a session that needs a rollback."""
    fact = call.fact
    receiver = _receiver(fact)
    frame = _try_around(fact)
    if receiver is None or frame is None or fact.function is None:
        return
    node = frame.node
    if not isinstance(node, ast.Try) or _first_of(fact, receiver, node) is not fact:
        return
    for handler in node.handlers:
        if not _catches(handler) or _leaves(handler) or _ends_transaction(fact, receiver, handler):
            continue
        if any(_ends_session(fact, receiver, statement) for statement in node.finalbody):
            continue
        later = _later_use(fact, receiver, frame)
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


def _receiver(fact: CallFact) -> Value | None:
    func = fact.value.func
    if type(func) is not Attr:
        return None
    return func.base.value if type(func.base) is Typed else func.base


def _try_around(fact: CallFact) -> Frame | None:
    """The innermost `try` that guards a call, unless a `with` inside it may end the transaction by itself."""
    for frame in fact.frame.outwards() if fact.frame is not None else ():
        if frame.kind == "try":
            return frame
        if frame.kind in ("with", "async with", "except", "finally", "try-else", "lambda"):
            return None
    return None


def _calls_on(fact: CallFact, receiver: Value) -> Iterator[tuple[CallFact, str]]:
    for other in fact.function.calls if fact.function is not None else ():
        base = _receiver(other)
        if base is not None and isinstance(other.value.func, Attr) and same(base, receiver):
            yield other, other.value.func.name


def _first_of(fact: CallFact, receiver: Value, node: ast.Try) -> CallFact | None:
    """The first commit or flush of a `try` block, so that its handlers are reported once."""
    inside = {part for statement in node.body for part in ast.walk(statement)}
    for other, name in _calls_on(fact, receiver):
        if name in ("commit", "flush") and other.node in inside:
            return other
    return None


def _catches(handler: ast.ExceptHandler) -> bool:
    """Whether a handler sees what a failed flush raises."""
    names = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    for name in names:
        last = name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", "")
        if name is None or last in _CAUGHT:
            return True
    return False


def _leaves(handler: ast.ExceptHandler) -> bool:
    """Whether every way through a handler, or one that is easily missed, raises, returns or leaves the loop."""
    leaving = (ast.Raise, ast.Return, ast.Break)
    if any(isinstance(part, leaving) for statement in handler.body for part in ast.walk(statement)):
        return True
    return any(
        isinstance(part, ast.Call) and getattr(part.func, "attr", getattr(part.func, "id", "")) in _EXITS
        for statement in handler.body
        for part in ast.walk(statement)
    )


_EXITS = frozenset({"exit", "abort", "_exit", "fail", "skip"})


def _ends_transaction(fact: CallFact, receiver: Value, handler: ast.ExceptHandler) -> bool:
    return any(_ends_session(fact, receiver, statement) for statement in handler.body)


def _ends_session(fact: CallFact, receiver: Value, statement: ast.stmt) -> bool:
    """Whether a statement rolls back or closes the session, or calls something that may: anything that is handed it."""
    inside = set(ast.walk(statement))
    for other in fact.function.calls if fact.function is not None else ():
        if other.node not in inside:
            continue
        func = other.value.func
        if type(func) is Attr and func.name in _ENDS:
            return True
        if "rollback" in getattr(other.node.func, "attr", getattr(other.node.func, "id", "")):
            return True
        given = (*other.value.args, *(value for _, value in other.value.keywords))
        if any(same(value, receiver) for value in given):
            return True
    return False


def _later_use(fact: CallFact, receiver: Value, frame: Frame) -> CallFact | None:
    """The next call on the session that control may come to behind the handlers of a `try`."""
    node = frame.node
    within = {part for part in ast.walk(node) if isinstance(part, ast.Call)}
    last = max(getattr(part, "end_lineno", 0) or 0 for part in ast.walk(node))
    blocks = {(one.kind, one.node) for one in frame.parent.outwards()} if frame.parent is not None else set()
    opposite = {("else" if kind == "if" else "if", one) for kind, one in blocks if kind in ("if", "else")}
    handlers = {
        ("except", handler)
        for kind, one in blocks
        if kind == "try"
        for handler in getattr(one, "handlers", [])
    }
    for other, name in _calls_on(fact, receiver):
        if other.node in within or other.chunk is not fact.chunk or other.node.lineno <= last:
            continue
        around = (
            {(one.kind, one.node) for one in other.frame.outwards()} if other.frame is not None else set()
        )
        if around & (opposite | handlers):
            continue
        if name in _ENDS:
            return None
        if name in _NEEDS_TRANSACTION and not _left_before(frame, other):
            return other
    return _next_round(fact, receiver, frame)


def _left_before(frame: Frame, other: CallFact) -> bool:
    """Whether the blocks between the `try` and a later use are left by `return`, `raise`, `continue` or `break`."""
    around = {one.node for one in other.frame.outwards()} if other.frame is not None else set()
    node: ast.AST = frame.node
    parent = frame.parent
    while parent is not None and parent.kind not in ("function", "class") and parent.node not in around:
        for name in ("body", "orelse", "finalbody"):
            block = getattr(parent.node, name, None)
            if isinstance(block, list) and node in block:
                rest = block[block.index(node) + 1 :]
                if any(isinstance(one, (ast.Return, ast.Raise, ast.Continue, ast.Break)) for one in rest):
                    return True
        node, parent = parent.node, parent.parent
    return False


def _next_round(fact: CallFact, receiver: Value, frame: Frame) -> CallFact | None:
    """The first use of the session in the loop around a `try`, which the next round comes to."""
    for outer in frame.parent.outwards() if frame.parent is not None else ():
        if outer.kind not in LOOPS:
            continue
        inside = {part for part in ast.walk(outer.node) if isinstance(part, ast.Call)}
        uses = [(other, name) for other, name in _calls_on(fact, receiver) if other.node in inside]
        if _is_made_inside(fact, outer.node) or any(name in _ENDS for _, name in uses):
            return None
        return uses[0][0] if uses else None
    return None


def _is_made_inside(fact: CallFact, loop: ast.AST) -> bool:
    """Whether the loop binds the name that the session is called by: each round has its own."""
    node: ast.AST = fact.node.func
    while isinstance(node, ast.Attribute):
        node = node.value
    return not isinstance(node, ast.Name) or any(
        isinstance(part, ast.Name) and part.id == node.id and isinstance(part.ctx, ast.Store)
        for part in ast.walk(loop)
    )


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
