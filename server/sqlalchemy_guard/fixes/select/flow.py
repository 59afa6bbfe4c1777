"""A query that is built over several statements: one variable, refined in order, used at the end. All of it or nothing.

The statement's knowledge is folded through the segments in the order in which they stand. What a condition may have left
out is treated as applied: that can only add `.unique()`, which never changes objects; a link whose absence would
change the form is refused when it is conditional. This module must never find the segments itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import Consumer, Link, read_refinement
from sqlalchemy_guard.fixes.select import comments, links, source
from sqlalchemy_guard.fixes.select.ending import Ending, finish
from sqlalchemy_guard.fixes.select.rewrite import Refusal, Rewrite, begin, form_of, without_eagerloads
from sqlalchemy_guard.fixes.select.source import Refuse
from sqlalchemy_guard.fixes.select.tree import Text
from sqlalchemy_guard.records import dataclass, replace

if TYPE_CHECKING:
    import ast
    from collections.abc import Sequence

    from sqlalchemy_guard.facts.query import Knowledge, QueryExpression
    from sqlalchemy_guard.fixes.select.source import SourceText
    from sqlalchemy_guard.fixes.select.statement import Statement
    from sqlalchemy_guard.fixes.select.tree import Tree


@dataclass(frozen=True, slots=True)
class Segment:
    """One later expression over the variable.

    Attributes:
        node: The outermost expression of the chain that begins with the variable.
        consumer: `Consumer.ASSIGNED` when its value is assigned to the variable again; else what becomes of it.
        conditional: Whether later segments can be reached without it.
        repeated: Whether it stands in a loop that the first segment is not in.
    """

    node: ast.expr
    consumer: Consumer = Consumer.ASSIGNED
    conditional: bool = False
    repeated: bool = False


CERTAIN = frozenset(
    (
        *(
            "with_entities",
            "add_columns",
            "add_column",
            "add_entity",
            "select_from",
            "from_statement",
            "yield_per",
            "params",
        ),
        *("union", "union_all", "intersect", "intersect_all", "except_", "except_all", "reset_joinpoint"),
    )
)
"""Links that decide later forms, so that they must not be conditional."""

WHOLE = frozenset(("get", "delete", "update", "get_or_404"))
"""Terminals whose form does not begin with a statement, so that earlier segments could not be kept."""


def rewrite_flow(
    root: QueryExpression, name: str, segments: Sequence[Segment], knowledge: Knowledge, text: SourceText
) -> tuple[Rewrite, ...] | Refusal:
    """The 2.x form of every segment of one query value.

    Args:
        root: The expression that is assigned to the variable first; it has no terminal.
        name: The variable; every other use of it must be in `segments`.
        segments: The later expressions in the order in which they stand.
        knowledge: Who knows what names mean.
        text: The text that all of them were parsed from.

    Returns:
        One rewrite for the root and each segment, all with the same doubts; or why nothing can be rewritten.
    """
    try:
        return _rewrite_flow(root, name, segments, knowledge, text)
    except Refuse as refused:
        return Refusal(root.node, str(refused))


def _rewrite_flow(
    root: QueryExpression, name: str, segments: Sequence[Segment], knowledge: Knowledge, text: SourceText
) -> tuple[Rewrite, ...]:
    if root.terminal is not None:
        raise Refuse("the first expression already executes the query")
    session = root.source.session
    doubts = list(source.admit(session))
    receiver = source.receiver(root.source, text)
    statement = begin(root, knowledge, text)
    for link in root.links:
        links.apply(statement, link)
    trees: list[tuple[ast.expr, Tree]] = [(root.node, statement.tree())]
    statement.clauses.add("flow")
    for segment in segments:
        found = read_refinement(segment.node, name)
        if found is None:
            raise Refuse(f"`{name}` is used in a way that is not understood")
        refinements, terminal, _ = found
        is_assigned = segment.consumer is Consumer.ASSIGNED and terminal is None
        working = statement if is_assigned else _copy(statement)
        working.base, working.steps, working.execution = Text(name), [], []
        for link in refinements:
            _admit(working, link, segment)
            links.apply(working, link)
        if is_assigned:
            trees.append((segment.node, working.tree()))
            continue
        form, last = form_of(
            terminal, segment.consumer, refinements[-1] if refinements else Link("", segment.node)
        )
        if last.name in WHOLE:
            raise Refuse(f"{last.name}() of a query that was built before: write it in one expression")
        if "no_eagerloads" in working.clauses:
            without_eagerloads(working, last)
        if not form.shape and working.options:
            working.doubt("loader options of an earlier statement reach into a subquery")
        ending = Ending(working, last, receiver, session.kind, segment.consumer is Consumer.STATEMENT)
        trees.append((last.node, finish(ending, form)))
        doubts.extend(working.doubts)
    doubts.extend(statement.doubts)
    result = []
    for node, tree in trees:
        notes, complete = comments.collect(node, text.segment(node), tree)
        if not complete:
            doubts.append("a comment would be lost")
        result.append((node, tree, notes))
    unique = tuple(dict.fromkeys(doubts))
    return tuple(Rewrite(node, tree, unique, notes) for node, tree, notes in result)


def _admit(statement: Statement, link: Link, segment: Segment) -> None:
    """Refuse what cannot be folded.

    Raises:
        Refuse: the link would mean something else, or its absence would.
    """
    if link.name in ("set_label_style", "with_labels", "apply_labels"):
        raise Refuse(f"{link.name}() is left out in 2.x: remove it first")
    if (segment.conditional or segment.repeated) and link.name in CERTAIN:
        raise Refuse(f"{link.name}() under a condition changes what the query gives: build two statements")
    if link.name in ("join", "outerjoin") and (segment.conditional or segment.repeated):
        if segment.repeated:
            raise Refuse(f"{link.name}() in a loop: give each turn its aliased() class")
        statement.clauses.add("conditional_join")
    if link.name == "filter_by" and "conditional_join" in statement.clauses:
        raise Refuse("filter_by() behind a conditional join() addresses one class or another: use where()")


def _copy(statement: Statement) -> Statement:
    return replace(
        statement,
        selected=list(statement.selected),
        clauses=set(statement.clauses),
        owners=dict(statement.owners),
        models=dict(statement.models),
        sources=list(statement.sources),
        options=list(statement.options),
        doubts=list(statement.doubts),
    )
