"""Relationship with a string that names no mapped class, or no attribute of one.

## What it does
Reports `relationship("X")`, `Mapped["X"]`, `primaryjoin="X.id == …"`, `foreign_keys="X.y_id"` and the other strings of a
relationship that name a class, an attribute or a table that does not exist below the same declarative base. Silent where
classes may exist without being seen: bases of other packages, automap, classes made at run time by `type()` or a function,
names behind a base that cannot be read.

## Why is this bad?
Strings are looked up when the mappers are configured, which is at the first query. It fails there with `InvalidRequestError`, for
every model of the application and not only for this one.

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


class Order(Base):
    __tablename__ = "order"

    id: Mapped[int] = mapped_column(primary_key=True)
    buyer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    buyer: Mapped[Customer] = relationship("Custmer", foreign_keys="Order.buyerid")
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


class Order(Base):
    __tablename__ = "order"

    id: Mapped[int] = mapped_column(primary_key=True)
    buyer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    buyer: Mapped[Customer] = relationship("Customer", foreign_keys="Order.buyer_id")
```

## Fix safety
Safe: the code cannot run today. The name becomes the one that it resembles; where none does, there is no fix.

## References
- [Late evaluation of relationship arguments](https://docs.sqlalchemy.org/en/20/orm/basic_relationships.html#late-evaluation-of-relationship-arguments)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.naming import nearest
from sqlalchemy_guard.project.relationship_names import unknown_names
from sqlalchemy_guard.project.relationships import Relationship
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context

rule = Rule("SAG214", Severity.ERROR, Applicability.SAFE)


@rule.on(Relationship)
def check(context: Context, relationship: Relationship) -> Iterator[Violation]:
    """Report names that SQLAlchemy will not find."""
    for unknown in unknown_names(context.workspace, relationship):
        meant = nearest(unknown.name, unknown.known)
        hint = f"; did you mean `{meant}`?" if meant else ""
        owner, written = unknown.owner, unknown.name
        what = (
            f"`{owner}` has no attribute `{written}`" if owner else f"no {unknown.what} is called `{written}`"
        )
        prefix = f"{owner}." if owner else ""
        edits = tuple(_edits(context, relationship, unknown.node, prefix + written, f"{prefix}{meant}"))
        yield context.violation(
            rule,
            relationship.attribute.chunk,
            unknown.node,
            f"{what}, and SQLAlchemy raises when it configures the mappers{hint}",
            statement=relationship.statement,
            applicability=Applicability.SAFE if meant and edits else None,
            subject=(relationship, unknown.node, prefix + written, f"{prefix}{meant}"),
        )


def _edits(
    context: Context, relationship: Relationship, node: ast.expr, written: str, meant: str
) -> Iterator[Edit]:
    """Write another name wherever a string says one; nothing where the string does not show it as it is."""
    source, shift = context.source, relationship.attribute.chunk.shift
    start = source.start(node, shift)
    for found in re.finditer(rf"(?<![\w.]){re.escape(written)}(?!\w)", source.segment(node, shift)):
        yield Edit(start + found.start(), start + found.end(), meant)


@rule.fix
def fix(context: Context, violation: Violation) -> Fix:
    """Write the name that was meant."""
    edits = tuple(_edits(context, *violation.subject))
    return Fix(f"Write `{violation.subject[-1]}`", Applicability.SAFE, {context.file.file_id: edits})
