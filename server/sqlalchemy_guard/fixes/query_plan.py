"""What is to be done about one legacy query: the rewrites that belong together, or why there is none.

Joins what the resolver knows about the nodes with the rewriting of expressions. This module must never write an edit.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import Consumer, outermost, read_query
from sqlalchemy_guard.fixes.query_component import Written
from sqlalchemy_guard.fixes.query_components import component_of
from sqlalchemy_guard.fixes.select.rewrite import Refusal, rewrite
from sqlalchemy_guard.fixes.select.source import hidden
from sqlalchemy_guard.project.query_consumers import consumer_of, is_method_of_query, statement_of
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.fixes.query_component import Component
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.query_knowledge import QueryKnowledge
    from sqlalchemy_guard.project.query_scope import QueryScope

_FLOWS = frozenset((Consumer.ASSIGNED, Consumer.RETURNED, Consumer.PASSED))
"""What becomes of a query that is executed elsewhere."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Rewrites that are made together.

    Attributes:
        rewrites: Each with its place.
        doubts: Why they are not proven to be the same; empty when they are.
        taken: Says for each file the names that mean something else in the functions that are changed: only who writes
            asks.
        imports: For each file module and name of what else must be imported.
        functions: How many functions are changed.
    """

    rewrites: tuple[Written, ...]
    doubts: tuple[str, ...]
    taken: Callable[[], dict[str, frozenset[str]]]
    imports: dict[str, tuple[tuple[str, str], ...]]
    functions: int = 1


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
    whole = outermost(node, scope.parent)
    consumer = consumer_of(whole, scope.parent, knowledge.file.facts.names)
    if consumer is Consumer.NESTED and is_method_of_query(whole, scope.parent, knowledge.qualified_name):
        consumer = Consumer.PASSED
    expression = read_query(whole, knowledge, consumer)
    statement = statement_of(whole, scope.parent)
    if expression is None or statement is None:
        return Refusal(node, "the session behind it was not understood: write `session.scalars(select(…))`")
    if expression.terminal is None and (consumer in _FLOWS or _is_chosen(whole, scope)):
        component = component_of(expression.source.node, knowledge, source)
        return component if isinstance(component, Refusal) else _of_component(component)
    single = rewrite(expression, knowledge, ScopeText(source, scope))
    if isinstance(single, Refusal):
        return single
    needed = tuple(
        place
        for name, place in knowledge.sessions.imports.items()
        if expression.source.is_registry and (expression.source.session.text or "").startswith(name)
    )
    file = knowledge.file
    written = Written(
        single, statement_of(single.node, scope.parent) or statement, file, scope.chunk_of(single.node)
    )
    if expression.source.is_registry:
        root = (expression.source.session.text or "").partition(".")[0]
        if root in taken_in(statement, scope):
            return Refusal(node, hidden(root))

    def taken() -> dict[str, frozenset[str]]:
        return {file.file_id: taken_in(statement, scope)}

    return Plan((written,), tuple(dict.fromkeys(single.doubts)), taken, {file.file_id: needed})


def _is_chosen(node: ast.expr, scope: QueryScope) -> bool:
    """Whether a query is one of the two values of a conditional expression."""
    holder = scope.parent(node)
    return isinstance(holder, ast.IfExp) and holder.test is not node


def _of_component(component: Component) -> Plan:
    def taken() -> dict[str, frozenset[str]]:
        found: dict[str, frozenset[str]] = {}
        for body in component.functions:
            names = body.stores.keys() | body.mentioned | {each.name for each in body.function.parameters}
            found[body.file.file_id] = found.get(body.file.file_id, frozenset()) | names
        return found

    return Plan(
        tuple(component.written),
        component.doubts,
        taken,
        {file_id: tuple(names) for file_id, names in component.imports.items()},
        len(component.functions),
    )


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
