"""Relationships named by text in loader options and joins, which version 2 takes as attributes only.

## What it does
Reports texts in `joinedload("orders")`, `selectinload()`, `subqueryload()`, `lazyload()`, `contains_eager()`, `defer()`,
`undefer()`, `load_only()` and whatever is chained to them, in `join("orders")` and `outerjoin()`, and in
`with_parent(user, "orders")`. The wildcard `"*"` is right. Projects for 1.4 are left alone.

## Why is this bad?
SQLAlchemy 2 raises `ArgumentError`. A text is not checked by anything before it runs, and no editor renames it.

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
    return session.scalars(select(User).options(joinedload("orders"))).unique().all()
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
Safe: the attribute is what 1.x looked up by the text. There is no fix where the class is not known for sure, or cannot be
named in the file.

## References
- [ORM Query: joining and loading on relationships uses attributes, not strings](https://docs.sqlalchemy.org/en/20/changelog/migration_20.html#migration-20-orm-query-join-strings)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.string_paths import Attributes
from sqlalchemy_guard.project.string_paths import COLUMN_OPTIONS, LOADERS, Paths, links_of
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.text.edit import Edit

rule = Rule("SAG314", Severity.ERROR, Applicability.SAFE, modern=True)

_JOINS = tuple(
    f"sqlalchemy.{owner}.{method}" for owner in ("orm.Query", "Select") for method in ("join", "outerjoin")
)
_PARENTS = ("sqlalchemy.orm.with_parent", "sqlalchemy.orm.Query.with_parent")


@rule.on_call("sqlalchemy.orm.Load", *(f"sqlalchemy.orm.{name}" for name in sorted(LOADERS | COLUMN_OPTIONS)))
def check_option(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a loader option with texts."""
    if context.target_version == "1.4":
        return
    links = links_of(context.parent, call.fact.chunk, call.fact.node)
    strings = [(link.name, string) for link in links for string in link.strings]
    if strings:
        name, string = strings[0]
        yield _violation(context, call, f"{name}({string.value!r})", string)


@rule.on_call(*_JOINS)
def check_join(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a join to a text."""
    if context.target_version == "1.4":
        return
    for arg in call.fact.node.args[:2]:
        if isinstance(arg, ast.Constant) and isinstance(arg.value, str):
            name = call.name.rpartition(".")[2]
            yield _violation(context, call, f"{name}({arg.value!r})", arg)
            return


@rule.on_call(*_PARENTS)
def check_parent(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report `with_parent(instance, "relationship")`."""
    if context.target_version == "1.4":
        return
    node = call.fact.node
    given = (
        node.args[1]
        if len(node.args) > 1
        else next((k.value for k in node.keywords if k.arg == "property"), None)
    )
    if isinstance(given, ast.Constant) and isinstance(given.value, str):
        yield _violation(context, call, f"with_parent(…, {given.value!r})", given)


def _violation(context: Context, call: LibraryCall, what: str, node: ast.Constant) -> Violation:
    edits = _edits(context, call)
    applicability = Applicability.UNSAFE if call.likely else Applicability.SAFE
    return context.at_call(
        rule,
        call.fact,
        f"`{what}` fails in SQLAlchemy 2, which takes attributes and no text: name the attribute of the class",
        node=node,
        applicability=applicability if edits else None,
        subject=call,
    )


def _edits(context: Context, call: LibraryCall) -> tuple[Edit, ...] | None:
    fact = call.fact
    paths = Paths(context.query_knowledge(fact.chunk), context.statements)
    writer = Attributes(context.source, context.module_statements(), context.parent, paths)
    if call.name in _JOINS:
        return writer.joined(fact)
    if call.name in _PARENTS:
        return writer.parented(fact)
    return writer.loaded(fact)


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Write the attributes."""
    edits = _edits(context, violation.subject)
    if not edits or violation.applicability is None:
        return None
    return Fix("Name the attribute", violation.applicability, {context.file.file_id: edits})
