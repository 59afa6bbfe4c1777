"""Annotation that contradicts `nullable=`: the type says None where the database forbids it, or the other way round.

## What it does
Reports a column whose `Mapped[...]` admits `None` although its call says `nullable=False`, and one whose `Mapped[...]` does not
admit `None` although the call says `nullable=True`. Silent on `Any`, on aliases that cannot be read, and where `default=None`
shows that an object begins without a value, and on nullable columns of mixins and of classes that share their parent's table.

## Why is this bad?
One of the two is wrong. A value that the type calls impossible arrives as `None` and fails far from here, or code guards
against a `None` that the database never lets in, and writes one that the database refuses.

## Example
```python
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(String(50), nullable=False)
    nickname: Mapped[str] = mapped_column(String(50), nullable=True)
```

## Use instead
```python
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), nullable=False)
    nickname: Mapped[str | None] = mapped_column(String(50), nullable=True)
```

## Fix safety
Safe: the annotation follows the database, whose table stays as it is.

## References
- [Nullability by annotation](https://docs.sqlalchemy.org/en/20/orm/declarative_tables.html#mapped-column-derives-the-datatype-and-nullability-from-the-mapped-annotation)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Const
from sqlalchemy_guard.fixes.annotations import prefers_optional, without_none
from sqlalchemy_guard.fixes.imports import need_all
from sqlalchemy_guard.fixes.layout import reflow
from sqlalchemy_guard.project.columns import Column, mapped_type
from sqlalchemy_guard.project.model import model_of, model_parents
from sqlalchemy_guard.project.types import NONE_TYPE, Instance, options
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context

rule = Rule("SAG211", Severity.ERROR, Applicability.SAFE)


@rule.on(Column)
def check(context: Context, column: Column) -> Iterator[Violation]:
    """Report an annotation that contradicts the call."""
    nullable, inside = column.flag("nullable"), _inside(column)
    if nullable is None or inside is None or not column.is_readable or column.kind == "Field":
        return
    admits = _admits_none(context, column)
    default = column.keyword("default")
    if admits is None or admits == nullable or (admits and type(default) is Const and default.value is None):
        return
    if nullable and not _owns_its_table(context, column):
        return
    text = context.source.segment(inside, column.attribute.chunk.shift)
    verdict = "admits None" if admits else "does not admit None"
    # In a string the places of nodes are the string's own: there is nothing to edit.
    quoted = any(isinstance(node, ast.Constant) and isinstance(node.value, str) for node in ast.walk(inside))
    mendable = not quoted and (nullable or without_none(inside) is not None)
    yield context.violation(
        rule,
        column.attribute.chunk,
        inside,
        f"`{text}` {verdict}, but the column is `nullable={nullable}`: the annotation must follow the database",
        statement=column.statement,
        applicability=Applicability.SAFE if mendable else None,
        subject=(column, inside, nullable),
    )


def _owns_its_table(context: Context, column: Column) -> bool:
    """Whether every row of the table is of the column's class: children in one table make columns nullable for the others,
    and nobody knows where a mixin goes."""
    model = model_of(context.resolver, column.owner, context.file)
    if model is None or column.keyword("use_existing_column") is not None:
        return False
    own = "__tablename__" in column.owner.attributes or "__table__" in column.owner.attributes
    return own or not any(parent.is_mapped for parent in model_parents(context.resolver, model))


def _inside(column: Column) -> ast.expr | None:
    """What stands between the brackets of `Mapped[…]`."""
    statement = column.statement
    annotation = statement.annotation if isinstance(statement, ast.AnnAssign) else None
    return annotation.slice if isinstance(annotation, ast.Subscript) else None


def _admits_none(context: Context, column: Column) -> bool | None:
    """Whether the annotation admits None; None when a part of it is not known."""
    declared = mapped_type(context.resolver, column)
    if declared is None or declared is False:
        return None
    if NONE_TYPE in options(declared):
        return True
    inside = _inside(column)
    return False if inside is not None and _is_class(context, inside) else None


def _is_class(context: Context, node: ast.expr) -> bool:
    """Whether an expression names a class, or a container of something: what never admits None."""
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Name) and node.value.id in (
            "list",
            "dict",
            "set",
            "List",
            "Dict",
            "Set",
        )
    if not isinstance(node, (ast.Name, ast.Attribute)):
        return False
    value = context.value_of(node)
    if context.resolver.external_name(value, context.file) in _CLASSES:
        return True
    return all(
        isinstance(option, Instance) and not isinstance(option.ref, str)
        for option in options(context.resolver.instance_of(value, context.file))
    )


_CLASSES = frozenset({
    "builtins.str", "builtins.int", "builtins.float", "builtins.bool", "builtins.bytes", "datetime.datetime",
    "datetime.date", "datetime.time", "datetime.timedelta", "decimal.Decimal", "uuid.UUID",
})  # fmt: skip


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Let the annotation say what the database does."""
    column, inside, nullable = violation.subject
    source, shift = context.source, column.attribute.chunk.shift
    statements = context.module_statements()
    imported: tuple[Edit, ...] = ()
    if nullable:
        text = source.segment(inside, shift)
        if prefers_optional(statements):
            (optional,), imported = need_all(source, statements, [("typing", "Optional")])
            text = f"{optional}[{text}]"
        else:
            text = f"{text} | None"
    else:
        kept = without_none(inside)
        if kept is None:
            return None
        text = source.segment(kept, shift)
    edit = Edit(source.start(inside, shift), source.end(inside, shift), text)
    changes = reflow(source, column.statement, (edit,), shift)
    return Fix(f"Annotate as `{text}`", Applicability.SAFE, {context.file.file_id: (*changes, *imported)})
