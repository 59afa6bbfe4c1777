"""A part of the rows is asked for in no order.

## What it does
Reports statements with `limit()`, `offset()`, `slice()`, `fetch()` or `paginate()`, and `first()` behind an offset, that no
`order_by()` puts in order on any of their branches, for `select()` and `Query`. Left alone are aggregates, rows by key, a
limit of one or two, batches (in a `while` loop, by the limit's name, or rows that the function then changes or deletes) and rows
that are locked with `skip_locked`, for which any rows will do, and tests.

## Why is this bad?
Without an order the database gives the rows as it likes, differently from one execution to the next: pages repeat some rows
and miss others, which shows only with more data or load than on a developer's machine.

## Example
```python
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    active: Mapped[bool]


def page(session: Session, number: int) -> list[User]:
    users = select(User).where(User.active).limit(50).offset(number * 50)
    return session.scalars(users).all()
```

## Use instead
```python
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    active: Mapped[bool]


def page(session: Session, number: int) -> list[User]:
    users = (
        select(User).where(User.active).order_by(User.id).limit(50).offset(number * 50)
    )
    return session.scalars(users).all()
```

## Fix safety
Unsafe: the rows are put in the order of the primary key, which another order may suit better. No fix where the class or its
key is not known, with GROUP BY, and with DISTINCT over single columns.

## References
- [`Select.order_by()`](https://docs.sqlalchemy.org/en/20/core/selectable.html#sqlalchemy.sql.expression.Select.order_by)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.layout import reflow
from sqlalchemy_guard.project.pages import (
    QUERY_TERMINALS,
    is_arbitrary,
    is_batch,
    is_worked_off,
    order_of,
    page_of,
)
from sqlalchemy_guard.project.statements import EXECUTIONS, fact_of
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.project.statements import Forms

rule = Rule("SAG316", Severity.WARNING, Applicability.UNSAFE)

_PAGES = ("sqlalchemy.orm.Query.limit", "sqlalchemy.orm.Query.offset", "sqlalchemy.orm.Query.slice")
_PAGINATE = "flask_sqlalchemy.SQLAlchemy.paginate"


@rule.on_call(*EXECUTIONS, *QUERY_TERMINALS, *_PAGES, _PAGINATE)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report an execution of a part of the rows in no order."""
    fact = call.fact
    value = _executed(context, call)
    if value is None or context.is_test() or any(frame.kind == "while" for frame in fact.loops()):
        return
    forms = context.statements.of(value, context.file)
    if not forms.complete or not forms.statements or any(form.is_ordered for form in forms.statements):
        return
    if any(is_arbitrary(context.statements, form) for form in forms.statements):
        return
    is_paginated = call.name.endswith(".paginate")
    page = next((found for form in forms.statements if (found := page_of(form)) is not None), None)
    if page is None and not is_paginated:
        return
    step = fact_of(context.file, page.call) if page is not None and page.file is context.file else None
    if (step is not None and is_batch(step, forms)) or is_worked_off(fact.function, forms):
        return
    if step is not None and step.function is not fact.function:
        step = None
    at = step or fact
    order = _order(context, at, forms) if step is not None or is_paginated else None
    name = page.name if page is not None else "paginate"
    what = "A slice" if name == "[]" else f"`{name}()`"
    yield context.at_call(
        rule,
        at,
        f"{what} without `order_by()`: {_consequence(forms, is_paginated=is_paginated)}; order them first",
        node=_link(at.node),
        applicability=Applicability.UNSAFE if order else None,
        subject=(at, order),
    )


def _consequence(forms: Forms, *, is_paginated: bool) -> str:
    """What comes of it: of pages that belong together, or of the one part that is taken."""
    if is_paginated or any(form.has("offset", "slice", "[]") for form in forms.statements):
        return "the database gives any rows, and pages repeat or miss some"
    return "which rows come is up to the database, and may change from one call to the next"


def _link(call: ast.Call) -> ast.expr:
    """The last link of a chain: its name and what follows."""
    func = call.func
    if not isinstance(func, ast.Attribute) or func.end_lineno is None or func.end_col_offset is None:
        return call
    start = func.end_col_offset - len(func.attr.encode())
    return ast.Name(
        func.attr,
        lineno=func.end_lineno,
        col_offset=start,
        end_lineno=call.end_lineno,
        end_col_offset=call.end_col_offset,
    )


def _executed(context: Context, call: LibraryCall) -> Value | None:
    """The statement that a call executes."""
    fact = call.fact
    if call.name in _PAGES:
        around = context.parent(fact.chunk, fact.node)
        is_iterated = isinstance(around, (ast.For, ast.comprehension)) and around.iter is fact.node
        return fact.value if is_iterated else None
    if call.name.startswith("sqlalchemy.orm.Query."):
        return getattr(fact.value.func, "base", None)
    if fact.value.args:
        return fact.value.args[0]
    return fact.value.keyword("statement") or fact.value.keyword("select")


def _order(context: Context, at: CallFact, forms: Forms) -> str | None:
    """The primary key of the class that the statement is about, as the file writes it."""
    if not isinstance(at.node.func, ast.Attribute):
        return None
    if at.node.args and at.node.func.attr == "paginate" and not _is_query(context, at):
        return None
    return order_of(context.statements, context.query_knowledge(at.chunk), forms)


def _is_query(context: Context, fact: CallFact) -> bool:
    base = getattr(fact.value.func, "base", None)
    return base is not None and bool(context.statements.of(base, context.file).statements)


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Order by the primary key."""
    fact, order = violation.subject
    if order is None or not isinstance(fact.node.func, ast.Attribute):
        return None
    source, shift = context.source, fact.chunk.shift
    end = source.end(fact.node.func.value, shift)
    dot = source.text.rindex(".", end, source.end(fact.node.func, shift))
    _, line, margin = source.text[end:dot].rpartition(source.newline)
    edit = Edit(dot, dot, f".order_by({order}){line}{margin if line else ''}")
    edits = reflow(source, fact.statement, [edit], shift)
    title = f"Order by `{order}` (another order may be meant)"
    return Fix(title, Applicability.UNSAFE, {context.file.file_id: edits})
