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
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy_guard.facts.uses import sole_use
from sqlalchemy_guard.fixes.layout import reflow
from sqlalchemy_guard.project.eager import JoinedCollection, joined_collections
from sqlalchemy_guard.project.statements import EXECUTIONS
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.project.statements import Execution
    from sqlalchemy_guard.syntax.chunk import Chunk

rule = Rule("SAG305", Severity.ERROR, Applicability.SAFE)

_READING = tuple(
    f"sqlalchemy.{owner}.{method}"
    for owner, methods in {
        "Result": "all fetchall fetchmany fetchone one one_or_none scalar_one scalar_one_or_none partitions",
        "ScalarResult": "all fetchall fetchmany one one_or_none partitions",
    }.items()
    for method in methods.split()
)
_COLLECTING = frozenset(("list", "tuple", "set", "sorted", "next", "dict", "enumerate"))


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
    value: Value = fact.value
    node: ast.expr = fact.node
    parent = context.parent(fact.chunk, node)
    if isinstance(parent, ast.Await):
        node, parent = parent, context.parent(fact.chunk, parent)
    while isinstance(parent, ast.Attribute) and parent.attr in ("scalars", "unique", "mappings"):
        called = context.parent(fact.chunk, parent)
        if parent.attr == "unique" or not isinstance(called, ast.Call):
            return
        node, parent = called, context.parent(fact.chunk, called)
    place = _Place(node, fact.chunk, fact.statement)
    if (
        isinstance(parent, ast.Assign)
        and parent is fact.statement
        and fact.function is not None
        and isinstance(parent.targets[0], ast.Name)
    ):
        use = sole_use(fact.function.header, fact.function.chunk, parent, parent.targets[0].id)
        if use is None:
            return
        node, parent = use.node, context.parent(use.chunk, use.node)
        if not _iterates(parent, node):
            return
    elif not _iterates(parent, node):
        return
    yield from _judge(context, fact, context.statements.execution(value, context.file), place, "iteration")


def _iterates(parent: ast.AST | None, node: ast.expr) -> bool:
    if isinstance(parent, (ast.For, ast.AsyncFor, ast.comprehension)):
        return parent.iter is node
    return (
        isinstance(parent, ast.Call)
        and isinstance(parent.func, ast.Name)
        and parent.func.id in _COLLECTING
        and parent.args[:1] == [node]
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
    source, shift = context.source, place.chunk.shift
    end = source.end(place.node, shift)
    parent = context.parent(place.chunk, place.node)
    if isinstance(parent, ast.Attribute):
        dot = source.text.rindex(".", end, source.end(parent, shift))
        _, line, margin = source.text[end:dot].rpartition(source.newline)
        edits: list[Edit] = [Edit(dot, dot, f".unique(){line}{margin if line else ''}")]
    elif isinstance(place.node, ast.Await):
        edits = [
            Edit(source.start(place.node, shift), source.start(place.node, shift), "("),
            Edit(end, end, ").unique()"),
        ]
    else:
        edits = [Edit(end, end, ".unique()")]
    laid = reflow(source, place.statement, edits, shift)
    return Fix(
        "Call `unique()`", violation.applicability or Applicability.UNSAFE, {context.file.file_id: laid}
    )
