"""One session that several tasks use at the same time.

## What it does
Reports an `AsyncSession` that is given to more than one of the coroutines of `asyncio.gather()`, `wait()` and `as_completed()`, to
more than one task of a `TaskGroup`, or to tasks that a loop starts; and a session of either kind that is given to several
`asyncio.to_thread()` at once. Sessions that each task makes for itself, and tasks that are awaited one by one, are left alone.

## Why is this bad?
A session is one connection in one transaction, and can do one thing at a time. The second task that comes to it raises
`IllegalStateChangeError` or `InterfaceError: another operation is in progress`, or, worse, commits what the first has half done.

## Example
```python no-fix
import asyncio

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models import Order, User


async def dashboard(session: AsyncSession):
    return await asyncio.gather(
        session.scalars(select(User)),
        session.scalars(select(Order)),
    )
```

## Use instead
```python
import asyncio

from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker

from models import Order, User


async def load(make_session: async_sessionmaker, model):
    async with make_session() as session:
        return (await session.scalars(select(model))).all()


async def dashboard(make_session: async_sessionmaker):
    return await asyncio.gather(load(make_session, User), load(make_session, Order))
```

## Fix safety
No fix: whether the tasks should run one after another, or each in a transaction of its own, is not in the code.

## References
- [Using AsyncSession with concurrent tasks](https://docs.sqlalchemy.org/en/20/orm/extensions/asyncio.html#using-asyncsession-with-concurrent-tasks)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.declarations import FunctionFacts
from sqlalchemy_guard.project.tasks import TOGETHER, shared_in_group, started_in_loop, used_together
from sqlalchemy_guard.rules.api import Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact

rule = Rule("SAG111", Severity.ERROR, None)

_NAMES = frozenset(
    {"gather", "wait", "as_completed", "create_task", "ensure_future", "start_soon"}
)  # fmt: skip
_ADVICE = "a session does one thing at a time: make one in each task, or await them one after another"


@rule.on(FunctionFacts)
def check(context: Context, function: FunctionFacts) -> Iterator[Violation]:
    """Report what starts tasks with a session that another one has."""
    seen = set()
    for fact in context.resolver.calls_in(function, context.file):
        name = getattr(fact.value.func, "name", "")
        if name in _NAMES and fact.node not in seen:
            seen.add(fact.node)
            yield from _tasks(context, function, fact)


def _tasks(context: Context, function: FunctionFacts, fact: CallFact) -> Iterator[Violation]:
    resolver, file = context.resolver, context.file
    if resolver.external_name(fact.value.func, file) in TOGETHER:
        if used_together(resolver, fact, file) is not None:
            yield context.at_call(
                rule, fact, f"These tasks use one session at the same time; {_ADVICE}", node=fact.node.func
            )
        return
    if started_in_loop(resolver, fact, file) is not None:
        message = f"The tasks of this loop use one session at the same time; {_ADVICE}"
        yield context.at_call(rule, fact, message, node=fact.node.func)
        return
    other = shared_in_group(resolver, function, fact, file)
    if other is not None:
        related = (context.related(file, other.chunk, other.node, "this task has the session, too"),)
        message = f"Another task of the group uses the same session at the same time; {_ADVICE}"
        yield context.at_call(rule, fact, message, node=fact.node.func, related=related)
