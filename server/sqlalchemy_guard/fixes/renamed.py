"""Edits that write a drop and an add of a column as the rename that was meant, in both directions of a revision.

This module must never decide whether it was one.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.blocks import delete_statement
from sqlalchemy_guard.fixes.layout import expression
from sqlalchemy_guard.project.bodies import blocks, body_of
from sqlalchemy_guard.project.revision_steps import directions, steps_of
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.revision_renames import Rename
    from sqlalchemy_guard.project.revision_steps import Column, Operation, Step

_SAME = frozenset({"nullable", "autoincrement"})
"""What a column may say beside its name and its type for a rename to be all there is to do."""


def renamed(source: Source, operation: Operation, pair: Rename) -> tuple[Edit, ...]:
    """The edits; nothing where one direction cannot be told, or where more than the name differs."""
    step = operation.step
    ups = steps_of(step.resolver, step.file, directions(step.resolver, step.file)[0][1])
    back_add = _only(ups, "add_column", pair.table, pair.old)
    back_drop = _only(ups, "drop_column", pair.table, pair.new)
    if back_add is None or back_drop is None:
        return ()
    new, old = pair.add.column, back_add.column
    if new is None or old is None or not _is_same(new, old):
        return ()
    forth = _rename(source, operation.steps, pair.add, pair.drop, old, pair.old, pair.new)
    back = _rename(source, ups, back_add, back_drop, new, pair.new, pair.old)
    return tuple(sorted((*forth, *back))) if forth and back else ()


def _only(steps: list[Step], name: str, table: str, column: str) -> Step | None:
    found = [step for step in steps if step.name == name and step.table == table and step.is_certain]
    named = [
        step
        for step in found
        if (made.name if (made := step.column) is not None else step.text("column_name")) == column
    ]
    return named[0] if len(named) == 1 and len(found) == 1 else None


def _is_same(new: Column, old: Column) -> bool:
    """Whether two columns differ in their name alone, as far as they say."""
    for column in (new, old):
        if len(column.node.args) != 2 or any(keyword.arg not in _SAME for keyword in column.node.keywords):
            return False
    return (new.literal("nullable") is False) == (old.literal("nullable") is False)


def _rename(
    source: Source, steps: list[Step], add: Step, drop: Step, existing: Column, old: str, new: str
) -> tuple[Edit, ...]:
    """One direction: the add becomes the rename, the drop goes. A column that is used under its new name in between
    is no matter of a rename."""
    between = steps[steps.index(add) + 1 : steps.index(drop)] if steps.index(add) < steps.index(drop) else []
    if any(step.table == add.table and step.name != "add_column" for step in between):
        return ()
    statement, fact = add.fact.statement, add.fact
    if not isinstance(statement, ast.Expr) or statement.value is not fact.node or add.file is not drop.file:
        return ()
    siblings = _siblings(drop)
    if siblings is None or not isinstance(drop.fact.statement, ast.Expr):
        return ()
    gone = delete_statement(source, drop.fact.statement, siblings, drop.fact.chunk.shift)
    shift, func = fact.chunk.shift, fact.node.func
    table = add.node("table_name")
    arguments = [source.segment(table, shift)] if table is not None else []
    schema = add.node("schema") if add.batch is None else None
    type_ = source.segment(existing.node.args[1], existing.shift)
    arguments += [
        f'"{old}"',
        f'new_column_name="{new}"',
        f"existing_type={type_}",
        f"existing_nullable={existing.literal('nullable') is not False}",
        *([f"schema={source.segment(schema, shift)}"] if schema is not None else []),
    ]
    owner = source.segment(func.value, shift) if isinstance(func, ast.Attribute) else "op"
    start, end = source.start(statement, shift), source.end(statement, shift)
    text = expression(f"{owner}.alter_column({', '.join(arguments)})", source, start)
    return (Edit(start, end, text), *gone) if gone else ()


def _siblings(step: Step) -> Sequence[ast.stmt] | None:
    """The block that a step's statement stands in."""
    function = step.fact.function
    body = [statement for _, statement in body_of(function)] if function is not None else []
    return next((block for block in blocks(body) if any(each is step.fact.statement for each in block)), None)
