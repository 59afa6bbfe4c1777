"""Edits that turn a use of a dynamic relationship into the use of a write-only one.

This module must never find out itself which uses there are.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.arguments import remove_argument
from sqlalchemy_guard.fixes.imports import need
from sqlalchemy_guard.fixes.layout import reflow
from sqlalchemy_guard.project.dynamic import PAGES, WRITES, statement_of
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy_guard.fixes.imports import Placed
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.dynamic import Use
    from sqlalchemy_guard.syntax.chunk import Chunk

_RENAMED = {"filter": "where"}


def changed(
    source: Source,
    statements: Sequence[Placed],
    uses: Iterable[Use],
    parent: Callable[[Chunk, ast.AST], ast.AST | None],
) -> tuple[Edit, ...]:
    """The edits of one file, with what it must import.

    Args:
        source: The file's text.
        statements: Its top level.
        uses: The uses in it.
        parent: The node that contains a node of a chunk.
    """
    uses = list(uses)
    edits: list[Edit] = []
    names = {"func": "", "select": ""}
    if any(use.ending == "count" for use in uses):
        needed = {name: need(source, statements, "sqlalchemy", name) for name in names}
        names = {name: imported.expression for name, imported in needed.items()}
        if all(imported.edits and imported.expression == name for name, imported in needed.items()):
            edits += need(source, statements, "sqlalchemy", "func, select").edits
        else:
            edits += [edit for imported in needed.values() for edit in imported.edits]
    by_statement: dict[ast.stmt, tuple[int, list[Edit]]] = {}
    for use in uses:
        shift = use.chunk.shift
        own = by_statement.setdefault(statement_of(use, parent), (shift, []))[1]
        if use.ending in WRITES:
            own += renamed_method(source, use.calls[0], WRITES[use.ending], shift)
            continue
        count = (
            f"{use.session}.scalar({names['select']}({names['func']}.count()).select_from({{}}.subquery()))"
        )
        own += selected(source, use.root, use.calls, use.session, use.ending, count, shift)
    for statement, (shift, own) in by_statement.items():
        edits += reflow(source, statement, own, shift)
    return tuple(edits)


def annotated(
    source: Source,
    statements: Sequence[Placed],
    statement: ast.AnnAssign,
    call: ast.Call,
    loader: ast.keyword,
    shift: int = 0,
) -> tuple[Edit, ...] | None:
    """`Mapped[list[X]] = relationship(lazy=…)` -> `WriteOnlyMapped[X] = relationship()`; None for another annotation.

    Args:
        source: The text.
        statements: The module's top level.
        statement: The declaration.
        call: The relationship.
        loader: The argument that names the loader.
        shift: Of the chunk they come from.
    """
    inner = statement.annotation.slice if isinstance(statement.annotation, ast.Subscript) else None
    if not isinstance(inner, ast.Subscript) or isinstance(inner.slice, ast.Tuple):
        return None
    name = inner.value.attr if isinstance(inner.value, ast.Attribute) else getattr(inner.value, "id", "")
    if name not in ("list", "List"):
        return None
    imported = need(source, statements, "sqlalchemy.orm", "WriteOnlyMapped")
    text = f"{imported.expression}[{source.segment(inner.slice, shift)}]"
    start, end = source.start(statement.annotation, shift), source.end(statement.annotation, shift)
    without = remove_argument(source, call, loader, shift, statement)
    return (Edit(start, end, text), *imported.edits, *without)


def renamed_method(source: Source, call: ast.Call, name: str, shift: int = 0) -> tuple[Edit, ...]:
    """Call a method by another name."""
    end = source.end(call.func, shift)
    start = source.text.rindex(".", 0, end) + 1
    return (Edit(start, end, name),)


def selected(
    source: Source,
    root: ast.expr,
    calls: Sequence[ast.Call],
    session: str,
    ending: str,
    count: str,
    shift: int = 0,
) -> tuple[Edit, ...]:
    """`root.filter(x).all()` -> `session.scalars(root.select().where(x)).all()`.

    Args:
        source: The text.
        root: The attribute.
        calls: The calls chained to it, the ending last where there is one.
        session: The expression of the session, of the extension for what only that has.
        ending: The method that ends the query, "" for an iteration.
        count: What a count is written with, with `{}` for the statement.
        shift: Of the chunk they come from.
    """
    start, after_root = source.start(root, shift), source.end(root, shift)
    links = calls[:-1] if ending else calls
    edits = [Edit(after_root, after_root, ".select()")]
    for link in links:
        name = source.text[
            source.text.rindex(".", 0, source.end(link.func, shift)) + 1 : source.end(link.func, shift)
        ]
        if name in _RENAMED:
            edits += renamed_method(source, link, _RENAMED[name], shift)
    end = source.end(links[-1], shift) if links else after_root
    if ending == "count":
        before, behind = count.split("{}")
        edits.append(Edit(start, start, before))
        edits.append(Edit(end, source.end(calls[-1], shift), behind))
    elif ending in PAGES:
        last = calls[-1]
        opening = source.opening(last, shift) + 1
        edits.append(Edit(start, start, f"{session}.{ending}("))
        gap = " " if last.keywords and not source.text[opening].isspace() else ""
        edits.append(Edit(end, opening, f",{gap}" if last.keywords else ""))
    else:
        edits.append(Edit(start, start, f"{session}.scalars("))
        closing = ".limit(1))" if ending == "first" else ")"
        edits.append(Edit(end, end, closing))
    return _merged(edits)


def _merged(edits: Sequence[Edit]) -> tuple[Edit, ...]:
    """Insertions at the same place as one, in the order in which they were made."""
    found: dict[tuple[int, int], str] = {}
    for edit in edits:
        found[edit.start, edit.end] = found.get((edit.start, edit.end), "") + edit.new
    result: list[Edit] = []
    for (start, end), text in sorted(found.items()):
        if result and result[-1].start == result[-1].end == start:
            result[-1] = Edit(start, end, result[-1].new + text)
        else:
            result.append(Edit(start, end, text))
    return tuple(result)
