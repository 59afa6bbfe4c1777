"""Which modules run by themselves, besides being imported.

This module must never judge what they do.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy_guard.syntax.chunk import Chunk


def asks_for_main(chunk: Chunk) -> bool:
    """Whether a top-level chunk has an `if __name__ == "__main__":`."""
    return any(
        isinstance(part, ast.Constant) and part.value == "__main__"
        for statement in chunk.body
        if isinstance(statement, ast.If)
        for part in ast.walk(statement.test)
    )
