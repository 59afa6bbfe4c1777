"""Calls that may build a query, by the names of what they call: facts for rules that look at their arguments.

This module must never resolve anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.project.mapped_names import TAKING
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.facts.units import Unit


@dataclass(slots=True, eq=False)
class QueryCall:
    """A call that is called like one of SQLAlchemy's that take columns."""

    fact: CallFact


def query_calls(unit: Unit) -> Iterator[QueryCall]:
    """The calls of a unit that may take columns."""
    for fact in unit.calls:
        if getattr(fact.value.func, "name", "") in TAKING:
            yield QueryCall(fact)
