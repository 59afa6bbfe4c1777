"""Lenses over the statements that a file executes. This module must never build one: that waits for the click."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.features.lens import Lens
from sqlalchemy_guard.project.calls import LibraryCall, resolve_call
from sqlalchemy_guard.text.span import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.project.workspace import File, Workspace

_SESSIONS = ("sqlalchemy.orm.Session", "sqlalchemy.ext.asyncio.AsyncSession", "sqlmodel.Session")
_EXECUTING = frozenset(
    [f"{owner}.{name}" for owner in _SESSIONS for name in ("execute", "scalars", "scalar", "exec", "stream")]
    + [f"sqlalchemy.orm.Query.{name}" for name in ("all", "first", "one", "one_or_none", "scalar", "count", "get")]
)  # fmt: skip


def statement_lenses(workspace: Workspace, file: File) -> Iterator[Lens]:
    """A lens over each line on which a statement that is executed begins."""
    seen: set[int] = set()
    for unit in file.facts.units():
        for fact in unit.calls:
            line = fact.node.lineno - 1 + fact.chunk.shift
            if line in seen:
                continue
            resolved = resolve_call(workspace.resolver, fact, file)
            if isinstance(resolved, LibraryCall) and resolved.name in _EXECUTING:
                seen.add(line)
                yield Lens(Span(line, 0, line, 0), "SQL", previews=True)
