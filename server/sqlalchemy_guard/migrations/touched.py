"""Whether the rows of a column were written by the revisions that come before one: what they hold is not our business then.

This module must never judge a revision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.migrations.history import environments_of
from sqlalchemy_guard.project.revision_data import writes_data
from sqlalchemy_guard.project.revision_steps import directions, steps_of

if TYPE_CHECKING:
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
            file = workspace.file(parent.file_id)
            for upgrade, _ in directions(workspace.resolver, file) if file is not None else ():
                steps = steps_of(workspace.resolver, file, upgrade) if file is not None else []
                if any(step.name == "create_table" and step.table == table for step in steps):
                    return False
                data = [step for step in steps if step.name in ("execute", "data", "bulk_insert")]
                if data and writes_data(data, column):
                    return True
    return False
