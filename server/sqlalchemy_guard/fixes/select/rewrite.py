"""Rewrites one expression of the Query API: source, links, terminal and consumer put together.

The one entry: `rewrite(expression, knowledge, text)`. Safe means proven: the session, the entities, every
link and the terminal were understood, and both sides give the same values, exceptions and SQL. This module
must never decide anything about a single link, terminal or consumer: their tables do.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import Consumer, Link, read_query
from sqlalchemy_guard.fixes.select import comments, consumers, links, source, terminals
from sqlalchemy_guard.fixes.select.comments import Notes
from sqlalchemy_guard.fixes.select.ending import Ending, TerminalForm, finish
from sqlalchemy_guard.fixes.select.source import Refuse
from sqlalchemy_guard.fixes.select.sqlmodel import executed_by_sqlmodel
from sqlalchemy_guard.fixes.select.statement import COLUMNS, Statement, loads_eagerly
from sqlalchemy_guard.fixes.select.tree import Argument, Call, Imported, Renderer, Step, Text, imports
from sqlalchemy_guard.records import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.facts.query import Knowledge, QueryExpression
    from sqlalchemy_guard.fixes.select.source import SourceText
    from sqlalchemy_guard.fixes.select.tree import Tree


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A new expression.

    Attributes:
        node: The expression that it replaces: the chain up to its terminal; what follows keeps its text.
        tree: The new expression.
        notes: The comments that stood between arguments and links.
        doubts: Why it is not proven to be the same, as parts of a sentence; empty for a safe rewrite.
    """

    node: ast.expr
    tree: Tree
    doubts: tuple[str, ...] = ()
    notes: Notes = field(default_factory=Notes)

    @property
    def is_safe(self) -> bool:
        """Whether both sides are proven to be the same."""
        return not self.doubts

    @property
    def imports(self) -> frozenset[Imported]:
        """The names that must be imported."""
        return imports(self.tree)

    def text(self, spell: Callable[[Imported], str] = lambda name: name.name) -> str:
        """The new expression, in one line as far as the user's own text and comments let it; valid inside
        brackets.

        Args:
            spell: How the file names something that is imported.
        """
        return Renderer(spell, self.notes.before, self.notes.behind).render(self.tree)


@dataclass(frozen=True, slots=True)
class Refusal:
    """No rewrite, and a sentence for the user that says why and what to write; `bulk` as `Refuse` has it."""

    node: ast.expr
    reason: str
    bulk: str = ""


def rewrite(expression: QueryExpression, knowledge: Knowledge, text: SourceText) -> Rewrite | Refusal:
    """The 2.x form of one expression.

    Args:
        expression: What the expression says (`facts.query.read_query`).
        knowledge: Who knows what names mean.
        text: The text that the expression was parsed from.
    """
    try:
        return _rewrite(expression, knowledge, text)
    except Refuse as refused:
        return Refusal(expression.node, str(refused))


def _rewrite(expression: QueryExpression, knowledge: Knowledge, text: SourceText) -> Rewrite:
    session = expression.source.session
    last_step = (expression.terminal,) if expression.terminal is not None else ()
    doubts = source.admit(session, [link.name for link in (*expression.links, *last_step)])
    receiver = source.receiver(expression.source, text)
    statement = begin(expression, knowledge, text)
    for link in expression.links:
        links.apply(statement, link)
    last = expression.links[-1] if expression.links else Link("", expression.source.node)
    form, link = form_of(expression.terminal, expression.consumer, last)
    if "no_eagerloads" in statement.clauses:
        without_eagerloads(statement, link)
    ending = Ending(statement, link, receiver, session, expression.consumer is Consumer.STATEMENT)
    tree = finish(ending, form)
    tree = executed_by_sqlmodel(tree, session.kind)
    notes, complete = comments.collect(link.node, text.segment(link.node), tree)
    if not complete:
        statement.doubt("a comment would be lost")
    return Rewrite(link.node, tree, (*doubts, *statement.doubts), notes)


def nested_in(knowledge: Knowledge, text: SourceText) -> Callable[[ast.expr], Tree | None]:
    """Rewrites queries that stand inside another one."""

    def nested(node: ast.expr) -> Tree | None:
        inner = read_query(node, knowledge, Consumer.NESTED)
        if inner is None or inner.trailing or (inner.terminal and inner.terminal.name in EXECUTING):
            return None
        found = rewrite(inner, knowledge, text)
        return found.tree if isinstance(found, Rewrite) and found.is_safe else None

    return nested


def begin(expression: QueryExpression, knowledge: Knowledge, text: SourceText) -> Statement:
    """The statement before any link.

    Raises:
        Refuse: what is selected cannot be rewritten.
    """
    if isinstance(expression.source.node, ast.Call) and expression.source.node.keywords:
        raise Refuse("query() with keyword arguments is not understood")
    if not expression.entities:
        raise Refuse("query() without arguments selects nothing: write select() with the columns")
    if any(isinstance(node, ast.List | ast.Tuple) for node in expression.entities):
        raise Refuse("query() with a list of columns was removed: unpack it")
    statement = Statement(knowledge, text, source.names(expression.source.session), [], Text(""))

    statement.nested = nested_in(knowledge, text)
    statement.since_2 = expression.source.session.since_2
    selected = links.chosen(statement, expression.entities)
    statement.begin(selected)
    statement.by_position = expression.consumer is Consumer.UNPACKED
    return statement


EXECUTING = frozenset(
    (
        *(
            "all",
            "first",
            "one",
            "one_or_none",
            "scalar",
            "value",
            "values",
            "get",
            "count",
            "delete",
            "update",
        ),
        "[]",
        *("get_or_404", "first_or_404", "one_or_404", "paginate"),
    )
)
"""Terminals that execute: inside another expression they are values, not parts of its statement."""


def form_of(terminal: Link | None, consumer: Consumer, last: Link) -> tuple[TerminalForm, Link]:
    """How the expression ends.

    Args:
        terminal: Its terminal.
        consumer: What becomes of the value when there is none.
        last: The last link, which then stands for the terminal.

    Raises:
        Refuse: this end has no proven form.
    """
    if terminal is not None:
        form = terminals.TERMINALS.get(terminal.name)
        if form is None:
            raise Refuse(terminals.REFUSED.get(terminal.name, f"`{terminal.name}` has no known 2.x form"))
        if terminal.call is None and terminal.name not in ("[]", "statement", "whereclause"):
            raise Refuse(f"the method `{terminal.name}` itself is handed on: call it where it is written")
        return form, terminal
    reason = consumers.REFUSED.get(consumer)
    if reason is not None:
        raise Refuse(reason)
    return consumers.CONSUMERS[consumer], last


def without_eagerloads(statement: Statement, link: Link) -> None:
    """`enable_eagerloads(False)`: needless where nothing is loaded, else every loader is made lazy."""
    if link.name in (
        "subquery",
        "cte",
        "scalar_subquery",
        "as_scalar",
        "label",
        "exists",
        "count",
        "delete",
        "update",
    ):
        return
    entities = [each.info for each in statement.selected if each.info.kind not in COLUMNS]
    plain = not statement.options and not statement.clauses & {"union", "with_entities"}
    if not entities:
        statement.drop_loaders()
    if not entities or (plain and not any(loads_eagerly(each.model) for each in entities)):
        return
    function = statement.names["lazyload"]
    assert isinstance(function, Text | Imported)
    everything = Call(function, (Argument(Text('"*"')),))
    statement.steps.append(Step("options", (Argument(everything),)))
    statement.doubt('lazyload("*") is not all that enable_eagerloads(False) does')
