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
`session.scalars(user.posts.select().where(…))`, and from `append` to `add`. The fix changes it in the whole workspace where
every use is understood and has a session at hand, else the declaration alone; its title says which. Templates are not read.

## References
- [Write only relationships](https://docs.sqlalchemy.org/en/20/orm/large_collections.html#write-only-relationships)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Const
from sqlalchemy_guard.fixes.arguments import replace_value
from sqlalchemy_guard.fixes.imports import Placed, need
from sqlalchemy_guard.fixes.layout import reflow
from sqlalchemy_guard.fixes.source import Source
from sqlalchemy_guard.fixes.write_only import renamed_method, selected
from sqlalchemy_guard.project.dynamic import WRITES, Use, uses_of
from sqlalchemy_guard.project.model import Model
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.check import Context
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.project.types import ClassRef
    from sqlalchemy_guard.project.workspace import File

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
    if context.target_version == "1.4":
        return
    lazy = call.fact.value.keyword("lazy")
    keyword = next((keyword for keyword in call.fact.node.keywords if keyword.arg == "lazy"), None)
    if call.name.endswith("dynamic_loader"):
        yield context.at_call(rule, call.fact, f"`dynamic_loader()` {_MESSAGE}", node=call.fact.node.func)
    elif keyword is not None and type(lazy) is Const and lazy.value == "dynamic":
        owner = _owner(context, call, keyword) if call.name != "sqlalchemy.orm.backref" else None
        yield context.at_call(
            rule,
            call.fact,
            f'`lazy="dynamic"` {_MESSAGE}',
            node=keyword,
            applicability=Applicability.UNSAFE,
            subject=(call.fact.chunk, keyword, owner),
        )


@rule.on(Model)
def check_annotations(context: Context, model: Model) -> Iterator[Violation]:
    """Report `DynamicMapped`."""
    if context.target_version == "1.4":
        return
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
                subject=(attribute.chunk, name, (model.type.ref, attribute.name)),
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


def _owner(context: Context, call: LibraryCall, keyword: ast.keyword) -> tuple[ClassRef, str] | None:
    """The class and the attribute that a relationship is assigned to."""
    for classes in context.file.facts.classes.values():
        for facts in classes:
            for attribute in facts.attributes.values():
                if attribute.node is call.fact.statement and any(
                    part is keyword for part in ast.walk(attribute.node)
                ):
                    return (context.file.file_id, facts.qualname), attribute.name
    return None


@rule.fix
def fix(context: Context, violation: Violation) -> Fix:
    """Declare the collection write-only, and change its uses where all of them are understood."""
    chunk, node, owner = violation.subject
    source = context.source
    edits: dict[str, tuple[Edit, ...]]
    if isinstance(node, ast.keyword):
        edits = {context.file.file_id: replace_value(source, node, '"write_only"', chunk.shift)}
    else:
        imported = need(source, context.module_statements(), "sqlalchemy.orm", "WriteOnlyMapped")
        start, end = source.start(node, chunk.shift), source.end(node, chunk.shift)
        edits = {context.file.file_id: (Edit(start, end, imported.expression), *imported.edits)}
    uses = uses_of(context.workspace, owner[0], owner[1], context.parent) if owner is not None else None
    if uses is None:
        title = "Make the relationship write-only (its uses must be changed by hand)"
        return Fix(title, Applicability.UNSAFE, edits)
    for file in {use.file.file_id: use.file for use in uses}.values():
        own = [use for use in uses if use.file is file]
        edits[file.file_id] = (*edits.get(file.file_id, ()), *_changed(context, file, own))
    title = f"Make the relationship write-only, {len(uses)} uses of it changed"
    return Fix(title, Applicability.UNSAFE, edits)


def _changed(context: Context, file: File, uses: list[Use]) -> tuple[Edit, ...]:
    """The edits of one file, with what it must import."""
    source = Source(file.document.text, context.workspace.settings_for(file.file_id).line_length)
    statements = [Placed(node, chunk.shift) for chunk in file.syntax.chunks for node in chunk.body]
    edits: list[Edit] = []
    names = {"func": "", "select": ""}
    if any(use.ending == "count" for use in uses):
        needed = {name: need(source, statements, "sqlalchemy", name) for name in names}
        names = {name: imported.expression for name, imported in needed.items()}
        if all(imported.edits and imported.expression == name for name, imported in needed.items()):
            edits += need(source, statements, "sqlalchemy", "func, select").edits
        else:
            edits += [edit for imported in needed.values() for edit in imported.edits]
    by_statement: dict[ast.stmt, tuple[int, list[Edit]]] = {}
    for use in uses:
        shift = use.chunk.shift
        changed = by_statement.setdefault(_statement(context, use), (shift, []))[1]
        if use.ending in WRITES:
            changed += renamed_method(source, use.calls[0], WRITES[use.ending], shift)
            continue
        count = (
            f"{use.session}.scalar({names['select']}({names['func']}.count()).select_from({{}}.subquery()))"
        )
        changed += selected(source, use.root, use.calls, use.session, use.ending, count, shift)
    for statement, (shift, changed) in by_statement.items():
        edits += reflow(source, statement, changed, shift)
    return tuple(edits)


def _statement(context: Context, use: Use) -> ast.stmt:
    """The statement around a use."""
    node: ast.AST | None = use.root
    while node is not None and not isinstance(node, ast.stmt):
        node = context.parent(use.chunk, node)
    assert node is not None, "every expression stands in a statement"
    return node
