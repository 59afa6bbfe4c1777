"""What is to be done about one legacy query: the rewrites that belong together, or why there is none.

Joins what the resolver knows about the nodes with the rewriting of expressions. This module must never write an edit.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import Consumer, outermost, read_query
from sqlalchemy_guard.fixes.query_component import Written
from sqlalchemy_guard.fixes.query_components import component_of
from sqlalchemy_guard.fixes.query_renewal import changed_statements, is_aside
from sqlalchemy_guard.fixes.select.rewrite import Refusal, Rewrite, rewrite
from sqlalchemy_guard.fixes.select.source import hidden
from sqlalchemy_guard.project.bodies import root_name
from sqlalchemy_guard.project.query_consumers import consumer_of, is_method_of_query, statement_of
from sqlalchemy_guard.records import NamedTuple, dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.fixes.query_component import Component
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.answers import Rests
    from sqlalchemy_guard.project.query_knowledge import QueryKnowledge
    from sqlalchemy_guard.project.query_scope import QueryScope

_FLOWS = frozenset((Consumer.ASSIGNED, Consumer.RETURNED, Consumer.PASSED))
"""What becomes of a query that is executed elsewhere."""
_MOST = 1000
"""So many queries are known; then all are forgotten."""


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


class _Single(NamedTuple):
    """What is to be done about a query that is executed where it is made.

    Attributes:
        rewrite: The new expression.
        needed: What must be imported for it.
    """

    rewrite: Rewrite
    needed: tuple[tuple[str, str], ...]


@dataclass(slots=True, eq=False)
class _Kept:
    """What was found out about one query, and what that rests on; a query that flows is its own first expression."""

    found: _Single | Refusal | ast.expr
    rests: Rests
    target: str | None
    statements: list[ast.stmt]
    names: frozenset[str]

    def holds(self, knowledge: QueryKnowledge) -> bool:
        """Whether it still is right: nothing changed but statements that have nothing to do with the query."""
        if self.target != knowledge.sessions.target or not knowledge.resolver.holds(self.rests):
            return False
        statements = knowledge.scope.body
        if not all(is_aside(each, self.names) for each in changed_statements(self.statements, statements)):
            return False
        self.statements = statements
        return True


def plan_of(node: ast.expr, knowledge: QueryKnowledge, source: Source) -> Plan | Refusal:
    """What is to be done about the query that begins at a node.

    Args:
        node: `session.query(…)` or `Model.query`.
        knowledge: Who knows what the nodes around it mean.
        source: The file's text.
    """
    resolver = knowledge.resolver
    memory: dict[ast.expr, _Kept] = resolver.remembered("plans of queries", dict)
    kept = memory.get(node)
    if kept is None or not kept.holds(knowledge):
        found, rests = resolver.recorded(lambda: _found(node, knowledge, source))
        if rests is not None:
            if len(memory) > _MOST:
                memory.clear()
            names = _names_beside(node, knowledge.scope)
            memory[node] = _Kept(found, rests, knowledge.sessions.target, knowledge.scope.body, names)
    else:
        found = kept.found
    if isinstance(found, Refusal):
        return found
    if isinstance(found, ast.expr):
        component = component_of(found, knowledge)
        return component if isinstance(component, Refusal) else _of_component(component)
    file, scope = knowledge.file, knowledge.scope
    statement = statement_of(found.rewrite.node, scope.parent)
    assert statement is not None, "it was found in one"
    written = Written(found.rewrite, statement, file, scope.chunk_of(found.rewrite.node))

    def taken() -> dict[str, frozenset[str]]:
        return {file.file_id: taken_in(statement, scope)}

    doubts = tuple(dict.fromkeys(found.rewrite.doubts))
    return Plan((written,), doubts, taken, {file.file_id: found.needed})


def _found(node: ast.expr, knowledge: QueryKnowledge, source: Source) -> _Single | Refusal | ast.expr:
    scope, names = knowledge.scope, knowledge.file.facts.names
    whole = outermost(node, scope.parent)
    consumer = consumer_of(whole, scope.parent, names)
    holder = scope.parent(whole)
    if isinstance(holder, ast.Call) and isinstance(holder.func, ast.Name):
        # What is called may mean something else once the file binds its name.
        knowledge.resolver.keys.add((knowledge.file.file_id, holder.func.id))
    if consumer is Consumer.NESTED and is_method_of_query(whole, scope.parent, knowledge.qualified_name):
        consumer = Consumer.PASSED
    expression = read_query(whole, knowledge, consumer)
    statement = statement_of(whole, scope.parent)
    if expression is None or statement is None:
        return Refusal(node, "the session behind it was not understood: write `session.scalars(select(…))`")
    if expression.terminal is None and (consumer in _FLOWS or _is_chosen(whole, scope)):
        return expression.source.node
    single = rewrite(expression, knowledge, ScopeText(source, scope))
    if isinstance(single, Refusal):
        return single
    if not expression.source.is_registry:
        return _Single(single, ())
    text = expression.source.session.text or ""
    root = text.partition(".")[0]
    if root in taken_in(statement, scope):
        return Refusal(node, hidden(root))
    imports = knowledge.sessions.imports
    return _Single(single, tuple(place for name, place in imports.items() if text.startswith(name)))


def _names_beside(node: ast.expr, scope: QueryScope) -> frozenset[str]:
    """The names in the expression that a query stands in, but the one that its session is read from."""
    whole: ast.AST = node
    holder = scope.parent(node)
    while holder is not None and not isinstance(holder, ast.stmt):
        whole, holder = holder, scope.parent(holder)
    said = {each.id for each in ast.walk(whole) if isinstance(each, ast.Name)}
    return frozenset(said - {root_name(node)})


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
