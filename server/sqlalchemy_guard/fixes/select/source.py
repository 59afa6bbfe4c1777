"""Where a query comes from: how each kind of session executes a statement, and when its queries may not be
rewritten.

This module must never look at what the query selects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sqlalchemy_guard.facts.query import Certainty, SessionKind
from sqlalchemy_guard.fixes.select.tree import Imported, Text

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterable, Mapping

    from sqlalchemy_guard.facts.query import SessionInfo, Source
    from sqlalchemy_guard.fixes.select.tree import Tree


class SourceText(Protocol):
    """The text that the expression was parsed from."""

    def segment(self, node: ast.expr) -> str:
        """The text of a node, without parentheses around it."""


class Refuse(Exception):
    """The expression has no proven form; the message tells the user why and what to write.

    Args:
        bulk: `delete` or `update` when it may have one that begins with this statement instead of a SELECT.
    """

    def __init__(self, message: str, bulk: str = "") -> None:
        super().__init__(message)
        self.bulk = bulk


NAMES: Mapping[str, str] = {
    "select": "sqlalchemy",
    "delete": "sqlalchemy",
    "update": "sqlalchemy",
    "func": "sqlalchemy",
    "union": "sqlalchemy",
    "union_all": "sqlalchemy",
    "intersect": "sqlalchemy",
    "intersect_all": "sqlalchemy",
    "except_": "sqlalchemy",
    "except_all": "sqlalchemy",
    "LABEL_STYLE_NONE": "sqlalchemy",
    "LABEL_STYLE_TABLENAME_PLUS_COL": "sqlalchemy",
    "aliased": "sqlalchemy.orm",
    "lazyload": "sqlalchemy.orm",
    "with_parent": "sqlalchemy.orm",
    "abort": "flask",
}
"""Names that templates use, and the module that gives them."""

EXECUTES: Mapping[SessionKind, str] = {
    SessionKind.SYNC: "session.scalars(stmt), session.execute(stmt)",
    SessionKind.SCOPED: "Session.scalars(stmt), Session.execute(stmt)",
    SessionKind.FLASK: "db.session.scalars(stmt), db.session.execute(stmt)",
    SessionKind.SQLMODEL: "session.exec(stmt) where its own select() gives the same, else as Session",
}
"""How each kind of session executes a statement; a kind that is absent has no queries."""

FLASK_NAMES = frozenset(("select", "delete", "update", "func", "union", "union_all", "aliased"))
"""What the Flask-SQLAlchemy object hands on from SQLAlchemy, so that nothing needs to be imported."""


def admit(session: SessionInfo, called: Iterable[str] = ()) -> tuple[str, ...]:
    """What remains doubtful about a session, as sentences' ends for the user.

    Args:
        session: The session.
        called: The methods that its query is asked for, as far as they are known; `check_called` looks at others.

    Raises:
        Refuse: queries of this session cannot be rewritten.
    """
    if session.kind not in EXECUTES:
        raise Refuse(
            "AsyncSession has no query(): write `await session.scalars(select(...))`, or run the function "
            "with `await session.run_sync(...)`"
        )
    if session.has_query_cls:
        raise Refuse(
            "this session makes queries of an own Query class, which select() ignores: move its behaviour "
            "to a `do_orm_execute` listener with `with_loader_criteria()` first"
        )
    check_called(session, called)
    doubts = []
    if session.certainty is Certainty.LIKELY:
        doubts.append("the receiver is only likely a Session")
    if session.has_query_cls is None:
        doubts.append("the session's factory was not seen: it may use an own Query class")
    return tuple(doubts)


def check_called(session: SessionInfo, called: Iterable[str]) -> None:
    """Refuse methods that an own Query class replaces.

    Raises:
        Refuse: one of them is.
    """
    name = min(session.replaced.intersection(called), default=None)
    if name is not None:
        raise Refuse(f"an own Query class replaces `{name}()`, and select() would not go through it")


def hidden(name: str) -> str:
    """Why a query whose session has a name cannot be rewritten where that name means something else."""
    return (
        f"`{name}`, which has the session, means something else in this function: call that otherwise first"
    )


def receiver(source: Source, text: SourceText) -> Tree:
    """The session expression of the new code."""
    if source.session.text is not None:
        return Text(source.session.text)
    if source.is_registry:
        raise Refuse("the session behind `.query` was not found: write `session.scalars(select(...))`")
    return Text(text.segment(source.receiver), source.receiver)


def names(session: SessionInfo) -> dict[str, Tree]:
    """What the names of templates stand for, as this session's code base spells them."""
    found: dict[str, Tree] = {name: Imported(module, name) for name, module in NAMES.items()}
    if session.database is not None:
        found.update({name: Text(f"{session.database}.{name}") for name in FLASK_NAMES})
        found["db"] = Text(session.database)
    return found
