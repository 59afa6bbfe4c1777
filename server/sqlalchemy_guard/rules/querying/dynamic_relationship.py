"""Relationship with the `dynamic` loader, which gives legacy `Query` objects.

## What it does
Reports `relationship(lazy="dynamic")`, `backref(…, lazy="dynamic")`, `dynamic_loader()` and `DynamicMapped`.

## Why is this bad?
A dynamic relationship hands out `Query` objects of the 1.x API, cannot be loaded eagerly, and does not work with asyncio.
`WriteOnlyMapped` serves the same large collections with `select()`.

## Example
```python
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, DynamicMapped, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    posts: DynamicMapped["Post"] = relationship()


class Post(Base):
    __tablename__ = "post"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
```

## Use instead
```python
from sqlalchemy import ForeignKey
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    WriteOnlyMapped,
    mapped_column,
    relationship,
)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    posts: WriteOnlyMapped["Post"] = relationship()


class Post(Base):
    __tablename__ = "post"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
```

## Fix safety
Unsafe: code that reads the attribute must change from `user.posts.filter(…)` to
`session.scalars(user.posts.select().where(…))`, and from `append` to `add`.

## References
- [Write only relationships](https://docs.sqlalchemy.org/en/20/orm/large_collections.html#write-only-relationships)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Const
from sqlalchemy_guard.fixes.arguments import replace_value
from sqlalchemy_guard.fixes.imports import need
from sqlalchemy_guard.project.model import Model
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

    from sqlalchemy_guard.check import Context
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG304", Severity.WARNING, Applicability.UNSAFE)

_MESSAGE = "hands out legacy `Query` objects and does not work with asyncio; use `WriteOnlyMapped`"


@rule.on_call(
    "sqlalchemy.orm.relationship",
    "sqlmodel.Relationship",
    "sqlalchemy.orm.backref",
    "sqlalchemy.orm.dynamic_loader",
)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report `lazy="dynamic"`."""
    lazy = call.fact.value.keyword("lazy")
    keyword = next((keyword for keyword in call.fact.node.keywords if keyword.arg == "lazy"), None)
    if call.name.endswith("dynamic_loader"):
        yield context.at_call(rule, call.fact, f"`dynamic_loader()` {_MESSAGE}", node=call.fact.node.func)
    elif keyword is not None and type(lazy) is Const and lazy.value == "dynamic":
        applicability = None if context.settings.target_version == "1.4" else Applicability.UNSAFE
        yield context.at_call(
            rule,
            call.fact,
            f'`lazy="dynamic"` {_MESSAGE}',
            node=keyword,
            applicability=applicability,
            subject=(call.fact.chunk, keyword),
        )


@rule.on(Model)
def check_annotations(context: Context, model: Model) -> Iterator[Violation]:
    """Report `DynamicMapped`."""
    for attribute in model.facts.attributes.values():
        name = _dynamic_name(context, attribute.node)
        if name is not None:
            yield context.violation(
                rule,
                attribute.chunk,
                name,
                f"`DynamicMapped` {_MESSAGE}",
                statement=attribute.node,
                applicability=Applicability.UNSAFE,
                subject=(attribute.chunk, name),
            )


def _dynamic_name(context: Context, node: ast.stmt) -> ast.expr | None:
    """The expression in an annotation that stands for `DynamicMapped`."""
    annotation = getattr(node, "annotation", None)
    base: ast.expr | None = getattr(annotation, "value", None)
    if base is None:
        return None
    value = context.value_of(base)
    return (
        base
        if context.resolver.external_name(value, context.file) == "sqlalchemy.orm.DynamicMapped"
        else None
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix:
    """Declare the collection write-only."""
    chunk, node = violation.subject
    title = "Make the relationship write-only (every use of it must change)"
    source = context.source
    if type(node).__name__ == "keyword":
        edits = replace_value(source, node, '"write_only"', chunk.shift)
    else:
        imported = need(source, context.module_statements(), "sqlalchemy.orm", "WriteOnlyMapped")
        start, end = source.start(node, chunk.shift), source.end(node, chunk.shift)
        edits = (Edit(start, end, imported.expression), *imported.edits)
    return Fix(title, Applicability.UNSAFE, {context.file.file_id: edits})
