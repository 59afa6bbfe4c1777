"""What is to be done about one legacy query: the rewrites that belong together, or why there is none.

Joins what the resolver knows about the nodes with the rewriting of expressions. This module must never write an edit.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy_guard.facts.query import Consumer, outermost, read_query
from sqlalchemy_guard.fixes.select.flow import Segment, rewrite_flow
from sqlalchemy_guard.fixes.select.rewrite import Refusal, Rewrite, rewrite
from sqlalchemy_guard.project.query_consumers import consumer_of, statement_of
from sqlalchemy_guard.project.query_flows import uses_of
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.query_flows import Flow
    from sqlalchemy_guard.project.query_knowledge import QueryKnowledge
    from sqlalchemy_guard.project.query_scope import QueryScope


class Placement(NamedTuple):
    """A rewrite, the statement it stands in, and the shift of its chunk."""

    rewrite: Rewrite
    statement: ast.stmt
    shift: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Rewrites that are made together.

    Attributes:
        rewrites: Each with its place.
        doubts: Why they are not proven to be the same; empty when they are.
        taken: Names that mean something else in the function.
        imports: Module and name of what else must be imported.
    """

    rewrites: tuple[Placement, ...]
    doubts: tuple[str, ...]
    taken: frozenset[str]
    imports: tuple[tuple[str, str], ...] = ()


class ScopeText:
    """The text of the nodes of a scope.

    Args:
        source: The file's text.
        scope: The nodes.
    """

    def __init__(self, source: Source, scope: QueryScope) -> None:
        self._source = source
        self._scope = scope

    def segment(self, node: ast.expr) -> str:
        """The text of a node, without parentheses around it."""
        return self._source.segment(node, self._scope.shift(node))


def plan_of(node: ast.expr, knowledge: QueryKnowledge, source: Source) -> Plan | Refusal:
    """What is to be done about the query that begins at a node.

    Args:
        node: `session.query(…)` or `Model.query`.
        knowledge: Who knows what the nodes around it mean.
        source: The file's text.
    """
    scope = knowledge.scope
    bound = knowledge.file.facts.names
    whole = outermost(node, scope.parent)
    consumer = consumer_of(whole, scope.parent, bound)
    expression = read_query(whole, knowledge, consumer)
    statement = statement_of(whole, scope.parent)
    if expression is None or statement is None:
        return Refusal(node, "the session behind it was not understood: write `session.scalars(select(…))`")
    text = ScopeText(source, scope)
    flow = (
        uses_of(whole, scope, bound)
        if consumer is Consumer.ASSIGNED and expression.terminal is None
        else None
    )
    single = rewrite(expression, knowledge, text) if flow is None else None
    if isinstance(single, Refusal):
        return single
    made = [single] if single is not None else []
    if flow is not None:
        several = _flow(flow, knowledge, text)
        if isinstance(several, Refusal):
            return several
        made = several
    needed = tuple(
        place
        for name, place in knowledge.sessions.imports.items()
        if expression.source.is_registry and (expression.source.session.text or "").startswith(name)
    )
    placed = [
        Placement(each, statement_of(each.node, scope.parent) or statement, scope.shift(each.node))
        for each in made
    ]
    doubts = tuple(dict.fromkeys(doubt for each in made for doubt in each.doubts))
    return Plan(tuple(placed), doubts, taken_in(statement, scope), needed)


def _flow(flow: Flow, knowledge: QueryKnowledge, text: ScopeText) -> list[Rewrite] | Refusal:
    """The rewrites of a query that is built over several statements: of what makes it, and of every use."""
    segments = [Segment(use.node, use.consumer, use.conditional, use.repeated) for use in flow.uses]
    made: list[Rewrite] = []
    later: tuple[Rewrite, ...] | None = None
    for root in flow.roots:
        expression = read_query(root, knowledge, Consumer.ASSIGNED)
        if expression is None:
            return Refusal(root, f"`{flow.name}` is not always a query of a known session")
        several = rewrite_flow(expression, flow.name, segments, knowledge, text)
        if isinstance(several, Refusal):
            return several
        made.append(several[0])
        if later is not None and [each.text() for each in later] != [each.text() for each in several[1:]]:
            return Refusal(
                root,
                f"`{flow.name}` selects different things in each branch: execute it there, or build one select()",
            )
        later = several[1:]
    return [*made, *(later or ())]


def taken_in(statement: ast.stmt, scope: QueryScope) -> frozenset[str]:
    """The names that the functions around a statement bind."""
    found: set[str] = set()
    here: ast.AST | None = statement
    while here is not None:
        if isinstance(here, ast.FunctionDef | ast.AsyncFunctionDef):
            _collect(here, found)
        here = scope.parent(here)
    for each in scope.body if scope.is_function else ():
        _collect(each, found)
    for chunk in scope.chunks:
        around = chunk.parent
        if around is not None and isinstance(around.body[0], ast.FunctionDef | ast.AsyncFunctionDef):
            _collect(around.body[0], found)
    return frozenset(found)


def _collect(node: ast.AST, found: set[str]) -> None:
    for each in ast.walk(node):
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            found.add(each.id)
        elif isinstance(each, ast.arg):
            found.add(each.arg)
