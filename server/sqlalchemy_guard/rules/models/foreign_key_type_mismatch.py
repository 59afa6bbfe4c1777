"""Foreign key whose column has another type than the column it refers to.

## What it does
Reports foreign keys whose own SQL type is of another kind than that of the referenced column, across files: a string that refers to
an integer or a UUID, or an integer that is narrower than the key it holds; and annotations that say another Python type than the
referenced column has. Lengths and precisions do not matter. Silent in migrations and where a type cannot be read.

## Why is this bad?
PostgreSQL and MySQL refuse to create such a constraint. Where the database admits it, comparisons convert on every row and use
no index, and a narrow integer overflows on the day when the other table has grown.

## Example
```python
from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)


class Order(Base):
    __tablename__ = "order"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(String(36), ForeignKey("user.id"), index=True)
```

## Use instead
```python
from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)


class Order(Base):
    __tablename__ = "order"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
```

## Fix safety
Unsafe: the column gets the type of the column that it refers to, which SQLAlchemy gives a key that names no type itself. Existing
databases need a migration.

## References
- [Foreign keys take the referenced type](https://docs.sqlalchemy.org/en/20/core/metadata.html#sqlalchemy.schema.Column.params.type_)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.annotations import without_none
from sqlalchemy_guard.fixes.arguments import remove_argument
from sqlalchemy_guard.fixes.imports import need_all
from sqlalchemy_guard.project.foreign_keys import ForeignKey, referred_columns
from sqlalchemy_guard.project.type_kinds import Kind, kind_of, kind_of_python
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context

rule = Rule("SAG213", Severity.ERROR, Applicability.UNSAFE)

_PYTHON = {
    "integer": ("int", None), "string": ("str", None), "UUID": ("UUID", "uuid"), "date": ("date", "datetime"),
    "datetime": ("datetime", "datetime"), "bytes": ("bytes", None), "boolean": ("bool", None),
}  # fmt: skip
"""How annotations spell a family: the name, and the module to import it from."""


@rule.on(ForeignKey)
def check(context: Context, key: ForeignKey) -> Iterator[Violation]:
    """Report a key whose every meaning is of another kind."""
    if context.is_migration():
        return
    found: set[tuple[Kind, Kind, bool]] = set()
    for table, column in key.columns:
        if len(column.foreign_keys) > 1:
            return
        verdicts = [
            _compare(
                context, key, kind_of(context.resolver, table, column), kind_of(context.resolver, other, each)
            )
            for other, each in referred_columns(context.workspace, table, column, key.text)
        ]
        if not verdicts or None in verdicts:
            return
        found.update(verdict for verdict in verdicts if verdict is not None)
    if len(found) != 1:
        return
    own, other, is_written = found.pop()
    here, there = _name(own, other), _name(other, own)
    what = f"the column is {here}" if is_written else f"the annotation says {here}"
    yield context.violation(
        rule,
        key.chunk,
        key.node,
        f"`{key.text}` is {there}, but {what}: a foreign key must have the type of what it refers to",
        statement=key.statement,
        applicability=Applicability.UNSAFE if _is_mendable(key, other) else None,
        subject=(key, other, is_written),
    )


def _compare(
    context: Context, key: ForeignKey, own: Kind | None, other: Kind | None
) -> tuple[Kind, Kind, bool] | None:
    """Both kinds where they do not fit, and whether the key's own SQL type is the reason."""
    if other is None:
        return None
    if own is not None:
        fits = own.family == other.family and (own.width == 0 or own.width >= other.width)
        return None if fits else (own, other, True)
    says = kind_of_python(key.columns[0][1].python)
    if (
        key.attribute is None
        or key.columns[0][1].type is not None
        or says is None
        or says.family == other.family
    ):
        return None
    return says, other, False


def _name(kind: Kind, beside: Kind) -> str:
    if kind.family != beside.family:
        return f"{'an' if kind.family[0] in 'aeio' else 'a'} {kind.family}"
    return f"an integer of {kind.width} bytes"


def _is_mendable(key: ForeignKey, other: Kind) -> bool:
    """Whether the type can be left out and the annotation, if there is one, can say the other type."""
    column = key.attribute
    if column is None or column.kind == "Field" or not column.is_readable:
        return False
    inside = _inside(key)
    return inside is None or (other.family in _PYTHON and isinstance(inside, (ast.Name, ast.Attribute)))


def _inside(key: ForeignKey) -> ast.expr | None:
    """The one type in the brackets of `Mapped[…]`."""
    assert key.attribute is not None
    statement = key.attribute.statement
    annotation = statement.annotation if isinstance(statement, ast.AnnAssign) else None
    inside = annotation.slice if isinstance(annotation, ast.Subscript) else None
    return (without_none(inside) or inside) if inside is not None else None


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Leave the type to the referenced column, and let the annotation follow."""
    key, other, is_written = violation.subject
    column, source, shift = key.attribute, context.source, key.chunk.shift
    edits: tuple[Edit, ...] = ()
    if is_written:
        keyword = next((each for each in column.node.keywords if each.arg == "type_"), None)
        argument = keyword or column.type_node
        if argument is None:
            return None
        edits = remove_argument(source, column.node, argument, shift, column.statement)
    inside = _inside(key)
    says = kind_of_python(key.columns[0][1].python)
    if inside is not None and (says is None or says.family != other.family):
        name, module = _PYTHON[other.family]
        if module is not None:
            (name,), imported = need_all(source, context.module_statements(), [(module, name)])
            edits += imported
        edits += (Edit(source.start(inside, shift), source.end(inside, shift), name),)
    title = f"Take the type of `{key.text}`"
    if is_written:
        title += " (the column changes: migrate existing databases)"
    return Fix(title, Applicability.UNSAFE, {context.file_id: edits})
