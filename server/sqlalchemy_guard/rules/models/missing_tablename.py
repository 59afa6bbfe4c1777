"""Mapped class whose table name is not written down.

## What it does
Reports mapped classes for which neither the class nor a mixin or base says `__tablename__` or `__table__`.

## Why is this bad?
Plain SQLAlchemy refuses such a class. Flask-SQLAlchemy and SQLModel derive the name from the class, so that renaming the class
silently points it at another table. The name of a table belongs to the schema: write it down.

## Example
```python
from sqlmodel import Field, SQLModel


class OrderItem(SQLModel, table=True):
    created_at = None
    updated_at = None
    id: int | None = Field(default=None, primary_key=True)
```

## Use instead
```python
from sqlmodel import Field, SQLModel


class OrderItem(SQLModel, table=True):
    __tablename__ = "orderitem"

    created_at = None
    updated_at = None
    id: int | None = Field(default=None, primary_key=True)
```

## Fix safety
Safe: the name is the one that Flask-SQLAlchemy or SQLModel gives the table today; where there is none yet, it is the class's
name in snake_case.

## References
- [Declarative tables](https://docs.sqlalchemy.org/en/20/orm/declarative_tables.html#declarative-table)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.project.bodies import body_of, is_docstring
from sqlalchemy_guard.project.externals import BASES, DECLARATIVE_BASES
from sqlalchemy_guard.project.model import Model, inherited, model_parents
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit
from sqlalchemy_guard.text.words import snake_case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context

rule = Rule("SAG204", Severity.WARNING, Applicability.SAFE)


@rule.on(Model)
def check(context: Context, model: Model) -> Iterator[Violation]:
    """Report a mapped class for which nobody says the name of its table."""
    if not model.is_mapped or _is_named(context, model) or _is_single_table_child(context, model):
        return
    name = _table_name(model)
    message = f'`{model.facts.name}` does not say its table: write `__tablename__ = "{name}"`, or the name follows the class'
    body = body_of(model.facts)
    own_line = (
        bool(body)
        and body[0][1].lineno + body[0][0].shift > model.facts.header.lineno + model.facts.chunk.shift
    )
    header = model.facts.header
    yield context.violation(
        rule,
        model.facts.chunk,
        context.name_of(model.facts.chunk, header),
        message,
        statement=header,
        applicability=Applicability.SAFE if own_line else None,
        subject=model,
    )


def _is_named(context: Context, model: Model) -> bool:
    """Whether the class, a mixin or a base says it, or something that we cannot read may."""
    if any(
        inherited(context.resolver, model, name)
        for name in ("__tablename__", "__table__", "__table_cls__", "__init_subclass__")
    ):
        return True
    for ref in context.resolver.ancestors(model.type):
        if isinstance(ref, str):
            if ref not in DECLARATIVE_BASES and ref not in BASES and not ref.startswith(_NAMELESS):
                return True
        else:
            found = context.resolver.class_facts(ref)
            if found is not None and any(name == "metaclass" for name, _ in found[0].keywords):
                return True
    return len(model.facts.bases) > 0 and _has_unknown_base(context, model)


_NAMELESS = (
    "builtins.",
    "typing.",
    "abc.",
    "sqlalchemy.",
    "flask_login.",
    "werkzeug.",
    "pydantic.",
    "enum.",
    "dataclasses.",
)


def _has_unknown_base(context: Context, model: Model) -> bool:
    for ref in context.resolver.ancestors(model.type):
        found = context.resolver.class_facts(ref)
        if found is not None:
            facts, file = found
            if any(type(context.type_of(base, file)).__name__ == "Type" for base in facts.bases):
                return True
    return False


def _is_single_table_child(context: Context, model: Model) -> bool:
    """A child of a mapped class without a primary key of its own shares its parent's table."""
    if not any(parent.is_mapped for parent in model_parents(context.resolver, model)):
        return False
    return not any(
        keyword == "primary_key"
        for attribute in model.facts.attributes.values()
        for keyword, _ in getattr(attribute.value, "keywords", ())
    )


def _table_name(model: Model) -> str:
    name = model.facts.name
    return name.lower() if model.kind == "sqlmodel.SQLModel" else snake_case(name)


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Write the name as the first statement behind the docstring."""
    model = violation.subject
    body = body_of(model.facts)
    line = f'__tablename__ = "{_table_name(model)}"'
    source = context.source
    first = next(((chunk, node) for chunk, node in body if not is_docstring(node)), None)
    title = f"Add `{line}`"
    if first is None:
        chunk, docstring = body[0]
        end = source.end(docstring, chunk.shift)
        text = f"{source.newline}{source.newline}{source.margin(end)}{line}"
        return Fix(title, Applicability.SAFE, {context.file.file_id: (Edit(end, end, text),)})
    chunk, node = first
    at = source.offset(source.first_line(node, chunk.shift))
    margin = source.margin(at)
    if type(node).__name__ == "Pass" or (len(body) == 1 and source.segment(node, chunk.shift) == "..."):
        start, end = source.start(node, chunk.shift), source.end(node, chunk.shift)
        return Fix(title, Applicability.SAFE, {context.file.file_id: (Edit(start, end, line),)})
    above = _above_comments(source.lines, source.position(at)[0])
    at = source.offset(above)
    text = f"{margin}{line}{source.newline}{source.newline}"
    return Fix(title, Applicability.SAFE, {context.file.file_id: (Edit(at, at, text),)})


def _above_comments(lines: list[str], line: int) -> int:
    """The first of the comment lines directly above a line."""
    while line and lines[line - 1].lstrip().startswith("#"):
        line -= 1
    return line
