"""Legacy Query API: `session.query()` and `Model.query`.

## What it does
Reports `session.query(…)` and `Model.query`, whatever the session, the class and the query are called and wherever they
come from. Silent in projects whose requirements name SQLAlchemy 1.3 or older, which have no other way; `target-version` says
where such a project is going.

## Why is this bad?
`Query` is the API of SQLAlchemy 1.x, kept for old code only. It de-duplicates entities behind your back, does not exist on
`AsyncSession`, is not understood by type checkers, and new features are added to `select()` alone.

## Example
```python
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


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
    created_at = None
    updated_at = None


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
A query that goes through variables, functions and files is rewritten in all of these places together, or in none.

## References
- [ORM querying guide](https://docs.sqlalchemy.org/en/20/orm/queryguide/index.html)
- [Migrating to 2.0: ORM usage](https://docs.sqlalchemy.org/en/20/changelog/migration_20.html#migration-orm-usage)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.project.query_consumers import statement_of
from sqlalchemy_guard.project.query_sources import QueryAttribute
from sqlalchemy_guard.records import replace
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.syntax.chunk import Chunk
    from sqlalchemy_guard.text.edit import Edit

rule = Rule("SAG301", Severity.WARNING, Applicability.SAFE, modern=True)


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
    if not context.has_scalars:
        return
    # The algebra of queries is large: only who has legacy queries waits for it.
    from sqlalchemy_guard.fixes.query_plan import Plan, plan_of

    knowledge = context.query_knowledge(chunk)
    plan = plan_of(node, knowledge, context.source)
    if isinstance(plan, Plan):
        plan = replace(plan, doubts=(*plan.doubts, *_doubts(context)))
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


def _doubts(context: Context) -> Iterator[str]:
    """Why no query of a project is proven to have a 2.x form."""
    context.resolver.keys.add(context.workspace.READ)
    if context.workspace.is_reading:
        yield "the workspace is still being read"


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Write the query with `select()`."""
    from sqlalchemy_guard.fixes.file_source import source_of
    from sqlalchemy_guard.fixes.imports import Placed
    from sqlalchemy_guard.fixes.legacy_query import edits_of
    from sqlalchemy_guard.fixes.query_plan import Plan

    plan = violation.subject
    if not isinstance(plan, Plan) or not all(
        context.workspace.file(each.file.file_id) is each.file and each.chunk.is_alive
        for each in plan.rewrites
    ):
        return None
    edits: dict[str, tuple[Edit, ...]] = {}
    taken = plan.taken()
    files = {each.file.file_id: each.file for each in plan.rewrites}
    for file_id, file in files.items():
        edits[file_id] = edits_of(
            source_of(context.workspace, file),
            [Placed(node, chunk.shift) for chunk in file.syntax.chunks for node in chunk.body],
            [each for each in plan.rewrites if each.file is file],
            taken=taken.get(file_id, frozenset()),
            extra=plan.imports.get(file_id, ()),
        )
    title = "Rewrite the query with `select()`"
    if plan.functions > 1:
        title += f" in {plan.functions} functions"
        if len(files) > 1:
            title += f" of {len(files)} files"
    if plan.doubts:
        title += f" ({'; '.join(plan.doubts)})"
    return Fix(title, violation.applicability or Applicability.UNSAFE, edits)
