"""Calls `unique()` on a result, in front of the link that reads it.

This module must never decide whether a result needs it.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.layout import reflow
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from sqlalchemy_guard.fixes.source import Source


def with_unique(
    source: Source, statement: ast.stmt, result: ast.expr, parent: ast.AST | None, shift: int
) -> tuple[Edit, ...]:
    """The edits that put `.unique()` behind a result.

    Args:
        source: The text.
        statement: The statement around the result.
        result: The expression that gives it.
        parent: The node around that.
        shift: Of the chunk that they come from.
    """
    end = source.end(result, shift)
    if isinstance(parent, ast.Attribute):
        dot = source.text.rindex(".", end, source.end(parent, shift))
        _, line, margin = source.text[end:dot].rpartition(source.newline)
        edits = [Edit(dot, dot, f".unique(){line}{margin if line else ''}")]
    elif isinstance(result, ast.Await):
        start = source.start(result, shift)
        edits = [Edit(start, start, "("), Edit(end, end, ").unique()")]
    else:
        edits = [Edit(end, end, ".unique()")]
    return reflow(source, statement, edits, shift)
