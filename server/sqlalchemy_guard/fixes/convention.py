"""A naming convention for the constraints of a declarative base. This module must never decide whether one is wanted."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.imports import need
from sqlalchemy_guard.project.bodies import body_of, is_docstring
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy_guard.fixes.imports import Placed
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.model import Model

_CONVENTION = (
    '"ix": "ix_%(column_0_label)s",',
    '"uq": "uq_%(table_name)s_%(column_0_name)s",',
    '"ck": "ck_%(table_name)s_%(constraint_name)s",',
    '"fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",',
    '"pk": "pk_%(table_name)s",',
)


def with_convention(source: Source, statements: Sequence[Placed], model: Model) -> tuple[Edit, ...] | None:
    """The edits that give a base its own `MetaData` with names for every kind of constraint; None where it has one."""
    facts = model.facts
    if model.kind not in ("sqlalchemy.orm.DeclarativeBase", "sqlalchemy.orm.DeclarativeBaseNoMeta"):
        return None
    if "metadata" in facts.attributes or "registry" in facts.attributes:
        return None
    body = body_of(facts)
    chunk, first = body[0]
    start = source.start(first, chunk.shift)
    margin = source.margin(start)
    if source.line_start(start) + len(margin) != start:
        return None
    imported = need(source, statements, "sqlalchemy", "MetaData")
    unit, newline = source.indentation, source.newline
    lines = [f"metadata = {imported.expression}(", f"{unit}naming_convention={{"]
    lines += [f"{unit * 2}{line}" for line in _CONVENTION]
    lines += [f"{unit}}}", ")"]
    text = newline.join(margin + line for line in lines)[len(margin) :]
    if is_docstring(first):
        at = source.end(first, chunk.shift)
        edit = Edit(at, at, newline * 2 + margin + text)
    elif len(body) == 1 and (isinstance(first, ast.Pass) or _is_ellipsis(first)):
        edit = Edit(start, source.end(first, chunk.shift), text)
    else:
        edit = Edit(start, start, text + newline + margin)
    return tuple(sorted((*imported.edits, edit)))


def _is_ellipsis(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and statement.value.value is ...
    )
