"""What becomes of a query that no terminal executed: its form by what the code around it does.

This module must never look at how the query was built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import Consumer
from sqlalchemy_guard.fixes.select.ending import TerminalForm

if TYPE_CHECKING:
    from collections.abc import Mapping

_ITERATED = TerminalForm("session.scalars(stmt).unique()", "session.execute(stmt).unique()", names_rows=True)

CONSUMERS: Mapping[Consumer, TerminalForm] = {
    Consumer.ITERATED: _ITERATED,
    Consumer.UNPACKED: _ITERATED,
    Consumer.LISTED: _ITERATED,
    Consumer.ITERATED_AGAIN: TerminalForm(
        "session.scalars(stmt).unique().all()",
        "session.execute(stmt).unique().all()",
        names_rows=True,
        note="a result can be iterated once, a Query executes again; the list is read once",
    ),
    Consumer.NESTED: TerminalForm(
        "stmt", shape=False, selects=True, note="as an argument of another statement it is a subquery"
    ),
}
"""How a query without a terminal is written, by what consumes it."""

REFUSED: Mapping[Consumer, str] = {
    Consumer.TRUTH: "a Query is always true: execute it first, or remove the test",
    Consumer.LENGTH: "a Query has no length: count with `session.scalar(select(func.count())…)`",
    Consumer.AWAITED: "a Query cannot be awaited: write `await session.scalars(select(…))`",
    Consumer.STATEMENT: "this query is never executed: remove it, or execute it",
    Consumer.RETURNED: "the Query is yielded or given by a lambda: hand the select() out, and execute it there",
    Consumer.PASSED: "the Query is handed on, out of sight: hand on a select()",
    Consumer.ASSIGNED: "the Query is kept where it cannot be followed: keep a select(), and execute it",
    Consumer.ATTRIBUTE: "this attribute of Query has no counterpart",
    Consumer.INDEXED: "the Query is indexed later: execute it with `.all()` first",
    Consumer.UNKNOWN: "what becomes of this Query is not known: build a select() and execute it",
}
"""Why a query without a terminal is left alone."""
