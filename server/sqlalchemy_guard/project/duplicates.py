"""Tables that meet another one of their name in one `MetaData` when a program imports both.

This module must never count alternatives: definitions in branches or functions, and files that no program loads together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.project.index import IMPORTS
from sqlalchemy_guard.project.tables import call_place, order_of, place_of, tables_named

if TYPE_CHECKING:
    from sqlalchemy_guard.project.tables import Place, Table
    from sqlalchemy_guard.project.workspace import Workspace


def first_of_its_name(workspace: Workspace, table: Table) -> Place | None:
    """Where a table is declared that comes before another one of its name, when both are loaded together; None without one."""
    if table.name is None or table.metadata is None or table.extends or not table.has_all_arguments:
        return None
    if not table.metadata[1] and table.metadata[0].endswith(".py"):
        # A `MetaData` of a function: each call has its own.
        return None
    if not _is_unconditional(workspace, table):
        return None
    mine = order_of(workspace, table)
    for other in tables_named(workspace, table.name):
        if other is table or other.metadata != table.metadata or other.schema != table.schema:
            continue
        if other.extends or not other.has_all_arguments or not _is_unconditional(workspace, other):
            continue
        if order_of(workspace, other) < mine and _meet(workspace, table.file.file_id, other.file.file_id):
            return place_of(workspace, other)
    return None


def _meet(workspace: Workspace, one: str, other: str) -> bool:
    """Whether one program imports both files."""
    if one == other:
        return True
    workspace.resolver.keys.add((IMPORTS, ""))
    dependents = workspace.dependents
    return not {one, *dependents(one)}.isdisjoint({other, *dependents(other)})


def _is_unconditional(workspace: Workspace, table: Table) -> bool:
    """Whether a definition is no alternative: it stands at the module's own level, and once."""
    file = workspace.file(table.file.file_id)
    if file is None:
        return False
    if table.model is not None:
        definitions = file.facts.classes.get(table.model[1], [])
        return len(definitions) == 1 and definitions[0].header in definitions[0].chunk.body
    fact = call_place(file, table.call) if table.call is not None else None
    if fact is None or fact.function is not None:
        return False
    return fact.frame is None or next(fact.frame.outwards(), None) is None
