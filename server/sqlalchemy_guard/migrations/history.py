"""The histories of a workspace: each Alembic environment with its revisions in order. What the rules and the replay ask.

Kept until something that it rests on changes: a file of a version folder, a configuration file, an identifier of a revision.
This module must never run anything.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy_guard.migrations.environment import environments
from sqlalchemy_guard.migrations.graph import Graph
from sqlalchemy_guard.migrations.revision import revision_of
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy_guard.migrations.environment import Configuration, Scripts
    from sqlalchemy_guard.migrations.revision import Revision
    from sqlalchemy_guard.project.workspace import Workspace


@dataclass(frozen=True, eq=False)
class Environment:
    """An Alembic environment with its history.

    Attributes:
        scripts: Its folders and configuration.
        graph: Its revisions: `graph.order`, `graph.heads`, `graph.parents(revision)`, `graph.find(id)`.
    """

    scripts: Scripts
    graph: Graph

    @property
    def revisions(self) -> tuple[Revision, ...]:
        """The revisions in an order in which they can run."""
        return self.graph.order

    @property
    def env(self) -> str:
        """The file id of `env.py`."""
        return self.scripts.env

    @property
    def configurations(self) -> tuple[Configuration, ...]:
        """The sections of configuration files that point at it; none where the application does that in code."""
        return self.scripts.configurations

    @property
    def options(self) -> Mapping[str, str]:
        """The options of the first of these sections (`sqlalchemy.url`, `file_template`, `timezone`)."""
        return self.scripts.options

    @property
    def name(self) -> str:
        """The script folder's name, as messages call it."""
        return os.path.basename(self.scripts.folder)


def history(workspace: Workspace) -> list[Environment]:
    """The environments of the workspace, in order of their folders, with their revisions.

    The answer rests on one key for whoever asks, and is the same object until something in it changes. Places are not in it:
    `revision.binding_of` gives them from the file as it is now.
    """
    return workspace.resolver.gathered("history of migrations", lambda: _history(workspace))


def _history(workspace: Workspace) -> list[Environment]:
    return [Environment(scripts, _graph(workspace, scripts)) for scripts in environments(workspace)]


def _graph(workspace: Workspace, scripts: Scripts) -> Graph:
    revisions: list[Revision] = []
    for folder in scripts.version_folders:
        for name in sorted(workspace.names_in(folder)):
            if name.endswith(".py") and not name.startswith((".", "_")):
                revision = _revision(workspace, os.path.join(folder, name))
                if revision is not None:
                    revisions.append(revision)
    return Graph(revisions)


def _revision(workspace: Workspace, file_id: str) -> Revision | None:
    """What a file says about itself; kept by itself, so that one that is edited does not make all others be read again."""
    return workspace.resolver.remembered(("revision", file_id), partial(revision_of, workspace, file_id))


def environments_of(workspace: Workspace, file_id: str) -> Iterator[tuple[Environment, Revision]]:
    """The environments that a file is a revision of, with that revision; mostly one, none for other files."""
    folder = os.path.dirname(file_id)
    for environment in history(workspace):
        if folder in environment.scripts.version_folders:
            for revision in environment.graph.revisions:
                if revision.file_id == file_id:
                    yield environment, revision


def is_complete(workspace: Workspace, environment: Environment) -> bool:
    """Whether every version folder that the configuration names is in the workspace."""
    return all(workspace.names_in(folder) for folder in environment.scripts.version_folders)


def is_elsewhere(workspace: Workspace, reference: str) -> bool:
    """Whether some revision of the workspace has an id or label, in whatever environment, or in none that is known."""
    files, is_all = workspace.naming("down_revision")
    found = (_revision(workspace, file.file_id) for file in files)
    wanted = reference.rpartition("@")[2] or reference
    return not is_all or any(
        each is not None and (each.id.startswith(wanted) or wanted in each.labels) for each in found
    )
