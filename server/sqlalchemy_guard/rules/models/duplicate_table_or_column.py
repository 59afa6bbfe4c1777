"""Two tables of one name in a `MetaData`, or two columns of one name in a class.

## What it does
Reports a mapped class or `Table` whose name and schema another one of the same `MetaData` has, where both are loaded together; a
column attribute that is assigned twice in a class; and two attributes of a class that name the same column. Silent for
`extend_existing` and `keep_existing`, reflected tables, definitions in branches and functions, migrations, and for tables of
different bases, registries or bind keys, which are different tables.

## Why is this bad?
SQLAlchemy raises `InvalidRequestError` for the second table as soon as both modules are imported. Of two columns with one name only
the last one counts: what the other one said is silently lost.

## Example
```python no-fix
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)


class Account(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
```

## Use instead
```python
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)


class Account(Base):
    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
```

## Fix safety
There is no fix: which of the two is meant to stay nobody but the author knows.

## References
- [Table configuration](https://docs.sqlalchemy.org/en/20/core/metadata.html#sqlalchemy.schema.Table.params.extend_existing)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.annotations import target_of
from sqlalchemy_guard.project.bodies import body_of
from sqlalchemy_guard.project.columns import columns_of
from sqlalchemy_guard.project.duplicates import first_of_its_name
from sqlalchemy_guard.project.model import Model
from sqlalchemy_guard.project.tables import core_tables, table_of
from sqlalchemy_guard.rules.api import Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.project.columns import Column

rule = Rule("SAG220", Severity.ERROR, None)


@rule.on(Model)
def check(context: Context, model: Model) -> Iterator[Violation]:
    """Report a class whose table another one has, and columns that hide others."""
    columns = list(columns_of(context.resolver, model.facts, context.file))
    yield from _assigned_twice(context, model, {column.name: column for column in columns})
    yield from _named_twice(context, model, columns)
    if context.is_migration():
        return
    table = table_of(context.workspace, (context.file_id, model.facts.qualname))
    if table is None or table.model != (context.file_id, model.facts.qualname):
        return
    other = first_of_its_name(context.workspace, table)
    if other is not None:
        header = model.facts.header
        yield context.violation(
            rule,
            model.facts.chunk,
            context.name_of(model.facts.chunk, header),
            f"table `{table.name}` is declared twice for one `MetaData`: SQLAlchemy raises when both are imported",
            statement=header,
            related=(context.related(other.file, other.chunk, other.head, "declared here first"),),
        )


@rule.on_call("sqlalchemy.Table")
def check_call(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a `Table` whose name another one has."""
    for table in core_tables(context.workspace, context.file) if not context.is_migration() else ():
        if table.call == call.fact.value:
            other = first_of_its_name(context.workspace, table)
            if other is not None:
                message = f"table `{table.name}` is declared twice for one `MetaData`: SQLAlchemy raises when both are imported"
                related = (context.related(other.file, other.chunk, other.head, "declared here first"),)
                yield context.at_call(rule, call.fact, message, node=call.fact.node.func, related=related)
            return


def _assigned_twice(context: Context, model: Model, columns: dict[str, Column]) -> Iterator[Violation]:
    first: dict[str, tuple[ast.stmt, int]] = {}
    for chunk, statement in body_of(model.facts):
        if not isinstance(statement, (ast.Assign, ast.AnnAssign)) or not isinstance(
            statement.value, ast.Call
        ):
            continue
        target = target_of(statement)
        column = columns.get(target.id) if isinstance(target, ast.Name) else None
        if column is None or not isinstance(target, ast.Name):
            continue
        if target.id not in first:
            first[target.id] = (statement, chunk.shift)
            continue
        before, shift = first[target.id]
        if ast.dump(statement.value.func) != ast.dump(before.value.func):  # type: ignore[attr-defined]
            continue
        yield context.violation(
            rule,
            chunk,
            target,
            f"`{target.id}` is declared twice: only this column counts, the one in line {before.lineno + shift} is lost",
            statement=statement,
        )


def _named_twice(context: Context, model: Model, columns: list[Column]) -> Iterator[Violation]:
    first: dict[str, Column] = {}
    for column in columns:
        name = column.database_name
        if name is None or column.kind == "Field" or column.keyword("use_existing_column") is not None:
            continue
        before = first.setdefault(name, column)
        if before is not column:
            yield context.violation(
                rule,
                column.attribute.chunk,
                target_of(column.statement),
                f"`{before.name}` and `{column.name}` are both column `{name}`, of which SQLAlchemy takes one: "
                f"use `synonym()` for a second name",
                statement=column.statement,
            )
