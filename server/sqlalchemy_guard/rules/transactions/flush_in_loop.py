"""`flush()` once per iteration although nothing in the loop needs it.

## What it does
Reports `flush()` and `expire_all()` that every iteration of a loop calls, where nothing behind them in the iteration reads what the
loop made, and the loop asks the session for nothing. Also loops that do nothing but `refresh()` one object after the other.
Batches, retries, savepoints, a few objects written out, migrations and tests are left alone.

## Why is this bad?
A flush sends what is pending. Once per object it is one round trip each, where one flush at the end sends many rows in one
`INSERT`; `expire_all()` makes the next read of every object a query. The commit flushes anyway. `refresh()` is a SELECT for each
object, where one `select()` with `execution_options(populate_existing=True)` refreshes all of them.

## Example
```python
from sqlalchemy.orm import Session

from models import User


def load(session: Session, names: list[str]) -> None:
    for name in names:
        session.add(User(name=name))
        session.flush()
    session.commit()
```

## Use instead
```python
from sqlalchemy.orm import Session

from models import User


def load(session: Session, names: list[str]) -> None:
    for name in names:
        session.add(User(name=name))
    session.flush()
    session.commit()
```

## Fix safety
Safe where the call ends the body of a `for` loop that nothing leaves early: the same rows are written in the same order before
anything reads them. Else unsafe: what was written before an error is then not written at all.

## References
- [Flushing](https://docs.sqlalchemy.org/en/20/orm/session_basics.html#flushing)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Call, Enter, Param
from sqlalchemy_guard.fixes.blocks import move_behind
from sqlalchemy_guard.project.courses import Course, is_read_behind, receiver_of
from sqlalchemy_guard.project.loops import deliberate, head_of, leaves_early, tail_of
from sqlalchemy_guard.project.types import FunctionType, known
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact, Frame
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG406", Severity.WARNING, Applicability.SAFE)

_SESSIONS = ("sqlalchemy.orm.Session", "sqlalchemy.ext.asyncio.AsyncSession")
_HARMLESS = frozenset({"add", "add_all", "flush", "expire_all"})


@rule.on_call(*(f"{session}.{name}" for session in _SESSIONS for name in ("flush", "expire_all")))
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a flush that no iteration needs."""
    fact = call.fact
    loop = _loop(fact)
    if loop is None or fact.node.args or fact.node.keywords or context.is_test() or context.is_migration():
        return
    if any(deliberate(context.resolver, fact, one, context.file) for one in fact.loops()):
        return
    if _asks_session(context, call, loop) or is_read_behind(context.resolver, fact, loop, context.file):
        return
    name = call.name.rpartition(".")[2]
    yield context.at_call(
        rule,
        fact,
        f"`{name}()` in every iteration, and nothing in the loop needs it; call it once after the loop",
        applicability=_applicability(call, loop),
        related=(context.related(context.file, loop.chunk, head_of(loop.node), "the loop"),),
        subject=(fact, loop),
    )


@rule.on_call(*(f"{session}.refresh" for session in _SESSIONS))
def check_refresh(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a loop that only refreshes."""
    fact = call.fact
    loop = _loop(fact)
    node = loop.node if loop is not None else None
    if (
        loop is None
        or not isinstance(node, (ast.For, ast.AsyncFor))
        or context.is_test()
        or context.is_migration()
    ):
        return
    if node.body != [fact.statement] or isinstance(node.iter, (ast.List, ast.Tuple)):
        return
    if not (fact.node.args and isinstance(fact.node.args[0], ast.Name) and isinstance(node.target, ast.Name)):
        return
    if fact.node.args[0].id == node.target.id:
        yield context.at_call(
            rule,
            fact,
            "`refresh()` costs one SELECT for every object of the loop; one `select()` of all of them with "
            "`execution_options(populate_existing=True)` does the same",
            related=(context.related(context.file, loop.chunk, head_of(node), "the loop"),),
        )


def _loop(fact: CallFact) -> Frame | None:
    """The loop whose body a call stands in, under conditions at most."""
    if fact.function is None or not isinstance(fact.statement, ast.Expr):
        return None
    for frame in fact.frame.outwards() if fact.frame is not None else ():
        if frame.kind in ("for", "async for", "while"):
            return frame
        if frame.kind not in ("if", "else"):
            return None
    return None


def _asks_session(context: Context, call: LibraryCall, loop: Frame) -> bool:
    """Whether something in the loop may read through the session, or leaves it to others."""
    fact, receiver = call.fact, receiver_of(call.fact)
    if receiver is None or fact.function is None:
        return True
    course = Course(context.resolver, fact.function, receiver, context.file)
    inside = set(ast.walk(loop.node))
    if any(event.fact.node in inside and event.name not in _HARMLESS for event in course.events()):
        return True
    if isinstance(receiver, (Param, Enter, Call)):
        # Nobody else has it.
        return False
    return any(
        other.node in inside and other.node is not fact.node and _may_use_it(context, course, other)
        for other in context.resolver.calls_in(fact.function, context.file)
    )


def _may_use_it(context: Context, course: Course, other: CallFact) -> bool:
    """Whether a call may reach a session that is not the function's own: it runs the workspace's code, or nobody knows whose."""
    if any(event.fact.node is other.node for event in course.events()):
        return False
    found = list(known(context.type_of(other.value.func)))
    return not found or any(isinstance(option, FunctionType) for option in found)


def _applicability(call: LibraryCall, loop: Frame) -> Applicability | None:
    block = tail_of(loop.node, call.fact.statement) if loop.chunk is call.fact.chunk else None
    if block is None:
        return None
    plain = isinstance(loop.node, ast.For) and block is loop.node.body and not loop.node.orelse
    safe = plain and not leaves_early(loop.node) and not call.likely
    return Applicability.SAFE if safe else Applicability.UNSAFE


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Move the call behind the loop."""
    fact, loop = violation.subject
    block = tail_of(loop.node, fact.statement)
    if block is None or violation.applicability is None:
        return None
    edits = move_behind(context.source, fact.statement, block, loop.node, fact.chunk.shift)
    name = getattr(fact.node.func, "attr", "flush")
    if edits is None:
        return None
    return Fix(f"Call `{name}()` once after the loop", violation.applicability, {context.file.file_id: edits})
