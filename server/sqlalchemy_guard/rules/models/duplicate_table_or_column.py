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
from sqlalchemy_guard.project.model import Model
from sqlalchemy_guard.project.tables import call_place, core_tables, place_of, table_of, tables_named
from sqlalchemy_guard.rules.api import Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.project.columns import Column
    from sqlalchemy_guard.project.tables import Place, Table

rule = Rule("SAG220", Severity.ERROR, None)


@rule.on(Model)
def check(context: Context, model: Model) -> Iterator[Violation]:
    """Report a class whose table another one has, and columns that hide others."""
    columns = list(columns_of(context.resolver, model.facts, context.file))
    yield from _assigned_twice(context, model, {column.name: column for column in columns})
    yield from _named_twice(context, model, columns)
    table = table_of(context.workspace, (context.file_id, model.facts.qualname))
    if table is None or table.model != (context.file_id, model.facts.qualname):
        return
    other = _other(context, table)
    if other is not None:
        header = model.facts.header
        yield context.violation(
            rule,
            model.facts.chunk,
            context.name_of(model.facts.chunk, header),
            f"table `{table.name}` is declared twice for one `MetaData`: SQLAlchemy raises when both are imported",
            statement=header,
            related=(context.related(other.file, other.chunk, _head(other), "declared here first"),),
        )


@rule.on_call("sqlalchemy.Table")
def check_call(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a `Table` whose name another one has."""
    for table in core_tables(context.workspace, context.file):
        if table.call == call.fact.value:
            other = _other(context, table)
            if other is not None and not _is_conditional(call.fact):
                message = f"table `{table.name}` is declared twice for one `MetaData`: SQLAlchemy raises when both are imported"
                related = (context.related(other.file, other.chunk, _head(other), "declared here first"),)
                yield context.at_call(rule, call.fact, message, node=call.fact.node.func, related=related)
            return


def _head(place: Place) -> ast.expr | ast.ClassDef:
    return place.node.func if isinstance(place.node, ast.Call) else place.node


def _other(context: Context, table: Table) -> Place | None:
    """The place of another table of the name that comes first, when both are loaded together."""
    if table.name is None or table.metadata is None or table.extends or not table.has_all_arguments:
        return None
    if not table.metadata[1] and table.metadata[0].endswith(".py"):
        # A `MetaData` of a function: each call has its own.
        return None
    if context.is_migration() or not _is_unconditional(context, table):
        return None
    mine = _order(context, table)
    for other in tables_named(context.workspace, table.name):
        if other is table or other.metadata != table.metadata or other.schema != table.schema:
            continue
        if other.extends or not other.has_all_arguments or not _is_unconditional(context, other):
            continue
        if _order(context, other) < mine and _meet(context, table.file.file_id, other.file.file_id):
            return place_of(context.workspace, other)
    return None


def _order(context: Context, table: Table) -> tuple[str, int]:
    place = place_of(context.workspace, table)
    return table.file.file_id, place.node.lineno + place.chunk.shift if place is not None else 0


def _meet(context: Context, one: str, other: str) -> bool:
    """Whether one program imports both files."""
    if one == other:
        return True
    dependents = context.workspace.dependents
    context.resolver.keys.add(("*imports", ""))
    return not {one, *dependents(one)}.isdisjoint({other, *dependents(other)})


def _is_unconditional(context: Context, table: Table) -> bool:
    """Whether a definition is no alternative: it stands at the module's own level, and once."""
    file = context.workspace.file(table.file.file_id)
    if file is None:
        return False
    if table.model is not None:
        definitions = file.facts.classes.get(table.model[1], [])
        return len(definitions) == 1 and definitions[0].header in definitions[0].chunk.body
    fact = call_place(file, table.call) if table.call is not None else None
    return fact is not None and not _is_conditional(fact)


def _is_conditional(fact: CallFact) -> bool:
    return fact.function is not None or (
        fact.frame is not None and next(fact.frame.outwards(), None) is not None
    )


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
