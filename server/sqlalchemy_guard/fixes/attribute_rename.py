"""Edits that rename a mapped attribute wherever it is meant, its column keeping its name in the database.

This module must never decide whether every place is known: `attribute_uses` does.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.annotations import target_of
from sqlalchemy_guard.fixes.arguments import insert_positional
from sqlalchemy_guard.fixes.imports import need_all
from sqlalchemy_guard.fixes.source import Source
from sqlalchemy_guard.project.columns import BareColumn
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy_guard.fixes.imports import Placed
    from sqlalchemy_guard.project.attribute_uses import AttributeUse
    from sqlalchemy_guard.project.columns import Column


def declaration(
    source: Source, statements: Sequence[Placed], column: Column | BareColumn, new: str
) -> list[Edit]:
    """The edits of the attribute's own statement, and of the imports that it then needs.

    Args:
        source: Of the attribute's file.
        statements: The statements of its module.
        column: The attribute.
        new: Its new name.
    """
    shift = column.attribute.chunk.shift
    start = source.start(target_of(column.statement), shift)
    edits = [Edit(start, start + len(column.name), new)]
    text = f"{source.quote}{column.name}{source.quote}"
    if isinstance(column, BareColumn):
        taken = {*column.owner.attributes, *column.owner.methods, *column.owner.classes}
        (made,), imported = need_all(source, statements, [("sqlalchemy.orm", "mapped_column")], taken=taken)
        end = source.end(column.statement, shift)
        edits += [Edit(end, end, f" = {made}({text})"), *imported]
    elif column.database_name == column.name and not _says_name(column):
        # Behind the statement's own renamed target nothing else of it changes its length on the first line.
        edits += insert_positional(source, column.node, 0, text, shift)
    return edits


def uses(
    places: list[AttributeUse], source: Source, file_id: str, old: str, new: str
) -> dict[str, list[Edit]]:
    """The edits of all places that mean the attribute, by file.

    Args:
        places: Where they are.
        source: Of the file that is already open.
        file_id: That file.
        old: The attribute's name.
        new: Its new name.
    """
    edits: dict[str, list[Edit]] = {}
    for use in places:
        document = use.file.document
        text = source if use.file.file_id == file_id else Source.of(document)
        at = text.start(use.node, use.chunk.shift)
        if isinstance(use.node, ast.Attribute):
            at = text.end(use.node, use.chunk.shift) - len(old)
        edits.setdefault(use.file.file_id, []).append(Edit(at, at + len(old), new))
    return edits


def _says_name(column: Column) -> bool:
    first = column.node.args[0] if column.node.args else None
    return column.keyword("name") is not None or (
        isinstance(first, ast.Constant) and isinstance(first.value, str)
    )
