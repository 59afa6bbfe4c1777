"""Moves a statement of a function in front of the definition at module level that contains it.

This module must never know what the statement makes.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.name_counts import name_count
from sqlalchemy_guard.fixes.blocks import delete_statement
from sqlalchemy_guard.fixes.imports import Placed
from sqlalchemy_guard.project.bodies import blocks, body_of, own_nodes
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.workspace import File


def definition_around(module: Sequence[Placed], line: int) -> Placed | None:
    """The statement of the module that holds an absolute line."""
    for placed in module:
        first, last = placed.node.lineno - 1 + placed.shift, (placed.node.end_lineno or 0) - 1 + placed.shift
        if first <= line <= last:
            return placed
    return None


def hoist(
    source: Source, statement: ast.stmt, siblings: Sequence[ast.stmt], around: Placed, shift: int = 0
) -> tuple[Edit, ...] | None:
    """Move a statement in front of a definition at module level, two blank lines between them.

    Args:
        source: The text.
        statement: What to move; comments stay.
        siblings: The block that it stands in.
        around: The statement of the module that contains it.
        shift: Of the chunk the statement comes from.
    """
    text = _flush_left(source, statement, shift)
    gone = delete_statement(source, statement, siblings, shift)
    if text is None or gone is None:
        return None
    return (insertion(source, text, around), *gone)


def insertion(source: Source, text: str, around: Placed) -> Edit:
    """The edit that writes a line in front of a statement of the module and the comments directly above it."""
    line = source.first_line(around.node, around.shift)
    while line and source.lines[line - 1].startswith("#"):
        line -= 1
    at = source.offset(line)
    return Edit(at, at, text + source.newline * 3)


def _flush_left(source: Source, statement: ast.stmt, shift: int) -> str | None:
    """The text of a statement without the indentation of its lines; None when a string goes over several lines."""
    start, end = source.start(statement, shift), source.end(statement, shift)
    margin = source.margin(start)
    if any(
        token.kind == "string" and source.position(token.start)[0] != source.position(token.end)[0]
        for token in source.tokens(start, end)
    ):
        return None
    lines = source.text[start:end].split(source.newline)
    return source.newline.join(line.removeprefix(margin) for line in lines)


def block_of(fact: CallFact) -> Sequence[ast.stmt] | None:
    """The block of its function that the statement of a call stands in."""
    function = fact.function
    body = [statement for _, statement in body_of(function)] if function is not None else []
    return next((block for block in blocks(body) if fact.statement in block), None)


def definition_to_hoist_over(file: File, fact: CallFact, name: str | None) -> Placed | None:
    """The definition of the module around an assignment that may as well stand in front of it; None where it may not.

    It may where `place_in_front` finds a place for the call, and nothing else of the module has the name.
    """
    function, statement = fact.function, fact.statement
    if function is None or name is None or name in file.facts.names or next(fact.loops(), None) is not None:
        return None
    if not isinstance(statement, ast.Assign) or function.parameter(name) is not None:
        return None
    if name_count((part for chunk in file.syntax.chunks for part in chunk.parts()), name).bound != 1:
        # Two would become one.
        return None
    if any(
        isinstance(part, (ast.Call, ast.Await, ast.Lambda, ast.NamedExpr)) and part is not fact.node
        for part in ast.walk(statement.value)
    ):
        return None
    return place_in_front(file, fact)


def place_in_front(file: File, fact: CallFact) -> Placed | None:
    """The definition of the module around a call whose arguments mean the same in front of it; None where they may not.

    They do where they are literals and names that the module bound before and the function does not bind.
    """
    function = fact.function
    module = [Placed(node, chunk.shift) for chunk in file.syntax.chunks for node in chunk.body]
    around = definition_around(module, fact.node.lineno - 1 + fact.chunk.shift)
    if around is None or not isinstance(around.node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return None
    nodes = own_nodes(function) if function is not None else ()
    bound = {node.id for _, node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    if function is not None:
        bound |= {parameter.name for parameter in function.parameters}
    for part in ast.walk(fact.node):
        if isinstance(part, (ast.Call, ast.Await, ast.Lambda, ast.NamedExpr, ast.Subscript)):
            if part is not fact.node:
                return None
        if isinstance(part, ast.Name) and part is not fact.node.func:
            if not _is_bound_before(file, part.id, around, bound):
                return None
    return around


def _is_bound_before(file: File, name: str, around: Placed, local: set[str]) -> bool:
    if name in local or name not in file.facts.names:
        return False
    line = around.node.lineno - 1 + around.shift
    return all(
        getattr(binding.node, "lineno", line + 2) - 1 + binding.chunk.shift < line
        for binding in file.facts.names[name]
    )
