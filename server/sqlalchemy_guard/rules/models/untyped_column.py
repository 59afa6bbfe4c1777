"""Column of a mapped class without a `Mapped[...]` annotation.

## What it does
Reports attributes of mapped classes and mixins that are a `Column(...)` or a `mapped_column(...)` without `Mapped[...]`, and
methods under `@declared_attr` that return one without `-> Mapped[...]`. Silent on the columns of a `Table`, in migrations, and in
projects that admit SQLAlchemy 1.4. Attributes of SQLModel classes have annotations of their own.

## Why is this bad?
Without the annotation a type checker takes `user.name` for a column object or for `Any`, so that no mistake with it is ever
found, and nobody reads from the class which attributes may be `None`.

## Example
```python
from sqlalchemy import Column, Integer, String
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id = Column(Integer, primary_key=True)
    name = Column(String(50), nullable=False)
    nickname = Column(String(50))
```

## Use instead
```python
from sqlalchemy import Integer, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(50), nullable=False)
    nickname: Mapped[str | None] = mapped_column(String(50))
```

## Fix safety
Safe: the table stays exactly as it is, type and nullability included. There is no fix where the Python type depends on the
driver or cannot be read, and for dataclasses, whose `__init__` would change. Unsafe below a base that cannot be read, for `INET`
and `CIDR`, which some drivers give as objects of `ipaddress`, and
where a class may be a dataclass: below the `db.Model` of an extension that is handed in, and in mixins of dataclasses.

## References
- [Migrating an existing mapping](https://docs.sqlalchemy.org/en/20/changelog/whatsnew_20.html#migrating-an-existing-mapping)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.annotations import annotate, annotate_result, target_of
from sqlalchemy_guard.fixes.layout import reflow
from sqlalchemy_guard.fixes.typed_column import annotation_of
from sqlalchemy_guard.fixes.wanted_type import wanted_type
from sqlalchemy_guard.project.columns import (
    Column,
    has_unknown_base,
    is_dataclass,
    is_nullable,
    mapped_type,
    may_be_dataclass,
)
from sqlalchemy_guard.project.declared_attributes import DeclaredAttribute
from sqlalchemy_guard.project.model import model_of
from sqlalchemy_guard.project.types import ClassType
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.fixes.source import Located

rule = Rule("SAG202", Severity.WARNING, Applicability.SAFE, modern=True)


@rule.on(Column)
def check(context: Context, column: Column) -> Iterator[Violation]:
    """Report a column attribute without `Mapped`."""
    if column.annotation is not None and mapped_type(context.resolver, column) is not False:
        return
    if not column.name.startswith("__"):
        statement = column.statement
        what = f"`{column.name}` has no `Mapped[...]`"
        yield from _report(context, column, target_of(statement), statement, what, None)


@rule.on(DeclaredAttribute)
def check_declared(context: Context, declared: DeclaredAttribute) -> Iterator[Violation]:
    """Report a method that makes a column and does not say so."""
    if declared.column is not None:
        header = declared.function.header
        node = context.name_of(declared.function.chunk, header)
        what = f"`{declared.column.name}` is not said to return `Mapped[...]`"
        yield from _report(context, declared.column, node, header, what, declared)


def _report(
    context: Context,
    column: Column,
    node: Located,
    statement: ast.stmt,
    what: str,
    declared: DeclaredAttribute | None,
) -> Iterator[Violation]:
    if column.kind == "Field" or context.target_version == "1.4" or context.is_migration():
        return
    class_ = ClassType((context.file.file_id, column.owner.qualname))
    model = model_of(context.resolver, column.owner, context.file)
    if model.kind == "sqlmodel.SQLModel" if model is not None else has_unknown_base(context.resolver, class_):
        return
    python, nullable = (
        wanted_type(context.workspace, column, context.file, context.source),
        is_nullable(context.resolver, column),
    )
    applicability = None
    if python is not None and nullable is not None and not is_dataclass(context.resolver, class_):
        unsure = (
            python.doubt
            or (model is not None and has_unknown_base(context.resolver, class_))
            or may_be_dataclass(context.resolver, context.workspace, class_)
        )
        applicability = Applicability.UNSAFE if unsure else Applicability.SAFE
    yield context.violation(
        rule,
        column.attribute.chunk if declared is None else declared.function.chunk,
        node,
        f"{what}: type checkers cannot know what it holds, nor whether it may be None",
        statement=statement,
        applicability=applicability,
        subject=(column, python, nullable, declared),
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Annotate the attribute or the method, and write `mapped_column`."""
    column, python, nullable, declared = violation.subject
    source, shift = context.source, column.attribute.chunk.shift
    taken = {*column.owner.attributes, *column.owner.methods, *column.owner.classes}
    is_said = declared is None and isinstance(column.statement, ast.AnnAssign)
    written = annotation_of(
        source,
        context.module_statements(),
        python,
        nullable=nullable and not is_said,
        with_maker=column.kind == "Column",
        taken=taken,
    )
    if written is None:
        return None
    edits: tuple[Edit, ...] = ()
    func = column.node.func
    if column.kind == "Column":
        edits = (Edit(source.start(func, shift), source.end(func, shift), written.maker),)
    if declared is None:
        edits += annotate(source, column.statement, written.annotation, shift)
        changes = reflow(source, column.statement, edits, shift)
    else:
        function = declared.function
        changes = (
            *reflow(source, declared.statement, edits, shift),
            *annotate_result(source, function.header, written.annotation, function.chunk.shift),
        )
    title = f"Annotate `{column.name}` as `{written.annotation}`" + (
        f" ({python.doubt})" if python.doubt else ""
    )
    certainty = violation.applicability or Applicability.UNSAFE
    return Fix(title, certainty, {context.file.file_id: (*changes, *written.imports)})
