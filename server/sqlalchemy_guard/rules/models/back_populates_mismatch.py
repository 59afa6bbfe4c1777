"""`back_populates` without its counterpart on the other class.

## What it does
Reports `back_populates="x"` where the other class has no `x`, where `x` is a column, does not name this side in return, names
another attribute, or leads to another class. Silent where the other class may have attributes that are not seen, and on
`viewonly` sides.

## Why is this bad?
A name that does not exist fails when the mappers are configured, for every model of the application. A side that does not name its
partner is worse: nothing fails, but `post.author = user` does not put the post into `user.posts`, and the two disagree until
both are loaded again.

## Example
```python
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class Customer(Base):
    __tablename__ = "customer"

    id: Mapped[int] = mapped_column(primary_key=True)
    orders: Mapped[list["Order"]] = relationship(back_populates="buyer")


class Order(Base):
    __tablename__ = "order"

    id: Mapped[int] = mapped_column(primary_key=True)
    buyer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    buyer: Mapped["Customer"] = relationship()
```

## Use instead
```python
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class Customer(Base):
    __tablename__ = "customer"

    id: Mapped[int] = mapped_column(primary_key=True)
    orders: Mapped[list["Order"]] = relationship(back_populates="buyer")


class Order(Base):
    __tablename__ = "order"

    id: Mapped[int] = mapped_column(primary_key=True)
    buyer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    buyer: Mapped["Customer"] = relationship(back_populates="orders")
```

## Fix safety
Safe: a name that does not exist becomes the one that was meant, or the missing side is written into the other class; a side that is
not named back gets its `back_populates`, so that both follow each other as they were declared to. There is no fix where several
relationships claim the same other side.

## References
- [Basic relationship patterns](https://docs.sqlalchemy.org/en/20/orm/basic_relationships.html)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.partner import apply_remedy, remedy_of
from sqlalchemy_guard.project.partners import Mismatch, Mismatched, mismatched
from sqlalchemy_guard.project.relationships import Relationship
from sqlalchemy_guard.rules.api import Applicability, Fix, Related, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context

rule = Rule("SAG215", Severity.ERROR, Applicability.SAFE)


@rule.on(Relationship)
def check(context: Context, relationship: Relationship) -> Iterator[Violation]:
    """Report a `back_populates` that nothing answers."""
    found = mismatched(context.workspace, relationship)
    given = relationship.argument("back_populates")
    if found is None or given is None:
        return
    owner = found.target[1].rpartition(".")[2]
    typed = context.target_version != "1.4"
    remedy = remedy_of(context.workspace, relationship, found, context.source, typed=typed)
    related: tuple[Related, ...] = ()
    if found.other is not None:
        attribute = found.other.attribute
        message = f"`{owner}.{found.name}`"
        related = (context.related(found.other.file, attribute.chunk, attribute.node, message),)
    yield context.violation(
        rule,
        relationship.attribute.chunk,
        given[1],
        _message(relationship, found, owner),
        statement=relationship.statement,
        applicability=Applicability.SAFE if remedy is not None else None,
        related=related,
        subject=(relationship, remedy),
    )


def _message(relationship: Relationship, found: Mismatched, owner: str) -> str:
    own = f"{relationship.owner.name}.{relationship.name}"
    other = f"{owner}.{found.name}"
    match found.kind:
        case Mismatch.MISSING:
            return f"`{owner}` has no `{found.name}`, and SQLAlchemy raises when it configures the mappers"
        case Mismatch.NO_RELATIONSHIP:
            return f"`{other}` is a column, and SQLAlchemy raises when it configures the mappers"
        case Mismatch.ONE_SIDED:
            return f"`{other}` does not say `back_populates` in return: changing it leaves `{own}` behind until it is loaded"
        case Mismatch.OTHER_CLASS:
            return f"`{other}` does not lead to `{relationship.owner.name}`, and SQLAlchemy raises when it configures the mappers"
        case Mismatch.OTHER_KEYS:
            return f"`{other}` goes over other keys than `{own}`: they are two relationships, not two sides of one"
    named = found.other.constant("back_populates") if found.other is not None else ""
    return f"`{other}` is the other side of `{relationship.owner.name}.{named}`, not of `{own}`"


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Make the two sides name each other."""
    relationship, remedy = violation.subject
    edits = apply_remedy(context.workspace, relationship, remedy, context.source)
    return Fix(remedy.title, Applicability.SAFE, edits) if edits is not None else None
