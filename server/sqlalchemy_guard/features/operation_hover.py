"""An operation of a revision for who points at it: the SQL that it emits, and its table as it is after the revision.

The history is replayed when that was not done yet, which may take seconds: `poll` ends it. This module must never run a revision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.features.dialect import shown_dialect
from sqlalchemy_guard.features.statement_hover import name_of
from sqlalchemy_guard.migrations.dialect import dialect_of
from sqlalchemy_guard.migrations.history import environments_of
from sqlalchemy_guard.project.revision_names import is_revision
from sqlalchemy_guard.project.revision_steps import directions, steps_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.migrations.state import ColumnState, TableState
    from sqlalchemy_guard.project.revision_steps import Step
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.text.span import Span


def operation_at(workspace: Workspace, file: File, line: int, column: int) -> tuple[Span, Step, str] | None:
    """The name of the operation at a place, the step, and its direction; looks at no other revision."""
    if not is_revision(workspace.resolver, file):
        return None
    for upgrade, downgrade in directions(workspace.resolver, file):
        for direction, function in (("upgrade", upgrade), ("downgrade", downgrade)):
            for step in steps_of(workspace.resolver, file, function):
                span = name_of(step.fact, file) if step.is_operation and step.file is file else None
                if span is not None and span.line == line and span.column <= column <= span.end_column:
                    return span, step, direction
    return None


def operation_hover(
    workspace: Workspace, file: File, step: Step, direction: str, poll: Callable[[], None]
) -> str | None:
    """What is to be known of an operation, in Markdown; None when nothing is.

    Raises:
        Whatever `poll` raises.
    """
    from sqlalchemy_guard.sql.available import missing

    if missing() is not None:
        return None
    from sqlalchemy_guard.migrations import replay
    from sqlalchemy_guard.migrations.emitted import emitted

    dialect = dialect_of(workspace, file.file_id) or shown_dialect(workspace, file.file_id)
    for environment, revision in environments_of(workspace, file.file_id):
        lines = emitted(workspace, environment, revision, direction, dialect, poll)
        node, shift = step.fact.node, step.fact.chunk.shift
        last = (node.end_lineno or node.lineno) + shift
        sql = [text for line in range(node.lineno - 1 + shift, last) for text in lines.get(line, ())]
        parts = [f"```sql\n{text}\n```" for text in sql if text]
        schema = replay.schema_after(workspace, environment, dialect, revision, poll)
        key = (step.text("schema"), step.table) if step.table is not None else None
        table = schema.tables.get(key) if schema is not None and key is not None else None
        if table is not None and direction == "upgrade":
            parts.append(_told(table, revision.id, replay.dialect_of(dialect)))
        if parts:
            return "\n\n".join(parts)
    return None


def _told(table: TableState, revision: str, dialect: Any) -> str:
    """A table as a list of its columns."""
    keys = {name for each in table.of_kind("primary") for name in each.columns}
    rows = [
        f"| `{column.name}` | {_type(column, dialect)} | {'' if column.nullable else 'NOT NULL'} "
        f"| {'primary key' if column.name in keys else ''} |"
        for column in table.columns
    ]
    head = f"`{table.name}` after revision {revision}:\n\n| column | type | | |\n|---|---|---|---|\n"
    unsure = (
        "\n\nNot all of it is known." if table.unknown or any(each.unknown for each in table.columns) else ""
    )
    return head + "\n".join(rows) + unsure


def _type(column: ColumnState, dialect: Any) -> str:
    from sqlalchemy_guard.migrations.reflection import column_type
    from sqlalchemy_guard.sql.natives import LIBRARY_ERRORS

    if "type" in column.unknown:
        return "?"
    try:
        written: str = column_type(column).compile(dialect=dialect)
    except LIBRARY_ERRORS:
        return "?"
    return written.replace("|", "\\|")
