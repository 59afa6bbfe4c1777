"""Which revisions are looked at closely: those that are still to be released. Old revisions are history.

What the main branch of Git has is released. Where that is not known (no Git, a checkout of one commit), the revisions that
nothing follows are taken: what others were built upon was accepted. Before the first commit nothing is released.
This module must never look at what a revision does.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sqlalchemy_guard.migrations.history import environments_of

if TYPE_CHECKING:
    from sqlalchemy_guard.config import Settings
    from sqlalchemy_guard.project.workspace import Workspace


def is_new(workspace: Workspace, file_id: str) -> bool:
    """Whether a revision is not released yet, as far as can be told."""
    released = is_released(workspace, file_id)
    if released is not None:
        return not released
    places = list(environments_of(workspace, file_id))
    return not places or any(revision in environment.graph.heads for environment, revision in places)


def is_released(workspace: Workspace, file_id: str) -> bool | None:
    """Whether the main branch has a file; None when that is not known."""
    folder, name = os.path.split(file_id)
    found = workspace.git(folder) if os.path.isabs(folder) else None
    if found is None or found.released is None:
        return None
    return name in found.released


def is_reviewed(workspace: Workspace, file_id: str, settings: Settings) -> bool:
    """Whether the operations of a revision are judged, as the setting `revisions` says."""
    return settings.revisions == "all" or is_new(workspace, file_id)
