"""Cascade of a relationship that SQLAlchemy refuses, or that cannot work.

## What it does
Reports `cascade=` with a word that SQLAlchemy does not know, `delete-orphan` without `delete`, and `delete-orphan` on the side
that holds the foreign key without `single_parent=True`.

## Why is this bad?
SQLAlchemy raises on an unknown word when the module is imported, and on the many side when the mappers are configured, at the
first query: there an object may have several parents, so none of them can decide about it. `delete-orphan` without `delete`
only warns, and deleting the parent leaves the children behind.

## Example
```python
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class Order(Base):
    __tablename__ = "order"

    id: Mapped[int] = mapped_column(primary_key=True)
    lines: Mapped[list["Line"]] = relationship(cascade="all, delete_orphan")


class Line(Base):
    __tablename__ = "line"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("order.id"))
```

## Use instead
```python
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class Order(Base):
    __tablename__ = "order"

    id: Mapped[int] = mapped_column(primary_key=True)
    lines: Mapped[list["Line"]] = relationship(cascade="all, delete-orphan")


class Line(Base):
    __tablename__ = "line"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("order.id"))
```

## Fix safety
Safe for an unknown word, which becomes the one that it resembles: the code cannot run today. Unsafe where `delete` joins
`delete-orphan`, because children are deleted then. On the many side there is no fix: whether the other side or nobody shall
delete is yours to decide.

## References
- [Cascades](https://docs.sqlalchemy.org/en/20/orm/cascades.html)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Call, ClassName, Sequence, Value
from sqlalchemy_guard.fixes.arguments import replace_value
from sqlalchemy_guard.fixes.naming import nearest
from sqlalchemy_guard.project.types import ClassType, Instance, Literal
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG219", Severity.ERROR, Applicability.SAFE)

_TOKENS = ("save-update", "merge", "expunge", "delete", "delete-orphan", "refresh-expire")
_KNOWN = frozenset((*_TOKENS, "all", "none"))


@rule.on_call("sqlalchemy.orm.relationship", "sqlalchemy.orm.backref", "sqlalchemy.orm.relation")
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a cascade that is refused or cannot work."""
    fact = call.fact
    keyword = next((keyword for keyword in fact.node.keywords if keyword.arg == "cascade"), None)
    said = fact.value.keyword("cascade")
    type_ = context.type_of(said) if said is not None else None
    if keyword is None or not isinstance(type_, Literal) or not isinstance(type_.value, str):
        return
    words = [word.strip() for word in type_.value.split(",") if word.strip()]
    message, better = _fault(words)
    if message is None and "delete-orphan" in words and _is_many_side(context, call):
        message = (
            "`delete-orphan` on the side with the foreign key: several objects may share this parent; "
            "set it on the other side, or say `single_parent=True`"
        )
    if message is None:
        return
    literal = isinstance(keyword.value, ast.Constant)
    yield context.at_call(
        rule,
        fact,
        message,
        node=keyword.value,
        applicability=_certainty(words) if better is not None and literal else None,
        subject=(fact, keyword, better),
    )


def _certainty(words: list[str]) -> Applicability:
    """Code that cannot run today may be mended safely; a cascade that works would delete more."""
    return Applicability.UNSAFE if all(word in _KNOWN for word in words) else Applicability.SAFE


def _fault(words: list[str]) -> tuple[str | None, str | None]:
    """What is wrong with the words by themselves, and the words as they should be where that is known."""
    unknown = [word for word in words if word not in _KNOWN]
    if unknown:
        meant = {word: nearest(word.replace("_", "-").replace(" ", "-"), _KNOWN, 0.7) for word in unknown}
        meant |= {word: word.replace("_", "-") for word in unknown if word.replace("_", "-") in _KNOWN}
        hint = meant[unknown[0]]
        message = f"`{unknown[0]}` is no cascade, and SQLAlchemy raises" + (
            f"; did you mean `{hint}`?" if hint else f"; known are {', '.join(_TOKENS)} and all"
        )
        better = [meant.get(word, word) for word in words]
        return message, ", ".join(filter(None, better)) if all(better) else None
    if "delete-orphan" in words and "delete" not in words and "all" not in words:
        better = [
            part for word in words for part in (("delete", word) if word == "delete-orphan" else (word,))
        ]
        return "`delete-orphan` needs `delete`: deleting the parent leaves the children behind", ", ".join(
            filter(None, better)
        )
    return None, None


def _is_many_side(context: Context, call: LibraryCall) -> bool:
    """Whether the relationship is proven to go from the foreign key to its parent."""
    value, frame = call.fact.value, call.fact.frame
    if (
        call.name != "sqlalchemy.orm.relationship"
        or value.has_mapping
        or value.keyword("secondary") is not None
    ):
        return False
    if (
        value.keyword("single_parent") is not None
        or frame is None
        or not isinstance(frame.node, ast.ClassDef)
    ):
        return False
    owner = context.file.facts.class_(frame.node.name)
    keys = value.keyword("foreign_keys")
    if owner is None or keys is None:
        return False
    named = keys.items if type(keys) is Sequence else (keys,)
    own = ClassType((context.file.file_id, owner.qualname))
    columns = [owner.attributes.get(name) for key in named if (name := _own_name(key)) is not None]
    attribute = next((each for each in owner.attributes.values() if each.value is value), None)
    target = context.resolver.mapped_type(attribute, context.file) if attribute is not None else None
    if not isinstance(target, Instance) or isinstance(target.ref, str) or target.ref == own.ref:
        return False
    if not columns or len(columns) != len(named):
        return False
    return all(column is not None and _has_key(context, column.value) for column in columns)


def _own_name(value: Value) -> str | None:
    return value.name if type(value) is ClassName else None


def _has_key(context: Context, value: Value | None) -> bool:
    return type(value) is Call and any(
        type(arg) is Call
        and context.resolver.external_name(arg.func, context.file) == "sqlalchemy.ForeignKey"
        for arg in value.args
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Write the cascade as it was meant."""
    fact, keyword, better = violation.subject
    quote = context.source.segment(keyword.value, fact.chunk.shift)[-1]
    statement = None if hasattr(fact.statement, "body") else fact.statement
    edits = replace_value(context.source, keyword, f"{quote}{better}{quote}", fact.chunk.shift, statement)
    return Fix(
        f"Write `{better}`", violation.applicability or Applicability.UNSAFE, {context.file.file_id: edits}
    )
