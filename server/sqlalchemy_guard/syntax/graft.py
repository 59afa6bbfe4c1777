"""Nodes that outlive an edit: what stands on untouched lines of a chunk keeps its nodes when the chunk is parsed anew.

So whoever keeps something by the node finds it again while another line is being typed on. This module must never take a
node over an edited line, nor one that moved.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from sqlalchemy_guard.syntax.chunk import Chunk


_INSIDE_OF_STRINGS = ("JoinedStr", "TemplateStr")
"""Python 3.11 places the expressions in these where they do not stand."""


def graft(old: Chunk, body: list[ast.stmt], shift: int, dirty: AbstractSet[int]) -> None:
    """Put the nodes of a chunk in the place of those that a parse of its new lines made of the same text.

    Nodes of a chunk that was parsed with what is around it count their lines from elsewhere: it is left alone the first time.

    Args:
        old: The chunk as it was, parsed without a broken line, and none of its lines moved since.
        body: The statements of the new parse, changed in place.
        shift: The shift of these.
        dirty: The absolute lines that were edited.
    """
    if old.broken or old.shift != shift:
        return
    _graft_bodies([(old.body, body)], {line - shift + 1 for line in dirty})


def graft_parts(old: ast.stmt, new: ast.stmt, lines: AbstractSet[int]) -> None:
    """The same for one statement that was parsed anew.

    Args:
        old: The statement as it was.
        new: The new one, changed in place; its lines count as those of the old one do.
        lines: Those that were edited, counted likewise.
    """
    if type(old) is type(new) and new.lineno != new.end_lineno:
        todo: list[tuple[list[ast.stmt], list[ast.stmt]]] = []
        _graft_parts(old, new, lines, todo)
        _graft_bodies(todo, lines)


def _graft_bodies(todo: list[tuple[list[ast.stmt], list[ast.stmt]]], lines: AbstractSet[int]) -> None:
    while todo:
        before, after = todo.pop()
        kept = {(node.lineno, node.col_offset): node for node in before}
        for index, node in enumerate(after):
            found = kept.get((node.lineno, node.col_offset))
            if found is None or type(found) is not type(node):
                continue
            if _is_untouched(found, node, lines):
                after[index] = found
            elif node.lineno != node.end_lineno:
                _graft_parts(found, node, lines, todo)


def _graft_parts(
    old: ast.AST,
    new: ast.AST,
    lines: AbstractSet[int],
    todo: list[tuple[list[ast.stmt], list[ast.stmt]]],
) -> None:
    """The same for the parts of a statement or expression that an edit is inside of."""
    parts: list[tuple[ast.AST, ast.AST]] = [(old, new)]
    while parts:
        before, after = parts.pop()
        if type(after).__name__ in _INSIDE_OF_STRINGS:
            continue
        for name in after._fields:
            was, now = getattr(before, name, None), getattr(after, name, None)
            if type(now) is list and type(was) is list:
                if now and was and isinstance(now[0], ast.stmt):
                    todo.append((was, now))
                elif len(was) == len(now):
                    for index, (one, other) in enumerate(zip(was, now, strict=True)):
                        if isinstance(other, ast.AST) and type(one) is type(other):
                            if _is_untouched(one, other, lines):
                                now[index] = one
                            else:
                                parts.append((one, other))
            elif isinstance(now, ast.AST) and isinstance(was, type(now)) and now._fields:
                if _is_untouched(was, now, lines):
                    setattr(after, name, was)
                else:
                    parts.append((was, now))


def _is_untouched(old: ast.AST, new: ast.AST, lines: AbstractSet[int]) -> bool:
    """Whether two nodes of one type stand at the same place, on lines that were not edited, and are used the same way."""
    if type(getattr(old, "ctx", None)) is not type(getattr(new, "ctx", None)):
        return False
    first, last = getattr(new, "lineno", None), getattr(new, "end_lineno", None)
    if first is None or last is None:
        return False
    for decorator in getattr(new, "decorator_list", ()):
        first = min(first, decorator.lineno)
    return (
        (old.lineno, old.col_offset, old.end_lineno, old.end_col_offset)  # type: ignore[attr-defined]
        == (new.lineno, new.col_offset, last, new.end_col_offset)  # type: ignore[attr-defined]
        and lines.isdisjoint(range(first, last + 1))
    )
