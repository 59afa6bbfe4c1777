"""Queries that are built over several statements: every use of the variable that holds one, in order, or nothing.

Only a local variable of one function is followed, from the statement that makes the query to where it is bound anew.
This module must never know a method of Query.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import Consumer, outermost, read_refinement
from sqlalchemy_guard.project.query_consumers import consumer_of, statement_of
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Container

    from sqlalchemy_guard.project.query_consumers import Parent
    from sqlalchemy_guard.project.query_scope import QueryScope

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


@dataclass(frozen=True, slots=True)
class Flow:
    """A variable that holds a query.

    Attributes:
        name: The variable.
        roots: The expressions that make the query; one of them is evaluated.
        uses: The later expressions, in the order in which they stand.
    """

    name: str
    roots: list[ast.expr]
    uses: list[Use]


@dataclass(frozen=True, slots=True)
class Use:
    """One later expression over the variable.

    Attributes:
        node: The outermost expression of the chain that begins with the variable.
        consumer: What becomes of its value; `Consumer.ASSIGNED` when it is bound to the variable again.
        conditional: Whether what follows can be reached without it.
        repeated: Whether it stands in a loop that the query is not made in.
    """

    node: ast.expr
    consumer: Consumer
    conditional: bool
    repeated: bool


def uses_of(root: ast.expr, scope: QueryScope, bound: Container[str] = ()) -> Flow | None:
    """The variable that a query is assigned to and every use of it; None when it cannot be followed.

    Args:
        root: The query as it is made, the whole value of an assignment.
        scope: The statements around it.
        bound: Names of builtins that mean something else in the file.
    """
    parent = scope.parent
    statement = parent(root)
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return None
    target = statement.targets[0]
    body = _function_body(statement, scope)
    if not isinstance(target, ast.Name) or body is None:
        return None
    names = _names(body, target.id, scope)
    if names is None:
        return None
    block = _block(statement, scope)
    roots, block = _branches(statement, target.id, block, scope)
    targets = [each.targets[0] for each in roots]
    first = min(names.index(each) for each in targets if isinstance(each, ast.Name))
    if first and _in_loop(statement, parent):
        # The loop may come back with this query to what stands above.
        return None
    found: list[Use] = []
    for node in names[first:]:
        if any(node is each for each in targets):
            continue
        if isinstance(node.ctx, ast.Load):
            use = _use(node, block, parent, bound)
            if use is None:
                return None
            found.append(use)
            continue
        holder = parent(node)
        if not isinstance(holder, ast.Assign) or holder.targets != [node]:
            return None
        refinement = read_refinement(holder.value, target.id)
        if refinement is not None and refinement[1] is None:
            continue
        if not any(each is holder for each in block):
            return None
        break
    return Flow(target.id, [each.value for each in roots], found) if found else None


def _branches(
    statement: ast.Assign, name: str, block: list[ast.stmt], scope: QueryScope
) -> tuple[list[ast.Assign], list[ast.stmt]]:
    """The assignments that make the query, and the statements behind which it is known: one assignment, or one at the
    end of each branch of an `if`, so that whatever way is taken leads through one of them."""
    roots, here = [statement], block
    holder = scope.parent(statement)
    while isinstance(holder, ast.If):
        if here[-1] is not statement and not _assigns(here[-1], name):
            break
        found = _ends(holder, name)
        if found is None:
            break
        outer = _block(holder, scope)
        roots, here = found, outer
        holder = scope.parent(holder)
    return roots, here


def _assigns(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.If) and _ends(node, name) is not None


def _ends(node: ast.If, name: str) -> list[ast.Assign] | None:
    """The assignments that end the branches of an `if`; None when one branch ends otherwise or names it more."""
    found: list[ast.Assign] = []
    for branch in (node.body, node.orelse):
        if not branch:
            return None
        last = branch[-1]
        if isinstance(last, ast.If):
            inner = _ends(last, name)
            if inner is None:
                return None
            found.extend(inner)
        elif (
            isinstance(last, ast.Assign)
            and len(last.targets) == 1
            and isinstance(last.targets[0], ast.Name)
            and last.targets[0].id == name
            and read_refinement(last.value, name) is None
        ):
            found.append(last)
        else:
            return None
        if any(
            isinstance(each, ast.Name) and each.id == name
            for other in branch[:-1]
            for each in ast.walk(other)
        ):
            return None
    return found


def _block(statement: ast.stmt, scope: QueryScope) -> list[ast.stmt]:
    """The list of statements that holds a statement."""
    holder = scope.parent(statement)
    for name in _BLOCKS if holder is not None else ():
        block = getattr(holder, name, None)
        if isinstance(block, list) and any(each is statement for each in block):
            return block
    return scope.body


def _function_body(statement: ast.stmt, scope: QueryScope) -> list[ast.stmt] | None:
    """The body of the function around a statement; None when there is none."""
    here = scope.parent(statement)
    while here is not None:
        if isinstance(here, _FUNCTIONS):
            return here.body
        if isinstance(here, ast.ClassDef):
            return None
        here = scope.parent(here)
    return scope.body if scope.is_function else None


def _names(body: list[ast.stmt], name: str, scope: QueryScope) -> list[ast.Name] | None:
    """Where the variable is named, in the order of evaluation; None when a nested function or `global` knows it."""
    found: list[tuple[int, int, int, ast.Name]] = []
    parent = scope.parent
    for statement in body:
        shift = scope.shift(statement)
        for node in ast.walk(statement):
            if isinstance(node, ast.Global | ast.Nonlocal) and name in node.names:
                return None
            if not isinstance(node, ast.Name) or node.id != name:
                continue
            holder = statement_of(node, parent)
            inside: ast.AST | None = node
            while inside is not None and not any(inside is each for each in body):
                if isinstance(inside, ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    return None
                inside = parent(inside)
            if isinstance(inside, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                return None
            if isinstance(node.ctx, ast.Store) and isinstance(holder, ast.Assign):
                place = ((holder.end_lineno or 0) + shift, holder.end_col_offset or 0, 1)
            else:
                place = (node.lineno + shift, node.col_offset, 0)
            found.append((*place, node))
    return [each[-1] for each in sorted(found, key=lambda each: each[:3])]


def _in_loop(statement: ast.stmt, parent: Parent) -> bool:
    here = parent(statement)
    while here is not None and not isinstance(here, _FUNCTIONS):
        if isinstance(here, _LOOPS):
            return True
        here = parent(here)
    return False


def _use(node: ast.Name, block: list[ast.stmt], parent: Parent, bound: Container[str]) -> Use | None:
    """The expression that begins with the variable; None outside of the block in which the query is made."""
    whole = outermost(node, parent)
    conditional = repeated = False
    inside: ast.AST = whole
    while not any(inside is each for each in block):
        holder = parent(inside)
        if holder is None:
            return None
        header = inside in (getattr(holder, "test", None), getattr(holder, "iter", None))
        if isinstance(holder, ast.comprehension):
            outer = parent(holder)
            header = (
                header and isinstance(outer, ast.AST) and getattr(outer, "generators", [None])[0] is holder
            )
            conditional, repeated = conditional or not header, repeated or not header
        elif isinstance(holder, ast.stmt) and not header:
            is_block = isinstance(inside, ast.stmt | ast.ExceptHandler | ast.match_case)
            certain = not is_block or isinstance(holder, ast.With | ast.AsyncWith)
            conditional = conditional or not certain
            repeated = repeated or isinstance(holder, _LOOPS)
        elif isinstance(holder, ast.IfExp | ast.BoolOp) and not header:
            conditional = True
        elif (
            isinstance(holder, _LOOPS)
            and not isinstance(holder, ast.stmt)
            and not isinstance(inside, ast.comprehension)
        ):
            conditional = repeated = True
        inside = holder
    statement = parent(whole)
    consumer = consumer_of(whole, parent, bound)
    if consumer is Consumer.ASSIGNED:
        # Bound to another variable, the query would have to be followed there.
        same = isinstance(statement, ast.Assign) and all(
            isinstance(each, ast.Name) and each.id == node.id for each in statement.targets
        )
        consumer = Consumer.ASSIGNED if same else Consumer.PASSED
    return Use(whole, consumer, conditional, repeated)
