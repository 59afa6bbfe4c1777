"""Statements that are read page by page: which rows a LIMIT, OFFSET or slice asks for.

This module must never judge a statement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Const

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.statements import Statement, Step

QUERY_TERMINALS = tuple(
    f"sqlalchemy.orm.Query.{name}" for name in ("all", "first", "one", "one_or_none", "paginate")
)
"""Calls that execute a `Query`."""

_PAGING = ("limit", "offset", "slice", "fetch", "[]")


def page_of(statement: Statement) -> Step | None:
    """The first step that asks for a part of the rows; None where all are read, or a single one."""
    steps = [step for step in statement.calls(*_PAGING) if not _is_none(step)]
    if not steps or (not statement.has("offset", "slice", "[]") and any(_is_single(step) for step in steps)):
        return None
    return steps[0]


def _argument(step: Step) -> Value | None:
    return step.call.args[0] if step.call.args else None


def _is_none(step: Step) -> bool:
    """`limit(None)` and `offset(0)` take back what was asked for, or ask for nothing."""
    value = _argument(step)
    return type(value) is Const and (value.value is None or (step.name == "offset" and value.value == 0))


def _is_single(step: Step) -> bool:
    value = _argument(step)
    return step.name in ("limit", "fetch") and type(value) is Const and value.value in (0, 1)
