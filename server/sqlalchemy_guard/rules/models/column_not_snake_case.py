"""Column whose attribute or name is not written in snake_case.

## What it does
Reports columns of mapped classes and mixins whose attribute has capitals, and columns of a `Table(…)` whose name has. Constants and
names with leading underscores are left alone; so are columns that keep an old name in the database on purpose, as their first
argument. Silent in tests and migrations.

## Why is this bad?
`user.userName` beside `user.full_name` has to be looked up every time, and PostgreSQL and Oracle fold a name without quotes: no
hand-written query finds `"userName"`.

## Example
```python
from sqlalchemy import String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    userName: Mapped[str] = mapped_column(String(50))


def by_name(name: str):
    return select(User).where(User.userName == name)
```

## Use instead
```python
from sqlalchemy import String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_name: Mapped[str] = mapped_column("userName", String(50))


def by_name(name: str):
    return select(User).where(User.user_name == name)
```

## Fix safety
Safe: the column keeps its name in the database, and the attribute is renamed in all files. There is no fix where one place that
says the name is not certain: an object of unknown type, a string, a parameter, a field of another class, or templates in the
project. Unsafe where `getattr`, `setattr` or `**` name attributes by data somewhere.

## References
- [Naming columns apart from attributes](https://docs.sqlalchemy.org/en/20/orm/declarative_tables.html#naming-declarative-mapped-columns-explicitly)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes import attribute_rename
from sqlalchemy_guard.fixes.annotations import target_of
from sqlalchemy_guard.project.attribute_uses import may_be_named_at_run_time, uses_of
from sqlalchemy_guard.project.columns import BareColumn, Column, has_unknown_base, is_dataclass
from sqlalchemy_guard.project.model import model_of
from sqlalchemy_guard.project.types import ClassType
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.patterns import lazy_pattern
from sqlalchemy_guard.text.words import snake_case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG206", Severity.WARNING, Applicability.SAFE)

_CONSTANT = lazy_pattern(r"[A-Z][A-Z0-9_]*")


def _is_bad(name: str) -> bool:
    return name != name.lower() and not name.startswith("_") and not _CONSTANT.fullmatch(name)


@rule.on(Column)
def check(context: Context, column: Column) -> Iterator[Violation]:
    """Report an attribute with capitals."""
    can_name = (
        column.kind != "Field"
        and column.is_readable
        and column.database_name is not None
        and column.keyword("key") is None
    )
    yield from _check(context, column, can_name=can_name)


@rule.on(BareColumn)
def check_bare(context: Context, column: BareColumn) -> Iterator[Violation]:
    """Report an attribute with capitals that has nothing but its annotation."""
    yield from _check(context, column, can_name=True)


def _check(context: Context, column: Column | BareColumn, *, can_name: bool) -> Iterator[Violation]:
    """Report an attribute with capitals.

    Args:
        context: What the rule sees.
        column: The attribute.
        can_name: Whether the column's own name can be written down.
    """
    if not _is_bad(column.name) or context.is_migration() or context.is_test():
        return
    class_ = ClassType((context.file_id, column.owner.qualname))
    model = model_of(context.resolver, column.owner, context.file)
    if model is None and has_unknown_base(context.resolver, class_):
        return
    new = snake_case(column.name)
    taken = context.resolver.member(class_, new) is not None
    mendable = (
        not taken
        and model is not None
        and can_name
        and not is_dataclass(context.resolver, class_)
        and not has_unknown_base(context.resolver, class_)
        and uses_of(context.workspace, column) is not None
    )
    applicability = None
    if mendable:
        by_data = may_be_named_at_run_time(context.workspace, column)
        applicability = Applicability.UNSAFE if by_data else Applicability.SAFE
    yield context.violation(
        rule,
        column.attribute.chunk,
        target_of(column.statement),
        f"`{column.name}` is not snake_case: call the attribute `{new}`; the column may keep its name",
        statement=column.statement,
        applicability=applicability,
        subject=(column, new),
    )


@rule.on_call("sqlalchemy.Table")
def check_table(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report the names of a table's columns."""
    if context.is_migration() or context.is_test():
        return
    for argument in call.fact.node.args:
        name = argument.args[0] if isinstance(argument, ast.Call) and argument.args else None
        func = argument.func if isinstance(argument, ast.Call) else None
        last = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
        if (
            last == "Column"
            and isinstance(name, ast.Constant)
            and isinstance(name.value, str)
            and _is_bad(name.value)
        ):
            yield context.at_call(
                rule,
                call.fact,
                f"`{name.value}` is not snake_case: databases fold such names, so that every query has to quote it",
                node=name,
            )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Rename the attribute wherever it is meant, and write the column's name down."""
    column, new = violation.subject
    uses = uses_of(context.workspace, column)
    if uses is None:
        return None
    edits = attribute_rename.uses(uses, context.source, context.file_id, column.name, new)
    own = attribute_rename.declaration(context.source, context.module_statements(), column, new)
    edits[context.file_id] = [*own, *edits.get(context.file_id, ())]
    count = len(edits)
    title = f"Rename the attribute to `{new}`" + (f" in {count} files" if count > 1 else "")
    ordered = {file_id: tuple(sorted(each, key=lambda edit: edit.start)) for file_id, each in edits.items()}
    certainty = violation.applicability or Applicability.UNSAFE
    if certainty is Applicability.UNSAFE:
        title += " (`getattr` and `**` may name it by data)"
    return Fix(title, certainty, ordered)
