"""Components of queries outlive the edit of a statement that has nothing to do with them.

While a line is being typed on, the other statements of its function keep their nodes. Where all that changed are
expression statements which the walk through the function passes over, and which name nothing that those it went through
name, the walk would come to the same end. This module must never take that for granted of any other statement: a binding
may give names another meaning.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.project.bodies import body_of, root_name
from sqlalchemy_guard.project.query_references import Reference
from sqlalchemy_guard.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from sqlalchemy_guard.facts.declarations import FunctionFacts
    from sqlalchemy_guard.fixes.query_component import Component, Solver, Written
    from sqlalchemy_guard.project.query_bodies import Body
    from sqlalchemy_guard.project.query_knowledge import QueryKnowledge
    from sqlalchemy_guard.syntax.chunk import Chunk

_MAY_BIND = (ast.NamedExpr, ast.Lambda, ast.Yield, ast.YieldFrom)


def is_current(body: Body) -> bool:
    """Whether a function still is the one that was followed."""
    chunks = (body.function.chunk, *body.knowledge.scope.chunks)
    return all(chunk.is_alive for chunk in chunks) and body.file.facts.function(body.key[1]) is body.function


def is_aside(statement: ast.stmt | None, names: AbstractSet[str]) -> bool:
    """Whether a statement neither binds anything nor mentions one of these names."""
    return isinstance(statement, ast.Expr | ast.Pass) and not any(
        isinstance(node, _MAY_BIND) or (isinstance(node, ast.Name) and node.id in names)
        for node in ast.walk(statement)
    )


class Renewal:
    """Brings what was concluded from a walk in step with functions that were edited where it does not matter.

    Args:
        solver: The walk.
    """

    def __init__(self, solver: Solver) -> None:
        self._solver = solver
        self._followed: dict[tuple[str, str], frozenset[str]] = {}
        self._said: dict[tuple[str, str], frozenset[str]] = {}

    def renew(self, knowledge: QueryKnowledge, component: Component | None) -> bool:
        """Take the statements that the functions have now for those that were followed.

        Args:
            knowledge: What is known about nodes now.
            component: What came of the walk; its places are brought up to date.

        Returns:
            Whether that is right; nothing is changed otherwise.
        """
        stale: list[tuple[Body, FunctionFacts, Chunk]] = []
        for body in self._solver.bodies.known.values():
            if is_current(body):
                continue
            function = self._function_now(body)
            if function is None:
                return False
            stale.append((body, function, _leaf_of(function)))
        before: set[Chunk] = set()
        for body, function, leaf in stale:
            before.update(body.knowledge.scope.chunks)
            here = knowledge if leaf in knowledge.scope.chunks else knowledge.beside(body.file, leaf)
            body.renew(function, here)
        if component is not None:
            component.written[:] = [
                self._moved(written) if written.chunk in before else written for written in component.written
            ]
        unknown = self._solver.unknown
        if unknown is not None and unknown.chunk in before:
            scope = self._holder(unknown.node).knowledge.scope
            self._solver.unknown = Reference(unknown.node, unknown.file, scope.chunk_of(unknown.node))
        return True

    def _function_now(self, body: Body) -> FunctionFacts | None:
        """What a function is now; None where something changed that may matter."""
        functions = body.file.facts.functions.get(body.key[1], ())
        if len(functions) != 1:
            return None
        statements = [statement for _, statement in body_of(functions[0])]
        header = _header(body.function.header, functions[0].header)
        changed = [*header, *changed_statements(body.statements, statements)]
        return functions[0] if all(self._is_idle(each, body) for each in changed) else None

    def _moved(self, written: Written) -> Written:
        """A rewrite where its node stands now."""
        node = written.rewrite.node
        body = self._holder(node)
        statement = next(each for each in _around(node, body) if isinstance(each, ast.stmt))
        return replace(written, statement=statement, chunk=body.knowledge.scope.chunk_of(node))

    def _holder(self, node: ast.AST) -> Body:
        """The function that a node stands in."""
        bodies = self._solver.bodies.known.values()
        return next(body for body in bodies if body.knowledge.scope.holds(node))

    def _is_idle(self, statement: ast.stmt | None, body: Body) -> bool:
        """Whether the walk passes over a statement, and nothing that it went through means anything else for it."""
        return (
            is_aside(statement, self._names_followed(body))
            and is_aside(statement, self._names_said(body))
            and statement not in self._solver.named_at
        )

    def _names_followed(self, body: Body) -> frozenset[str]:
        """The names that may hold a query in a function."""
        found = self._followed.get(body.key)
        if found is None:
            solver = self._solver
            held = {name for key, name in (*solver.variables, *solver.filled) if key == body.key}
            found = self._followed[body.key] = frozenset(held)
        return found

    def _names_said(self, body: Body) -> frozenset[str]:
        """The names in the statements that the walk did not pass over, but those that sessions are read from."""
        found = self._said.get(body.key)
        if found is None:
            followed = self._names_followed(body)
            said: set[str] = set()
            todo = list(body.statements)
            while todo:
                statement = todo.pop()
                words = body.words(statement)
                is_idle = not words.leaves and words.said.isdisjoint(followed)
                if not is_idle or statement in self._solver.named_at:
                    said |= words.own
                    todo.extend(_inside(statement))
            said -= {root_name(node) for node in self._solver.sources}
            found = self._said[body.key] = frozenset(said)
        return found


def _leaf_of(function: FunctionFacts) -> Chunk:
    """The first chunk of a function's statements."""
    leaf = body_of(function)[0][0]
    while leaf.children:
        leaf = leaf.children[0]
    return leaf


def _around(node: ast.AST | None, body: Body) -> Iterator[ast.AST]:
    """A node and those around it, the innermost first."""
    while node is not None:
        yield node
        node = body.parent(node)


def _inside(statement: ast.stmt) -> Iterator[ast.stmt]:
    """The statements directly inside a statement."""
    todo: list[ast.AST] = [statement]
    while todo:
        for child in ast.iter_child_nodes(todo.pop()):
            if isinstance(child, ast.stmt):
                yield child
            elif not isinstance(child, ast.expr):
                todo.append(child)


def changed_statements(old: Sequence[ast.stmt], new: Sequence[ast.stmt]) -> Iterator[ast.stmt | None]:
    """The statements that are not the same nodes in both, innermost ones; None where the rest is not what it was."""
    was, now = set(old), set(new)
    if [each for each in old if each in now] != [each for each in new if each in was]:
        yield None
        return
    gone = [each for each in old if each not in now]
    come = [each for each in new if each not in was]
    places = {(each.lineno, each.col_offset): each for each in gone}
    for statement in come:
        before = places.get((statement.lineno, statement.col_offset))
        if before is None or type(before) is not type(statement) or not any(_inside(statement)):
            yield statement
            continue
        gone.remove(before)
        yield from _changed_inside(before, statement)
    yield from gone


def _header(old: ast.stmt, new: ast.stmt) -> Iterator[ast.stmt | None]:
    """None where the header of a function is not what it was."""
    if old is not new:
        for name in new._fields:
            if name != "body":
                yield from _changed_field(getattr(old, name, None), getattr(new, name, None))


def _changed_inside(old: ast.AST, new: ast.AST) -> Iterator[ast.stmt | None]:
    """The same for two compound statements, or parts of them; their own expressions have to be the same nodes."""
    for name in new._fields:
        yield from _changed_field(getattr(old, name, None), getattr(new, name, None))


def _changed_field(before: object, after: object) -> Iterator[ast.stmt | None]:
    pairs: list[tuple[object, object]] = [(before, after)]
    if isinstance(before, list) and isinstance(after, list):
        if any(isinstance(each, ast.stmt) for each in (*before[:1], *after[:1])):
            yield from changed_statements(before, after)
            return
        pairs = list(zip(before, after, strict=True)) if len(before) == len(after) else [(None, after)]
    for one, other in pairs:
        if one is other:
            continue
        if isinstance(one, ast.AST) and isinstance(other, ast.AST):
            if type(one) is type(other) and not isinstance(other, ast.expr):
                yield from _changed_inside(one, other)
            else:
                yield None
        elif one != other:
            yield None
