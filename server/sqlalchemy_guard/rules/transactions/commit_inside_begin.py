"""A commit or rollback inside `with session.begin():`, with work behind it.

## What it does
Reports `commit()` and `rollback()` on a session or connection inside a `with` block of its `begin()` (or of a factory's or
engine's `begin()`) when the block goes on using it. `begin_nested()` is left alone.

## Why is this bad?
The block's transaction is over after the call, and everything behind it in the block fails with `InvalidRequestError: Can't
operate on closed transaction inside context manager`.

## Example
```python
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker()


def save(user, note):
    with SessionLocal.begin() as session:
        session.add(user)
        session.commit()
        session.add(note)
```

## Use instead
```python
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker()


def save(user, note):
    with SessionLocal.begin() as session:
        session.add(user)
        session.add(note)
```

## Fix safety
Safe for `commit()`: the block commits at its end, and the code did not run before. A `rollback()` has no fix: the block's end
would commit what it was to undo; leave the block by an exception instead.

## References
- [Framing out a begin / commit / rollback block](https://docs.sqlalchemy.org/en/20/orm/session_basics.html#framing-out-a-begin-commit-rollback-block)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Enter, Value, same
from sqlalchemy_guard.fixes.blocks import delete_statement
from sqlalchemy_guard.project.courses import HANDED, Course, receiver_of
from sqlalchemy_guard.project.effects import COMMITS
from sqlalchemy_guard.project.types import Instance, known
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact, Frame
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG404", Severity.ERROR, Applicability.SAFE)

_ROLLBACKS = frozenset(name.removesuffix("commit") + "rollback" for name in COMMITS)
_TRANSACTIONS = frozenset({"sqlalchemy.orm.SessionTransaction", "sqlalchemy.Transaction"})
_HARMLESS = frozenset(
    {HANDED, "close", "aclose", "begin", "in_transaction", "is_active", "expunge", "expunge_all"}
)


@rule.on_call(*sorted(COMMITS), *sorted(_ROLLBACKS))
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a call that ends the transaction of a block around it while the block still needs it."""
    fact = call.fact
    receiver = receiver_of(fact)
    if receiver is None or fact.function is None or call.likely:
        return
    block = _block(context, fact, receiver)
    if block is None:
        return
    later = _later_use(context, fact, receiver, block)
    if later is None:
        return
    ends = call.name.rpartition(".")[2]
    advice = (
        "leave it to the block, which commits at its end" if ends == "commit" else "raise to leave the block"
    )
    message = f"`{ends}()` ends the transaction of this `with` block, so what follows in it fails; {advice}"
    related = (context.related(context.file, later.chunk, later.node, "fails here"),)
    removable = ends == "commit" and _is_statement(fact)
    yield context.at_call(
        rule, fact, message, applicability=Applicability.SAFE if removable else None, related=related
    )


def _block(context: Context, fact: CallFact, receiver: Value) -> Frame | None:
    """The `with` block around a call that began the receiver's transaction, unless something nested stands between."""
    for frame in fact.frame.outwards() if fact.frame is not None else ():
        if frame.kind not in ("with", "async with"):
            continue
        for manager in frame.contexts:
            func = manager.func if type(manager) is Call else None
            if type(func) is not Attr:
                continue
            if func.name == "begin_nested":
                return None
            if func.name != "begin" or not _is_transaction(context, manager):
                continue
            entered = type(receiver) is Enter and same(receiver.base, manager)
            if entered or same(func.base, receiver):
                return frame
    return None


def _is_transaction(context: Context, manager: Value) -> bool:
    return any(
        isinstance(option, Instance) and option.ref in _TRANSACTIONS
        for option in known(context.type_of(manager))
    )


def _later_use(context: Context, fact: CallFact, receiver: Value, block: Frame) -> CallFact | None:
    """The next call on the receiver in the block that control reaches from a call."""
    if fact.function is None:
        return None
    course = Course(context.resolver, fact.function, receiver, context.file)
    starts = [following for point in course.paths.at(fact.node) for following in point.next]
    events = course.behind(starts, lambda point: point.kind == "leave" and point.node is block.node)
    return next((event.fact for event in events if event.name not in _HARMLESS), None)


def _is_statement(fact: CallFact) -> bool:
    value = fact.statement.value if isinstance(fact.statement, ast.Expr) else None
    return (value.value if isinstance(value, ast.Await) else value) is fact.node


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Remove the commit."""
    fact = violation.subject
    for name in ("body", "orelse", "finalbody"):
        block = getattr(fact.frame.node, name, None)
        if isinstance(block, list) and fact.statement in block:
            edits = delete_statement(context.source, fact.statement, block, fact.chunk.shift)
            if edits is not None:
                return Fix("Remove the commit", Applicability.SAFE, {context.file.file_id: edits})
    return None
