"""`commit()` and `rollback()` around a block by hand.

## What it does
Reports `try` blocks that end with `commit()` and whose only handler rolls back the same session and raises again. Handlers that
do anything else besides, blocks that commit in the middle, and sessions that were used before, so that a transaction is open
already, are left alone. So are sessions that live longer than the function and that others may have used before it: those handed
in, stored on an object or in a module, those of a `scoped_session`, and Flask-SQLAlchemy's `db.session`.

## Why is this bad?
`with session.begin():` says the same in one line: it commits at the end and rolls back on every error. The pattern by hand has to
be right each time; one forgotten `rollback()` or a handler that is too narrow leaves the session unusable.

## Example
```python
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker()


def register(user):
    with SessionLocal() as session:
        try:
            session.add(user)
            session.commit()
        except Exception:
            session.rollback()
            raise
```

## Use instead
```python
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker()


def register(user):
    with SessionLocal() as session:
        with session.begin():
            session.add(user)
```

## Fix safety
Safe where the function keeps the session to itself: no transaction has begun. Unsafe where somebody else gets it inside the
block, whose commit would fail there.

## References
- [Framing out a begin / commit / rollback block](https://docs.sqlalchemy.org/en/20/orm/session_basics.html#framing-out-a-begin-commit-rollback-block)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Enter
from sqlalchemy_guard.fixes.blocks import wrap
from sqlalchemy_guard.project.courses import HANDED, Course, receiver_of
from sqlalchemy_guard.project.paths import catches_all, walk
from sqlalchemy_guard.project.sessions import maker_kind
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG403", Severity.INFORMATION, Applicability.SAFE)

_ENDS = frozenset({"commit", "rollback", "begin", "begin_nested", "close", "aclose"})


@rule.on_call("sqlalchemy.orm.Session.commit", "sqlalchemy.ext.asyncio.AsyncSession.commit")
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report the commit that a `try` block with a rollback ends with."""
    fact, receiver = call.fact, receiver_of(call.fact)
    node = fact.frame.node if fact.frame is not None and fact.frame.kind == "try" else None
    if not isinstance(node, ast.Try) or fact.function is None or receiver is None or context.is_test():
        return
    if len(node.body) < 2 or node.body[-1] is not fact.statement or len(node.handlers) != 1 or node.orelse:
        return
    course = Course(context.resolver, fact.function, receiver, context.file)
    if not isinstance(fact.statement, ast.Expr) or not _rolls_back(course, node.handlers[0]):
        return
    if _outlives(context, receiver):
        return
    inside = {part for statement in node.body for part in ast.walk(statement)}
    if any(e.name in _ENDS and e.fact is not fact and e.fact.node in inside for e in course.events()):
        return
    shift = fact.chunk.shift
    removed = context.source.comments(
        context.source.line_start(context.source.start(fact.statement, shift)), _end(context, fact, node)
    )
    if _may_have_begun(course, fact, inside):
        return
    handed_on = any(isinstance(part, (ast.Yield, ast.YieldFrom)) for part in inside) or any(
        event.name == HANDED and event.fact.node in inside for event in course.events()
    )
    applicability = Applicability.SAFE if not handed_on and not call.likely else Applicability.UNSAFE
    message = "This `try` begins and ends a transaction by hand; `with session.begin():` commits and rolls back by itself"
    yield context.at_call(
        rule, fact, message, applicability=None if removed else applicability, subject=(fact, node)
    )


def _rolls_back(course: Course, handler: ast.ExceptHandler) -> bool:
    """Whether a handler of every error rolls back and raises again, and nothing else."""
    if not catches_all(handler) or len(handler.body) != 2:
        return False
    first, last = handler.body
    if not isinstance(last, ast.Raise) or last.cause is not None:
        return False
    if last.exc is not None and not (isinstance(last.exc, ast.Name) and last.exc.id == handler.name):
        return False
    value = first.value if isinstance(first, ast.Expr) else None
    value = value.value if isinstance(value, ast.Await) else value
    return any(event.name == "rollback" and event.fact.node is value for event in course.events())


def _outlives(context: Context, receiver: Value) -> bool:
    """Whether a session is not the function's own: whoever else has it may have begun a transaction already."""
    made = receiver.base if type(receiver) is Enter else receiver
    return maker_kind(context.resolver, made, context.file) is None


def _may_have_begun(course: Course, fact: CallFact, inside: set[ast.AST]) -> bool:
    """Whether something before the block may have begun a transaction, in which `begin()` would fail."""
    commits = set(course.paths.at(fact.node))
    return any(
        one.fact.node not in inside
        and any(point in commits for point in walk(course.paths.at(one.fact.node), errors=False))
        for one in course.events()
    )


def _end(context: Context, fact: CallFact, node: ast.Try) -> int:
    return context.source.next_line(context.source.end(node.handlers[-1].body[-1], fact.chunk.shift))


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Say `with session.begin():` where `try:` stands, and drop commit and handler."""
    fact, node = violation.subject
    source, shift = context.source, fact.chunk.shift
    if not isinstance(fact.node.func, ast.Attribute) or violation.applicability is None:
        return None
    begins = f"{source.segment(fact.node.func.value, shift)}.begin():"
    header = f"async with {begins}" if fact.awaited else f"with {begins}"
    start = source.start(node, shift)
    commit = source.line_start(source.start(fact.statement, shift))
    before = source.end(node.body[-2], shift)
    if source.line_end(before) >= commit or not source.text[start:].startswith("try:"):
        return None
    gone = Edit(source.next_line(before), _end(context, fact, node), "")
    if not node.finalbody:
        edits: tuple[Edit, ...] = (Edit(start, start + len("try:"), header), gone)
    else:
        wrapped = wrap(source, node.body[:-1], header, shift)
        if wrapped is None:
            return None
        edits = (*wrapped, gone)
    title = f"Use `{header[:-1]}`"
    if violation.applicability is Applicability.UNSAFE:
        title += ", in which nobody else may commit or begin"
    return Fix(title, violation.applicability, {context.file.file_id: edits})
