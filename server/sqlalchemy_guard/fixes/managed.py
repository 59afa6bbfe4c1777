"""Puts the uses of something that was assigned to a name into `with … as name:`.

This module must never know what is managed, or why.
"""

from __future__ import annotations

import ast
import itertools
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.blocks import delete_statement, wrap
from sqlalchemy_guard.project.bodies import blocks
from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from sqlalchemy_guard.fixes.source import Source


class Region(NamedTuple):
    """Where the block goes.

    Attributes:
        block: The statements among which the assignment stands.
        inside: Those behind it that use the name, up to the last one.
        closings: The calls that close where the block is left anyway, each with the statements it stands among.
    """

    block: Sequence[ast.stmt]
    inside: Sequence[ast.stmt]
    closings: Sequence[tuple[ast.stmt, Sequence[ast.stmt]]]


def region_of(
    body: Sequence[ast.stmt],
    assignment: ast.stmt,
    names: Collection[ast.Name],
    closings: Collection[ast.Call],
) -> Region | None:
    """Where the block for an assigned name goes; None when it is used elsewhere than behind its assignment.

    Args:
        body: The function's statements.
        assignment: What binds the name.
        names: Every node that reads it.
        closings: The calls that close it.
    """
    block = next((one for one in blocks(body) if assignment in one), None)
    if block is None:
        return None
    rest = block[block.index(assignment) + 1 :]
    users = [statement for statement in rest if any(part in names for part in ast.walk(statement))]
    if not users or sum(part in names for user in users for part in ast.walk(user)) != len(names):
        return None
    inside = rest[: rest.index(users[-1]) + 1]
    if len(inside) > 1 and _is_one_of(inside[-1], closings):
        inside = inside[:-1]
    if _is_one_of(inside[-1], closings):
        return None
    return Region(block, inside, tuple(_superfluous(block, inside, closings)))


def _is_one_of(statement: ast.stmt, calls: Collection[ast.Call]) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return (value.value if isinstance(value, ast.Await) else value) in calls


def _superfluous(
    block: Sequence[ast.stmt], inside: Sequence[ast.stmt], closings: Collection[ast.Call]
) -> Iterator[tuple[ast.stmt, Sequence[ast.stmt]]]:
    end = block.index(inside[-1]) + 1
    if end < len(block) and _is_one_of(block[end], closings):
        yield block[end], block
    for inner in blocks(inside):
        for one, following in itertools.pairwise(inner):
            if inner is not inside and _is_one_of(one, closings):
                if isinstance(following, (ast.Return, ast.Raise)):
                    yield one, inner


def detaches(region: Region) -> bool:
    """Whether something is returned from inside that did not have to live without the object before."""
    closed = {id(block[block.index(one) + 1]) for one, block in region.closings if block is not region.block}
    for statement in region.inside:
        for part in ast.walk(statement):
            if isinstance(part, ast.Return) and id(part) not in closed:
                if part.value is not None and not isinstance(part.value, ast.Constant):
                    return True
    return False


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
