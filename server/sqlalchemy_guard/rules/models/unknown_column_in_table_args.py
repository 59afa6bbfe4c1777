"""Index or constraint in `__table_args__` that names a column which the table does not have.

## What it does
Reports strings in `Index`, `UniqueConstraint`, `PrimaryKeyConstraint` and `ForeignKeyConstraint` of a mapped class's
`__table_args__`, and `polymorphic_on` in its `__mapper_args__`, that name no column of the class, its mixins or bases, across
files. Silent where a base cannot be read, and for reflected tables.

## Why is this bad?
SQLAlchemy raises when the class is defined: the application does not start.

## Example
```python
from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"
    __table_args__ = (UniqueConstraint("tenant_id", "emial"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int]
    email: Mapped[str]
```

## Use instead
```python
from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"
    __table_args__ = (UniqueConstraint("tenant_id", "email"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int]
    email: Mapped[str]
```

## Fix safety
Safe: the code cannot run today. There is no fix where no column has a name like it.

## References
- [Table configuration](https://docs.sqlalchemy.org/en/20/orm/declarative_tables.html#orm-declarative-table-configuration)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Call, Sequence
from sqlalchemy_guard.fixes.naming import nearest
from sqlalchemy_guard.project.columns import attribute_names
from sqlalchemy_guard.project.model import Model
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import Attribute

rule = Rule("SAG222", Severity.ERROR, Applicability.SAFE)

_NAMED = {"sqlalchemy.Index": 1, "sqlalchemy.UniqueConstraint": 0, "sqlalchemy.PrimaryKeyConstraint": 0}
"""Where the columns begin among the arguments."""


@rule.on(Model)
def check(context: Context, model: Model) -> Iterator[Violation]:
    """Report names that no column of a mapped class has."""
    if not model.is_mapped or not (_declares(model, "__table_args__") or _declares(model, "__mapper_args__")):
        return
    known = attribute_names(context.resolver, model.type)
    if known is None:
        return
    for attribute, node, what in _mentioned(context, model):
        name = node.value
        if not isinstance(name, str) or name in known or _is_set_later(context, name):
            continue
        meant = nearest(name, [each for each in known if not each.startswith("_")])
        hint = f"; did you mean `{meant}`?" if meant else ""
        yield context.violation(
            rule,
            attribute.chunk,
            node,
            f"`{what}` names `{name}`, but `{model.facts.name}` has no such column, and SQLAlchemy raises{hint}",
            statement=attribute.node,
            applicability=Applicability.SAFE if meant else None,
            subject=(attribute, node, meant),
        )


def _declares(model: Model, name: str) -> bool:
    return name in model.facts.attributes


def _is_set_later(context: Context, name: str) -> bool:
    """Whether some file assigns to an attribute of that name: the column may be added there."""
    return next(iter(context.resolver.sources.stored_attributes(name)), None) is not None


def _mentioned(context: Context, model: Model) -> Iterator[tuple[Attribute, ast.Constant, str]]:
    """The strings that must name a column, with what they stand in."""
    arguments = model.facts.attributes.get("__table_args__")
    if arguments is not None and isinstance(arguments.node, ast.Assign):
        value, node = arguments.value, arguments.node.value
        if type(value) is Sequence and isinstance(node, (ast.Tuple, ast.List)):
            for item, inner in zip(value.items, node.elts, strict=False):
                if type(item) is Call and isinstance(inner, ast.Call):
                    for constant, what in _in_call(context, item, inner):
                        yield arguments, constant, what
    mapper = model.facts.attributes.get("__mapper_args__")
    if mapper is not None and isinstance(mapper.node, ast.Assign) and isinstance(mapper.node.value, ast.Dict):
        for key, inner in zip(mapper.node.value.keys, mapper.node.value.values, strict=True):
            if (
                isinstance(key, ast.Constant)
                and key.value == "polymorphic_on"
                and isinstance(inner, ast.Constant)
            ):
                yield mapper, inner, "polymorphic_on"


def _in_call(context: Context, call: Call, node: ast.Call) -> Iterator[tuple[ast.Constant, str]]:
    name = context.resolver.external_name(call.func, context.file) or ""
    what = name.rpartition(".")[2]
    named: list[ast.expr] = []
    if name in _NAMED:
        named = node.args[_NAMED[name] :]
    elif (
        name == "sqlalchemy.ForeignKeyConstraint"
        and node.args
        and isinstance(node.args[0], (ast.List, ast.Tuple))
    ):
        named = node.args[0].elts
    for argument in named:
        if isinstance(argument, ast.Constant):
            yield argument, what


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Write the name of the column that was meant."""
    attribute, node, meant = violation.subject
    source, shift = context.source, attribute.chunk.shift
    start, end = source.start(node, shift), source.end(node, shift)
    quote = source.text[end - 1]
    edit = Edit(start, end, f"{quote}{meant}{quote}")
    return Fix(f"Write `{meant}`", Applicability.SAFE, {context.file.file_id: (edit,)})
