"""Cut statements into the tree of chunks: long definitions into header and children, short statements into
groups.

This module must never parse, and never look at more of a statement than its kind and its lines.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.syntax.chunk import Chunk

if TYPE_CHECKING:
    from collections.abc import Sequence

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

# A definition of more lines is cut; statements are grouped up to this many lines. Parsing costs some five
# microseconds a line, so a keystroke in a chunk of this size stays far below a millisecond.
LONGEST_DEFINITION = 30
LONGEST_GROUP = 25


def first_line(node: ast.stmt) -> int:
    """The 1-based line on which a statement starts, decorators included."""
    if isinstance(node, DEFINITIONS) and node.decorator_list:
        return min(node.lineno, node.decorator_list[0].lineno)
    return node.lineno


def is_filler(line: str) -> bool:
    """Whether a line that starts outside of strings and brackets holds no code: blank or a comment alone."""
    line = line.lstrip(" \t\f\r\n")
    return not line or line.startswith("#")


def continues(line: str) -> bool:
    """Whether a line may go on in the next one because of a backslash."""
    return line.rstrip("\r\n").endswith("\\")


def cut(body: list[ast.stmt], start: int, end: int, shift: int, lines: Sequence[str]) -> list[Chunk]:
    """The chunks of a list of statements.

    Args:
        body: Statements of one block, their lines relative to `shift`.
        start: The first line of the region that the chunks are to tile, 0-based.
        end: One past its last line.
        shift: As in `Chunk`.
        lines: All lines of the document.

    Returns:
        At least one chunk; together they cover `[start, end)`.
    """
    chunks: list[Chunk] = []
    group: list[ast.stmt] = []
    group_start = start
    last = len(body) - 1
    for index, node in enumerate(body):
        node_end = (node.end_lineno or node.lineno) + shift
        if index == last:
            boundary = end
        else:
            boundary = node_end
            if first_line(body[index + 1]) - 1 + shift < boundary or continues(lines[boundary - 1]):
                group.append(node)
                continue
        if (
            not group
            and isinstance(node, DEFINITIONS)
            and node_end - (first_line(node) - 1 + shift) > LONGEST_DEFINITION
        ):
            chunk = _cut_definition(node, group_start, boundary, shift, lines)
            if chunk is not None:
                chunks.append(chunk)
                group_start = boundary
                continue
        group.append(node)
        following_end = end if index == last else (body[index + 1].end_lineno or 0) + shift
        if index == last or following_end - group_start > LONGEST_GROUP:
            chunks.append(Chunk(group_start, boundary, shift, group))
            group, group_start = [], boundary
    if not body:
        chunks.append(Chunk(start, end, shift, []))
    return chunks


def body_lines(node: Definition, start: int, shift: int, lines: Sequence[str]) -> int | None:
    """The line on which the body of a definition starts with what stands above its first statement, None
    where the first statement shares a line with the header; `start` is the first line of the definition's
    chunk."""
    first = node.body[0]
    line = first_line(first) - 1 + shift
    if lines[line][: first.col_offset].strip(" \t\f"):
        return None
    decorated = isinstance(first, DEFINITIONS) and first.decorator_list
    if decorated and not lines[line].lstrip(" \t\f").startswith("@"):
        return None
    while line > start and is_filler(lines[line - 1]):
        line -= 1
    return None if line <= start or continues(lines[line - 1]) else line


def _cut_definition(node: Definition, start: int, end: int, shift: int, lines: Sequence[str]) -> Chunk | None:
    """The cut chunk of a definition, or None where its body does not start on a line of its own."""
    body_start = body_lines(node, start, shift, lines)
    if body_start is None:
        return None
    first = node.body[0]
    chunk = Chunk(start, end, shift, [node])
    chunk.indent = lines[first.lineno - 1 + shift][: first.col_offset]
    chunk.children = cut(node.body, body_start, end, shift, lines)
    for child in chunk.children:
        child.parent = chunk
    node.body = []
    return chunk
