"""For which database the revisions of an environment are written, as far as the source says.

Said by the URL in the configuration, by the dialects that the revisions import types of, and by the engines of the workspace.
This module must never guess: where two are named, or none, the answer is None.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy_guard.migrations.history import environments_of
from sqlalchemy_guard.project.table_indexes import dialects

if TYPE_CHECKING:
    from sqlalchemy_guard.migrations.history import Environment
    from sqlalchemy_guard.project.workspace import Workspace

_SAME = {"postgres": "postgresql", "postgresql": "postgresql", "mysql": "mysql", "mariadb": "mysql"}
_SERVERS = frozenset({"postgresql", "mysql", "oracle", "mssql", "cockroachdb", "redshift"})
_PREFIX = "sqlalchemy.dialects."


def dialect_of(workspace: Workspace, file_id: str) -> str | None:
    """The one kind of server that a revision is written for; None when that is not known. SQLite beside a server is what
    tests run on, and does not count."""
    found = _imported(workspace, file_id)
    for environment, _ in environments_of(workspace, file_id):
        key = f"dialects of {environment.scripts.folder} {environment.scripts.version_folders}"
        found |= workspace.resolver.gathered(key, partial(_of_environment, workspace, environment))
    if not found & _SERVERS:
        found |= {_SAME.get(name, name) for name in dialects(workspace)}
    servers = found & _SERVERS
    return next(iter(servers)) if len(servers) == 1 else None


def _of_environment(workspace: Workspace, environment: Environment) -> set[str]:
    found: set[str] = set()
    for configuration in environment.configurations:
        scheme = configuration.options.get("sqlalchemy.url", "").partition(":")[0].partition("+")[0].strip()
        if scheme:
            found.add(_SAME.get(scheme, scheme))
    for revision in environment.graph.revisions:
        found |= _imported(workspace, revision.file_id)
    return found


def _imported(workspace: Workspace, file_id: str) -> set[str]:
    """The dialects that a file imports something of."""
    file = workspace.file(file_id)
    workspace.resolver.keys.add((file_id, "*imports"))
    found: set[str] = set()
    for module, name in file.facts.imports() if file is not None else ():
        full = f"{module}.{name}" if name else module
        if full.startswith(_PREFIX):
            found.add(full.removeprefix(_PREFIX).partition(".")[0])
    return found
