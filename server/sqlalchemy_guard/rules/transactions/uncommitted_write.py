"""Changes in a session that nobody commits.

## What it does
Reports a `with` block of a session of its own that adds, deletes or executes `INSERT`, `UPDATE` or `DELETE`, after which
nothing commits on any way through the block. Sessions that are handed to somebody who may commit, that roll back on purpose,
or that belong to tests are left alone.

## Why is this bad?
A session that is closed rolls back. The statements run, nothing fails, and nothing is saved.

## Example
```python
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker()


def register(user):
    with SessionLocal() as session:
        session.add(user)
```

## Use instead
```python
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker()


def register(user):
    with SessionLocal() as session:
        session.add(user)
        session.commit()
```

## Fix safety
Safe where the block is all that is left to do: it then commits at its end, as the code says it should. Unsafe where something
follows or is returned, as a commit expires the objects it may read, and where the session is only likely one. No fix for a block
that is left in the middle.

## References
- [Committing](https://docs.sqlalchemy.org/en/20/orm/session_basics.html#committing)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Call, Enter, same
from sqlalchemy_guard.fixes.blocks import insert_behind
from sqlalchemy_guard.project.bodies import body_of
from sqlalchemy_guard.project.courses import HANDED, Course, receiver_of
from sqlalchemy_guard.project.engines import sets_isolation
from sqlalchemy_guard.project.sessions import maker_kind, uses_of
from sqlalchemy_guard.project.types import Instance, known
from sqlalchemy_guard.project.writes import EXECUTING, UNIT_OF_WORK, first_lost
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact, Frame
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG405", Severity.WARNING, Applicability.SAFE)

_SESSIONS = ("sqlalchemy.orm.Session", "sqlalchemy.ext.asyncio.AsyncSession", "sqlmodel.Session")
_OTHERWISE = frozenset(
    {HANDED, "begin", "begin_nested", "begin_twophase", "rollback", "connection", "get_transaction", "run_sync", "prepare"}
)  # fmt: skip
"""What makes it somebody else's decision, or a deliberate one."""


@rule.on_call(*(f"{session}.{name}" for session in _SESSIONS for name in sorted(UNIT_OF_WORK | EXECUTING)))
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report the first change of a block that loses it."""
    fact = call.fact
    session = receiver_of(fact)
    if type(session) is not Enter or fact.function is None or context.is_test():
        return
    frame = _block(fact, session)
    name = _name(frame)
    if frame is None or name is None or not _begins_and_ends_here(context, session):
        return
    uses = uses_of(context.resolver, fact.function, name.id, context.file)
    if uses.escapes or uses.bindings != 1 or fact.function.yielded is not None:
        return
    course = Course(context.resolver, fact.function, session, context.file)
    lost = first_lost(context.resolver, course, context.file)
    if lost is None or lost.fact.node is not fact.node:
        return
    if any(event.name in _OTHERWISE for event in course.events()):
        return
    message = (
        "Nothing commits this change, so it is rolled back when the block ends; commit at the block's end"
    )
    yield context.at_call(
        rule, fact, message, applicability=_applicability(call, frame), subject=(fact, frame, name)
    )


def _block(fact: CallFact, session: Enter) -> Frame | None:
    for frame in fact.frame.outwards() if fact.frame is not None else ():
        if frame.kind in ("with", "async with") and any(same(one, session.base) for one in frame.contexts):
            return frame
    return None


def _name(frame: Frame | None) -> ast.Name | None:
    """The name that a block of one session binds."""
    items: list[ast.withitem] = getattr(frame.node, "items", []) if frame is not None else []
    bound = items[0].optional_vars if len(items) == 1 else None
    return bound if isinstance(bound, ast.Name) else None


def _begins_and_ends_here(context: Context, session: Enter) -> bool:
    """Whether the block makes the session, and leaving it rolls back: nothing commits by itself."""
    made, resolver, file = session.base, context.resolver, context.file
    if type(made) is not Call or maker_kind(resolver, made, file) is None:
        return False
    if any(
        isinstance(option, Instance) and type(option.ref) is tuple for option in known(context.type_of(made))
    ):
        # A class of the workspace may end otherwise.
        return False
    factory, _ = resolver.definition_of(made.func, file)
    for one in (made, factory):
        if type(one) is Call:
            bind = one.keyword("bind") or (one.args[0] if one.args else None)
            if one.has_mapping or one.keyword("autocommit") is not None:
                return False
            if bind is not None and sets_isolation(resolver, bind, file):
                return False
    return True


def _applicability(call: LibraryCall, frame: Frame) -> Applicability | None:
    block: list[ast.stmt] = getattr(frame.node, "body", [])
    leaving = [
        part
        for statement in block
        for part in ast.walk(statement)
        if isinstance(part, (ast.Return, ast.Break, ast.Continue))
    ]
    if frame.chunk is not call.fact.chunk or (leaving and (leaving != block[-1:])):
        return None
    function = call.fact.function
    alone = function is not None and body_of(function)[-1][1] is frame.node
    return Applicability.SAFE if alone and not leaving and not call.likely else Applicability.UNSAFE


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Commit at the end of the block."""
    _, frame, name = violation.subject
    source, shift = context.source, frame.chunk.shift
    keyword = "await " if isinstance(frame.node, ast.AsyncWith) else ""
    text, last = f"{keyword}{name.id}.commit()", frame.node.body[-1]
    edits: tuple[Edit, ...] | None
    if isinstance(last, ast.Return):
        start = source.start(last, shift)
        edits = (Edit(start, start, f"{text}{source.newline}{source.margin(start)}"),)
    else:
        edits = insert_behind(source, last, text, shift)
    if edits is None or violation.applicability is None:
        return None
    title = "Commit at the end of the block"
    if violation.applicability is Applicability.UNSAFE:
        title += ", which expires its objects"
    return Fix(title, violation.applicability, {context.file.file_id: edits})
