"""Edits of a function's parameters.

This module must never know what a parameter is for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    import ast

    from sqlalchemy_guard.fixes.source import Source


def add_first(
    source: Source,
    header: ast.FunctionDef | ast.AsyncFunctionDef,
    text: str,
    shift: int = 0,
    *,
    is_method: bool = False,
) -> tuple[Edit, ...]:
    """Write a parameter in front of a function's others, on a line of its own where they have theirs.

    Args:
        source: The text.
        header: The function.
        text: The parameter, which must have no default.
        shift: Of the header's chunk.
        is_method: Whether the first of the others is the object, which stays the first.
    """
    leading = [*header.args.posonlyargs, *header.args.args]
    if is_method and leading:
        end = source.end(leading[0], shift)
        return (Edit(end, end, f", {text}"),)
    start = source.start(header, shift)
    opening = next(
        token.start
        for token in source.tokens(start, source.line_end(source.end(header, shift)))
        if token.kind == "open"
    )
    arguments = header.args
    others = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    if not others and arguments.vararg is None and arguments.kwarg is None:
        return (Edit(opening + 1, opening + 1, text),)
    rest = source.text[opening + 1 : source.line_end(opening)].strip()
    if rest and not rest.startswith("#"):
        return (Edit(opening + 1, opening + 1, f"{text}, "),)
    line = source.next_line(opening)
    margin = source.margin(line)
    return (Edit(line, line, f"{margin}{text},{source.newline}"),)
