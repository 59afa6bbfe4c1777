"""Table whose name is not written in snake_case.

## What it does
Reports `__tablename__` and the name of a `Table(…)` that has capitals or other characters than small letters, digits and
underscores. Silent for `quoted_name`, reflected tables, names that are made at run time, tests and migrations.

## Why is this bad?
PostgreSQL and Oracle fold names without quotes: `SELECT * FROM OrderItem` does not find `"OrderItem"`, and every hand-written
query has to quote it. MySQL compares names by the rules of the file system that it runs on.

## Example
```python
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class Order(Base):
    __tablename__ = "CustomerOrder"

    id: Mapped[int] = mapped_column(primary_key=True)


class Item(Base):
    __tablename__ = "item"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("CustomerOrder.id"), index=True)
```

## Use instead
```python
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class Order(Base):
    __tablename__ = "customer_order"

    id: Mapped[int] = mapped_column(primary_key=True)


class Item(Base):
    __tablename__ = "item"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("customer_order.id"), index=True)
```

## Fix safety
Unsafe: the table has another name, so existing databases need a migration that renames it, and SQL in strings is not changed.
Foreign keys and `secondary=` follow in all files. There is no fix where the new name is taken, or where an expression in a
string names the table.

## References
- [Table names](https://docs.sqlalchemy.org/en/20/core/metadata.html#sqlalchemy.schema.Table.params.name)
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.table_rename import rename_references
from sqlalchemy_guard.project.model import Model
from sqlalchemy_guard.project.tables import core_tables, table_of, tables_named
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit
from sqlalchemy_guard.text.patterns import lazy_pattern
from sqlalchemy_guard.text.words import snake_case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.project.tables import Table
    from sqlalchemy_guard.syntax.chunk import Chunk

rule = Rule("SAG205", Severity.WARNING, Applicability.UNSAFE)

_SNAKE_CASE = lazy_pattern(r"[a-z_][a-z0-9_]*")


@rule.on(Model)
def check(context: Context, model: Model) -> Iterator[Violation]:
    """Report the name that a class writes down."""
    attribute = model.facts.attributes.get("__tablename__")
    node = getattr(attribute.node, "value", None) if attribute is not None else None
    if attribute is None or not isinstance(node, ast.Constant):
        return
    table = table_of(context.workspace, (context.file_id, model.facts.qualname))
    if table is not None:
        yield from _judge(context, table, attribute.chunk, node, attribute.node)


@rule.on_call("sqlalchemy.Table")
def check_call(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report the name that a `Table` is given."""
    node = call.fact.node.args[0] if call.fact.node.args else None
    if not isinstance(node, ast.Constant):
        return
    for table in core_tables(context.workspace, context.file):
        if table.call == call.fact.value:
            yield from _judge(context, table, call.fact.chunk, node, call.fact.statement)
            return


def _judge(
    context: Context, table: Table, chunk: Chunk, node: ast.Constant, statement: ast.stmt
) -> Iterator[Violation]:
    name = node.value
    if not isinstance(name, str) or name != table.name or _SNAKE_CASE.fullmatch(name):
        return
    if table.extends or context.is_migration() or context.is_test():
        return
    new = re.sub(r"\W+", "_", snake_case(name)).strip("_")
    new = re.sub("__+", "_", new)
    taken = any(each.metadata == table.metadata for each in tables_named(context.workspace, new))
    mendable = bool(_SNAKE_CASE.fullmatch(new)) and not taken and table.metadata is not None
    if mendable:
        mendable = rename_references(context.workspace, table, new) is not None
    yield context.violation(
        rule,
        chunk,
        node,
        f"`{name}` is not snake_case: databases fold such names, so that every query has to quote it; call it `{new}`",
        statement=statement,
        applicability=Applicability.UNSAFE if mendable else None,
        subject=(table, chunk, node, new),
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Rename the table where it is declared and wherever it is named."""
    table, chunk, node, new = violation.subject
    edits = rename_references(context.workspace, table, new)
    if edits is None:
        return None
    source = context.source
    start, end = source.start(node, chunk.shift), source.end(node, chunk.shift)
    quote = source.text[end - 1]
    own = (*edits.get(context.file_id, ()), Edit(start, end, f"{quote}{new}{quote}"))
    edits[context.file_id] = tuple(sorted(own, key=lambda edit: edit.start))
    title = f"Rename the table to `{new}` (rename it in existing databases too, and in SQL text)"
    return Fix(title, Applicability.UNSAFE, edits)
