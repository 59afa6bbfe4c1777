"""What the revisions before one did to a table or column: whether they filled it in, and whether it is in use at all.

This module must never judge a revision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.migrations.history import environments_of
from sqlalchemy_guard.migrations.review import is_released
from sqlalchemy_guard.project.revision_data import writes_data
from sqlalchemy_guard.project.revision_steps import directions, steps_of

if TYPE_CHECKING:
    from sqlalchemy_guard.migrations.revision import Revision
    from sqlalchemy_guard.project.revision_steps import Step
    from sqlalchemy_guard.project.workspace import Workspace

_FAR = 6
"""So many revisions are looked back: filling in rows comes shortly before what needs them filled."""


def were_written(workspace: Workspace, file_id: str, table: str, column: str) -> bool:
    """Whether one of the revisions shortly before one wrote to a column, since its table was made."""
    for environment, revision in environments_of(workspace, file_id):
        todo, seen = list(environment.graph.parents(revision)), 0
        while todo and seen < _FAR:
            parent = todo.pop(0)
            todo.extend(environment.graph.parents(parent))
            seen += 1
            steps = _upgrade(workspace, parent)
            if any(step.name == "create_table" and step.table == table for step in steps):
                return False
            if writes_data((step for step in steps if step.name != "call"), column):
                return True
    return False


def was_required(workspace: Workspace, file_id: str, table: str, column: str) -> bool:
    """Whether the last revision before one that says so made a column NOT NULL."""
    for environment, revision in environments_of(workspace, file_id):
        todo, seen = list(environment.graph.parents(revision)), set[str]()
        while todo:
            parent = todo.pop(0)
            if parent.id in seen:
                continue
            seen.add(parent.id)
            todo.extend(environment.graph.parents(parent))
            for step in reversed(_upgrade(workspace, parent)):
                said = _is_required(step, table, column)
                if said is not None:
                    return said
    return False


def _is_required(step: Step, table: str, column: str) -> bool | None:
    """Whether a step makes a column NOT NULL; None where it does not say."""
    if step.name == "rename_table":
        return False if step.text("new_table_name") == table else None
    if step.table != table:
        return None
    if step.name == "alter_column":
        if step.text("new_column_name") == column:
            return step.literal("nullable") is False or step.literal("existing_nullable") is False
        said = step.literal("nullable") if step.text("column_name") == column else ...
        return said is False if isinstance(said, bool) else None
    made = step.columns if step.name == "create_table" else [step.column] if step.name == "add_column" else []
    for each in made:
        if each is not None and each.name == column:
            return each.literal("nullable") is False or each.literal("primary_key") is True
    return None


def is_made_unreleased(workspace: Workspace, file_id: str, table: str, column: str | None = None) -> bool:
    """Whether a table or column was made by a revision that is no more released than the one that is looked at."""
    for environment, revision in environments_of(workspace, file_id):
        todo, seen = list(environment.graph.parents(revision)), set[str]()
        while todo:
            parent = todo.pop()
            if parent.id in seen or is_released(workspace, parent.file_id) is not False:
                continue
            seen.add(parent.id)
            todo.extend(environment.graph.parents(parent))
            if any(_makes(step, table, column) for step in _upgrade(workspace, parent)):
                return True
    return False


def _makes(step: Step, table: str, column: str | None) -> bool:
    if step.name == "create_table":
        return step.table == table
    made = step.column if step.name == "add_column" and step.table == table else None
    return made is not None and made.name == column


def _upgrade(workspace: Workspace, revision: Revision) -> list[Step]:
    file = workspace.file(revision.file_id)
    pairs = directions(workspace.resolver, file) if file is not None else []
    return [step for up, _ in pairs if file is not None for step in steps_of(workspace.resolver, file, up)]
