"""The edits of a rewritten legacy query: the new expressions laid out where the old ones stand, and their imports.

This module must never decide what a query becomes: `select` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.imports import Placed, need
from sqlalchemy_guard.fixes.layout import expression, reflow
from sqlalchemy_guard.fixes.select.tree import Either
from sqlalchemy_guard.syntax.syntax import Syntax
from sqlalchemy_guard.text.document import Document
from sqlalchemy_guard.text.edit import Edit, apply_edits
from sqlalchemy_guard.text.minimal import minimal_edits

if TYPE_CHECKING:
    import ast
    from collections.abc import Container, Iterable, Sequence

    from sqlalchemy_guard.fixes.query_component import Written
    from sqlalchemy_guard.fixes.select.tree import Imported
    from sqlalchemy_guard.fixes.source import Source


def edits_of(
    source: Source,
    statements: Sequence[Placed],
    rewrites: Sequence[Written],
    *,
    taken: Container[str] = (),
    extra: Iterable[tuple[str, str]] = (),
) -> tuple[Edit, ...]:
    """The edits that write rewrites down.

    Args:
        source: The text.
        statements: The module's top level, for the imports.
        rewrites: Each with its place.
        taken: Names that mean something else where the queries stand.
        extra: Module and name of what the new text needs besides the names of SQLAlchemy, under these very names.
    """
    wanted = [
        (each.module, each.name)
        for written in rewrites
        for each in sorted(written.rewrite.imports, key=_order)
    ]
    by_name = frozenset(extra)
    spelled, edits = _imports(source, statements, list(dict.fromkeys([*wanted, *by_name])), taken, by_name)
    found: list[Edit] = list(edits)
    by_statement: dict[ast.stmt, list[Edit]] = {}
    shifts: dict[ast.stmt, int] = {}
    for written in rewrites:
        rewrite, statement, shift = written.rewrite, written.statement, written.chunk.shift
        shifts[statement] = shift
        text = rewrite.text(lambda name: spelled[name.module, name.name])
        start, end = source.start(rewrite.node, shift), source.end(rewrite.node, shift)
        if isinstance(rewrite.tree, Either) and getattr(statement, "value", None) is not rewrite.node:
            text = f"({text})"
        if "\n" in text:
            text = expression(text, source, start)
        by_statement.setdefault(statement, []).append(Edit(start, end, text))
    for statement, inside in by_statement.items():
        found.extend(_laid_out(source, statement, inside, shifts[statement]))
    return tuple(found)


def _order(name: Imported) -> tuple[str, str]:
    return name.module, name.name


def _laid_out(source: Source, statement: ast.stmt, inside: list[Edit], shift: int) -> tuple[Edit, ...]:
    """The edits of one statement, broken into lines where they must be."""
    found = reflow(source, statement, inside, shift)
    if found != tuple(inside):
        return found
    return tuple(
        Edit(edit.start, edit.end, expression(edit.new, source, edit.start))
        if _overflows(source, edit)
        else edit
        for edit in inside
    )


def _overflows(source: Source, edit: Edit) -> bool:
    if "\n" in edit.new:
        return False
    before = edit.start - source.line_start(edit.start)
    after = source.line_end(edit.end) - edit.end
    return before + len(edit.new) + after > source.line_length


def _imports(
    source: Source,
    statements: Sequence[Placed],
    wanted: list[tuple[str, str]],
    taken: Container[str],
    by_name: Container[tuple[str, str]],
) -> tuple[dict[tuple[str, str], str], tuple[Edit, ...]]:
    """How each wanted name is spelled, and what makes them available."""
    found = {each: need(source, statements, *each, taken=taken, by_name=each in by_name) for each in wanted}
    missing = [each for each, imported in found.items() if imported.edits]
    spelled = {each: imported.expression for each, imported in found.items()}
    edits = [edit for imported in found.values() for edit in imported.edits]
    modules, places = {module for module, _ in missing}, {edit.start for edit in edits}
    if len(modules) == len(missing) and len(places) == len(edits):
        return spelled, tuple(edits)
    # Two names for one import, or two imports at one place: the second one is put beside what the first one made of it.
    here, current = source, statements
    for each in missing:
        imported = need(here, current, *each, taken=taken, by_name=each in by_name)
        spelled[each] = imported.expression
        here = source.with_text(apply_edits(here.text, imported.edits))
        # Parsed as the file was: what is broken elsewhere does not matter.
        syntax = Syntax(Document.from_text("", here.text))
        current = [Placed(node, chunk.shift) for chunk in syntax.chunks for node in chunk.body]
    return spelled, minimal_edits(source.text, here.text)
