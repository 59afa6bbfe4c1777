"""Keeps the comments of a chain: each stays with the argument or the link that it stood at.

Comments inside an argument belong to its text and need nothing. This module must never change a comment.
"""

from __future__ import annotations

import io
import tokenize
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.select.tree import Chain, Text, walk
from sqlalchemy_guard.records import dataclass, field

if TYPE_CHECKING:
    import ast

    from sqlalchemy_guard.fixes.select.tree import Tree

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Notes:
    """Comments by the node that they stand at (its `id`): on lines before it, or behind it on its last
    line."""

    before: dict[int, list[str]] = field(default_factory=dict)
    behind: dict[int, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Comment:
    place: Place
    text: str
    own_line: bool


def collect(node: ast.expr, text: str, tree: Tree) -> tuple[Notes, bool]:
    """Where the comments of an expression go in its new form.

    Args:
        node: The old expression.
        text: Its text.
        tree: The new expression.

    Returns:
        The comments by their new places, and whether all of them found one.
    """
    notes = Notes()
    atoms = [each.node for each in walk(tree) if isinstance(each, Text) and each.node is not None]
    steps = {
        id(step.origin): step.origin
        for each in walk(tree)
        if isinstance(each, Chain)
        for step in each.steps
        if step.origin is not None
    }
    anchors = sorted((*atoms, *steps.values()), key=_end)
    complete = True
    for comment in _comments(node, text):
        if any(_start(atom) <= comment.place < _end(atom) for atom in atoms):
            continue
        earlier = [anchor for anchor in anchors if _end(anchor) <= comment.place]
        later = [anchor for anchor in anchors if _end(anchor) > comment.place]
        beside = [anchor for anchor in earlier if _end(anchor)[0] == comment.place[0]]
        if beside and not comment.own_line:
            notes.behind.setdefault(id(beside[-1]), []).append(comment.text)
        elif later:
            notes.before.setdefault(id(later[0]), []).append(comment.text)
        elif earlier:
            notes.behind.setdefault(id(earlier[-1]), []).append(comment.text)
        else:
            complete = False
    return notes, complete


def _start(node: ast.expr) -> Place:
    return node.lineno, node.col_offset


def _end(node: ast.expr) -> Place:
    return node.end_lineno or node.lineno, node.end_col_offset or node.col_offset


def _comments(node: ast.expr, text: str) -> list[_Comment]:
    """The comments of an expression with their places as nodes have them: lines from 1, columns in UTF-8
    bytes."""
    if "#" not in text:
        return []
    found = []
    # The parenthesis makes lines join, and stands on a line of its own so that columns stay.
    lines = io.StringIO(f"(\n{text}\n)").readline
    try:
        for token in tokenize.generate_tokens(lines):
            if token.type == tokenize.COMMENT:
                line = token.start[0] - 1
                column = len(token.line[: token.start[1]].encode())
                column += node.col_offset if line == 1 else 0
                own = not token.line[: token.start[1]].strip()
                found.append(_Comment((node.lineno + line - 1, column), token.string, own))
    except (tokenize.TokenError, SyntaxError):
        return []
    return found
