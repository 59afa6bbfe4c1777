"""Lets the database count rows, or say whether there are any, in the place of code that loads them.

This module must never decide what the code needs.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.imports import need_all
from sqlalchemy_guard.fixes.layout import reflow
from sqlalchemy_guard.fixes.local_names import bound_in
from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy_guard.facts.counting import Question
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.fixes.imports import Placed
    from sqlalchemy_guard.fixes.source import Source

_KEPT = frozenset(("where", "filter", "filter_by"))
_DROPPED = frozenset(("order_by", "options"))


class Loading(NamedTuple):
    """An expression that executes a `select()` and reads its result.

    Attributes:
        session: What executes it.
        method: `execute`, `scalars` or `exec`.
        statement: What is executed.
        awaited: Whether it is awaited.
    """

    session: ast.expr
    method: str
    statement: ast.expr
    awaited: bool


def loading_of(node: ast.expr) -> Loading | None:
    """Take `session.scalars(statement).all()` apart; None for any other form."""
    awaited = False
    here = node
    while True:
        match here:
            case ast.Await(value=value):
                awaited, here = True, value
            case ast.Call(
                func=ast.Attribute(value=session, attr=("execute" | "scalars" | "exec") as method),
                args=[statement],
                keywords=[],
            ):
                return Loading(session, method, statement, awaited)
            case ast.Call(
                func=ast.Attribute(value=inner, attr="all" | "first" | "fetchall" | "scalars"), args=[]
            ):
                here = inner
            case _:
                return None


class Counter:
    """Writes the question of one file's code as one for the database.

    Args:
        source: The text.
        statements: The module's top level, for imports.
        fact: The call that reads the rows.
    """

    def __init__(self, source: Source, statements: Sequence[Placed], fact: CallFact) -> None:
        self.source = source
        self.statements = statements
        self.fact = fact
        self.shift = fact.chunk.shift

    def _text(self, node: ast.expr) -> str:
        return self.source.segment(node, self.shift)

    def counted(self, question: Question) -> tuple[Edit, ...] | None:
        """The edits; None where the code has another form, or a comment would be lost."""
        start, end = self.source.start(question.node, self.shift), self.source.end(question.node, self.shift)
        if self.source.comments(start, end):
            return None
        func = self.fact.node.func
        if not isinstance(func, ast.Attribute):
            return None
        loading = loading_of(self.fact.node)
        if loading is not None:
            return self._selected(question, loading, start, end)
        text = self._queried(question, func.value)
        if text is None:
            return None
        return reflow(self.source, self.fact.statement, [Edit(start, end, text)], self.shift)

    # -- Query -----------------------------------------------------------------------------------------------------

    def _queried(self, question: Question, query: ast.expr) -> str | None:
        if question.kind == "count":
            return f"{self._text(query)}.count()"
        root = query
        while isinstance(root, ast.Call | ast.Attribute):
            if (
                isinstance(root, ast.Call)
                and isinstance(root.func, ast.Attribute)
                and root.func.attr == "query"
            ):
                text = f"{self._text(root.func)}({self._text(query)}.exists()).scalar()"
                return f"not {text}" if question.negated else text
            root = root.func if isinstance(root, ast.Call) else root.value
        return None

    # -- select() --------------------------------------------------------------------------------------------------

    def _selected(
        self, question: Question, loading: Loading, start: int, end: int
    ) -> tuple[Edit, ...] | None:
        wanted = ["func", "select"] if question.kind == "count" else ["select"]
        names, imports = need_all(
            self.source,
            self.statements,
            [("sqlalchemy", name) for name in wanted],
            taken=bound_in(self.fact.function),
        )
        spelled = dict(zip(wanted, names, strict=True))
        if question.kind == "count":
            statement = self._count(loading.statement, spelled)
        else:
            inner = self._without_order(loading.statement)
            statement = f"{spelled['select']}({inner}.exists())"
        session = self._text(loading.session)
        if loading.method == "exec":
            call = f"{session}.exec({statement})"
            call = f"(await {call}).one()" if loading.awaited else f"{call}.one()"
        else:
            call = (
                f"await {session}.scalar({statement})"
                if loading.awaited
                else f"{session}.scalar({statement})"
            )
        text = f"not {call}" if question.negated else call
        edits = reflow(self.source, self.fact.statement, [Edit(start, end, text)], self.shift)
        return (*imports, *edits)

    def _count(self, statement: ast.expr, spelled: dict[str, str]) -> str:
        """`select(func.count()).select_from(User).where(…)` for plain statements, else a count of a subquery."""
        select = f"{spelled['select']}({spelled['func']}.count())"
        links: list[str] = []
        here = statement
        while isinstance(here, ast.Call) and isinstance(here.func, ast.Attribute):
            if here.func.attr in _KEPT:
                begin = self.source.end(here.func, self.shift)
                arguments = self.source.text[begin : self.source.end(here, self.shift)]
                links.append(f".{here.func.attr}{arguments}")
            elif here.func.attr not in _DROPPED:
                break
            here = here.func.value
        match here:
            case ast.Call(
                func=ast.Name(id="select") | ast.Attribute(attr="select"), args=[ast.Name() as entity]
            ) if self._text(entity)[:1].isupper():
                return f"{select}.select_from({self._text(entity)}){''.join(reversed(links))}"
        return f"{select}.select_from({self._without_order(statement)}.subquery())"

    def _without_order(self, statement: ast.expr) -> str:
        """The statement without an ORDER BY at its end."""
        while (
            isinstance(statement, ast.Call)
            and isinstance(statement.func, ast.Attribute)
            and statement.func.attr == "order_by"
        ):
            statement = statement.func.value
        return self._text(statement)
