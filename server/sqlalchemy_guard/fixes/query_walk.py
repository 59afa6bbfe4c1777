"""The order in which a function's statements run, and what its variables hold where paths meet.

Loops run three times: each turn begins with what those before it may leave. This module must never look into an expression.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.select.source import Refuse
from sqlalchemy_guard.fixes.select.state import join

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy_guard.fixes.query_component import Solver
    from sqlalchemy_guard.fixes.select.state import State
    from sqlalchemy_guard.project.query_bodies import Body

_COMPOUND = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    ast.TryStar,
    ast.Match,
)
Held = dict[str, "State | None"]
"""What variables hold: a query, or None where it is a query on some paths only."""


class Walk:
    """One way through a function.

    Args:
        solver: The component.
        body: The function.
        given: The queries that its parameters hold.
    """

    def __init__(self, solver: Solver, body: Body, given: dict[str, State]) -> None:
        self.solver = solver
        self.body = body
        self._held: Held | None = dict(given)
        self._loops = 0
        self._left: list[list[Held]] = []

    def _visit(self, node: ast.expr) -> None:
        """Look at an expression."""
        raise NotImplementedError

    def _store(self, target: ast.Name, value: ast.expr, *, matters: bool) -> None:
        """A variable is bound; see `_matters`."""
        raise NotImplementedError

    def _return(self, value: ast.expr | None, *, matters: bool) -> None:
        """The function returns; see `_matters`."""
        raise NotImplementedError

    def _matters(self, node: ast.stmt) -> bool:
        """Whether a statement's own expressions name anything that is followed: most do not, and need no look."""
        return node in self.solver.named_at or not self.body.words(node).own.isdisjoint(self._held_now)

    def _is_passed(self, node: ast.stmt) -> bool:
        """Whether nothing in a statement has to do with what is followed, nor with where control goes."""
        words = self.body.words(node)
        return node not in self.solver.named_at and not words.leaves and words.said.isdisjoint(self._held_now)

    def _visit_all(self, node: ast.AST) -> None:
        """Look at the expressions of a statement, or at the parts of an expression."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self._visit(child)
            elif not isinstance(child, ast.stmt):
                self._visit_all(child)

    def _block(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            if self._held is None:
                return
            if isinstance(statement, _COMPOUND) and self._is_passed(statement):
                continue
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        matters = self._matters(node)
        match node:
            case ast.Assign(targets=[ast.Name() as target], value=value):
                self._store(target, value, matters=matters)
            case ast.AnnAssign(target=ast.Name() as target, value=ast.expr() as value):
                self._store(target, value, matters=matters)
                state = (self._held or {}).get(target.id)
                if state is not None:
                    chunk = self.body.knowledge.scope.chunk_of(node)
                    self.solver.annotate(self.body, node.annotation, state, node, chunk)
            case ast.AugAssign(target=ast.Name(id=name)) if name in self._held_now:
                raise Refuse(f"`{name}` is not always a query of a known session")
            case ast.Return(value=value):
                self._return(value, matters=matters)
            case ast.Raise():
                if matters:
                    self._visit_all(node)
                self._held = None
            case ast.If(test=test, body=body, orelse=orelse):
                if matters:
                    self._visit(test)
                self._branches([body, orelse])
            case ast.For() | ast.AsyncFor() | ast.While():
                self._loop(node)
            case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
                for item in items if matters else ():
                    self._visit(item.context_expr)
                    self._bind(item.optional_vars)
                self._block(body)
            case ast.Try() | ast.TryStar():
                self._try(node)
            case ast.Match(subject=subject, cases=cases):
                if matters:
                    self._visit(subject)
                for case in cases if matters else ():
                    self._bind(case.pattern)
                    if case.guard is not None:
                        self._visit(case.guard)
                self._branches([*(case.body for case in cases), []])
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                # What it captures was looked at when the variable came in.
                self._held_now.pop(node.name, None)
            case ast.Break() | ast.Continue():
                if self._left and self._held is not None:
                    self._left[-1].append(self._held)
                self._held = None
            case _ if matters:
                self._visit_all(node)
                self._bind(node)

    @property
    def _held_now(self) -> Held:
        assert self._held is not None, "nothing is followed where control never comes"
        return self._held

    def _branches(self, blocks: Sequence[Sequence[ast.stmt]]) -> None:
        start = self._held
        after: Held | None = None
        for block in blocks:
            self._held = dict(start) if start is not None else None
            self._block(block)
            after = self._joined(after, self._held)
        self._held = after

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While) -> None:
        if not isinstance(node, ast.While) and self._matters(node):
            self._visit(node.iter)
        entering: Held = dict(self._held_now)
        left: list[Held] = []
        self._loops += 1
        before = self.solver.mark()
        for _ in range(3):
            # What a turn wrote did not know what the next one may begin with.
            self.solver.reset(before)
            begun = entering
            self._held = dict(entering)
            if self._matters(node):
                self._visit(node.test) if isinstance(node, ast.While) else self._bind(node.target)
            self._left.append([])
            self._block(node.body)
            left = self._left.pop()
            for held in (self._held, *left):
                entering = self._joined(entering, held) or entering
            if entering.keys() == begun.keys() and all(entering[name] is begun[name] for name in begun):
                # Another turn would begin with nothing else.
                break
        self._loops -= 1
        self._held = entering
        self._block(node.orelse)
        for held in left:
            self._held = self._joined(self._held, held)

    def _try(self, node: ast.Try | ast.TryStar) -> None:
        start = dict(self._held_now)
        self._block(node.body)
        # An exception may come behind any statement: what the block changes is one thing or another in the handlers.
        failed = self._joined(start, self._held)
        if self._held is None and start:
            changed = {
                each.id
                for statement in node.body
                for each in ast.walk(statement)
                if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
            }
            failed = {**start, **dict.fromkeys(changed & start.keys())}
        self._block(node.orelse)
        after = self._held
        for handler in node.handlers:
            self._held = dict(failed) if failed is not None else None
            if handler.name is not None:
                self._held_now.pop(handler.name, None)
            self._block(handler.body)
            after = self._joined(after, self._held)
        if node.finalbody:
            self._held = self._joined(after, failed)
            self._block(node.finalbody)
            if self._held is not None:
                self._held = after
        else:
            self._held = after

    def _joined(self, one: Held | None, other: Held | None) -> Held | None:
        if one is None or other is None:
            return other if one is None else one
        found: Held = {}
        for name in one.keys() | other.keys():
            first, second = one.get(name), other.get(name)
            found[name] = join(first, second, name) if first is not None and second is not None else None
        return found

    def _bind(self, target: ast.AST | None) -> None:
        """Names that are bound to something else."""
        for node in ast.walk(target) if target is not None else ():
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                self._held_now.pop(node.id, None)
            elif isinstance(node, ast.MatchAs | ast.MatchStar | ast.alias):
                self._held_now.pop(getattr(node, "asname", None) or node.name or "", None)
