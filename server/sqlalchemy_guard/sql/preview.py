"""The SQL of the statement at a line: the function around it is run over the rebuilt models, nothing is executed.

    for variant in preview(workspace, file_id, line, "postgresql"):   # line: 0-based
        variant.sql, variant.rows, variant.added, variant.unknown, variant.error, variant.when

Each way through the function that leads to other SQL is a variant; `when` says which conditions it takes. What is not known is a
named parameter, or named in `unknown` where a part is missing. This module must never show a statement whose FROM is unknown.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import dataclass
from sqlalchemy_guard.sql import natives, rendering
from sqlalchemy_guard.sql.ways import ways

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable

    from sqlalchemy_guard.project.workspace import Workspace
    from sqlalchemy_guard.sql.program import Module
    from sqlalchemy_guard.sql.queries import Executed, Queries
    from sqlalchemy_guard.sql.scopes import Frame
    from sqlalchemy_guard.text.span import Span

MOST_WAYS = 24
"""So many ways through a function are looked at."""
MOST_VARIANTS = 8
ENOUGH, LONGEST = 0.7, 3.0
"""Seconds after which no further way is looked at: when there is a variant, and when there is none yet."""


@dataclass(slots=True)
class Variant:
    """One form that a statement may have.

    Attributes:
        sql: Its text, laid out; empty when the dialect has none.
        error: Why not.
        parameters: The names of values that are not known.
        rows: What a row is.
        added: What loaders add: `1 SELECT by selectinload(User.posts)`.
        unknown: What is missing in the text because it is not known.
        unlinked: FROM elements that nothing links.
        when: The conditions that lead to it.
        terminal: The method that executes it, "" where it is only built.
        span: The expression in the source.
    """

    sql: str
    error: str
    parameters: tuple[str, ...]
    rows: str
    added: tuple[str, ...]
    unknown: tuple[str, ...]
    unlinked: tuple[str, ...]
    when: tuple[str, ...]
    terminal: str
    span: Span


def preview(
    workspace: Workspace, file_id: str, line: int, dialect: str, poll: Callable[[], None] | None = None
) -> list[Variant]:
    """The statements at a line, one for each form that they may have; none when there is no statement, or its FROM is unknown.

    Args:
        workspace: Its models are rebuilt when they are not up to date.
        file_id: The file.
        line: 0-based.
        dialect: One of `ddl.DIALECTS`.
        poll: Raises to end everything.

    Raises:
        Whatever `poll` raises.
    """
    found: dict[tuple[str, ...], Variant] = {}
    start = time.monotonic()
    with closing(ways(workspace, file_id, line, poll)) as runs:
        for number, way in enumerate(runs, 1):
            chosen = _at(way.queries, way.module, line)
            if chosen is not None:
                variant = _variant(*chosen, dialect, way.trail)
                found.setdefault((variant.sql, variant.error, *variant.unknown), variant)
            late = time.monotonic() - start > (ENOUGH if found else LONGEST)
            if late or len(found) >= MOST_VARIANTS or number == MOST_WAYS:
                break
    return _told_apart(list(found.values()))


# -- what is shown -------------------------------------------------------------------------------------------------


def _at(queries: Queries, module: Module, line: int) -> tuple[Executed, Span] | None:
    """The last and largest of the statements that calls at a line gave; one that is executed before one that is built."""
    best: tuple[tuple[bool, int, int], Executed, Span] | None = None
    for index, (frame, node, one) in enumerate(queries.executed):
        if frame.module is not module or frame.chunk is None:
            continue
        span = module.file.syntax.node_span(frame.chunk, node)
        if not span.line <= line <= span.end_line:
            continue
        if any(_encloses(module, span, *outer) for outer in queries.broken):
            # A part of something whose tables are not known.
            continue
        size = (span.end_line - span.line) * 1000 + span.end_column - span.column
        rank = (bool(one.terminal), size, index)
        if best is None or rank >= best[0]:
            best = (rank, one, span)
    return None if best is None else (best[1], best[2])


def _encloses(module: Module, span: Span, frame: Frame, node: ast.Call) -> bool:
    if frame.module is not module or frame.chunk is None:
        return False
    outer = module.file.syntax.node_span(frame.chunk, node)
    start, end = (outer.line, outer.column), (outer.end_line, outer.end_column)
    return start <= (span.line, span.column) and (span.end_line, span.end_column) <= end


def _variant(one: Executed, span: Span, dialect: str, trail: list[tuple[str, bool]]) -> Variant:
    made = rendering.render(one.statement, dialect)
    added = sorted(mark.removeprefix(natives.ADDED) for mark in one.marks if mark.startswith(natives.ADDED))
    selects = [f"1 SELECT by {text}" for text in added if not text.startswith("joinedload")]
    joins = [f"JOIN by {text}" for text in added if text.startswith("joinedload")]
    named = {text.partition("(")[2].rstrip(")") for text in added}
    mapped = [text for text in rendering.eager(one.statement) if text.rpartition(" ")[2] not in named]
    return Variant(
        sql=made.sql,
        error=made.error,
        parameters=made.parameters,
        rows=rendering.shape(one.statement, one.terminal),
        added=(*selects, *mapped, *joins),
        unknown=tuple(sorted(mark for mark in one.marks if not mark.startswith(natives.ADDED))),
        unlinked=() if one.marks else made.unlinked,
        when=tuple(text if taken else f"not ({text})" for text, taken in trail),
        terminal=one.terminal,
        span=span,
    )


def _told_apart(variants: list[Variant]) -> list[Variant]:
    """Variants with only those conditions that tell them apart."""
    common = set.intersection(*(set(one.when) for one in variants)) if variants else set()
    for one in variants:
        one.when = tuple(text for text in one.when if text not in common)
    return variants
