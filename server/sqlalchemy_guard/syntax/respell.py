"""One simple statement parsed anew, in a chunk of which nothing else was edited: most keys of a person are such.

The statement stands on lines of its own, at the same place before and after; so whatever is around it means the same. Where
that is not certain, nothing is done and the chunk is parsed as a whole. This module must never change a node that is in
a tree: whoever kept the old tree compares it with the new one.
"""

from __future__ import annotations

import ast
import copy
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.syntax.cut import continues, first_line
from sqlalchemy_guard.syntax.graft import graft_parts
from sqlalchemy_guard.syntax.parse import Block, parse_block

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy_guard.syntax.chunk import Chunk

_SIMPLE = (
    ast.AnnAssign,
    ast.Assert,
    ast.Assign,
    ast.AugAssign,
    ast.Break,
    ast.Continue,
    ast.Delete,
    ast.Expr,
    ast.Global,
    ast.Import,
    ast.ImportFrom,
    ast.Nonlocal,
    ast.Pass,
    ast.Raise,
    ast.Return,
)
_HOLDERS = (ast.stmt, ast.ExceptHandler, ast.match_case)
_BLANK = frozenset(" \t")


class _Step(NamedTuple):
    """A node in the list of another one, None being the chunk."""

    holder: ast.AST | None
    field: str
    siblings: list[ast.AST]
    number: int


def respelled(chunk: Chunk, lines: Sequence[str], was: Mapping[int, str]) -> list[ast.stmt] | None:
    """The statements of a leaf after an edit inside of one simple statement of it, None where that cannot be told.

    Args:
        chunk: The leaf as it was, parsed without a broken line; none of its lines moved.
        lines: All lines of the document.
        was: What the edited lines said, by their absolute numbers.
    """
    if chunk.broken or not was:
        return None
    low, high = min(was) - chunk.shift + 1, max(was) - chunk.shift + 1
    path = _path(chunk, low)
    if path is None:
        return None
    old = path[-1].siblings[path[-1].number]
    assert isinstance(old, ast.stmt), "a path ends with one"
    last = old.end_lineno or old.lineno
    if high > last or not _is_alone(path[-1], old):
        return None
    new = _parsed(old, chunk.shift, lines, was)
    if new is None:
        return None
    graft_parts(old, new, set(range(low, high + 1)))
    return _rebuilt(path, old, new)


def _path(chunk: Chunk, line: int) -> list[_Step] | None:
    """The way to the simple statement on a line, from outside."""
    path: list[_Step] = []
    holder: ast.AST | None = None
    fields: list[tuple[str, list[ast.AST]]] = [("body", [*chunk.body])]
    while True:
        step = next((step for name, nodes in fields if (step := _step(holder, name, nodes, line))), None)
        if step is None:
            return None
        path.append(step)
        holder = step.siblings[step.number]
        if isinstance(holder, _SIMPLE):
            return path
        fields = [
            (name, value)
            for name in holder._fields
            if type(value := getattr(holder, name, None)) is list and value and isinstance(value[0], _HOLDERS)
        ]


def _step(holder: ast.AST | None, field: str, nodes: list[ast.AST], line: int) -> _Step | None:
    for index, node in enumerate(nodes):
        first, last = _range(node)
        if line <= last:
            return _Step(holder, field, nodes, index) if first <= line else None
    return None


def _range(node: ast.AST) -> tuple[int, int]:
    if isinstance(node, ast.match_case):
        return node.pattern.lineno, node.body[-1].end_lineno or 0
    assert isinstance(node, ast.stmt | ast.ExceptHandler), "nothing else is in such lists"
    return (first_line(node) if isinstance(node, ast.stmt) else node.lineno), node.end_lineno or 0


def _is_alone(step: _Step, node: ast.stmt) -> bool:
    """Whether no other statement of the same block is on the lines of a statement."""
    before, after = step.number - 1, step.number + 1
    return (before < 0 or _range(step.siblings[before])[1] < node.lineno) and (
        after == len(step.siblings) or _range(step.siblings[after])[0] > (node.end_lineno or 0)
    )


def _parsed(old: ast.stmt, shift: int, lines: Sequence[str], was: Mapping[int, str]) -> ast.stmt | None:
    """The simple statement on the lines of another, counting its lines as that one does."""
    first, end = old.lineno - 1 + shift, (old.end_lineno or old.lineno) + shift
    line = lines[first]
    indent = was.get(first, line)[: old.col_offset]
    if (
        not _BLANK.issuperset(indent)
        or not line.startswith(indent)
        or not line[len(indent) : len(indent) + 1].strip()
    ):
        return None
    if first > 0 and continues(lines[first - 1]):
        return None
    block = parse_block(lines, first, end, (indent,) if indent else ())
    if not isinstance(block, Block) or len(block.body) != 1 or not isinstance(block.body[0], _SIMPLE):
        return None
    ast.increment_lineno(block.body[0], block.shift - shift)
    return block.body[0]


def _rebuilt(path: list[_Step], old: ast.stmt, new: ast.stmt) -> list[ast.stmt]:
    """The statements of the chunk with a new one: whatever it stands in is copied."""
    place = (old.end_lineno, old.end_col_offset)
    node: ast.AST = new
    for step in reversed(path):
        siblings = [*step.siblings]
        siblings[step.number] = node
        if step.holder is None:
            return siblings  # type: ignore[return-value]
        node = copy.copy(step.holder)
        setattr(node, step.field, siblings)
        if isinstance(node, ast.stmt | ast.ExceptHandler) and (node.end_lineno, node.end_col_offset) == place:
            node.end_lineno, node.end_col_offset = new.end_lineno, new.end_col_offset
    raise AssertionError("a path begins at the chunk")
