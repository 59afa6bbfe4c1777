"""Relationship of a mapped class without a `Mapped[...]` annotation.

## What it does
Reports attributes of mapped classes that are a `relationship(...)` without `Mapped[...]`, and methods under `@declared_attr` that
return one without `-> Mapped[...]`. Silent in SQLModel classes, whose annotations are their own, in migrations, and in projects
that admit SQLAlchemy 1.4.

## Why is this bad?
Without the annotation a type checker takes `order.buyer` for `Any`: no mistake with it is ever found, nobody reads from the class
whether it is one object, may be `None`, or is a list, and editors complete nothing behind it.

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
    orders = relationship("Order", back_populates="buyer")


class Order(Base):
    __tablename__ = "order"

    id: Mapped[int] = mapped_column(primary_key=True)
    buyer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    buyer = relationship("Customer", back_populates="orders")
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
Safe: the annotation says what SQLAlchemy makes of the keys, `uselist`, `lazy` and `collection_class` today, and the class's name
leaves the arguments where the annotation says it. A method of a mixin is annotated where that is true of all its models. There is
no fix where the keys do not tell the direction, for collections of one's own, and for dataclasses, whose `__init__` would change.
Unsafe below a base that cannot be read.

## References
- [Migrating an existing mapping](https://docs.sqlalchemy.org/en/20/changelog/whatsnew_20.html#migrating-an-existing-mapping)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.annotations import target_of
from sqlalchemy_guard.fixes.relationship_shape import shape_of
from sqlalchemy_guard.fixes.type_imports import is_bound
from sqlalchemy_guard.fixes.typed_relationship import Untyped, annotated
from sqlalchemy_guard.project import registries
from sqlalchemy_guard.project.columns import has_unknown_base, is_dataclass, may_be_dataclass
from sqlalchemy_guard.project.configured import configured
from sqlalchemy_guard.project.declared_attributes import DeclaredAttribute, relationships_below
from sqlalchemy_guard.project.model import model_of
from sqlalchemy_guard.project.relationships import Relationship, annotated_as, registry_of
from sqlalchemy_guard.project.types import ClassType
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.fixes.source import Located

rule = Rule("SAG203", Severity.WARNING, Applicability.SAFE, modern=True)


@rule.on(Relationship)
def check(context: Context, relationship: Relationship) -> Iterator[Violation]:
    """Report a relationship without `Mapped`."""
    model = model_of(context.resolver, relationship.owner, context.file)
    said = annotated_as(context.resolver, relationship)
    if model is not None and (said is None or said.wrapper is None):
        statement = relationship.statement
        what = f"`{relationship.name}` has no `Mapped[...]`"
        sides = [relationship]
        yield from _report(context, relationship, sides, target_of(statement), statement, what, None)


@rule.on(DeclaredAttribute)
def check_declared(context: Context, declared: DeclaredAttribute) -> Iterator[Violation]:
    """Report a method that makes a relationship and does not say so."""
    relationship = declared.relationship
    if relationship is None:
        return
    # What a method reads of its class may differ from one to the other.
    is_alike = not declared.function.header.args.args or not any(
        isinstance(part, ast.Name) and part.id == declared.function.header.args.args[0].arg
        for part in ast.walk(declared.statement)
    )
    sides = relationships_below(context.workspace, relationship) if is_alike else []
    header = declared.function.header
    node = context.name_of(declared.function.chunk, header)
    what = f"`{relationship.name}` is not said to return `Mapped[...]`"
    yield from _report(context, relationship, sides, node, header, what, declared)


def _report(
    context: Context,
    relationship: Relationship,
    sides: list[Relationship],
    node: Located,
    statement: ast.stmt,
    what: str,
    declared: DeclaredAttribute | None,
) -> Iterator[Violation]:
    """Report a relationship that several classes may have: its fix is for what is true of all."""
    model = model_of(context.resolver, relationship.owner, context.file)
    if (
        relationship.kind == "sqlmodel.Relationship"
        or context.target_version == "1.4"
        or context.is_migration()
        or (model is not None and model.kind == "sqlmodel.SQLModel")
    ):
        return
    class_ = ClassType(relationship.owner_id)
    shapes = {shape_of(context.workspace, side) for side in sides}
    names = {_class_name(context, side) for side in sides}
    shape = shapes.pop() if len(shapes) == 1 else None
    name = names.pop() if len(names) == 1 else None
    applicability = subject = None
    if shape is not None and name is not None and not is_dataclass(context.resolver, class_):
        subject = Untyped(relationship, sides[0], shape, name, declared)
        unsure = has_unknown_base(context.resolver, class_) or may_be_dataclass(
            context.resolver, context.workspace, class_
        )
        applicability = Applicability.UNSAFE if unsure else Applicability.SAFE
    yield context.violation(
        rule,
        relationship.attribute.chunk if declared is None else declared.function.chunk,
        node,
        f"{what}: type checkers cannot know whether it is one object, None, or a collection",
        statement=statement,
        applicability=None if context.file.syntax.problems else applicability,
        subject=subject,
    )


def _class_name(context: Context, relationship: Relationship) -> str | None:
    """The name of the other class, None where it means something else in this module or could be several classes."""
    target = configured(context.workspace, relationship).target
    if target is None or "." in target[1]:
        return None
    here = context.resolver.name(target[1], context.file)
    bound = is_bound(context.module_statements(), target[1])
    registry = registry_of(context.resolver, relationship)
    found = registries.named(context.resolver, target[1], context.file, registry)
    if here == ClassType(target) or (not bound and found == [target]):
        return target[1]
    return None


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Annotate the attribute or the method, and leave the class's name to the annotation."""
    untyped: Untyped = violation.subject
    said, changes = annotated(
        context.workspace, context.source, context.module_statements(), context.file.file_id, untyped
    )
    certainty = violation.applicability or Applicability.UNSAFE
    return Fix(
        f"Annotate `{untyped.relationship.name}` as `{said}`", certainty, {context.file.file_id: changes}
    )
