"""Terminals that Flask-SQLAlchemy adds: they move from the query to the extension object, which has them since version 3;
before that, what gives nothing is answered by Flask's `abort()`, as Flask-SQLAlchemy itself does.

This module must never be reached by a session that is not Flask-SQLAlchemy's.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import SessionKind
from sqlalchemy_guard.fixes.select import endings, keyed
from sqlalchemy_guard.fixes.select.ending import write
from sqlalchemy_guard.fixes.select.links import bind
from sqlalchemy_guard.fixes.select.source import Refuse
from sqlalchemy_guard.fixes.select.tree import Argument, Step, extend

if TYPE_CHECKING:
    from sqlalchemy_guard.fixes.select.ending import Ending
    from sqlalchemy_guard.fixes.select.tree import Tree


def _flask(ending: Ending) -> None:
    if not _has_extension(ending):
        raise Refuse(
            f"{ending.link.name}() moves to the extension object, which has it since Flask-SQLAlchemy 3: "
            f"write `db.{ending.link.name}(…)`"
        )
    if not ending.statement.single:
        raise Refuse(f"{ending.link.name}() of rows: db.{ending.link.name}() gives the first column only")


def _has_extension(ending: Ending) -> bool:
    return "db" in ending.statement.names and ending.source.kind is SessionKind.FLASK


def _or_abort(ending: Ending, found: str) -> Tree:
    """What is found, or the error that Flask-SQLAlchemy's query raises.

    Args:
        ending: The end of the chain.
        found: The template that gives an object, a row, or None.

    Raises:
        Refuse: the query's own method may do something else.
    """
    if not ending.source.aborts:
        _flask(ending)
    statement = ending.statement
    model = statement.selected[0].info.model
    if statement.single and (model is None or not model.truthy):
        statement.doubt("an object that is found may be false")
    description = bind(ending.link, _parameters(ending)).get("description")
    if not isinstance(description, ast.Constant | ast.Name | ast.JoinedStr | None):
        statement.doubt("the description is made only when nothing is found")
    return write(ending, f"{found} or abort(404, description=description)", _parameters(ending))


def _parameters(ending: Ending) -> tuple[str, ...]:
    return ("ident", "description") if ending.link.name == "get_or_404" else ("description",)


def flask_get(ending: Ending) -> Tree:
    statement = ending.statement
    if _has_extension(ending):
        _flask(ending)
    keyed.no_more_than(ending, keyed.GET_CLAUSES, "get_or_404")
    values = bind(ending.link, _parameters(ending))
    if "ident" not in values:
        raise Refuse("get_or_404() needs the primary key")
    options = keyed.get_arguments(statement)
    if not _has_extension(ending):
        if options:
            raise Refuse(
                "get_or_404() with options: write `session.get(Class, key, options=[…])`, and abort()"
            )
        return _or_abort(ending, "session.get(entity, ident)")
    arguments = [Argument(ending.entity), Argument(statement.atom(values["ident"]))]
    if "description" in values:
        arguments.append(Argument(statement.atom(values["description"]), "description"))
    return extend(statement.names["db"], Step("get_or_404", (*arguments, *options), origin=ending.link.node))


def flask_one(ending: Ending) -> None:
    _flask(ending)
    if ending.statement.de_duplicates:
        raise Refuse(
            "db.one_or_404() cannot de-duplicate: use `session.scalars(stmt).unique().one_or_none()`, abort()"
        )


def flask_first(ending: Ending) -> Tree | None:
    other = endings.first(ending)
    if _has_extension(ending) and ending.statement.single:
        return None
    method = "scalars" if ending.statement.single else "execute"
    return _or_abort(ending, other or f"session.{method}(stmt.limit(1)).first()")


def paginate(ending: Ending) -> None:
    _flask(ending)
    if ending.link.args:
        raise Refuse("paginate() takes keyword arguments only since Flask-SQLAlchemy 3: name them")
