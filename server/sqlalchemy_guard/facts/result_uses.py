"""What is done with a result of `execute()`: the calls on it, or the comprehension over its rows.

Looks at the tree around the call and at the uses of a name that the result gets. This module must never judge a use.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.uses import sole_use
from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.syntax.chunk import Chunk

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import CallFact

Parent = Callable[[Chunk, ast.AST], "ast.AST | None"]
"""Gives the node around a node of a chunk."""

_COLLECTORS = ("all", "fetchall")


class Chain(NamedTuple):
    """What is done with the result of `execute()`.

    Attributes:
        method: The method that does the same in one call.
        uniques: Calls of `unique()` that stand before `step`.
        step: The call of `scalars()` or `scalar()`.
        chunk: The chunk of `step`, which need not be that of the execution.
        statement: The statement around `step`.
    """

    method: str
    uniques: tuple[ast.Call, ...]
    step: ast.Call
    chunk: Chunk
    statement: ast.stmt


class Unpacking(NamedTuple):
    """A comprehension that takes the only value out of each row."""

    node: ast.ListComp | ast.SetComp
    chunk: Chunk


def steps(parent: Parent, node: ast.expr, chunk: Chunk, statement: ast.stmt) -> Chain | None:
    """`.scalars()` or `.scalar()` on a result, behind any number of `.unique()`."""
    uniques: list[ast.Call] = []
    while True:
        link = parent(chunk, node)
        call = parent(chunk, link) if isinstance(link, ast.Attribute) else None
        if not isinstance(link, ast.Attribute) or not isinstance(call, ast.Call) or call.func is not link:
            return None
        if link.attr == "unique":
            uniques.append(call)
        elif link.attr == "scalars" and not call.keywords and all(_is_zero(arg) for arg in call.args):
            return Chain("scalars", tuple(uniques), call, chunk, statement)
        elif link.attr == "scalar" and not uniques:
            return Chain("scalar", (), call, chunk, statement)
        else:
            return None
        node = call


def _is_zero(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == 0 and node.value is not False


def named(parent: Parent, result: ast.expr, fact: CallFact) -> Chain | None:
    """The same for a result that gets a name first, when the name serves nothing else."""
    statement = fact.statement
    if (
        not isinstance(statement, ast.Assign)
        or statement.value is not result
        or len(statement.targets) != 1
        or not isinstance(target := statement.targets[0], ast.Name)
        or fact.function is None
    ):
        return None
    use = sole_use(fact.function.header, fact.function.chunk, statement, target.id)
    if use is None:
        return None
    around: ast.AST | None = use.node
    while around is not None and not isinstance(around, ast.stmt):
        around = parent(use.chunk, around)
    chain = steps(parent, use.node, use.chunk, around) if around is not None else None
    # A name for a single value would be a name for something else.
    return chain if chain is not None and chain.method == "scalars" else None


def unpacking(parent: Parent, result: ast.expr, fact: CallFact) -> Unpacking | None:
    """`[row[0] for row in result]`, `[x for (x,) in result]`, with or without `.all()`."""
    iterated: ast.AST = result
    link = parent(fact.chunk, result)
    if isinstance(link, ast.Attribute) and link.attr in _COLLECTORS:
        call = parent(fact.chunk, link)
        if not isinstance(call, ast.Call):
            return None
        iterated = call
    generator = parent(fact.chunk, iterated)
    if not isinstance(generator, ast.comprehension) or generator.iter is not iterated or generator.ifs:
        return None
    node = parent(fact.chunk, generator)
    if not isinstance(node, (ast.ListComp, ast.SetComp)) or len(node.generators) != 1:
        return None
    match generator.target, node.elt:
        case ast.Name(id=row), ast.Subscript(value=ast.Name(id=read), slice=index) if (
            row == read and _is_zero(index)
        ):
            pass
        case (
            (ast.Tuple(elts=[ast.Name(id=item)]) | ast.List(elts=[ast.Name(id=item)])),
            ast.Name(id=read),
        ) if item == read:
            pass
        case _:
            return None
    return Unpacking(node, fact.chunk)
