"""Model whose rows do not say when they were made.

## What it does
Reports mapped classes without a column for the time of creation, in the class, its mixins and bases across files. The names that
count are those of the setting `created-at-names`. A few classes are each reported; where most of a code base lacks it, there is
one report at the base class, which lists them. Silent for association tables, views, children of mapped classes, tables that
cannot be read whole (unknown bases, reflection), tests and migrations.

## Why is this bad?
When something went wrong, the first question is when a row came in. Nobody can answer it afterwards.

## Example
```python
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
```

## Use instead
```python
from datetime import datetime

from sqlalchemy import DateTime, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now()
    )
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), onupdate=func.now()
    )
```

## Fix safety
Unsafe: the table gets columns, so existing databases need a migration. The fix uses the timestamp mixin that the workspace has,
found by what it declares; for many classes without one it introduces a mixin and adds it to all of them. What is missing of
the other timestamp comes with it.

## References
- [Mixins](https://docs.sqlalchemy.org/en/20/orm/declarative_mixins.html#mixing-in-columns)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.timestamps import can_fill
from sqlalchemy_guard.project.timestamps import Gap
from sqlalchemy_guard.rules.api import Applicability, Rule, Severity, Violation
from sqlalchemy_guard.rules.gaps import gap_fix, gap_message, gap_places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.rules.api import Fix

rule = Rule("SAG207", Severity.WARNING, Applicability.UNSAFE)


@rule.on(Gap)
def check(context: Context, gap: Gap) -> Iterator[Violation]:
    """Report tables without it at the class where the team would add it."""
    if gap.which != "created":
        return
    header = gap.facts.header
    yield context.violation(
        rule,
        gap.facts.chunk,
        context.name_of(gap.facts.chunk, header),
        gap_message(context, gap),
        statement=header,
        applicability=Applicability.UNSAFE if can_fill(context.workspace, gap, context.file) else None,
        related=gap_places(context, gap),
        subject=gap,
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Reuse or introduce a mixin, or add the columns."""
    return gap_fix(context, violation.subject)
