"""Annotations: `name = value` becomes `name: annotation = value`, an old annotation gives way, a function says its result.

This module must never know what an annotation means.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy_guard.fixes.imports import Placed
    from sqlalchemy_guard.fixes.source import Source


def target_of(statement: ast.Assign | ast.AnnAssign) -> ast.expr:
    """What an assignment to one target binds."""
    return statement.targets[0] if isinstance(statement, ast.Assign) else statement.target


def annotate(
    source: Source, statement: ast.Assign | ast.AnnAssign, annotation: str, shift: int = 0
) -> tuple[Edit, ...]:
    """Annotate the one target of an assignment."""
    if isinstance(statement, ast.AnnAssign):
        old = statement.annotation
        return (Edit(source.start(old, shift), source.end(old, shift), annotation),)
    at = source.end(target_of(statement), shift)
    return (Edit(at, at, f": {annotation}"),)


def annotate_result(
    source: Source, header: ast.FunctionDef | ast.AsyncFunctionDef, annotation: str, shift: int = 0
) -> tuple[Edit, ...]:
    """Say what a function without such an annotation returns."""
    start, depth = source.start(header, shift), 0
    for token in source.tokens(start, source.end(header, shift)):
        depth += (token.kind == "open") - (token.kind == "close")
        if token.kind == "close" and depth == 0:
            return (Edit(token.end, token.end, f" -> {annotation}"),)
    return ()


def prefers_optional(statements: Sequence[Placed]) -> bool:
    """Whether a module writes `Optional[…]`."""
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "typing"
        and any(alias.name == "Optional" for alias in node.names)
        for node, _ in statements
    )


def without_none(annotation: ast.expr) -> ast.expr | None:
    """The one alternative of `X | None` or `Optional[X]` that is not None; None for other forms."""
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        sides = (annotation.left, annotation.right)
        kept = [side for side in sides if not (isinstance(side, ast.Constant) and side.value is None)]
        return kept[0] if len(kept) == 1 else None
    if isinstance(annotation, ast.Subscript):
        name = annotation.value
        last = name.id if isinstance(name, ast.Name) else name.attr if isinstance(name, ast.Attribute) else ""
        return annotation.slice if last == "Optional" else None
    return None
