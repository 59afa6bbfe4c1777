"""Where the value that one assignment binds to a local name is read: reaching definitions of one name in one function.

Paths are joined, loops run until nothing new reaches their head, and a name that a nested function or a comprehension
binds or captures has no known uses. This module must never follow a value into another name.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.name_counts import name_count
from sqlalchemy_guard.facts.statement_words import words_in
from sqlalchemy_guard.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy_guard.facts.statement_words import Words
    from sqlalchemy_guard.syntax.chunk import Chunk

_Reaching = frozenset[ast.AST | None]
_NEVER: _Reaching = frozenset()
_OTHER: _Reaching = frozenset({None})
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


class Use(NamedTuple):
    """A place where a name is read, and the chunk whose lines it counts in."""

    node: ast.Name
    chunk: Chunk


class _UncertainError(Exception):
    """The name has uses or bindings that a walk in order does not see."""


def sole_use(function: ast.AST, chunk: Chunk, assignment: ast.stmt, name: str) -> Use | None:
    """The only place where the value of an assignment is read.

    Args:
        function: The function (its header, when it was cut) that the assignment stands in.
        chunk: The chunk that holds `function`.
        assignment: A statement that binds `name`.
        name: A local name.

    Returns None when there are several uses or none, when another value may be read at the same place, or when the
    uses cannot be told.
    """
    parts = list(body(function, chunk))
    if parts and parts[0][1] is parts[0][0].body:
        # The chunks are the function's alone. What is bound once is read wherever the name is: that spares the walk.
        count = name_count((part for part, _ in parts), name)
        if count.bound == 1 and count.read != 1:
            return None
    walked = _walked((function, chunk, *(part for part, _ in parts)), parts, name)
    if walked is None:
        return None
    uses = [(load, reaching) for load, (reaching, _) in walked.items() if assignment in reaching]
    if len(uses) != 1 or uses[0][1] != {assignment}:
        return None
    load = uses[0][0]
    return Use(load, walked[load][1])


_Loads = dict[ast.Name, tuple[_Reaching, "Chunk"]]
_last: tuple[tuple[object, ...], dict[str, _Loads | None]] = ((), {})
"""The function that was asked about last with its chunks, and what was found for names of it: many ask about few names."""


def _walked(
    made_of: tuple[object, ...], parts: list[tuple[Chunk, list[ast.stmt]]], name: str
) -> _Loads | None:
    """Every read of a name in a function with what may reach it; None when that cannot be told."""
    global _last
    if _last[0] != made_of:
        _last = (made_of, {})
    known = _last[1]
    if name not in known:
        walk = _Walk(name)
        try:
            for part, statements in parts:
                walk.chunk = part
                walk.words = part.once(words_in)
                # What stands in a nested definition counts only when it has the name.
                if statements is part.body or any(name in walk.words[one].said for one in part.body):
                    walk.block(statements)
            known[name] = walk.loads
        except _UncertainError:
            known[name] = None
    return known[name]


def body(function: ast.AST, chunk: Chunk) -> Iterator[tuple[Chunk, list[ast.stmt]]]:
    """The statements of a function with their chunks, those of a definition that was cut included."""
    if chunk.children is None or not chunk.body or chunk.body[0] is not function:
        yield chunk, getattr(function, "body", [])
        return
    for child in chunk.children:
        yield child, child.body
        if child.children is not None:
            # A nested definition that was cut: its statements stand in its own chunks.
            for part, statements in body(child.body[0], child):
                yield part, [_nested(statements)]


def _nested(statements: list[ast.stmt]) -> ast.stmt:
    """The body of a nested definition as one statement, so that the walk sees what it captures."""
    return ast.ClassDef(name="", bases=[], keywords=[], body=statements, decorator_list=[])


class _Walk:
    """Runs statements in order; `now` is what the name may be bound to, nothing where control never comes.

    Of a statement whose own expressions do not have the name, all that counts is where control goes.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.now: _Reaching = _OTHER
        self.loads: _Loads = {}
        self.chunk: Chunk
        self.words: dict[ast.stmt, Words]
        self._is_absent = False
        self._leaving: list[_Reaching] = []

    def block(self, statements: Iterable[ast.stmt]) -> None:
        around = self._is_absent
        for statement in statements:
            words = self.words.get(statement)
            if words is None or words.leaves or self.name in words.said:
                self._is_absent = words is not None and self.name not in words.own
                self._statement(statement)
        self._is_absent = around

    def _branch(self, statements: Iterable[ast.stmt], start: _Reaching) -> _Reaching:
        self.now = start
        self.block(statements)
        return self.now

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=[ast.Name(id=self.name)], value=value):
                self._expression(value)
                self.now = frozenset({node})
            case ast.If(test=test, body=body, orelse=orelse):
                self._expression(test)
                start = self.now
                self.now = self._branch(body, start) | self._branch(orelse, start)
            case ast.For() | ast.AsyncFor():
                self._expression(node.iter)
                self._loop(node.target, node.body, node.orelse)
            case ast.While(test=test, body=body, orelse=orelse):
                self._loop(test, body, orelse)
            case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
                for item in items:
                    self._expression(item)
                self.block(body)
            case ast.Try() | ast.TryStar():
                self._try(node)
            case ast.Match(subject=subject, cases=cases):
                self._expression(subject)
                start = after = self.now
                for case in cases:
                    self.now = start
                    self._expression(case.pattern)
                    if case.guard is not None:
                        self._expression(case.guard)
                    self.block(case.body)
                    after |= self.now
                self.now = after
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                self._capture(node)
                if node.name == self.name:
                    self.now = _OTHER
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                if self.name in names:
                    raise _UncertainError
            case ast.Break() | ast.Continue():
                if self._leaving:
                    self._leaving[-1] |= self.now
                self.now = _NEVER
            case ast.Return() | ast.Raise():
                self._expression(node)
                self.now = _NEVER
            case _:
                self._expression(node)

    def _loop(self, head: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt]) -> None:
        entering = self.now
        while True:
            self.now = entering
            self._expression(head)
            self._leaving.append(_NEVER)
            self.block(body)
            left = self._leaving.pop()
            again = entering | self.now | left
            if again == entering:
                break
            entering = again
        self.now = entering
        self.block(orelse)
        self.now |= left

    def _try(self, node: ast.Try | ast.TryStar) -> None:
        start = self.now
        self.block(node.body)
        # An exception may come after any of the statements.
        failed = start | self.now | frozenset(self._assignments(node.body))
        self.block(node.orelse)
        after = self.now
        for handler in node.handlers:
            self.now = failed
            if handler.type is not None:
                self._expression(handler.type)
            if handler.name == self.name:
                self.now = _OTHER
            self.block(handler.body)
            after |= self.now
        if node.finalbody:
            self.now = after | failed
            self.block(node.finalbody)
            if self.now == after | failed:
                self.now = after
        else:
            self.now = after

    def _expression(self, node: ast.AST) -> None:
        """Note reads in the order of the tree, then bindings."""
        if self._is_absent:
            return
        stored = False
        todo: list[ast.AST] = [node]
        while todo:
            part = todo.pop()
            if isinstance(part, _SCOPES):
                self._capture(part)
            elif isinstance(part, ast.comprehension) and self._binds(part.target):
                raise _UncertainError
            elif isinstance(part, ast.Name) and part.id == self.name:
                if isinstance(part.ctx, ast.Load):
                    before = self.loads.get(part, (_NEVER, self.chunk))[0]
                    self.loads[part] = (before | self.now, self.chunk)
                else:
                    stored = True
            elif isinstance(part, (ast.alias, ast.MatchAs, ast.MatchStar)):
                stored = stored or self.name in (part.name, getattr(part, "asname", None))
            elif isinstance(part, ast.MatchMapping):
                stored = stored or part.rest == self.name
            todo.extend(ast.iter_child_nodes(part))
        if stored:
            if isinstance(node, ast.AugAssign):
                for target in ast.walk(node.target):
                    if isinstance(target, ast.Name) and target.id == self.name:
                        self.loads[target] = (self.now, self.chunk)
            self.now = _OTHER

    def _capture(self, node: ast.AST) -> None:
        """A nested scope runs at a time of its own."""
        if self._is_absent:
            return
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and part.id == self.name:
                raise _UncertainError

    def _binds(self, target: ast.AST) -> bool:
        return any(isinstance(part, ast.Name) and part.id == self.name for part in ast.walk(target))

    def _assignments(self, body: Iterable[ast.stmt]) -> Iterator[ast.AST | None]:
        """Everything in a block that may bind the name."""
        for statement in body:
            words = self.words.get(statement)
            for part in ast.walk(statement) if words is None or self.name in words.said else ():
                match part:
                    case ast.Assign(targets=[ast.Name(id=self.name)]):
                        yield part
                    case ast.Name(id=self.name, ctx=ast.Store()):
                        yield None
