"""Relationship that makes its other side with `backref`.

## What it does
Reports `backref=` of `relationship()`.

## Why is this bad?
The attribute that `backref` adds stands nowhere in the class that has it: nobody who reads the class sees it, editors do not
complete it, type checkers reject it, and it does not exist until the mappers are configured. SQLAlchemy calls `backref` legacy.

## Example
```python
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class Author(Base):
    __tablename__ = "author"

    id: Mapped[int] = mapped_column(primary_key=True)


class Book(Base):
    __tablename__ = "book"

    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))

    author: Mapped["Author"] = relationship(backref="books")
```

## Use instead
```python
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class Author(Base):
    __tablename__ = "author"

    id: Mapped[int] = mapped_column(primary_key=True)

    books: Mapped[list["Book"]] = relationship(back_populates="author")


class Book(Base):
    __tablename__ = "book"

    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))

    author: Mapped["Author"] = relationship(back_populates="books")
```

## Fix safety
Safe: both sides stay what they are, with all options that `backref()` was given; code that uses them does not change. There is no
fix where the direction of the relationship cannot be told from the foreign keys, where an option cannot be said in the other
class, for dataclasses, whose `__init__` would change, and where comments stand inside the argument.

## References
- [Using the legacy backref parameter](https://docs.sqlalchemy.org/en/20/orm/backref.html)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.arguments import replace_argument
from sqlalchemy_guard.fixes.back_reference import OtherSide, is_writable, other_side_of_backref, write
from sqlalchemy_guard.fixes.file_source import source_of
from sqlalchemy_guard.fixes.imports import placed, unused
from sqlalchemy_guard.fixes.source import Source
from sqlalchemy_guard.project.relationships import Relationship
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit, apply_edits
from sqlalchemy_guard.text.minimal import minimal_edits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context

rule = Rule("SAG216", Severity.WARNING, Applicability.SAFE)


@rule.on(Relationship)
def check(context: Context, relationship: Relationship) -> Iterator[Violation]:
    """Report `backref=`."""
    given = relationship.argument("backref")
    if given is None or context.is_migration():
        return
    keyword = next((each for each in relationship.node.keywords if each.value is given[1]), None)
    if keyword is None or (relationship.constant("backref") is None and isinstance(given[1], ast.Constant)):
        return
    side = other_side_of_backref(
        context.workspace, relationship, context.source, typed=context.target_version != "1.4"
    )
    yield context.violation(
        rule,
        relationship.attribute.chunk,
        keyword,
        f"`backref` hides an attribute of {_target(side)}; declare it there, with `back_populates` on both sides",
        statement=relationship.statement,
        applicability=Applicability.SAFE
        if side is not None and _is_writable(context, relationship, keyword, side)
        else None,
        subject=(relationship, keyword, side),
    )


def _target(side: OtherSide | None) -> str:
    return f"`{side.destination.facts.name}`" if side is not None else "the other class"


def _is_writable(context: Context, relationship: Relationship, keyword: ast.keyword, side: OtherSide) -> bool:
    shift = relationship.attribute.chunk.shift
    start, end = context.source.start(keyword, shift), context.source.end(keyword, shift)
    return not context.source.comments(start, end) and is_writable(
        context.workspace, side, source_of(context.workspace, side.destination.file)
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Write the other side into its class."""
    relationship, keyword, side = violation.subject
    source, shift = context.source, relationship.attribute.chunk.shift
    quote = source.quote
    text = f"back_populates={quote}{side.name}{quote}"
    own = replace_argument(source, relationship.node, keyword, text, shift, relationship.statement)
    written = write(context.workspace, side, source_of(context.workspace, side.destination.file))
    if written is None:
        return None
    there = side.destination.file.file_id
    edits = {context.file.file_id: own, there: written}
    if there == context.file.file_id:
        edits = {there: (*own, *written)}
    edits[context.file.file_id] = _without_import(source, edits[context.file.file_id], keyword)
    name = side.destination.facts.name
    title = f"Declare `{name}.{side.name}`, with `back_populates` on both sides"
    return Fix(title, Applicability.SAFE, edits)


def _without_import(source: Source, edits: tuple[Edit, ...], keyword: ast.keyword) -> tuple[Edit, ...]:
    """The edits, and without the import of `backref` when nobody calls it any more."""
    func = keyword.value.func if isinstance(keyword.value, ast.Call) else None
    if not isinstance(func, ast.Name):
        return edits
    now = Source(apply_edits(source.text, edits), source.line_length)
    removed = unused(now, placed(ast.parse(now.text).body), (), [func.id])
    return minimal_edits(source.text, apply_edits(now.text, removed)) if removed else edits
