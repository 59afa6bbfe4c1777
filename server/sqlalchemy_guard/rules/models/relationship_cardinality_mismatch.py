"""Relationship whose annotation or `uselist` says something else than its foreign keys.

## What it does
Reports a many-to-one that is annotated as a collection, `uselist=` that contradicts the annotation, and an attribute with a name
in the plural that is annotated as a single object although the keys allow many. Silent where `uselist=False` or a unique key makes
it one, where a condition of one's own chooses, and where the keys do not tell the direction.

## Why is this bad?
SQLAlchemy follows the keys, not the list in the annotation: `order.buyers` is one `Customer`, and `for buyer in order.buyers`
fails at run time although the type checker was content. The other way round, `Mapped["Order"]` makes the attribute scalar, so
that all but one of a customer's orders are silently left out.

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
    buyer: Mapped[list["Customer"]] = relationship()
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
    buyer: Mapped["Customer"] = relationship()
```

## Fix safety
Safe where the annotation, or a `uselist=` without effect, is made to say what SQLAlchemy does today. Unsafe where a single object
becomes the list that the keys allow: code that reads the attribute must follow. A key that should be unique is yours to make so.

## References
- [Basic relationship patterns](https://docs.sqlalchemy.org/en/20/orm/basic_relationships.html)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.annotations import annotate
from sqlalchemy_guard.fixes.arguments import remove_argument
from sqlalchemy_guard.fixes.imports import need_all
from sqlalchemy_guard.fixes.layout import reflow
from sqlalchemy_guard.fixes.relationship_text import Shape, annotation
from sqlalchemy_guard.project.configured import Direction, configured
from sqlalchemy_guard.project.relationships import Relationship, annotated_as
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.configured import Configured

rule = Rule("SAG218", Severity.ERROR, Applicability.SAFE)


@rule.on(Relationship)
def check(context: Context, relationship: Relationship) -> Iterator[Violation]:
    """Report an annotation or `uselist` that is not what the keys make of it."""
    said = annotated_as(context.resolver, relationship)
    known = configured(context.workspace, relationship)
    if (
        said is None
        or said.wrapper != "sqlalchemy.orm.Mapped"
        or said.collection is None
        or said.name is None
    ):
        return
    if (
        known.direction is None
        or not relationship.is_readable
        or relationship.kind == "sqlmodel.Relationship"
    ):
        return
    found = _fault(relationship, known, collection=said.collection)
    if found is None or relationship.annotation is None:
        return
    message, shape, applicability = found
    shift = relationship.attribute.chunk.shift
    commented = context.source.comments(
        context.source.start(relationship.annotation, shift),
        context.source.end(relationship.annotation, shift),
    )
    yield context.violation(
        rule,
        relationship.attribute.chunk,
        relationship.annotation,
        message,
        statement=relationship.statement,
        applicability=None if commented or context.file.syntax.problems else applicability,
        subject=(relationship, shape, said.name),
    )


def _fault(
    relationship: Relationship, known: Configured, *, collection: bool
) -> tuple[str, Shape | None, Applicability | None] | None:
    """What is wrong, what the annotation should say (None where only `uselist` goes), and how safe that is."""
    uselist = relationship.constant("uselist")
    to_one = known.direction is Direction.MANYTOONE
    if relationship.value("collection_class") is not None or (
        relationship.value("uselist") is not None and not isinstance(uselist, bool)
    ):
        return None
    if collection and (uselist is False or (to_one and uselist is None)):
        why = "`uselist=False`" if uselist is False else "the foreign key of this class"
        optional = not to_one or relationship.value("primaryjoin") is not None or known.nullable is not False
        sure = Applicability.SAFE if not to_one or known.nullable is not None else None
        message = f"the annotation says a collection, but {why} makes `{relationship.name}` a single object"
        return message, Shape(optional=optional), sure
    if not collection and uselist is True:
        message = f"`uselist=True` has no effect: the annotation makes `{relationship.name}` a single object"
        return message, None, Applicability.SAFE
    if collection or to_one or uselist is False or relationship.value("primaryjoin") is not None:
        return None
    if known.direction is Direction.ONETOMANY and any(link.is_unique is not False for link in known.links):
        return None
    if relationship.constant("viewonly") is True or not _is_plural(relationship, known):
        # One to one without a unique key is how many write it; a name in the plural means many.
        return None
    message = (
        f"the annotation makes `{relationship.name}` a single object, but the keys allow many, and all but one are left out; "
        "annotate a list, or say `uselist=False` and make the key unique"
    )
    return message, Shape(container="list"), Applicability.UNSAFE


def _is_plural(relationship: Relationship, known: Configured) -> bool:
    """Whether the name says many, and the class of the other side is no plural itself."""
    name = relationship.name
    target = known.target[1].lower() if known.target is not None else "s"
    return name.endswith("s") and not name.endswith(("ss", "us", "is")) and not target.endswith("s")


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Let the annotation say what the keys make of the relationship."""
    relationship, shape, name = violation.subject
    source, shift = context.source, relationship.attribute.chunk.shift
    certainty = violation.applicability or Applicability.UNSAFE
    if shape is None:
        keyword = next(each for each in relationship.node.keywords if each.arg == "uselist")
        edits = remove_argument(source, relationship.node, keyword, shift, relationship.statement)
        return Fix("Remove `uselist=True`", certainty, {context.file.file_id: edits})
    owner = relationship.owner
    taken = {*owner.attributes, *owner.methods, *owner.classes}
    statements = context.module_statements()
    pattern, wanted = annotation(source, statements, shape, name, taken=taken)
    names, imported = need_all(source, statements, wanted, taken=taken)
    said = pattern.format(*names)
    changed = reflow(
        source, relationship.statement, annotate(source, relationship.statement, said, shift), shift
    )
    return Fix(
        f"Annotate `{relationship.name}` as `{said}`",
        certainty,
        {context.file.file_id: (*changed, *imported)},
    )
