"""The SQL of a statement as Markdown, for who points at a call that builds or executes it.

Models are rebuilt when they are not up to date, which may take seconds: `poll` ends it. This module must never be asked while
somebody types.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.features.dialect import shown_dialect
from sqlalchemy_guard.project.calls import LibraryCall, resolve_call
from sqlalchemy_guard.text.columns import from_utf8
from sqlalchemy_guard.text.span import Span

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.sql.preview import Variant

_LIBRARIES = ("sqlalchemy.", "sqlmodel.", "flask_sqlalchemy.")


def statement_at(workspace: Workspace, file: File, line: int, column: int) -> Span | None:
    """The name of the call at a place, when it is one of SQLAlchemy's; looks at no model."""
    for unit in file.facts.units():
        if not unit.chunk.start <= line < unit.chunk.end:
            continue
        for fact in unit.calls:
            span = name_of(fact, file)
            if span is None or not (span.line == line and span.column <= column <= span.end_column):
                continue
            resolved = resolve_call(workspace.resolver, fact, file)
            return (
                span if isinstance(resolved, LibraryCall) and resolved.name.startswith(_LIBRARIES) else None
            )
    return None


def statement_hover(workspace: Workspace, file: File, line: int, poll: Callable[[], None]) -> str | None:
    """What is to be known of the statement at a line; None when there is none, or its tables are not known.

    Args:
        workspace: The files.
        file: The file.
        line: 0-based.
        poll: Raises to end it.

    Raises:
        Whatever `poll` raises.
    """
    from sqlalchemy_guard.sql.available import missing

    if missing() is not None:
        return None
    from sqlalchemy_guard.sql.preview import preview

    dialect = shown_dialect(workspace, file.file_id)
    variants = preview(workspace, file.file_id, line, dialect, poll)
    return "\n\n---\n\n".join(_told(variant, dialect) for variant in variants) or None


def _told(variant: Variant, dialect: str) -> str:
    lines = []
    if variant.when:
        lines.append(f"If `{'` and `'.join(variant.when)}`:\n")
    if variant.sql:
        lines += ["```sql", variant.sql, "```"]
    else:
        lines.append(f"{dialect} has no such statement: {variant.error}")
    if variant.rows:
        lines.append(f"\nRows: `{variant.rows}`")
    lines += [f"\n+ {one}" for one in variant.added]
    lines += [f"\n**Not linked: {one}**" for one in variant.unlinked]
    if variant.unknown:
        lines.append(f"\nNot shown, because not known: {', '.join(variant.unknown)}")
    return "\n".join(lines)


def name_of(fact: CallFact, file: File) -> Span | None:
    """Where the last name of what is called stands."""
    func = fact.node.func
    if not isinstance(func, (ast.Attribute, ast.Name)) or func.end_lineno is None:
        return None
    name = func.attr if isinstance(func, ast.Attribute) else func.id
    line = func.end_lineno - 1 + fact.chunk.shift
    end = from_utf8(file.document.lines[line], func.end_col_offset or 0)
    return Span(line, end - len(name), line, end)
