"""Rows are loaded only to be counted, or to see whether there are any.

## What it does
Reports `len(….all())`, `.all()` of which only the truth matters, and `.first()` that is only compared with None or tested, for
`Query` and `select()`, sync and async, also where the list has a name that serves nothing else. Tests are left alone.

## Why is this bad?
Every row travels from the database and becomes an object, for a number or a yes or no that the database can give itself.

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
    email: Mapped[str]


def count(session: Session) -> int:
    return len(session.scalars(select(User).order_by(User.email)).all())


def is_taken(session: Session, email: str) -> bool:
    return session.scalars(select(User).where(User.email == email)).first() is not None
```

## Use instead
```python
from sqlalchemy import func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]


def count(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(User))


def is_taken(session: Session, email: str) -> bool:
    return session.scalar(select(select(User).where(User.email == email).exists()))
```

## Fix safety
Safe where each row is one object: the number and the truth are the same. Unsafe for a `Query` of entities with joins or criteria
on other classes, which drops repeated objects from the list but not from the count, and where the session is known by its name
only. No fix for lists that have a name.

## References
- [`Query.count()` and `select(func.count())`](https://docs.sqlalchemy.org/en/20/changelog/migration_20.html#migration-orm-usage)
- [`Select.exists()`](https://docs.sqlalchemy.org/en/20/core/selectable.html#sqlalchemy.sql.expression.Select.exists)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.counting import asked, asked_of_one
from sqlalchemy_guard.facts.uses import sole_use
from sqlalchemy_guard.fixes.counting import Counter, loading_of
from sqlalchemy_guard.project.rows_of import gives_objects, has_repetitions
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.counting import Question
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG309", Severity.WARNING, Applicability.SAFE)

_LISTS = (
    "sqlalchemy.orm.Query.all",
    "sqlalchemy.ScalarResult.all",
    "sqlalchemy.Result.all",
    "sqlalchemy.Result.fetchall",
)
_FIRSTS = ("sqlalchemy.orm.Query.first", "sqlalchemy.ScalarResult.first", "sqlalchemy.Result.first")


@rule.on_call(*_LISTS, *_FIRSTS)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report rows that are loaded for their number or existence."""
    fact = call.fact
    if context.is_test() or not isinstance(fact.node.func, ast.Attribute):
        return
    ask = asked if call.name in _LISTS else asked_of_one
    question, is_named = ask(context.parent, fact.chunk, fact.node), False
    if question is None:
        question, is_named = _of_name(context, call), True
    if question is None:
        return
    base = getattr(fact.value.func, "base", None)
    is_query = call.name.startswith("sqlalchemy.orm.Query.")
    execution = None if is_query or base is None else context.statements.execution(base, context.file)
    statement = base if is_query else execution.statement if execution is not None else None
    if statement is None or (
        call.name in _FIRSTS and not gives_objects(context.statements, statement, context.file)
    ):
        return
    forms = context.statements.of(statement, context.file)
    if any(form.has("with_for_update") for form in forms.statements):
        # The rows are loaded to be locked.
        return
    if any(form.kind in ("update", "delete") for form in forms.statements):
        # What was changed has no other way to be told than `returning()`.
        return
    can_fix = not is_named and _edits(context, call, question) is not None
    doubtful = call.likely or (execution is not None and execution.likely)
    if question.kind == "count" and (is_query or (execution is not None and "unique" in execution.links)):
        doubtful = doubtful or has_repetitions(context.statements, statement, context.file)
    message = (
        "All rows are loaded to be counted; let the database count: `select(func.count())`"
        if question.kind == "count"
        else "Rows are loaded to see whether there are any; ask the database: `select(….exists())`"
    )
    yield context.at_call(
        rule,
        fact,
        message,
        applicability=None if not can_fix else Applicability.UNSAFE if doubtful else Applicability.SAFE,
        subject=(call, question),
    )


def _of_name(context: Context, call: LibraryCall) -> Question | None:
    """What is asked of a name that the rows get and that serves nothing else."""
    fact = call.fact
    statement = fact.statement
    if (
        call.name not in _LISTS
        or fact.function is None
        or not isinstance(statement, ast.Assign)
        or statement.value is not fact.node
        or not isinstance(statement.targets[0], ast.Name)
        or len(statement.targets) != 1
    ):
        return None
    use = sole_use(fact.function.header, fact.function.chunk, statement, statement.targets[0].id)
    return asked(context.parent, use.chunk, use.node) if use is not None else None


def _edits(context: Context, call: LibraryCall, question: Question) -> object:
    if call.name.startswith("sqlalchemy.orm.Query.") or loading_of(call.fact.node) is not None:
        return Counter(context.source, context.module_statements(), call.fact).counted(question)
    return None


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Ask the database."""
    call, question = violation.subject
    edits = Counter(context.source, context.module_statements(), call.fact).counted(question)
    if edits is None or violation.applicability is None:
        return None
    title = "Let the database count" if question.kind == "count" else "Ask whether there are any rows"
    return Fix(title, violation.applicability, {context.file.file_id: edits})
