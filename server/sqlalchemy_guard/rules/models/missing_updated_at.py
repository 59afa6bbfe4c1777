"""Model whose rows do not say when they last changed.

## What it does
Reports mapped classes that have a time of creation but none of the last change, in the class, its mixins and bases across files,
and columns for it that nothing sets when a row changes: no `onupdate`, no `server_onupdate`, no assignment anywhere. The names
that count are those of the setting `updated-at-names`. A mixin that lacks it is reported once, for all its models. Classes without
either are reported by `missing-created-at`; silent where that one is.

## Why is this bad?
Caches, synchronisation and every "changed since" need it, and a column that stays at the time of creation is worse than none.

## Example
```python
from datetime import datetime

from sqlalchemy import DateTime, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
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
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), onupdate=func.now()
    )
```

## Fix safety
Unsafe: the table gets a column, so existing databases need a migration; or its rows begin to change it. The fix uses the timestamp
mixin that the workspace has, and adds the column to the mixin where that is what lacks it.

## References
- [Mixins](https://docs.sqlalchemy.org/en/20/orm/declarative_mixins.html#mixing-in-columns)
- [`onupdate`](https://docs.sqlalchemy.org/en/20/core/defaults.html#python-executed-functions)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.annotations import target_of
from sqlalchemy_guard.fixes.arguments import add_keyword
from sqlalchemy_guard.fixes.timestamps import can_fill
from sqlalchemy_guard.project.columns import Column, columns_of
from sqlalchemy_guard.project.timestamps import Gap, IdleTimestamp
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.rules.gaps import gap_fix, gap_message, gap_places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context

rule = Rule("SAG208", Severity.WARNING, Applicability.UNSAFE)


@rule.on(Gap)
def check(context: Context, gap: Gap) -> Iterator[Violation]:
    """Report tables without it at the class where the team would add it."""
    if gap.which != "updated":
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


@rule.on(IdleTimestamp)
def check_idle(context: Context, idle: IdleTimestamp) -> Iterator[Violation]:
    """Report a column that keeps its first value."""
    if context.is_migration() or context.is_test():
        return
    column = next(
        each for each in columns_of(context.resolver, idle.facts, context.file) if each.name == idle.name
    )
    yield context.violation(
        rule,
        column.attribute.chunk,
        target_of(column.statement),
        f"`{column.name}` keeps its first value: nothing sets it when a row changes; give it `onupdate`",
        statement=column.statement,
        applicability=Applicability.UNSAFE if column.kind != "Field" and _value(context, column) else None,
        subject=column,
    )


def _value(context: Context, column: Column) -> str | None:
    """What the column gets at first, as `onupdate` can say it too."""
    for name in ("default", "server_default"):
        node = next((each.value for each in column.node.keywords if each.arg == name), None)
        if node is None:
            continue
        text = context.source.segment(node, column.attribute.chunk.shift)
        if name == "default" or text.endswith(("func.now()", "func.current_timestamp()")):
            return text
    return None


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Reuse or introduce a mixin, add the column, or let it change."""
    if isinstance(violation.subject, Gap):
        return gap_fix(context, violation.subject)
    column = violation.subject
    value = _value(context, column)
    if value is None:
        return None
    shift = column.attribute.chunk.shift
    edits = add_keyword(context.source, column.node, "onupdate", value, shift, column.statement)
    return Fix(f"Set `{column.name}` on every update", Applicability.UNSAFE, {context.file_id: edits})
