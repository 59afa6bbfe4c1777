"""Rewrite an execution whose result is unpacked at once: `execute(…).scalars()` becomes `scalars(…)`.

Comments and layout stay. This module must never decide whether the two are the same.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.layout import reflow
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.facts.result_uses import Chain, Parent, Unpacking
    from sqlalchemy_guard.fixes.source import Source


def _renamed(source: Source, fact: CallFact, method: str) -> Edit:
    """`execute` becomes another method."""
    end = source.end(fact.node.func, fact.chunk.shift)
    return Edit(end - len("execute"), end, method)


def without_step(source: Source, parent: Parent, fact: CallFact, chain: Chain) -> tuple[Edit, ...]:
    """Name the shorter method and drop the step behind it."""
    rename = _renamed(source, fact, chain.method)
    removed = _removal(source, chain.step, chain.chunk.shift)
    if chain.statement is not fact.statement or chain.chunk is not fact.chunk:
        there = reflow(source, chain.statement, (removed,), chain.chunk.shift)
        return (*reflow(source, fact.statement, (rename,), fact.chunk.shift), *there)
    edits = [rename, removed]
    awaited = chain.step.func.value if isinstance(chain.step.func, ast.Attribute) else None
    if isinstance(awaited, ast.Await) and not _is_operand(parent(chain.chunk, chain.step)):
        opening = source.start(awaited, chain.chunk.shift) - 1
        if source.text[opening] == "(" and removed.start == source.end(awaited, chain.chunk.shift) + 1:
            edits = [Edit(opening, opening + 1, ""), rename, Edit(removed.start - 1, removed.end, "")]
    return reflow(source, fact.statement, tuple(edits), fact.chunk.shift)


def _is_operand(parent: ast.AST | None) -> bool:
    """Whether `await …` would need parentheses in this place."""
    return isinstance(
        parent,
        (
            ast.Attribute,
            ast.Subscript,
            ast.Call,
            ast.Await,
            ast.BinOp,
            ast.UnaryOp,
            ast.Starred,
            ast.FormattedValue,
        ),
    ) and not (isinstance(parent, ast.Call))


def _removal(source: Source, call: ast.Call, shift: int) -> Edit:
    """Take a link out of a chain, but not the comments in front of it."""
    function = call.func
    assert isinstance(function, ast.Attribute)
    start, end = source.end(function.value, shift), source.end(call, shift)
    dot = source.text.rindex(".", start, source.end(function, shift))
    commented = False
    for token in source.tokens(start, dot):
        # Parentheses around the value, and comments, end in front of the link.
        if token.kind in ("close", "comment"):
            start, commented = token.end, token.kind == "comment"
    rest = source.text[end : source.line_end(end)]
    if commented and rest.lstrip().startswith("#"):
        # Two comments on one line would become one.
        return Edit(dot, end + len(rest) - len(rest.lstrip()), "")
    return Edit(start, end, "")


def without_comprehension(source: Source, fact: CallFact, use: Unpacking) -> tuple[Edit, ...]:
    """The values themselves in place of a comprehension over rows; nothing when a comment would be lost."""
    shift = fact.chunk.shift
    node = use.node
    start, end = source.start(node, shift), source.end(node, shift)
    result = node.generators[0].iter
    inner = fact.node
    if any(
        not source.start(inner, shift) <= comment.start < source.end(inner, shift)
        for comment in source.comments(start, end)
    ):
        return ()
    rename = _renamed(source, fact, "scalars")
    begin = source.start(inner, shift)
    call = source.text[begin : rename.start] + rename.new + source.text[rename.end : source.end(inner, shift)]
    is_async = any(isinstance(part, ast.Await) and part.value is inner for part in ast.walk(result))
    if isinstance(node, ast.SetComp):
        new = f"set(await {call})" if is_async else f"set({call})"
    else:
        new = f"(await {call}).all()" if is_async else f"{call}.all()"
    return reflow(source, fact.statement, (Edit(start, end, new),), shift)
