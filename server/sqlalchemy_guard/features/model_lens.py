"""A lens over a mapped class: whether the migrations build its table as the class says.

Shows what was found last, and never waits for more. This module must never compare anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.features.lens import Lens
from sqlalchemy_guard.migrations.known import drifts_of
from sqlalchemy_guard.project.tables import table_of
from sqlalchemy_guard.text.span import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.migrations.drift import Drift
    from sqlalchemy_guard.project.workspace import File, Workspace


def model_lenses(workspace: Workspace, file: File) -> Iterator[Lens]:
    """The lenses of the mapped classes of a file of which something is known."""
    found = [drift for drift in drifts_of(workspace) if drift.comparison is not None]
    if not found:
        return
    # Names of a file come in any order.
    classes = sorted(
        file.facts.classes.items(), key=lambda one: one[1][-1].header.lineno + one[1][-1].chunk.shift
    )
    for qualname, definitions in classes:
        facts = definitions[-1]
        table = table_of(workspace, (file.file_id, qualname)) if "<locals>" not in qualname else None
        if table is None or table.name is None:
            continue
        line = facts.header.lineno - 1 + facts.chunk.shift
        for drift in found:
            said = _said(drift, file.file_id, line, table.name)
            if said is not None:
                yield Lens(Span(line, 0, line, 0), *said)
                break


def _said(drift: Drift, file_id: str, line: int, table: str) -> tuple[str, str | None] | None:
    """What is to be said of a table, and the revision that it comes from."""
    assert drift.comparison is not None
    here = [
        finding
        for finding in drift.findings
        if finding.home is not None and finding.home.file_id == file_id and finding.home.span.line == line
    ]
    if here:
        count = "1 difference" if len(here) == 1 else f"{len(here)} differences"
        return f"{count} to the migrations", None
    side = drift.comparison.side
    built = next((state for key, state in side.schema.tables.items() if key[1] == table), None)
    if built is None or not any(
        each.name == table and side.table((each.schema, each.name)) is not None
        for each in side.target.tables.values()
    ):
        return None
    if any(one.key[1] == table for one in drift.comparison.differences):
        return None
    newest = _newest(drift, {built.revision, *(column.revision for column in built.columns)})
    if newest is None:
        return "in step with the migrations", None
    return f"in step with migration {newest}", drift.environment.graph.by_id[newest].file_id


def _newest(drift: Drift, revisions: set[str]) -> str | None:
    """The last of some revisions in the order of the history."""
    return next((each.id for each in reversed(drift.environment.revisions) if each.id in revisions), None)
