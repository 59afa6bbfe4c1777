"""Column that many queries ask by, and that no index of its table begins with.

## What it does
Reports columns that at least three `where`, `filter` or `order_by` calls of the workspace compare or sort by, where no index,
unique constraint or primary key begins with the column. Off by default. Silent for booleans and foreign keys, which have a
rule of their own, and where some indexes cannot be read.

## Why is this bad?
Each of these queries reads the whole table: nobody notices in development, and everybody does with a million rows.

## Example
```python
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column()


def by_email(email: str):
    return select(User).where(User.email == email)


def by_emails(emails: list[str]):
    return select(User).where(User.email.in_(emails))


def first_of_all():
    return select(User).order_by(User.email).limit(1)
```

## Use instead
```python
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(index=True)


def by_email(email: str):
    return select(User).where(User.email == email)


def by_emails(emails: list[str]):
    return select(User).where(User.email.in_(emails))


def first_of_all():
    return select(User).order_by(User.email).limit(1)
```

## Fix safety
Unsafe: the table gets an index, so existing databases need a migration, and every write keeps it up to date.

## References
- [Column.index](https://docs.sqlalchemy.org/en/20/core/metadata.html#sqlalchemy.schema.Column.params.index)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.annotations import target_of
from sqlalchemy_guard.fixes.arguments import add_keyword
from sqlalchemy_guard.project.columns import Column
from sqlalchemy_guard.project.foreign_keys import tables_with
from sqlalchemy_guard.project.table_indexes import asked_by, begins_index
from sqlalchemy_guard.project.type_kinds import kind_of
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context

rule = Rule("SAG319", Severity.HINT, Applicability.UNSAFE, default=False)

_SEVERAL = 3


@rule.on(Column)
def check(context: Context, column: Column) -> Iterator[Violation]:
    """Report a column of one table that is asked by often."""
    if (
        context.is_migration()
        or context.is_test()
        or column.foreign_keys
        or column.keyword("index") is not None
    ):
        return
    ref = (context.file_id, column.owner.qualname)
    placed = [
        (table, each)
        for table in tables_with(context.workspace, ref, column.owner, context.file)
        for each in table.columns.values()
        if each.owner == ref and each.attribute == column.name
    ]
    if len(placed) != 1:
        return
    table, each = placed[0]
    count = asked_by(context.workspace, table, each)
    if count < _SEVERAL or begins_index(context.workspace, table, each) is not False:
        return
    kind = kind_of(context.resolver, table, each)
    if kind is not None and kind.family in ("boolean", "JSON", "bytes"):
        return
    yield context.violation(
        rule,
        column.attribute.chunk,
        target_of(column.statement),
        f"{count} queries ask by `{column.name}`, but no index of `{table.name}` begins with it",
        statement=column.statement,
        applicability=Applicability.UNSAFE,
        subject=column,
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Give the column an index."""
    column = violation.subject
    edits = add_keyword(
        context.source, column.node, "index", "True", column.attribute.chunk.shift, column.statement
    )
    return Fix("Add an index (migrate existing databases)", Applicability.UNSAFE, {context.file_id: edits})
