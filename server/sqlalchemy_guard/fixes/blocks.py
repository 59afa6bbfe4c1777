"""Edits of whole statements: delete, replace, move behind a loop, wrap into a block, take out of one.

A statement takes the comments directly above it and on its last line along. Where a statement shares its lines with
another one the answer is None: there is no edit. This module must never look inside an expression.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    import ast
    from collections.abc import Sequence

    from sqlalchemy_guard.fixes.source import Source


def _lines(source: Source, statement: ast.stmt, shift: int) -> tuple[int, int] | None:
    """The lines `[first, last]` of a statement that has them for itself."""
    first = source.first_line(statement, shift)
    end = source.end(statement, shift)
    start = source.offset(first)
    head = source.text[start : source.line_end(start)]
    own = source.start(statement, shift)
    if first == statement.lineno - 1 + shift and source.text[start:own].strip():
        return None
    rest = source.text[end : source.line_end(end)].strip()
    if (rest and not rest.startswith("#")) or not head.strip():
        return None
    return first, source.position(end)[0]


def _comments_above(source: Source, line: int) -> int:
    """The first line of the comments that stand directly above a line, with the same indentation."""
    margin = source.margin(source.offset(line))
    while line > 0 and source.lines[line - 1].startswith(margin + "#"):
        line -= 1
    return line


def delete_statement(
    source: Source, statement: ast.stmt, siblings: Sequence[ast.stmt], shift: int = 0
) -> tuple[Edit, ...] | None:
    """Delete a statement with its lines; comments stay, and `pass` takes the place of a block's only statement.

    Args:
        source: The text.
        statement: What to delete.
        siblings: The block it stands in, itself included.
        shift: Of the chunk it comes from.
    """
    start, end = source.start(statement, shift), source.end(statement, shift)
    lines = _lines(source, statement, shift)
    first = source.offset(source.first_line(statement, shift))
    begin = first + len(source.margin(first)) if lines else start
    if len(siblings) == 1:
        return (Edit(begin, end, "pass"),)
    if lines is None:
        return _delete_from_line(source, statement, siblings, shift)
    rest = source.text[end : source.line_end(end)]
    if rest.strip():
        return (Edit(begin, end + len(rest) - len(rest.lstrip()), ""),)
    return (Edit(first, source.next_line(end), ""),)


def _delete_from_line(
    source: Source, statement: ast.stmt, siblings: Sequence[ast.stmt], shift: int
) -> tuple[Edit, ...] | None:
    """Delete one of several statements that semicolons separate."""
    start, end = source.start(statement, shift), source.end(statement, shift)
    index = siblings.index(statement)
    line = source.position(start)[0]
    if index + 1 < len(siblings) and source.position(source.start(siblings[index + 1], shift))[0] == line:
        return (Edit(start, source.start(siblings[index + 1], shift), ""),)
    if index and source.position(source.end(siblings[index - 1], shift))[0] == line:
        return (Edit(source.end(siblings[index - 1], shift), end, ""),)
    semicolon = re.match(r"[ \t]*;", source.text[end : source.line_end(end)])
    return (Edit(start, end + semicolon.end(), ""),) if semicolon else None


def replace_statement(source: Source, statement: ast.stmt, text: str, shift: int = 0) -> tuple[Edit, ...]:
    """Replace a statement by lines of text written from column 0, which get the statement's indentation."""
    first = source.offset(source.first_line(statement, shift))
    start = source.start(statement, shift)
    begin = min(start, first + len(source.margin(first)))
    margin = source.margin(begin)
    lines = text.split("\n")
    new = source.newline.join([lines[0], *(margin + line if line else line for line in lines[1:])])
    return (Edit(begin, source.end(statement, shift), new),)


def move_behind(
    source: Source, statement: ast.stmt, siblings: Sequence[ast.stmt], loop: ast.stmt, shift: int = 0
) -> tuple[Edit, ...] | None:
    """Move a statement with its comments behind the loop around it.

    Args:
        source: The text.
        statement: What to move.
        siblings: The block it stands in, itself included.
        loop: The compound statement it shall follow.
        shift: Of the chunk both come from.
    """
    lines = _lines(source, statement, shift)
    around = source.margin(source.start(loop, shift))
    if (
        lines is None
        or source.text[source.line_start(source.start(loop, shift)) : source.start(loop, shift)].strip()
    ):
        return None
    first, last = _comments_above(source, lines[0]), lines[1]
    margin = source.margin(source.offset(lines[0]))
    if not margin.startswith(around):
        return None
    strings = _inside_strings(source, source.offset(first), source.offset(last + 1))
    moved = [
        line if first + index in strings or not line.startswith(margin) else around + line[len(margin) :]
        for index, line in enumerate(source.lines[first : last + 1])
    ]
    text = "".join(moved)
    target = source.next_line(source.end(loop, shift))
    complete = text.endswith(("\n", "\r"))
    if target == len(source.text) and not source.text.endswith(("\n", "\r")):
        if last == source.position(source.end(loop, shift))[0] and len(siblings) > 1:
            # The statement is the file's last line: it stays there and only loses its indentation.
            return (Edit(source.offset(first), len(source.text), text),)
        text = source.newline + text.rstrip("\r\n")
    elif not complete:
        text += source.newline
    gone = margin + "pass" + source.newline if len(siblings) == 1 else ""
    return (Edit(source.offset(first), source.offset(last + 1), gone), Edit(target, target, text))


def insert_behind(source: Source, loop: ast.stmt, text: str, shift: int = 0) -> tuple[Edit, ...] | None:
    """Insert a statement, which must have one line, behind a compound statement; None where that shares its lines."""
    start = source.start(loop, shift)
    if source.text[source.line_start(start) : start].strip() or "\n" in text or "\r" in text:
        return None
    end = source.end(loop, shift)
    if source.text[end : source.line_end(end)].strip().startswith(";"):
        return None
    at = source.line_end(end)
    return (Edit(at, at, f"{source.newline}{source.margin(start)}{text}"),)


def is_followed_by(source: Source, loop: ast.stmt, text: str, shift: int = 0) -> bool:
    """Whether the next line of code behind a compound statement, in its block, is this text."""
    margin = source.margin(source.start(loop, shift))
    line = source.position(source.end(loop, shift))[0] + 1
    while line < len(source.lines) and not source.lines[line].strip():
        line += 1
    return line < len(source.lines) and source.lines[line].rstrip() == margin + text


def _inside_strings(source: Source, start: int, end: int) -> set[int]:
    """The lines that begin inside a string of `text[start:end]`: their indentation is a value."""
    inside: set[int] = set()
    for token in source.tokens(start, end):
        if token.kind == "string":
            inside.update(range(source.position(token.start)[0] + 1, source.position(token.end)[0] + 1))
    return inside


def _run(source: Source, statements: Sequence[ast.stmt], shift: int) -> tuple[int, int] | None:
    """The lines `[first, last]` of statements that follow each other, comments above the first included."""
    begin, end = _lines(source, statements[0], shift), _lines(source, statements[-1], shift)
    if begin is None or end is None:
        return None
    return _comments_above(source, begin[0]), end[1]


def wrap(
    source: Source, statements: Sequence[ast.stmt], header: str, shift: int = 0
) -> tuple[Edit, ...] | None:
    """Put statements that follow each other into a new block.

    Args:
        source: The text.
        statements: One or more neighbours.
        header: The block's first line, colon included.
        shift: Of the chunk they come from.
    """
    run = _run(source, statements, shift)
    if run is None:
        return None
    margin = source.margin(source.start(statements[0], shift))
    start = source.offset(run[0])
    strings = _inside_strings(source, start, source.offset(run[1] + 1))
    edits = [Edit(start, start, f"{margin}{header}{source.newline}{source.indentation}")]
    edits += [
        Edit(source.offset(line), source.offset(line), source.indentation)
        for line in range(run[0] + 1, run[1] + 1)
        if line not in strings and source.lines[line].strip()
    ]
    return tuple(edits)


def dedent(source: Source, statements: Sequence[ast.stmt], shift: int = 0) -> tuple[Edit, ...] | None:
    """Move statements that follow each other one level out, without the header they stood under."""
    run = _run(source, statements, shift)
    if run is None or not source.margin(source.offset(run[0])).endswith(source.indentation):
        return None
    unit = len(source.indentation)
    start = source.offset(run[0])
    strings = _inside_strings(source, start, source.offset(run[1] + 1))
    return tuple(
        Edit(source.offset(line), source.offset(line) + unit, "")
        for line in range(run[0], run[1] + 1)
        if line not in strings and source.lines[line].startswith(source.indentation)
    )
