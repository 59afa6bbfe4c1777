"""Legacy Query API: `session.query()` and `Model.query`.

## What it does
Reports `session.query(…)` and `Model.query`, whatever the session, the class and the query are called and wherever they
come from.

## Why is this bad?
`Query` is the API of SQLAlchemy 1.x, kept for old code only. It de-duplicates entities behind your back, does not exist on
`AsyncSession`, is not understood by type checkers, and new features are added to `select()` alone.

## Example
```python
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def find(session: Session, name: str) -> User | None:
    return session.query(User).filter(User.name == name).first()
```

## Use instead
```python
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def find(session: Session, name: str) -> User | None:
    return session.scalars(select(User).where(User.name == name).limit(1)).first()
```

## Fix safety
Safe when the session, the classes and every step of the query are proven: both sides then give the same values,
exceptions and SQL, and `.unique()` is written where the de-duplication of `Query` could show. Unsafe when something had to be
assumed; the title says what. A query that has no such form is reported without a fix, and the message says what to write.

## References
- [ORM querying guide](https://docs.sqlalchemy.org/en/20/orm/queryguide/index.html)
- [Migrating to 2.0: ORM usage](https://docs.sqlalchemy.org/en/20/changelog/migration_20.html#migration-orm-usage)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.project.query_consumers import statement_of
from sqlalchemy_guard.project.query_sources import QueryAttribute
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.syntax.chunk import Chunk

rule = Rule("SAG301", Severity.WARNING, Applicability.SAFE)


@rule.on_call("sqlalchemy.orm.Session.query")
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report `session.query(…)`."""
    yield from _judge(context, call.fact.chunk, call.fact.node, call.fact.node.func, "session.query()")


@rule.on(QueryAttribute)
def check_attribute(context: Context, fact: QueryAttribute) -> Iterator[Violation]:
    """Report `Model.query`."""
    if context.query_knowledge(fact.chunk).registry(fact.node) is not None:
        yield from _judge(context, fact.chunk, fact.node, fact.node, "Model.query")


def _judge(context: Context, chunk: Chunk, node: ast.expr, place: ast.expr, what: str) -> Iterator[Violation]:
    # The algebra of queries is large: only who has legacy queries waits for it.
    from sqlalchemy_guard.fixes.query_plan import Plan, plan_of

    knowledge = context.query_knowledge(chunk)
    plan = plan_of(node, knowledge, context.source)
    message = f"`{what}` is the legacy Query API; "
    applicability = None
    if isinstance(plan, Plan):
        message += "use `select()`"
        applicability = Applicability.UNSAFE if plan.doubts else Applicability.SAFE
    else:
        message += plan.reason
    yield context.violation(
        rule,
        chunk,
        place,
        message,
        statement=statement_of(node, knowledge.scope.parent),
        applicability=applicability,
        subject=plan,
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Write the query with `select()`."""
    from sqlalchemy_guard.fixes.legacy_query import edits_of
    from sqlalchemy_guard.fixes.query_plan import Plan

    plan = violation.subject
    if not isinstance(plan, Plan):
        return None
    edits = edits_of(
        context.source,
        context.module_statements(),
        plan.rewrites,
        taken=plan.taken,
        extra=plan.imports,
    )
    title = "Rewrite the query with `select()`"
    if plan.doubts:
        title += f" ({'; '.join(plan.doubts)})"
    return Fix(title, violation.applicability or Applicability.UNSAFE, {context.file.file_id: edits})
