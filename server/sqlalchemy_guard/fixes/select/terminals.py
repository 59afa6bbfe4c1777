"""The steps that leave the Query API: for each its form for objects and its form for rows, in one table.

To add a terminal: one line in `TERMINALS`. `session` and `stmt` stand for the session and the statement,
`entity` for the one thing that is selected, `*args` for the terminal's arguments; `.unique()` is written
only where de-duplication could show. A terminal whose form depends on more has an ending, which may give
another template or a tree, or refuse. This module must never look at what consumes the value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.select import endings, flask, keyed
from sqlalchemy_guard.fixes.select.ending import TerminalForm

if TYPE_CHECKING:
    from collections.abc import Mapping

TERMINALS: Mapping[str, TerminalForm] = {
    "all": TerminalForm(
        "session.scalars(stmt).unique().all()", "session.execute(stmt).unique().all()", names_rows=True
    ),
    "first": TerminalForm(
        "session.scalars(stmt.limit(1)).first()",
        "session.execute(stmt.limit(1)).first()",
        endings.first,
        names_rows=True,
        note="`limit(1)` replaces an earlier limit, as Query does; none behind `from_statement()`",
    ),
    "one": TerminalForm(
        "session.scalars(stmt).unique().one()", "session.execute(stmt).unique().one()", names_rows=True
    ),
    "one_or_none": TerminalForm(
        "session.scalars(stmt).unique().one_or_none()",
        "session.execute(stmt).unique().one_or_none()",
        names_rows=True,
    ),
    "scalar": TerminalForm(
        "session.scalars(stmt).unique().one_or_none()",
        "session.execute(stmt).unique().scalar_one_or_none()",
        endings.scalar,
        note="`session.scalar(stmt)` where one row is certain: aggregates without GROUP BY, EXISTS",
    ),
    "value": TerminalForm(
        "session.scalar(stmt)",
        finish=endings.value,
        shape=False,
        note="the column is what is selected, as with `with_entities()`: the first row's value, None without rows",
    ),
    "values": TerminalForm(
        "session.execute(stmt)",
        finish=endings.values,
        shape=False,
        note="the columns are what is selected, as with `with_entities()`",
    ),
    "count": TerminalForm(
        "session.scalar(select(func.count()).select_from(stmt.subquery()))",
        finish=endings.count,
        shape=False,
        note="`select(func.count()).select_from(Entity).where(…)` where that counts the same rows",
    ),
    "get": TerminalForm(
        "session.get(entity, *args)",
        finish=keyed.get,
        shape=False,
        note="`options=[…]`, `populate_existing=True`, `with_for_update=…` for the links before it",
    ),
    "delete": TerminalForm(
        "session.execute(delete(entity).where(criteria)).rowcount",
        finish=keyed.delete,
        shape=False,
        note="`entity` may be a table; `.rowcount` only where the value is used; `synchronize_session` in `execution_options()`",
    ),
    "update": TerminalForm(
        "session.execute(update(entity).where(criteria).values(values)).rowcount",
        finish=keyed.update,
        shape=False,
        note="as delete; `update_args` in `with_dialect_options()`",
    ),
    "exists": TerminalForm(
        "stmt.exists()",
        finish=endings.exists,
        shape=False,
        selects=True,
        note="another SELECT list, the same truth",
    ),
    "subquery": TerminalForm("stmt.subquery(*args)", finish=endings.subquery, shape=False, selects=True),
    "cte": TerminalForm("stmt.cte(*args)", finish=endings.selectable, shape=False, selects=True),
    "scalar_subquery": TerminalForm(
        "stmt.scalar_subquery()", finish=endings.scalar_subquery, shape=False, selects=True
    ),
    "as_scalar": TerminalForm(
        "stmt.scalar_subquery()", finish=endings.scalar_subquery, shape=False, selects=True
    ),
    "label": TerminalForm("stmt.label(*args)", finish=endings.scalar_subquery, shape=False, selects=True),
    "statement": TerminalForm("stmt", finish=endings.statement, shape=False, selects=True),
    "whereclause": TerminalForm("stmt.whereclause", finish=endings.whereclause, shape=False, selects=True),
    "[]": TerminalForm(
        "session.scalars(stmt.slice(start, stop)).unique().all()",
        "session.execute(stmt.slice(start, stop)).unique().all()",
        endings.item,
        names_rows=True,
        note="`query[5]` is `….slice(5, 6)…all()[0]`, which raises IndexError as Query does",
    ),
    "get_or_404": TerminalForm(
        "db.get_or_404(entity, *args)",
        finish=flask.flask_get,
        note="`session.get(entity, key) or abort(404)` before Flask-SQLAlchemy 3",
    ),
    "first_or_404": TerminalForm(
        "db.first_or_404(stmt.limit(1), description=description)",
        "",
        flask.flask_first,
        ("description",),
        note="`session.scalars(stmt.limit(1)).first() or abort(404)` of rows, and before Flask-SQLAlchemy 3",
    ),
    "one_or_404": TerminalForm(
        "db.one_or_404(stmt, description=description)", "", flask.flask_one, ("description",)
    ),
    "paginate": TerminalForm("db.paginate(stmt, *args)", finish=flask.paginate),
}
"""Query's methods that leave the Query API, and their form with a session and a statement."""

REFUSED: Mapping[str, str] = {
    "instances": "instances() was deprecated: use `select(Entity).from_statement(…)`",
    "merge_result": "merge_result() was superseded by `sqlalchemy.orm.merge_frozen_result()`",
    "session": "a statement knows no session: use the session itself",
    "selectable": "use the statement itself",
    "column_descriptions": "`column_descriptions` of a Query and of a statement differ: check its uses",
    "is_single_entity": "a statement does not know this: one class gives objects by `session.scalars()`",
    "get_execution_options": "read the execution options of the statement",
    "__iter__": "iterate over `session.scalars(stmt)`",
}
"""Terminals without a proven form, and what to write instead."""
