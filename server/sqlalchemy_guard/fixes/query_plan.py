"""What is to be done about one legacy query: the rewrites that belong together, or why there is none.

Joins what the resolver knows about the nodes with the rewriting of expressions. This module must never write an edit.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import Consumer, outermost, read_query
from sqlalchemy_guard.fixes.select.flow import Segment, rewrite_flow
from sqlalchemy_guard.fixes.select.rewrite import Refusal, Rewrite, rewrite
from sqlalchemy_guard.project.query_consumers import consumer_of, statement_of
from sqlalchemy_guard.project.query_flows import uses_of

if TYPE_CHECKING:
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.query_consumers import Parent
    from sqlalchemy_guard.project.query_knowledge import QueryKnowledge
    from sqlalchemy_guard.syntax.chunk import Chunk


@dataclass(frozen=True, slots=True)
class Plan:
    """Rewrites that are made together.

    Attributes:
        rewrites: Each with the statement it stands in.
        doubts: Why they are not proven to be the same; empty when they are.
        taken: Names that mean something else in the function.
        imports: Module and name of what else must be imported.
    """

    rewrites: tuple[tuple[Rewrite, ast.stmt], ...]
    doubts: tuple[str, ...]
    taken: frozenset[str]
    imports: tuple[tuple[str, str], ...] = ()


class ChunkText:
    """The text of a chunk's nodes.

    Args:
        source: The file's text.
        shift: Of the chunk.
    """

    def __init__(self, source: Source, shift: int) -> None:
        self._source = source
        self._shift = shift

    def segment(self, node: ast.expr) -> str:
        """The text of a node, without parentheses around it."""
        return self._source.segment(node, self._shift)


def plan_of(
    node: ast.expr, knowledge: QueryKnowledge, parent: Parent, source: Source, chunk: Chunk
) -> Plan | Refusal:
    """What is to be done about the query that begins at a node.

    Args:
        node: `session.query(…)` or `Model.query`.
        knowledge: Who knows what the nodes of the chunk mean.
        parent: Gives the node that holds a node.
        source: The file's text.
        chunk: The chunk of the node.
    """
    whole = outermost(node, parent)
    consumer = consumer_of(whole, parent, knowledge.file.facts.names)
    expression = read_query(whole, knowledge, consumer)
    statement = statement_of(whole, parent)
    if expression is None or statement is None:
        return Refusal(node, "the session behind it was not understood: write `session.scalars(select(…))`")
    text = ChunkText(source, chunk.shift)
    made: list[Rewrite]
    flow = (
        uses_of(whole, chunk, parent, knowledge.file.facts.names)
        if consumer is Consumer.ASSIGNED and expression.terminal is None
        else None
    )
    if flow is not None:
        name, uses = flow
        segments = [Segment(use.node, use.consumer, use.conditional, use.repeated) for use in uses]
        several = rewrite_flow(expression, name, segments, knowledge, text)
        if isinstance(several, Refusal):
            return several
        made = list(several)
    else:
        single = rewrite(expression, knowledge, text)
        if isinstance(single, Refusal):
            return single
        made = [single]
    needed = tuple(
        place
        for name, place in knowledge.sessions.imports.items()
        if expression.source.is_registry and (expression.source.session.text or "").startswith(name)
    )
    placed = [(each, statement_of(each.node, parent) or statement) for each in made]
    doubts = tuple(dict.fromkeys(doubt for each in made for doubt in each.doubts))
    return Plan(tuple(placed), doubts, taken_in(statement, parent), needed)


def taken_in(statement: ast.stmt, parent: Parent) -> frozenset[str]:
    """The names that the functions around a statement bind."""
    found: set[str] = set()
    here: ast.AST | None = statement
    outermost_node: ast.AST = statement
    while here is not None:
        outermost_node = here
        if isinstance(here, ast.FunctionDef | ast.AsyncFunctionDef):
            _collect(here, found)
        here = parent(here)
    if not isinstance(outermost_node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        _collect(outermost_node, found)
    return frozenset(found)


def _collect(node: ast.AST, found: set[str]) -> None:
    for each in ast.walk(node):
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            found.add(each.id)
        elif isinstance(each, ast.arg):
            found.add(each.arg)
