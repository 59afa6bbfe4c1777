"""For which databases a history is replayed, as far as configuration and code say. This module must never guess a single one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.migrations.replay import DIALECTS
from sqlalchemy_guard.project.table_indexes import dialects
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from sqlalchemy_guard.migrations.history import Environment
    from sqlalchemy_guard.project.workspace import Workspace

_UNKNOWN = ("postgresql", "sqlite")
"""What both sides are compared for when nothing says which database it is: what differs on both of them differs."""
_IMPORT = lazy_pattern(
    r"^\s*(?:from|import)\s+sqlalchemy\.dialects(?:\.|\s+import\s+)(postgresql|mysql|sqlite|mssql|oracle)",
    re.M,
)
_ASKS = lazy_pattern(r"""\bdialect(?:\.name|_name)?\b[^\n]*?(?:==|\bin\b|!=)([^\n]*)""")
_STRING = lazy_pattern(r"""["'](\w+)["']""")


def dialects_of(workspace: Workspace, environment: Environment, wanted: str | None = None) -> tuple[str, ...]:
    """The names of SQLAlchemy's dialects, the likeliest first.

    Args:
        wanted: What somebody asked for; a history that is kept for one database alone is replayed for that one all the same.
    """
    for folder in environment.scripts.version_folders:
        parts = folder[len(environment.scripts.folder) :].replace("\\", "/").split("/")
        for part in reversed(parts):
            if _known(part) is not None:
                return (part,)
    if wanted:
        return (wanted,)
    configured = _of_url(environment.options.get("sqlalchemy.url", ""))
    if configured is not None:
        return (configured,)
    texts = [
        file.document.text
        for revision in environment.revisions
        if (file := workspace.file(revision.file_id)) is not None and "dialect" in file.document.text
    ]
    imported = {found for text in texts for found in _IMPORT.findall(text)}
    engines = frozenset(known for name in dialects(workspace) if (known := _known(name)) is not None)
    if engines == {"sqlite"}:
        # What is started on SQLite for a try may run elsewhere: most revisions that ask for a database say where.
        asked = [names for text in texts if (names := _asked(text))]
        if 2 * sum("sqlite" in names for names in asked) < len(asked):
            engines = frozenset().union(*asked) - {"sqlite"}
    for candidates in (engines, imported, engines - {"sqlite"}, imported - {"sqlite"}):
        if len(candidates) == 1:
            return tuple(candidates)
    several = sorted(engines | imported, key=DIALECTS.index)
    return tuple(several[:2]) if len(several) > 1 else _UNKNOWN


def _asked(text: str) -> frozenset[str]:
    """The dialects that a revision compares the name of its own with."""
    names = (name for line in _ASKS.findall(text) for name in _STRING.findall(line))
    return frozenset(known for name in names if (known := _known(name)) is not None)


def _of_url(url: str) -> str | None:
    scheme, separator, _ = url.strip().partition("://")
    return _known(scheme.partition("+")[0]) if separator else None


def _known(name: str | None) -> str | None:
    plain = {"postgres": "postgresql", "mariadb": "mysql"}.get(name or "", name)
    return plain if plain in DIALECTS else None
