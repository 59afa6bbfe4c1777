"""A result with a collection that is loaded by a join, read without `unique()`.

## What it does
Reports `all()`, `one()`, `scalar_one()`, iteration and the like on the result of a `select()` that loads a collection with
`joinedload()` or `contains_eager()`, or whose mapping says `lazy="joined"`, in this file or another one. `first()`,
`scalar()` and `Query` are left alone: they take care of it.

## Why is this bad?
The join gives an object once for each member of its collection. SQLAlchemy 2 does not drop the repetitions behind your back
but raises `InvalidRequestError` when the result is read.

## Example
```python
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, joinedload, mapped_column, relationship


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    orders: Mapped[list["Order"]] = relationship()


class Order(Base):
    __tablename__ = "order"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))


def users(session: Session) -> list[User]:
    return session.scalars(select(User).options(joinedload(User.orders))).all()
```

## Use instead
```python
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, joinedload, mapped_column, relationship


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    orders: Mapped[list["Order"]] = relationship()


class Order(Base):
    __tablename__ = "order"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))


def users(session: Session) -> list[User]:
    return session.scalars(select(User).options(joinedload(User.orders))).unique().all()
```

## Fix safety
Safe: the code raises today. Unsafe where the session is known by its name only.

## References
- [Joined eager loading not uniqued by default](https://docs.sqlalchemy.org/en/20/changelog/migration_20.html#joined-eager-loading-not-uniqued-by-default)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.result_iteration import iterated
from sqlalchemy_guard.fixes.unique import with_unique
from sqlalchemy_guard.project.eager import JoinedCollection, joined_collections
from sqlalchemy_guard.project.statements import EXECUTIONS
from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.project.statements import Execution
    from sqlalchemy_guard.syntax.chunk import Chunk

rule = Rule("SAG305", Severity.ERROR, Applicability.SAFE, modern=True)

_READING = tuple(
    f"sqlalchemy.{owner}.{method}"
    for owner, methods in {
        "Result": "all fetchall fetchmany fetchone one one_or_none scalar_one scalar_one_or_none partitions",
        "ScalarResult": "all fetchall fetchmany one one_or_none partitions",
    }.items()
    for method in methods.split()
)


class _Place(NamedTuple):
    """Where `unique()` is missing: behind this expression."""

    node: ast.expr
    chunk: Chunk
    statement: ast.stmt


@rule.on_call(*_READING)
def check_reading(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a method that reads a result."""
    fact = call.fact
    base = getattr(fact.value.func, "base", None)
    if base is None or not isinstance(fact.node.func, ast.Attribute):
        return
    execution = context.statements.execution(base, context.file)
    place = _Place(fact.node.func.value, fact.chunk, fact.statement)
    yield from _judge(context, fact, execution, place, f"{fact.node.func.attr}()")


@rule.on_call(*EXECUTIONS)
def check_iteration(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a result that is iterated."""
    fact = call.fact
    node = iterated(context.parent, fact)
    if node is None:
        return
    place = _Place(node, fact.chunk, fact.statement)
    yield from _judge(
        context, fact, context.statements.execution(fact.value, context.file), place, "iteration"
    )


def _judge(
    context: Context, fact: CallFact, execution: Execution | None, place: _Place, what: str
) -> Iterator[Violation]:
    if execution is None or "unique" in execution.links or execution.name.endswith(".scalar"):
        return
    found = _collection(context, execution)
    if found is None:
        return
    named = f"{found.owner.name}.{found.name}"
    how = f"`{found.strategy}()`" if found.option is not None else 'the mapping (`lazy="joined"`)'
    origin = None if found.option is not None else context.mapping_place(found.owner, found.name)
    yield context.at_call(
        rule,
        fact,
        f"`{named}` is loaded by a join through {how}, so {what} raises: call `unique()` on the result first",
        applicability=Applicability.UNSAFE if execution.likely else Applicability.SAFE,
        related=(origin,) if origin is not None else (),
        subject=place,
    )


def _collection(context: Context, execution: Execution) -> JoinedCollection | None:
    for form in context.statements.of(execution.statement, execution.file).statements:
        if form.kind != "select":
            return None
        for collection in joined_collections(context.statements, form):
            return collection
    return None


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Call `unique()` on the result."""
    place: _Place = violation.subject
    parent = context.parent(place.chunk, place.node)
    laid = with_unique(context.source, place.statement, place.node, parent, place.chunk.shift)
    return Fix(
        "Call `unique()`", violation.applicability or Applicability.UNSAFE, {context.file.file_id: laid}
    )
