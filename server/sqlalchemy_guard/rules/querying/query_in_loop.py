"""A SELECT per iteration of a loop, each for another key: one statement with `in_()` gives all of them.

## What it does
Reports SELECTs in loops and comprehensions whose criteria compare a column with something of the loop's variable, `get()`
included, and calls of functions that do nothing but look something up by an argument of theirs, here or in another file.

## Why is this bad?
Every statement waits for the network and for the database. A hundred keys in one `in_()` take little longer than one.

Left alone are loops over batches or a handful of constants, `while` loops, retries, loops that are left after the statement,
iterations with a session or transaction of their own, rows that are locked, functions that keep their answers, tests, migrations
and folders of scripts.

## Example
```python
# path: models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
```

```python
# path: report.py
from models import User
from sqlalchemy import select
from sqlalchemy.orm import Session


def greet(session: Session, user_ids: list[int]) -> None:
    for user_id in user_ids:
        user = session.get(User, user_id)
        print(f"Hello {user.name}")
```

## Use instead
```python
# path: report.py
from models import User
from sqlalchemy import select
from sqlalchemy.orm import Session


def greet(session: Session, user_ids: list[int]) -> None:
    users_by_id = {
        user.id: user
        for user in session.scalars(select(User).where(User.id.in_(user_ids)))
    }
    for user_id in user_ids:
        user = users_by_id.get(user_id)
        print(f"Hello {user.name}")
```

## Fix safety
Unsafe: what the loop writes or deletes is not seen by later iterations, databases limit the number of values in an `in_()`,
and a key must have the type of the column. The fix is offered for look-ups by the primary key in a `for` loop over a list,
tuple or set that has a name. Otherwise collect the keys, load the rows before the loop, and look them up in a dictionary.

## References
- [`ColumnOperators.in_()`](https://docs.sqlalchemy.org/en/20/core/sqlelement.html#sqlalchemy.sql.expression.ColumnElement.in_)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr
from sqlalchemy_guard.fixes.prefetch import edits as edits_of
from sqlalchemy_guard.fixes.prefetch import prefetch
from sqlalchemy_guard.project.calls import LibraryCall, LoopCall
from sqlalchemy_guard.project.file_roles import is_migration_file, is_script_file
from sqlalchemy_guard.project.keyed_queries import (
    EXECUTING,
    depends_on_loop,
    executed_inside,
    few_at,
    keys_of,
    walked_object,
)
from sqlalchemy_guard.project.loops import deliberate, head_of
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact, Frame
    from sqlalchemy_guard.project.resolve import SourceFile

rule = Rule("SAG310", Severity.WARNING, Applicability.UNSAFE)


@rule.on_call(*sorted(EXECUTING))
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a keyed SELECT that stands in a loop."""
    fact = call.fact
    if next(fact.loops(), None) is None:
        return
    keys = keys_of(context.resolver, fact.value, call.name, context.file)
    keyed = [key for key in keys if depends_on_loop(key.value)]
    if not keyed or all(few_at(context.resolver, key.value, context.file) for key in keyed):
        return
    loop = _loop(context, fact)
    if loop is None or _locks(context, fact, context.file):
        return
    plan = prefetch(fact, call.name, loop, context.file, context.workspace)
    yield context.at_call(
        rule,
        fact,
        "One SELECT runs per iteration, each for another key; load all rows with one `in_()` before the loop",
        applicability=Applicability.UNSAFE if plan is not None else None,
        related=(context.related(context.file, loop.chunk, head_of(loop.node), "the loop"),),
        subject=plan or fact,
    )


@rule.on(LoopCall)
def check_call(context: Context, call: LoopCall) -> Iterator[Violation]:
    """Report a call in a loop that looks something up for a key it passes."""
    value = call.fact.value
    given = [*value.args, *(each for _, each in value.keywords)]
    keyed = [each for each in given if depends_on_loop(each)]
    is_own = not keyed
    if is_own:
        walked = walked_object(context.resolver, call.function, call.fact)
        if walked is None or not depends_on_loop(walked):
            return
        keyed = [walked]
    if all(few_at(context.resolver, each, context.file) for each in keyed):
        return
    found = executed_inside(context.resolver, call.function, call.fact)
    loop = _loop(context, call.fact) if found is not None else None
    if found is None or loop is None:
        return
    file, fact = found
    if _locks(context, fact, file):
        return
    name = call.function.qualname.rpartition(".")[2]
    whose = "object" if is_own else "argument"
    yield context.at_call(
        rule,
        call.fact,
        f"`{name}()` runs a SELECT for its {whose}, so this loop runs one per iteration; load all rows with one "
        "`in_()` before the loop",
        node=call.fact.node.func,
        related=(
            context.related(context.file, loop.chunk, head_of(loop.node), "the loop"),
            context.related(file, fact.chunk, fact.node, "the SELECT"),
        ),
    )


def _locks(context: Context, fact: CallFact, file: SourceFile) -> bool:
    """Whether a SELECT locks its rows: one after the other is shorter than all at once."""
    value = fact.value
    if value.keyword("with_for_update") is not None:
        return True
    base = value.func.base if type(value.func) is Attr else None
    parts = [each for each in (base, *value.args[:1], value.keyword("statement")) if each is not None]
    return any(
        form.has("with_for_update") for each in parts for form in context.statements.of(each, file).statements
    )


def _loop(context: Context, fact: CallFact) -> Frame | None:
    """The innermost loop around a call, None when one of the loops means it, or where nobody waits for it."""
    file_id = context.file.file_id
    if context.is_test() or context.is_migration() or is_migration_file(file_id) or is_script_file(file_id):
        return None
    loops = list(fact.loops())
    frames = list(fact.frame.outwards()) if fact.frame is not None else []
    if not loops or any(frame.kind in ("lambda", "except") for frame in frames):
        return None
    for loop in loops:
        if isinstance(loop.node, ast.While) or deliberate(context.resolver, fact, loop, context.file):
            return None
    return loops[0]


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Load the objects before the loop and look them up in a dictionary."""
    plan = violation.subject
    if violation.applicability is None:
        return None
    edits = edits_of(plan, context.source, context.module_statements(), context.parent)
    if edits is None:
        return None
    title = f"Load all `{plan.entity}` objects before the loop (the loop's own changes are not seen)"
    return Fix(title, violation.applicability, {context.file.file_id: edits})
