"""A relationship that is loaded lazily from an `AsyncSession`: reading it raises `MissingGreenlet`.

## What it does
Reports reads of lazily loaded relationships and of deferred columns of objects that an `AsyncSession` gave, single ones too. What
loads the object, its loader options and `lazy=` of the mapping are followed across files; where one of them is not understood,
nothing is said. Response models, schemas, templates and methods of the object read relationships too. Also reports the first read
of an object behind a commit that expired it, where no session of the workspace is made with `expire_on_commit=False`.

## Why is this bad?
Loading would have to wait for the database, and reading an attribute cannot be awaited: SQLAlchemy raises
`MissingGreenlet: greenlet_spawn has not been called`. The error comes only when the attribute is not loaded yet, so that a test
that has just made the object does not see it.

Left alone are relationships that a loader option names, what was set or refreshed by name before, `awaitable_attrs`,
and code that runs in `run_sync`.

## Example
```python
# path: models.py
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    posts: Mapped[list["Post"]] = relationship()


class Post(Base):
    __tablename__ = "post"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
```

```python
# path: report.py
from models import User
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession


async def count_posts(session: AsyncSession, user_id: int) -> int:
    user = await session.scalar(select(User).where(User.id == user_id))
    return len(user.posts)
```

## Use instead
```python
# path: report.py
from models import User
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload


async def count_posts(session: AsyncSession, user_id: int) -> int:
    user = await session.scalar(
        select(User).where(User.id == user_id).options(selectinload(User.posts))
    )
    return len(user.posts)
```

## Fix safety
Safe: the statement gives the same objects, and what raised gives a value. Collections are loaded by `selectinload`, scalar
relationships by `joinedload`. Unsafe where the session is known by its name only. No fix where the statement or the class cannot
be named; `await session.refresh(user, ["posts"])` and `await user.awaitable_attrs.posts` are other ways.

## References
- [Preventing implicit IO when using AsyncSession](https://docs.sqlalchemy.org/en/20/orm/extensions/asyncio.html#preventing-implicit-io-when-using-asyncsession)
- [Relationship loading techniques](https://docs.sqlalchemy.org/en/20/orm/queryguide/relationships.html)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.declarations import CallFact
from sqlalchemy_guard.fixes import loading
from sqlalchemy_guard.project.expired import expired_reads
from sqlalchemy_guard.project.file_roles import is_test_file
from sqlalchemy_guard.project.reads import LazyRead, chain_of, is_loaded_by_hand
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG311", Severity.ERROR, Applicability.SAFE)


@rule.on(LazyRead)
def check(context: Context, read: LazyRead) -> Iterator[Violation]:
    """Report a lazy load that nothing can await."""
    load, site = read.source.load, read.site
    if not load.is_async or (load.likely and context.settings.inference == "proven"):
        return
    if isinstance(site.function, ast.Lambda) or is_loaded_by_hand(read):
        return
    if is_test_file(context.file.file_id) or any(is_test_file(file.file_id) for file, _ in read.source.calls):
        return
    plans = loading.plans((read, *read.along), context.workspace)
    applicability = None
    if plans:
        applicability = Applicability.UNSAFE if load.likely else Applicability.SAFE
    owner = read.source.ref[1].rpartition(".")[2]
    name = f"`{owner}.{read.info.name}`"
    if read.reader:
        further = f" and {len(read.along)} more" if read.along else ""
        name = f"`{read.reader}` reads {name}{further}, which"
    advice = f"load it with the object: {loading.texts(plans)}" if plans else "load it with the object"
    yield context.violation(
        rule,
        site.chunk,
        site.node,
        f"{name} is not loaded, and loading it here raises `MissingGreenlet` in an asynchronous session; {advice}",
        statement=site.statement,
        applicability=applicability,
        related=context.explained(chain_of(read, context.workspace)),
        subject=plans,
    )


@rule.on_call("sqlalchemy.ext.asyncio.AsyncSession.commit")
def check_expired(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report reads of what a commit expired."""
    if context.is_test() or (call.likely and context.settings.inference == "proven"):
        return
    fact = call.fact
    can_fix = isinstance(fact.statement, ast.Expr)
    for read in expired_reads(context.workspace, fact, context.file):
        yield context.violation(
            rule,
            read.chunk,
            read.node,
            f"`{read.model.name}.{read.node.attr}` expired with the commit, and loading it here raises `MissingGreenlet`; "
            f"make sessions with `expire_on_commit=False`, or `await` a `refresh()` of `{read.name}`",
            statement=read.statement,
            applicability=(Applicability.UNSAFE if call.likely else Applicability.SAFE) if can_fix else None,
            related=(context.related(context.file, fact.chunk, fact.node, "the commit"),),
            subject=(fact, read.name),
        )


def _refreshed(context: Context, fact: CallFact, name: str, certainty: Applicability) -> Fix:
    """Refresh the object behind the commit."""
    source, shift = context.source, fact.chunk.shift
    assert isinstance(fact.node.func, ast.Attribute), "`commit` is a method"
    session = source.segment(fact.node.func.value, shift)
    margin = source.margin(source.offset(source.first_line(fact.statement, shift)))
    at = source.line_end(source.end(fact.statement, shift))
    text = f"await {session}.refresh({name})"
    edit = Edit(at, at, f"{source.newline}{margin}{text}")
    return Fix(f"Add `{text}`", certainty, {context.file.file_id: (edit,)})


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Add a loader option to the statement that loads the object, or a refresh behind the commit."""
    if violation.applicability is not None and isinstance(violation.subject[0], CallFact):
        fact, name = violation.subject
        return _refreshed(context, fact, name, violation.applicability)
    made: tuple[loading.Plan, ...] = violation.subject
    edits = loading.edits(made, context.workspace, context.parent)
    if edits is None or violation.applicability is None:
        return None
    return Fix(loading.title(made), violation.applicability, edits)
