"""Edits of a revision file's own identifiers.

This module must never decide which revision follows which.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.source import Source
from sqlalchemy_guard.project.revision_names import named_in
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from sqlalchemy_guard.project.workspace import Workspace


def relinked(workspace: Workspace, file_id: str, old: str, new: str) -> tuple[Edit, ...]:
    """The edits by which a revision names another one where it named `old`, in its identifiers and in its docstring.

    Nothing where the name does not stand there as a string.
    """
    file = workspace.file(file_id)
    if file is None:
        return ()
    source = Source(file.document.text, lines=file.document.lines)
    edits: list[Edit] = []
    for name in ("down_revision", "depends_on"):
        bindings = file.facts.names.get(name)
        said = named_in(bindings[-1], name) if bindings else None
        if said is not None:
            named = (node for node in ast.walk(said.node) if isinstance(node, ast.Constant))
            edits += [
                _within(source, node, said.chunk.shift, old, new) for node in named if node.value == old
            ]
    if not edits:
        return ()
    first = file.syntax.chunks[0]
    for statement in first.body[:1]:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            text = source.segment(statement, first.shift)
            for line in text.splitlines(keepends=True):
                if line.lstrip().lower().startswith("revises:") and old in line:
                    at = source.start(statement, first.shift) + text.index(line) + line.index(old)
                    edits.append(Edit(at, at + len(old), new))
    return tuple(sorted(edits))


def _within(source: Source, node: ast.Constant, shift: int, old: str, new: str) -> Edit:
    at = source.start(node, shift) + source.segment(node, shift).index(old)
    return Edit(at, at + len(old), new)
