"""A statement that reads from tables that nothing links.

## What it does
Builds the statement with SQLAlchemy over the models, as they are rebuilt from source, and asks SQLAlchemy's own FROM linter for
tables that neither a join nor a criterion links. Each way through the function is built; reported are tables that no way links.

Silent where a part of the statement is not known; for `join(…, true())`, which says that the product is meant; for `lateral()`,
table-valued functions and `values()`; for a subquery of a single row (aggregates, `limit(1)`), and for rows that are picked by
their primary key or another unique key. Needs the extra `schema`; without it the rule finds nothing.

## Why is this bad?
The database pairs every row of one table with every row of the other. With a few rows in each, as in tests, the result only
repeats itself; a thousand rows of each make a million, counts and sums are multiplied, and rows appear that belong together in no
way.

## Example
```python
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(index=True)


class Post(Base):
    __tablename__ = "post"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)


def titles(session: Session, name: str) -> list[str]:
    return list(session.scalars(select(Post.title).where(User.name == name)))
```

## Use instead
```python no-fix
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(index=True)


class Post(Base):
    __tablename__ = "post"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)


def titles(session: Session, name: str) -> list[str]:
    return list(session.scalars(select(Post.title).join(User).where(User.name == name)))
```

## Fix safety
None: which join is meant, or whether one table is there by mistake, only who wrote the query knows.

## References
- [SQLAlchemy: cartesian product warnings](https://docs.sqlalchemy.org/en/20/changelog/migration_14.html#built-in-from-linting-will-warn-for-any-potential-cartesian-products-in-a-select-statement)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.project.statements import EXECUTIONS
from sqlalchemy_guard.rules.api import Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG313", Severity.WARNING, None)

_TERMINALS = tuple(
    f"sqlalchemy.orm.Query.{name}"
    for name in ("all", "first", "one", "one_or_none", "scalar", "count", "paginate", "update", "delete")
)


@rule.on_call(*EXECUTIONS, *_TERMINALS)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report an execution whose statement has tables that nothing links."""
    value = _executed(call)
    if value is None or context.is_migration():
        return
    # What it takes to answer is loaded where something is executed, and not with the rules.
    from sqlalchemy_guard.sql.unlinked import unlinked

    apart = unlinked(context.workspace, context.file, call.fact, value)
    if apart is None:
        return
    one, other = apart
    places = (
        context.class_place(table.owner, f"`{table.name}` is mapped here")
        for table in apart
        if table.owner is not None
    )
    yield context.at_call(
        rule,
        call.fact,
        f"Nothing links `{one.name}` and `{other.name}`: every row of one is paired with every row of the other; "
        "join them, or say with `join(…, true())` that this is meant",
        related=tuple(place for place in places if place is not None),
    )


def _executed(call: LibraryCall) -> Value | None:
    """The statement that a call executes."""
    if call.name in _TERMINALS:
        return getattr(call.fact.value.func, "base", None)
    args = call.fact.value.args
    return args[0] if args else call.fact.value.keyword("statement")
