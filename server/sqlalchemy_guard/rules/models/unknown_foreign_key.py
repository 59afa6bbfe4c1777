"""Foreign key to a table or column that does not exist.

## What it does
Reports `ForeignKey("table.column")`, `ForeignKeyConstraint` and SQLModel's `foreign_key=` where the workspace has no such table in
the same `MetaData`, or the table no such column. Tables are followed through mixins, name functions, schemas and files. Silent in
migrations, and where tables may come from elsewhere: reflected, copied or automapped metadata, names or bases that cannot be read.

## Why is this bad?
SQLAlchemy looks the target up when tables are created or mappers configured: the application fails with
`NoReferencedTableError` or `NoReferencedColumnError`, often only at the first query.

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
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
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
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
```

## Fix safety
Safe: the key cannot work today. There is no fix where no table or column has a name like it.

## References
- [Defining foreign keys](https://docs.sqlalchemy.org/en/20/core/constraints.html#defining-foreign-keys)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.naming import nearest
from sqlalchemy_guard.project.foreign_keys import ForeignKey, may_be_elsewhere, target_of
from sqlalchemy_guard.project.tables import all_tables, call_place
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import FunctionFacts
    from sqlalchemy_guard.project.foreign_keys import Target
    from sqlalchemy_guard.project.tables import Table

rule = Rule("SAG212", Severity.ERROR, Applicability.SAFE)


@rule.on(ForeignKey)
def check(context: Context, key: ForeignKey) -> Iterator[Violation]:
    """Report a key that no table which has it can resolve."""
    if context.is_migration():
        return
    wrong: list[tuple[str, str | None]] = []
    for table, column in key.columns:
        target = target_of(context.workspace, table, column, key.text)
        problem = _problem(context, table, target) if target is not None else None
        if problem is None:
            return
        wrong.append(problem)
    message, meant = wrong[0]
    yield context.violation(
        rule,
        key.chunk,
        key.node,
        f"`{key.text}`: {message}" + (f"; did you mean `{meant}`?" if meant else ""),
        statement=key.statement,
        applicability=Applicability.SAFE if meant and _is_plain(key.node) else None,
        subject=(key, meant),
    )


def _is_plain(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _problem(context: Context, table: Table, target: Target) -> tuple[str, str | None] | None:
    """What is wrong with a key, and what was meant; None when nothing is known to be."""
    if target.tables:
        if any(not each.is_complete or each.column(target.column) for each in target.tables):
            return None
        names = [each.key for each in target.tables[0].columns.values() if each.key is not None]
        name = nearest(target.column, names)
        meant = _text(target.schema, target.table, name) if name else None
        return f"table `{target.table}` has no column `{target.column}`", meant
    if may_be_elsewhere(context.workspace, table):
        return None
    same = [each for each in all_tables(context.workspace) if each.metadata == table.metadata]
    is_local = table.metadata is not None and not table.metadata[1]
    if is_local:
        around = _function_of(context, table)
        same = [each for each in same if _function_of(context, each) is around]
    elsewhere = [each for each in same if each.name == target.table]
    if len(elsewhere) == 1:
        schema = elsewhere[0].schema
        where = f"schema `{schema}`" if schema else "the default schema"
        return f"table `{target.table}` is in {where}", _text(schema, target.table, target.column)
    known = {each.name: each for each in same if each.name is not None and each.column(target.column)}
    name = nearest(target.table, known)
    meant = _text(known[name].schema, name, target.column) if name else None
    if meant is None and is_local:
        # A `MetaData` of one function describes what that needs of a schema, and mostly nobody follows its keys.
        return None
    return f"no table `{target.table}` is declared for this `MetaData`", meant


def _function_of(context: Context, table: Table) -> FunctionFacts | None:
    """The function that makes a table."""
    file = context.workspace.file(table.file.file_id)
    fact = call_place(file, table.call) if file is not None and table.call is not None else None
    return fact.function if fact is not None else None


def _text(schema: str | None, table: str, column: str) -> str:
    return ".".join(part for part in (schema, table, column) if part)


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Write the table or column that was meant."""
    key, meant = violation.subject
    source, shift = context.source, key.chunk.shift
    start, end = source.start(key.node, shift), source.end(key.node, shift)
    quote = source.text[end - 1]
    edit = Edit(start, end, f"{quote}{meant}{quote}")
    return Fix(f"Refer to `{meant}`", Applicability.SAFE, {context.file_id: (edit,)})
