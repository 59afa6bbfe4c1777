"""Foreign key that no index of its table begins with.

## What it does
Reports columns with a foreign key for which the table has no index, unique constraint or primary key that begins with the column.
Off by default. Indexes are followed wherever they are written: `index=True`, `__table_args__`, mixins, `Index(…)` behind the class.
Silent for keys of several columns, where some indexes cannot be read, in migrations, and in projects whose engines are all of
MySQL, which makes the index itself.

## Why is this bad?
PostgreSQL, SQLite and Oracle index only the referenced side. Every join along the key, every relationship that is loaded, and every
deletion of a referenced row reads the whole table.

## Example
```python
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)


class Order(Base):
    __tablename__ = "order"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
```

## Use instead
```python
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)


class Order(Base):
    __tablename__ = "order"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
```

## Fix safety
Unsafe: the table gets an index, so existing databases need a migration; on a large table it must be built without a lock.

## References
- [Column.index](https://docs.sqlalchemy.org/en/20/core/metadata.html#sqlalchemy.schema.Column.params.index)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.arguments import add_keyword, replace_value
from sqlalchemy_guard.project.foreign_keys import ForeignKey
from sqlalchemy_guard.project.table_indexes import begins_index, only_mysql
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context

rule = Rule("SAG221", Severity.HINT, Applicability.UNSAFE, default=False)


@rule.on(ForeignKey)
def check(context: Context, key: ForeignKey) -> Iterator[Violation]:
    """Report a key that is indexed in none of its tables."""
    if key.is_part or context.is_migration() or context.is_test() or only_mysql(context.workspace):
        return
    if any(begins_index(context.workspace, table, column) is not False for table, column in key.columns):
        return
    table, column = key.columns[0]
    yield context.violation(
        rule,
        key.chunk,
        key.node,
        f"No index of `{table.name}` begins with `{column.name}`: joins and deletions along this key read the whole table",
        statement=key.statement,
        applicability=Applicability.UNSAFE if key.attribute is not None else None,
        subject=key,
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Give the column an index."""
    column = violation.subject.attribute
    shift = column.attribute.chunk.shift
    given = next((each for each in column.node.keywords if each.arg == "index"), None)
    if given is not None:
        edits = replace_value(context.source, given, "True", shift, column.statement)
    else:
        edits = add_keyword(context.source, column.node, "index", "True", shift, column.statement)
    return Fix("Add an index (migrate existing databases)", Applicability.UNSAFE, {context.file_id: edits})
