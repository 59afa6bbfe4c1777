"""Where attributes of certain names are read: each place with the loops, conditions and the function around it.

This module must never know what is read there.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.walkers import walked_by
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from sqlalchemy_guard.syntax.chunk import Chunk


@dataclass(slots=True, eq=False)
class Site:
    """An attribute that is read, and what stands around it.

    Attributes:
        node: The attribute, or what is handed to somebody who reads attributes.
        chunk: The chunk that it belongs to.
        statement: The statement around it.
        loops: The loops and comprehensions around it, innermost first, within its function.
        function: The function, None outside of any.
        in_except: Whether it is read only when something failed.
        leaves: Whether the innermost loop is left right after the read, so that it happens once.
        conditions: Names that the `if`s around it, in its function, demand to be true or false.
    """

    node: ast.expr
    chunk: Chunk
    statement: ast.stmt
    loops: tuple[ast.AST, ...]
    function: ast.AST | None
    in_except: bool
    leaves: bool
    conditions: tuple[tuple[str, bool], ...] = ()


def sites_in(chunk: Chunk, names: frozenset[str]) -> list[Site]:
    """The reads of attributes with certain names in a chunk, in the order in which they stand."""
    return _Finder(chunk, names).sites()


class _Finder:
    """Finds the reads of attributes with certain names in a chunk."""

    def __init__(self, chunk: Chunk, names: frozenset[str]) -> None:
        self.chunk = chunk
        self.names = names
        self.found: list[Site] = []
        self.loops: list[ast.AST] = []
        self.function: ast.AST | None = None
        self.statement: ast.stmt = ast.Pass()
        self.excepting = 0
        self.leaving: list[bool] = []
        self.conditions: list[tuple[str, bool]] = []

    def sites(self) -> list[Site]:
        """The reads in the order in which they stand."""
        self._block(self.chunk.body)
        return self.found

    def _block(self, statements: list[ast.stmt]) -> None:
        for at, statement in enumerate(statements):
            outer, self.statement = self.statement, statement
            behind = statements[at:]
            self.leaving.append(any(isinstance(each, ast.Return | ast.Break | ast.Raise) for each in behind))
            self._visit(statement)
            self.leaving.pop()
            self.statement = outer

    def _visit(self, node: ast.AST) -> None:
        match node:
            case ast.For() | ast.AsyncFor():
                self._visit(node.iter)
                self._loop(node, None)
                self._block(node.orelse)
            case ast.While():
                self._loop(node, node.test)
                self._block(node.orelse)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                self._comprehension(node)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                self._nested(node)
            case ast.Call() if (walked := walked_by(node)) is not None:
                self._called(node, walked[0])
            case ast.If():
                self._visit(node.test)
                self._branch(node.test, node.body, wanted=True)
                self._branch(node.test, node.orelse, wanted=False)
            case ast.ExceptHandler():
                self.excepting += 1
                self._block(node.body)
                self.excepting -= 1
            case ast.Attribute():
                if node.attr in self.names and isinstance(node.ctx, ast.Load):
                    self._note(node)
                self._visit(node.value)
            case _:
                for name, field in ast.iter_fields(node):
                    if isinstance(field, list) and field and isinstance(field[0], ast.stmt):
                        self._block(field)
                    elif isinstance(field, list):
                        for part in field:
                            if isinstance(part, ast.AST):
                                self._visit(part)
                    elif isinstance(field, ast.AST) and name != "ctx":
                        self._visit(field)

    def _branch(self, test: ast.expr, block: list[ast.stmt], *, wanted: bool) -> None:
        condition = condition_of(test, wanted=wanted)
        if condition is not None:
            self.conditions.append(condition)
        self._block(block)
        if condition is not None:
            self.conditions.pop()

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, test: ast.expr | None) -> None:
        self.loops.append(node)
        outer, self.leaving = self.leaving, []
        if test is not None:
            self._visit(test)
        self._block(node.body)
        self.leaving = outer
        self.loops.pop()

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        first, *others = node.generators
        self._visit(first.iter)
        self.loops.append(node)
        outer, self.leaving = self.leaving, []
        for part in (*first.ifs, *others):
            self._visit(part)
        for value in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
            self._visit(value)
        self.leaving = outer
        self.loops.pop()

    def _nested(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        kept = self.loops, self.leaving, self.function, self.excepting, self.conditions
        self.loops, self.leaving, self.function, self.excepting, self.conditions = [], [], node, 0, []
        if isinstance(node, ast.Lambda):
            self._visit(node.body)
        else:
            self._block(node.body)
        self.loops, self.leaving, self.function, self.excepting, self.conditions = kept

    def _called(self, node: ast.Call, walking: ast.Lambda) -> None:
        """A call that runs a lambda for one item after the other: a loop like any other."""
        for part in (node.func, *node.args, *(each.value for each in node.keywords)):
            if part is walking:
                self.loops.append(walking)
                outer, self.leaving = self.leaving, []
                self._visit(walking.body)
                self.leaving = outer
                self.loops.pop()
            else:
                self._visit(part)

    def _note(self, node: ast.Attribute) -> None:
        self.found.append(
            Site(
                node,
                self.chunk,
                self.statement,
                tuple(reversed(self.loops)),
                self.function,
                bool(self.excepting),
                any(self.leaving),
                tuple(self.conditions),
            )
        )


def condition_of(test: ast.expr, *, wanted: bool) -> tuple[str, bool] | None:
    """The name that a test asks for, and whether it must be true."""
    while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test, wanted = test.operand, not wanted
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) and wanted:
        test = next((each for each in test.values if isinstance(each, ast.Name)), test)
    return (test.id, wanted) if isinstance(test, ast.Name) else None
