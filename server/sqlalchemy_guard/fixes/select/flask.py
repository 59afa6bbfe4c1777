"""Terminals that Flask-SQLAlchemy adds: they move from the query to the extension object.

This module must never be reached by a session that is not Flask-SQLAlchemy's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import SessionKind
from sqlalchemy_guard.fixes.select import endings, keyed
from sqlalchemy_guard.fixes.select.links import bind
from sqlalchemy_guard.fixes.select.source import Refuse
from sqlalchemy_guard.fixes.select.tree import Argument, Step, extend

if TYPE_CHECKING:
    from sqlalchemy_guard.fixes.select.ending import Ending
    from sqlalchemy_guard.fixes.select.tree import Tree


def _flask(ending: Ending) -> None:
    if "db" not in ending.statement.names or ending.kind is not SessionKind.FLASK:
        raise Refuse(
            f"{ending.link.name}() moves to the extension object, which has it since Flask-SQLAlchemy 3: "
            f"write `db.{ending.link.name}(…)`"
        )
    if not ending.statement.single:
        raise Refuse(f"{ending.link.name}() of rows: db.{ending.link.name}() gives the first column only")


def flask_get(ending: Ending) -> Tree:
    _flask(ending)
    statement = ending.statement
    keyed.no_more_than(ending, keyed.GET_CLAUSES, "get_or_404")
    values = bind(ending.link, ("ident", "description"))
    if "ident" not in values:
        raise Refuse("get_or_404() needs the primary key")
    arguments = [Argument(ending.entity), Argument(statement.atom(values["ident"]))]
    if "description" in values:
        arguments.append(Argument(statement.atom(values["description"]), "description"))
    return extend(
        statement.names["db"],
        Step("get_or_404", (*arguments, *keyed.get_arguments(statement)), origin=ending.link.node),
    )


def flask_one(ending: Ending) -> None:
    _flask(ending)
    if ending.statement.de_duplicates:
        raise Refuse(
            "db.one_or_404() cannot de-duplicate: use `session.scalars(stmt).unique().one_or_none()`, abort()"
        )


def flask_first(ending: Ending) -> None:
    _flask(ending)
    endings.first(ending)


def paginate(ending: Ending) -> None:
    _flask(ending)
    if ending.link.args:
        raise Refuse("paginate() takes keyword arguments only since Flask-SQLAlchemy 3: name them")
