"""The database whose SQL is shown: configured, else the one that the workspace's engines connect to, else PostgreSQL.

This module must never ask a database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.project.table_indexes import dialects

if TYPE_CHECKING:
    from sqlalchemy_guard.project.workspace import Workspace

DEFAULT = "postgresql"
_SAME = {"postgres": "postgresql", "cockroachdb": "postgresql", "redshift": "postgresql", "mariadb": "mysql"}
_SHOWN = frozenset(("postgresql", "mysql", "sqlite", "mssql", "oracle"))


def shown_dialect(workspace: Workspace, file_id: str) -> str:
    """The name of the dialect. SQLite beside a server is what tests run on, and does not count."""
    configured = workspace.settings_for(file_id).dialect
    if configured is not None:
        return configured
    found = {_SAME.get(name, name) for name in dialects(workspace)} & _SHOWN
    servers = found - {"sqlite"} or found
    return servers.pop() if len(servers) == 1 else DEFAULT
