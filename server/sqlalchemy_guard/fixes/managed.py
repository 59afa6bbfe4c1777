"""Puts the uses of something that was assigned to a name into `with … as name:`.

This module must never know what is managed, or why.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.blocks import delete_statement, wrap
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy_guard.fixes.source import Source


def manage(
    source: Source,
    assignment: ast.stmt,
    siblings: Sequence[ast.stmt],
    inside: Sequence[ast.stmt],
    closings: Iterable[tuple[ast.stmt, Sequence[ast.stmt]]],
    *,
    is_async: bool,
    shift: int = 0,
) -> tuple[Edit, ...] | None:
    """Replace an assignment by a `with` block around statements that follow it.

    Args:
        source: The text.
        assignment: `name = expression`, annotated or not.
        siblings: The block that it stands in.
        inside: The neighbours that go into the new block.
        closings: Statements that the block makes superfluous, each with the block it stands in.
        is_async: Whether it must be `async with`.
        shift: Of the chunk that all of them come from.
    """
    if not isinstance(assignment, (ast.Assign, ast.AnnAssign)) or assignment.value is None or not inside:
        return None
    target = assignment.targets[0] if isinstance(assignment, ast.Assign) else assignment.target
    keyword = "async with" if is_async else "with"
    header = f"{keyword} {source.segment(assignment.value, shift)} as {source.segment(target, shift)}:"
    wrapped = wrap(source, inside, header, shift)
    gone = delete_statement(source, assignment, siblings, shift)
    if wrapped is None or gone is None:
        return None
    cut = gone[-1]
    line = source.position(cut.start)[0]
    following = source.position(cut.end)[0]
    if not cut.new and line and not source.lines[line - 1].strip() and not source.lines[following].strip():
        # Of the blank lines on both sides of the assignment one stays.
        gone = (*gone[:-1], Edit(cut.start, source.next_line(cut.end), ""))
    dropped: list[Edit] = []
    for statement, block in closings:
        edits = delete_statement(source, statement, block, shift)
        if edits is None:
            return None
        dropped.extend(edits)
    kept = [
        edit
        for edit in wrapped
        if not any(cut.start <= edit.start < cut.end and not cut.new for cut in dropped)
    ]
    return (*gone, *kept, *dropped)
