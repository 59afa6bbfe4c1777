"""Relationship with the `dynamic` loader, which gives legacy `Query` objects.

## What it does
Reports `relationship(lazy="dynamic")`, `backref(…, lazy="dynamic")`, `dynamic_loader()` and `DynamicMapped`. Silent in projects
whose requirements, or the setting `target-version`, admit SQLAlchemy 1.4, which has no write-only relationships.

## Why is this bad?
A dynamic relationship hands out `Query` objects of the 1.x API, cannot be loaded eagerly, and does not work with asyncio.
`WriteOnlyMapped` serves the same large collections with `select()`.

## Example
```python
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, DynamicMapped, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    posts: DynamicMapped["Post"] = relationship(passive_deletes=True)


class Post(Base):
    __tablename__ = "post"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
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
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    posts: WriteOnlyMapped["Post"] = relationship(passive_deletes=True)


class Post(Base):
    __tablename__ = "post"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
```

## Fix safety
Unsafe: code that reads the attribute changes from `user.posts.filter(…)` to `session.scalars(user.posts.select().where(…))`,
and from `append` to `add`, in the whole workspace. There is no fix where a use is not understood (a template that names the
attribute is one) or has no session at hand, and without `passive_deletes`: the rows of a write-only collection cannot be
loaded when their owner is deleted, so the database must see to them.

## References
- [Write only relationships](https://docs.sqlalchemy.org/en/20/orm/large_collections.html#write-only-relationships)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Const
from sqlalchemy_guard.fixes.arguments import replace_value
from sqlalchemy_guard.fixes.imports import Placed, need
from sqlalchemy_guard.fixes.source import Source
from sqlalchemy_guard.fixes.write_only import annotated, changed
from sqlalchemy_guard.project.dynamic import leaves_rows_alone, owner_of, uses_of
from sqlalchemy_guard.project.model import Model
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.project.types import ClassRef
    from sqlalchemy_guard.syntax.chunk import Chunk

rule = Rule("SAG304", Severity.WARNING, Applicability.UNSAFE, modern=True)

_MESSAGE = "hands out legacy `Query` objects and does not work with asyncio; use `WriteOnlyMapped`"


@rule.on_call(
    "sqlalchemy.orm.relationship",
    "sqlmodel.Relationship",
    "sqlalchemy.orm.backref",
    "sqlalchemy.orm.dynamic_loader",
)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report `lazy="dynamic"`."""
    if context.target_version == "1.4":
        return
    lazy = call.fact.value.keyword("lazy")
    keyword = next((keyword for keyword in call.fact.node.keywords if keyword.arg == "lazy"), None)
    if call.name.endswith("dynamic_loader"):
        message = f"`dynamic_loader()` {_MESSAGE}"
        yield context.at_call(rule, call.fact, message, node=call.fact.node.func, applicability=None)
    elif keyword is not None and type(lazy) is Const and lazy.value == "dynamic":
        if _mapped_by(context, call.fact.statement) == "sqlalchemy.orm.WriteOnlyMapped":
            # What is annotated so is write-only, whatever the argument says.
            return
        owner = (
            owner_of(context.file, call.fact.statement, keyword)
            if call.name != "sqlalchemy.orm.backref"
            else None
        )
        yield context.at_call(
            rule,
            call.fact,
            f'`lazy="dynamic"` {_MESSAGE}',
            node=keyword,
            applicability=_applicability(context, call.fact.node, owner),
            subject=(call.fact.chunk, keyword, owner),
        )


@rule.on(Model)
def check_annotations(context: Context, model: Model) -> Iterator[Violation]:
    """Report `DynamicMapped`."""
    if context.target_version == "1.4":
        return
    for attribute in model.facts.attributes.values():
        if _mapped_by(context, attribute.node) == "sqlalchemy.orm.DynamicMapped":
            assert isinstance(attribute.node, ast.AnnAssign), "only that has an annotation"
            assert isinstance(attribute.node.annotation, ast.Subscript), "a wrapped type"
            name = attribute.node.annotation.value
            yield context.violation(
                rule,
                attribute.chunk,
                name,
                f"`DynamicMapped` {_MESSAGE}",
                statement=attribute.node,
                applicability=_applicability(context, attribute.node, (model.type.ref, attribute.name)),
                subject=(attribute.chunk, name, (model.type.ref, attribute.name)),
            )


def _applicability(
    context: Context, declaration: ast.AST, owner: tuple[ClassRef, str] | None
) -> Applicability | None:
    """Whether the collection can be write-only: its owners can be deleted without loading it, and its uses are understood."""
    if owner is None or not leaves_rows_alone(declaration):
        return None
    return Applicability.UNSAFE if uses_of(context.workspace, *owner, context.parent) is not None else None


def _mapped_by(context: Context, statement: ast.stmt) -> str | None:
    """The canonical name of what a statement's annotation wraps the type in."""
    base = getattr(getattr(statement, "annotation", None), "value", None)
    return context.resolver.external_name(context.value_of(base), context.file) if base is not None else None


def _declared(context: Context, keyword: ast.keyword, chunk: Chunk) -> tuple[Edit, ...]:
    call = context.parent(chunk, keyword)
    assert isinstance(call, ast.Call), "an argument stands in a call"
    statement = context.parent(chunk, call)
    if isinstance(statement, ast.AnnAssign) and _mapped_by(context, statement) == "sqlalchemy.orm.Mapped":
        edits = annotated(context.source, context.module_statements(), statement, call, keyword, chunk.shift)
        if edits is not None:
            return edits
    return replace_value(
        context.source, keyword, f"{context.source.quote}write_only{context.source.quote}", chunk.shift
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Declare the collection write-only, and change its uses."""
    chunk, node, owner = violation.subject
    source = context.source
    edits: dict[str, tuple[Edit, ...]]
    if isinstance(node, ast.keyword):
        edits = {context.file.file_id: _declared(context, node, chunk)}
    else:
        imported = need(source, context.module_statements(), "sqlalchemy.orm", "WriteOnlyMapped")
        start, end = source.start(node, chunk.shift), source.end(node, chunk.shift)
        edits = {context.file.file_id: (Edit(start, end, imported.expression), *imported.edits)}
    uses = uses_of(context.workspace, owner[0], owner[1], context.parent)
    if uses is None:
        return None
    for file in {use.file.file_id: use.file for use in uses}.values():
        own = [use for use in uses if use.file is file]
        text = Source(file.document.text, context.workspace.settings_for(file.file_id).line_length)
        statements = [Placed(node, chunk.shift) for chunk in file.syntax.chunks for node in chunk.body]
        edits[file.file_id] = (*edits.get(file.file_id, ()), *changed(text, statements, own, context.parent))
    count = "1 use" if len(uses) == 1 else f"{len(uses)} uses"
    title = f"Make the relationship write-only, {count} of it changed"
    return Fix(title, Applicability.UNSAFE, edits)
