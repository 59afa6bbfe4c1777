"""`execute()` for rows of one value: `scalars()` or `scalar()` of the session gives the values themselves.

## What it does
Reports `execute(…).scalars()` and `execute(…).scalar()` on sessions and connections, also where the result has a
name that is used only once, and comprehensions such as `[row[0] for row in session.execute(…)]`.

## Why is this bad?
`session.scalars(statement)` and `session.scalar(statement)` say in one call that only one value of a row is wanted. A
comprehension over `row[0]` unpacks by hand, row by row, what SQLAlchemy unpacks in one go.

`execute(…).scalar_one()` and `scalar_one_or_none()` are left alone: they are the shortest form there is. So are
results whose rows are used in any other way.

## Example
```python
from sqlalchemy import func, select
from sqlalchemy.orm import Session


def report(session: Session) -> tuple[list[User], int | None]:
    users = session.execute(select(User).order_by(User.name)).scalars().all()
    count = session.execute(select(func.count()).select_from(User)).scalar()
    return users, count
```

## Use instead
```python
from sqlalchemy import func, select
from sqlalchemy.orm import Session


def report(session: Session) -> tuple[list[User], int | None]:
    users = session.scalars(select(User).order_by(User.name)).all()
    count = session.scalar(select(func.count()).select_from(User))
    return users, count
```

## Fix safety
Safe: `scalars()` and `scalar()` execute the statement and unpack its result the same way; parameters, execution
options and `unique()` are kept. Unsafe where the session is known by its name only. Tests that replace `execute` by a
mock must be changed with it.

## References
- [`Session.scalars()`](https://docs.sqlalchemy.org/en/20/orm/session_api.html#sqlalchemy.orm.Session.scalars)
- [Selecting ORM entities](https://docs.sqlalchemy.org/en/20/orm/queryguide/select.html#selecting-orm-entities)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.result_uses import Unpacking, named, steps, unpacking
from sqlalchemy_guard.fixes.scalars import without_comprehension, without_step
from sqlalchemy_guard.project.types import Instance, known
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG302", Severity.WARNING, Applicability.SAFE, modern=True)

_PRIVATE = frozenset({"_parent_execute_state", "_add_event"})


@rule.on_call(
    "sqlalchemy.orm.Session.execute",
    "sqlalchemy.ext.asyncio.AsyncSession.execute",
    "sqlalchemy.Connection.execute",
    "sqlalchemy.ext.asyncio.AsyncConnection.execute",
)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report an execution of which only the first values are used."""
    fact = call.fact
    if any(keyword.arg in _PRIVATE for keyword in fact.node.keywords) or not isinstance(
        fact.node.func, ast.Attribute
    ):
        return
    applicability = Applicability.UNSAFE if call.likely else Applicability.SAFE
    result = _result(context, fact)
    if result is None:
        return
    rows = unpacking(context.parent, result, fact)
    if rows is not None and _has_one_value(context, fact):
        message = (
            "Rows are unpacked by hand although each holds one value; `scalars()` gives the values themselves"
        )
        yield context.at_call(
            rule, fact, message, node=rows.node, applicability=applicability, subject=(fact, rows)
        )
        return
    chain = steps(context.parent, result, fact.chunk, fact.statement) or named(context.parent, result, fact)
    if chain is None:
        return
    message = (
        f"`execute().{chain.method}()` is `{chain.method}()` in two steps; call `{chain.method}()` directly"
    )
    end = chain.step if chain.chunk is fact.chunk and chain.statement is fact.statement else None
    yield context.at_call(
        rule,
        fact,
        message,
        node=fact.node,
        end=end,
        applicability=applicability,
        subject=(fact, chain),
    )


def _result(context: Context, fact: CallFact) -> ast.expr | None:
    """The node whose value is the result: the call, awaited where it must be."""
    parent = context.parent(fact.chunk, fact.node)
    if isinstance(parent, ast.Await):
        return parent
    kinds = known(context.type_of(fact.value))
    return (
        fact.node
        if any(isinstance(kind, Instance) and kind.ref == "sqlalchemy.Result" for kind in kinds)
        else None
    )


def _has_one_value(context: Context, fact: CallFact) -> bool:
    """Whether the rows are known to hold a single value."""
    statement = fact.value.args[0] if fact.value.args else fact.value.keyword("statement")
    kinds = list(known(context.type_of(statement))) if statement is not None else []
    return bool(kinds) and all(
        isinstance(kind, Instance) and kind.ref == "sqlalchemy.Select" and len(kind.args) == 1
        for kind in kinds
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Name the shorter method and drop the step, or the comprehension around the result."""
    fact, use = violation.subject
    if violation.applicability is None:
        return None
    edits = (
        without_comprehension(context.source, fact, use)
        if isinstance(use, Unpacking)
        else without_step(context.source, context.parent, fact, use)
    )
    method = "scalars" if isinstance(use, Unpacking) else use.method
    return Fix(f"Use `{method}()`", violation.applicability, {context.file.file_id: edits}) if edits else None
