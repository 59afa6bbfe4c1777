"""Relationship between tables that no foreign key links, or that several do.

## What it does
Reports `relationship()` without `secondary` and `primaryjoin` where no foreign key leads from one table to the other, and where
several do and `foreign_keys=` does not say which one. Silent where a table, a key or a base of either class cannot be read.

## Why is this bad?
SQLAlchemy cannot tell how to join the tables. It raises `NoForeignKeysError` or `AmbiguousForeignKeysError` when the mappers are
configured, which is at the first query, for every model of the application.

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
    payer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
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


class Order(Base):
    __tablename__ = "order"

    id: Mapped[int] = mapped_column(primary_key=True)
    buyer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    payer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    buyer: Mapped["Customer"] = relationship(foreign_keys=[buyer_id])
```

## Fix safety
Unsafe: of several keys the one with the relationship's name is taken, and where there is none, a column gets a foreign key or is
added to the table, which needs a migration. There is no fix where it is not clear which side should hold the key.

## References
- [Handling multiple join paths](https://docs.sqlalchemy.org/en/20/orm/join_conditions.html#handling-multiple-join-paths)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.arguments import add_keyword
from sqlalchemy_guard.fixes.file_source import source_of
from sqlalchemy_guard.fixes.relationship_keys import MissingKey, chosen_key, missing_key, write_key
from sqlalchemy_guard.project.configured import Fault, configured
from sqlalchemy_guard.project.relationships import Relationship
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context

rule = Rule("SAG217", Severity.ERROR, Applicability.UNSAFE)


@rule.on(Relationship)
def check(context: Context, relationship: Relationship) -> Iterator[Violation]:
    """Report a relationship that SQLAlchemy cannot join."""
    known = configured(context.workspace, relationship)
    context.resolver.keys.add(context.workspace.READ)
    if known.fault is None or known.target is None or not context.workspace.is_read:
        return
    target, owner = known.target[1].rpartition(".")[2], relationship.owner.name
    remedy: str | MissingKey | None
    if known.fault is Fault.SEVERAL_KEYS:
        columns = ", ".join(f"`{link.table.name}.{link.columns[0].name}`" for link in known.links)
        message = (
            f"several foreign keys link `{owner}` and `{target}` ({columns}); say which with `foreign_keys`"
        )
        remedy = chosen_key(context.workspace, relationship)
    else:
        message = f"no foreign key links the tables of `{owner}` and `{target}`, so that SQLAlchemy cannot join them"
        remedy = missing_key(context.workspace, relationship)
        if remedy is not None and write_key(source_of(context.workspace, remedy.file), remedy) is None:
            remedy = None
    yield context.violation(
        rule,
        relationship.attribute.chunk,
        relationship.node,
        message,
        statement=relationship.statement,
        applicability=Applicability.UNSAFE if remedy is not None else None,
        subject=(relationship, remedy),
        end=relationship.node.func,
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Name the key, or write it."""
    relationship, remedy = violation.subject
    if isinstance(remedy, MissingKey):
        edits = write_key(source_of(context.workspace, remedy.file), remedy)
        what = "Refer with" if remedy.column is not None else "Add the column"
        title = f"{what} `{remedy.facts.name}.{remedy.name}` to `{remedy.target}` (changes the table)"
        if remedy.column is None:
            title = f"{what} `{remedy.facts.name}.{remedy.name}` that refers to `{remedy.target}` (changes the table)"
        return Fix(title, Applicability.UNSAFE, {remedy.file.file_id: edits}) if edits is not None else None
    shift = relationship.attribute.chunk.shift
    edits = add_keyword(
        context.source, relationship.node, "foreign_keys", remedy, shift, relationship.statement
    )
    title = f"Join along `foreign_keys={remedy}`"
    return Fix(title, Applicability.UNSAFE, {context.file.file_id: edits})
