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

from sqlalchemy_guard.fixes.arguments import add_keyword, replace_argument
from sqlalchemy_guard.fixes.back_reference import OtherSide, other_side, write
from sqlalchemy_guard.fixes.naming import nearest
from sqlalchemy_guard.fixes.source import Source
from sqlalchemy_guard.project.partners import Mismatch, Mismatched, candidates, mismatched
from sqlalchemy_guard.project.relationships import Relationship
from sqlalchemy_guard.rules.api import Applicability, Fix, Related, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.workspace import File
    from sqlalchemy_guard.text.edit import Edit

rule = Rule("SAG215", Severity.ERROR, Applicability.SAFE)


@rule.on(Relationship)
def check(context: Context, relationship: Relationship) -> Iterator[Violation]:
    """Report a `back_populates` that nothing answers."""
    found = mismatched(context.workspace, relationship)
    given = relationship.argument("back_populates")
    if found is None or given is None:
        return
    owner = found.target[1].rpartition(".")[2]
    remedy = _remedy(context, relationship, found)
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
    named = found.other.constant("back_populates") if found.other is not None else ""
    return f"`{other}` is the other side of `{relationship.owner.name}.{named}`, not of `{own}`"


Remedy = tuple[str | None, Relationship | None, OtherSide | None]
"""Another name to write here, a relationship that is to name this one, a side that is to be written."""


def _remedy(context: Context, relationship: Relationship, found: Mismatched) -> Remedy | None:
    if relationship.name not in relationship.owner.attributes or not _is_written(relationship):
        return None
    if found.kind is Mismatch.ONE_SIDED and found.other is not None:
        return (None, found.other, None) if _is_only(context, relationship, found) else None
    if found.kind is Mismatch.OTHER_CLASS:
        return None
    others = list(candidates(context.workspace, relationship, found.target))
    answering = [each for each in others if each.constant("back_populates") == relationship.name]
    if len(answering) == 1:
        return answering[0].name, None, None
    free = {
        each.name: each
        for each in others
        if each.value("back_populates") is None and each.value("backref") is None
    }
    meant = nearest(found.name, free) if not answering else None
    if meant is not None and _is_written(free[meant], appended=True):
        return meant, free[meant], None
    if found.kind is not Mismatch.MISSING or answering:
        return None
    side = other_side(
        context.workspace, relationship, found.name, {}, context.source, typed=context.target_version != "1.4"
    )
    if side is None or write(context.workspace, side, _text(context, side.destination.file)) is None:
        return None
    return None, None, side


def _is_written(relationship: Relationship, *, appended: bool = False) -> bool:
    """Whether the call says `back_populates` itself, or may be told it."""
    if appended:
        return relationship.is_readable and relationship.kind != "sqlmodel.Relationship"
    return any(each.arg == "back_populates" for each in relationship.node.keywords)


def _is_only(context: Context, relationship: Relationship, found: Mismatched) -> bool:
    """Whether no other relationship of the class claims the same other side."""
    other = found.other
    if other is None or not _is_written(other, appended=True):
        return False
    claims = [
        each
        for each in candidates(context.workspace, other, relationship.owner_id)
        if each.constant("back_populates") == found.name
    ]
    return len(claims) == 1


def _text(context: Context, file: File) -> Source:
    if file is context.file:
        return context.source
    settings = context.workspace.settings_for(file.file_id)
    return Source(file.document.text, settings.line_length, file.document.lines)


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Make the two sides name each other."""
    relationship, (name, other, side) = violation.subject
    edits: dict[str, tuple[Edit, ...]] = {}
    title = ""
    if name is not None:
        quote = context.source.quote
        keyword = next(each for each in relationship.node.keywords if each.arg == "back_populates")
        shift = relationship.attribute.chunk.shift
        text = f"back_populates={quote}{name}{quote}"
        edits[context.file.file_id] = replace_argument(
            context.source, relationship.node, keyword, text, shift, relationship.statement
        )
        title = f"Write `{name}`"
    if other is not None:
        file = context.workspace.file(other.file.file_id)
        if file is None:
            return None
        source = _text(context, file)
        text = f"{source.quote}{relationship.name}{source.quote}"
        added = add_keyword(
            source, other.node, "back_populates", text, other.attribute.chunk.shift, other.statement
        )
        edits[file.file_id] = (*edits.get(file.file_id, ()), *added)
        title = title or f"Name `{relationship.name}` in `{other.owner.name}.{other.name}`"
    if side is not None:
        file = side.destination.file
        written = write(context.workspace, side, _text(context, file))
        if written is None:
            return None
        edits[file.file_id] = written
        title = f"Declare `{side.destination.facts.name}.{side.name}`"
    return Fix(title, Applicability.SAFE, edits)
