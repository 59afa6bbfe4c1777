"""Pairs of drop and add in one revision that were meant as a rename.

Autogenerate sees a table or column go and another one come; that it is the same one only a person knows. A pair is taken for
one where nothing else could be meant: alike in type and in name, and nothing copied. This module must never judge it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.project.revision_data import writes_data
from sqlalchemy_guard.project.revision_steps import text_of
from sqlalchemy_guard.project.type_kinds import kind_of_type
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from sqlalchemy_guard.project.revision_steps import Column, Operation, Step

_ALIKE = 0.6


@dataclass(frozen=True, slots=True)
class Rename:
    """A drop and an add that belong together.

    Attributes:
        drop: The step that drops the old one.
        add: The step that makes the new one.
        table: The table; the old name for tables.
        old: The old name.
        new: The new name.
    """

    drop: Step
    add: Step
    table: str
    old: str
    new: str


def column_renames(operation: Operation) -> list[Rename]:
    """The columns that the operation's direction drops and adds under another name."""
    dropped = [step for step in operation.steps if step.name == "drop_column" and step.is_certain]
    added = [step for step in operation.steps if step.name == "add_column" and step.is_certain]
    made = {step.table for step in operation.steps if step.name == "create_table"}
    found: list[Rename] = []
    for table in {step.table for step in dropped} - made:
        olds = [step for step in dropped if step.table == table and step.text("column_name") is not None]
        news = [
            (step, column) for step in added if step.table == table and (column := step.column) is not None
        ]
        if table is None or len(olds) != 1 or len(news) != 1:
            continue
        drop, (add, column) = olds[0], news[0]
        old = drop.text("column_name")
        if (
            old is None
            or column.name is None
            or old == column.name
            or writes_data(operation.steps, old, column.name)
        ):
            continue
        if (
            are_alike(old, column.name)
            and _is_same_type(operation, table, old, column)
            and not _points_elsewhere(operation, table, old, column.name)
        ):
            found.append(Rename(drop, add, table, old, column.name))
    return found


def table_renames(operation: Operation) -> list[Rename]:
    """The tables that the operation's direction drops and makes under another name."""
    dropped = [
        step for step in operation.steps if step.name == "drop_table" and step.is_certain and step.table
    ]
    made = [
        step for step in operation.steps if step.name == "create_table" and step.is_certain and step.table
    ]
    found: list[Rename] = []
    for drop in dropped:
        before = _columns_before(operation, drop.table or "")
        for add in made:
            now = {column.name for column in add.columns}
            if (
                drop.table == add.table
                or len(before) < 2
                or len(before & now) < 0.8 * max(len(before), len(now))
            ):
                continue
            if not writes_data(operation.steps, drop.table, add.table):
                found.append(Rename(drop, add, drop.table or "", drop.table or "", add.table or ""))
    # A table that is like two others tells nothing.
    return [
        pair
        for pair in found
        if sum(each.drop is pair.drop for each in found) == 1
        and sum(each.add is pair.add for each in found) == 1
    ]


def are_alike(one: str, other: str) -> bool:
    """Whether one name may be the other one written anew: the same but for words that came or went, or mostly the same letters
    in what the two do not share. Names that differ in a number tell several things of one kind apart."""
    first, second = _words(one), _words(other)
    if [word for word in first if not word.isdigit()] == [word for word in second if not word.isdigit()]:
        return first == second
    common = set(first) & set(second)
    mine, others = (
        "".join(each for each in words if each not in common | _LITTLE) for words in (first, second)
    )
    if any(len(word) > 2 for word in common - _WEAK) and (not mine or not others or _is_close(mine, others)):
        return True
    return _is_close("".join(first), "".join(second)) and (not common or _is_close(mine, others))


_LITTLE = frozenset({"at", "on", "in", "is", "has"})
_WEAK = frozenset({"ids", "date", "time"})
"""Words that many names have, and that make none like another."""


def _is_close(one: str, other: str) -> bool:
    from difflib import SequenceMatcher

    return SequenceMatcher(None, one, other).ratio() >= _ALIKE


def _words(name: str) -> list[str]:
    return re.findall(r"\d+|[^\W\d_]+", name.lower())


def _points_elsewhere(operation: Operation, table: str, old: str, new: str) -> bool:
    """Whether the old column refers to one table and the new one to another that is not the first under a new name."""
    now = _referred(operation.steps, table, new)
    was = _referred(operation.opposite, table, old)
    made = {step.table for step in operation.steps if step.name == "create_table"}
    made |= {step.text("new_table_name") for step in operation.steps if step.name == "rename_table"}
    return now is not None and was is not None and now != was and now not in made


def _referred(steps: list[Step], table: str, column: str) -> str | None:
    """The table that a column refers to by a key which the steps make."""
    for step in steps:
        if step.table != table:
            continue
        if step.name == "create_foreign_key" and step.texts("local_cols") == (column,):
            return step.text("referent_table")
        made = step.column if step.name == "add_column" else None
        if made is not None and made.name == column:
            for key in made.items("sqlalchemy.ForeignKey"):
                target = text_of(step.resolver, key.args[0], step.file) if key.args else None
                return target.rpartition(".")[0].rpartition(".")[2] if target is not None else None
    return None


def _is_same_type(operation: Operation, table: str, old: str, column: Column) -> bool:
    """Whether the other direction makes the old column of the type that the new one has."""
    if column.type is None:
        return False
    kind = kind_of_type(column.resolver, column.type, column.file)
    for step in operation.opposite:
        was = step.column if step.name == "add_column" and step.table == table else None
        if was is not None and was.name == old and was.type is not None:
            return kind is not None and kind_of_type(was.resolver, was.type, was.file) == kind
    return False


def _columns_before(operation: Operation, table: str) -> set[str]:
    """The names of the columns that the other direction gives to a table that is dropped."""
    for step in operation.opposite:
        if step.name == "create_table" and step.table == table:
            return {column.name for column in step.columns if column.name is not None}
    return set()
