"""A helper that commits the transaction of its callers.

## What it does
Reports `commit()` on a session that was passed in, in a function whose callers commit the same session themselves. Helpers that
commit only when an argument says so, that have `commit` in their name, that commit in batches, and helpers whose callers leave the
commit to them, are left alone.

## Why is this bad?
Whoever commits decides what belongs together. Here two functions do: what the caller did before is saved although what follows may
fail, its objects expire in the middle, and its own rollback undoes only half.

## Example
```python no-fix
from sqlalchemy.orm import Session


def add_event(session: Session, event):
    session.add(event)
    session.commit()


def register(session: Session, user, event):
    session.add(user)
    add_event(session, event)
    session.commit()
```

## Use instead
```python
from sqlalchemy.orm import Session


def add_event(session: Session, event):
    session.add(event)
    session.flush()


def register(session: Session, user, event):
    session.add(user)
    add_event(session, event)
    session.commit()
```

## Fix safety
No fix: which of the two owns the transaction is not in the code.

## References
- [When do I construct a Session, when do I commit it, and when do I close it?](https://docs.sqlalchemy.org/en/20/orm/session_basics.html#when-do-i-construct-a-session-when-do-i-commit-it-and-when-do-i-close-it)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Param
from sqlalchemy_guard.project.courses import Course, plain, receiver_of
from sqlalchemy_guard.project.effects import argument_of
from sqlalchemy_guard.project.file_roles import is_test_file
from sqlalchemy_guard.project.lasting import callers_of
from sqlalchemy_guard.project.loops import deliberate
from sqlalchemy_guard.project.paths import walk
from sqlalchemy_guard.rules.api import Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact, FunctionFacts
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.rules.api import Related

rule = Rule("SAG408", Severity.WARNING, None)


@rule.on_call("sqlalchemy.orm.Session.commit", "sqlalchemy.ext.asyncio.AsyncSession.commit")
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report the commit of a helper whose callers commit, too."""
    fact, function, receiver = call.fact, call.fact.function, receiver_of(call.fact)
    if function is None or type(receiver) is not Param or context.is_test():
        return
    if receiver.qualname != function.qualname or function.yielded is not None or _is_asked_for(fact):
        return
    if "commit" in function.name.lower() or _is_meant(context, fact) or _locks(function):
        return
    course = Course(context.resolver, function, receiver, context.file)
    first = min(
        (event.fact for event in course.events() if event.name == "commit"),
        key=lambda one: (one.node.lineno + one.chunk.shift, one.node.col_offset),
    )
    if first.node is not fact.node:
        return
    related = tuple(dict.fromkeys(_owners(context, function, receiver.name)))
    if related:
        message = (
            f"`{function.name}()` commits the transaction of its callers, which commit it themselves;"
            " flush here, and leave the commit to the one who began"
        )
        yield context.at_call(rule, fact, message, related=related[:5])


def _is_asked_for(fact: CallFact) -> bool:
    """Whether the commit stands under a condition: the callers may decide."""
    return fact.frame is not None and any(
        frame.kind in ("if", "else", "except", "lambda", "match") for frame in fact.frame.outwards()
    )


def _locks(function: FunctionFacts) -> bool:
    """Whether a function locks rows: its commit gives them back before its callers go on."""
    return any(
        getattr(fact.value.func, "name", "") == "with_for_update"
        or fact.value.keyword("with_for_update") is not None
        for fact in function.calls
    )


def _is_meant(context: Context, fact: CallFact) -> bool:
    """Whether the helper commits in parts: batches, retries and the like."""
    return any(deliberate(context.resolver, fact, loop, context.file) for loop in fact.loops())


def _owners(context: Context, function: FunctionFacts, name: str) -> Iterator[Related]:
    """The commits of callers, of the session that they pass, behind their call of a function."""
    for call, file in callers_of(context.workspace, function, context.file):
        caller = call.function
        given = argument_of(call.value, function, name)
        if caller is None or given is None or caller is function or is_test_file(file.file_id):
            continue
        course = Course(context.resolver, caller, plain(given), file)
        starts = course.paths.at(call.node)
        for event in (one for point in walk(starts, errors=False) for one in course.at(point)):
            if event.name == "commit":
                yield context.related(
                    file, event.fact.chunk, event.fact.node, f"`{caller.name}()` commits, too"
                )
                break
