"""The names that a function binds itself: what an import must not be called there.

This module must never edit anything.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.uses import body

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import FunctionFacts


def bound_in(function: FunctionFacts | None) -> set[str]:
    """Parameters and local names of a function, those of nested functions included; nothing outside of functions."""
    taken: set[str] = set()
    if function is not None:
        taken.update(parameter.name for parameter in function.parameters)
        for _, statements in body(function.header, function.chunk):
            for node in (part for statement in statements for part in ast.walk(statement)):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    taken.add(node.id)
                elif isinstance(node, ast.arg):
                    taken.add(node.arg)
    return taken
