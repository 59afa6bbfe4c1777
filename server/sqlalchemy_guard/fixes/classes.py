"""Edits of a class's head and of the beginning of its body.

This module must never know what a base or a decorator means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.layout import expression
from sqlalchemy_guard.fixes.source import Source
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    import ast
    from collections.abc import Sequence


def undecorate(source: Source, decorator: ast.expr, shift: int = 0) -> tuple[Edit, ...]:
    """Remove a decorator with its lines; a comment behind it stays, above the class."""
    start, end = source.start(decorator, shift), source.end(decorator, shift)
    line_start = source.line_start(start)
    rest = source.text[end : source.line_end(end)]
    if rest.strip():
        return (Edit(line_start + len(source.margin(start)), end + len(rest) - len(rest.lstrip()), ""),)
    return (Edit(line_start, source.next_line(end), ""),)


def add_base(source: Source, class_: ast.ClassDef, base: str, shift: int = 0) -> tuple[Edit, ...]:
    """Add a base behind the others; it takes the place of a lonely `object`."""
    if class_.bases:
        last = class_.bases[-1]
        if len(class_.bases) == 1 and source.segment(last, shift) == "object":
            return (Edit(source.start(last, shift), source.end(last, shift), base),)
        at = source.end(last, shift)
        return (Edit(at, at, f", {base}"),)
    start = source.start(class_, shift)
    name = source.text.index(class_.name, start + len("class"))
    end = name + len(class_.name)
    tokens = source.tokens(end, source.line_end(end))
    closing = [token.end for token in tokens if token.kind == "close"][:1]
    return (Edit(end, closing[0] if closing else end, f"({base})"),)


def prepend(source: Source, first: ast.stmt, lines: Sequence[str], shift: int = 0) -> tuple[Edit, ...] | None:
    """Write lines in front of a body's first statement, in its indentation; None where that has no line of its own.

    A `pass` gives way to them.
    """
    if not lines:
        return ()
    start = source.start(first, shift)
    at = source.line_start(start)
    if source.text[at:start].strip() and not getattr(first, "decorator_list", []):
        return None
    margin = source.margin(at)
    if type(first).__name__ == "Pass":
        text = f"{source.newline}{margin}".join(lines)
        return (Edit(start, source.end(first, shift), text),)
    at = source.offset(source.first_line(first, shift))
    return (Edit(at, at, "".join(f"{margin}{line}{source.newline}" for line in lines)),)


def insert_behind(
    source: Source, last: ast.stmt, line: str, shift: int = 0, *, apart: bool = False
) -> Edit | None:
    """Write a line behind a statement of a class's body.

    Args:
        source: The text.
        last: The statement of the body.
        line: What to write, without indentation: an assignment.
        shift: Of the chunk that the statement comes from.
        apart: Whether a blank line stands between the two.

    Returns None where the statement shares a line with another one.
    """
    if not has_own_lines(source, last, shift):
        return None
    start, end = source.start(last, shift), source.end(last, shift)
    at, newline = source.next_line(end), source.newline
    text = f"{newline if apart else ''}{laid_out(source, line, source.margin(start))}{newline}"
    if not source.text[:at].endswith(("\n", "\r")):
        text = newline + text
    elif apart and at < len(source.text) and source.lines[source.position(at)[0]].strip():
        text += newline
    return Edit(at, at, text)


def has_own_lines(source: Source, statement: ast.stmt, shift: int = 0) -> bool:
    """Whether nothing but a comment shares the lines of a statement."""
    start, end = source.start(statement, shift), source.end(statement, shift)
    rest = source.text[end : source.line_end(end)].lstrip()
    return not source.text[source.line_start(start) : start].strip() and (not rest or rest.startswith("#"))


def laid_out(source: Source, line: str, margin: str) -> str:
    """A line of a class's body with its indentation, broken as a formatter breaks it."""
    head = f"if 1:{source.newline}{margin or source.indentation}"
    text = Source(head + line + source.newline, source.line_length)
    start = len(head) + line.index(" = ") + 3
    value = expression(line[line.index(" = ") + 3 :], text, start, margin=margin)
    return margin + line[: line.index(" = ") + 3] + value
