"""Edits that give a table another name in all files: where it is declared, in foreign keys, as `secondary`.

This module must never touch SQL text: what stands in strings of other kinds is not found.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Const
from sqlalchemy_guard.fixes.source import Source
from sqlalchemy_guard.project.foreign_keys import foreign_keys, target_of
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.project.tables import Table
    from sqlalchemy_guard.project.workspace import File, Workspace

_RELATIONSHIPS = ("sqlalchemy.orm.relationship", "sqlalchemy.orm.relation", "sqlalchemy.orm.backref")
_EXPRESSIONS = ("primaryjoin", "secondaryjoin", "order_by", "foreign_keys", "remote_side")


def rename_references(workspace: Workspace, table: Table, new: str) -> dict[str, tuple[Edit, ...]] | None:
    """The edits of everything that names a table; None where a relationship names it inside an expression,
    and for names that are no identifiers."""
    assert table.name is not None
    found: dict[str, tuple[Edit, ...]] = {}
    if not table.name.isidentifier():
        return None
    files, is_all = workspace.naming(table.name)
    if not is_all:
        return None
    for file in files:
        edits: dict[int, Edit] = {}
        source = Source.of(file.document)
        for node, shift, text in _named(workspace, file, table, new):
            if text is None:
                return None
            start, end = source.start(node, shift), source.end(node, shift)
            quote = source.text[end - 1]
            edits[start] = Edit(start, end, f"{quote}{text}{quote}")
        if edits:
            found[file.file_id] = tuple(edits[start] for start in sorted(edits))
    return found


def _named(
    workspace: Workspace, file: File, table: Table, new: str
) -> Iterator[tuple[ast.expr, int, str | None]]:
    """Strings that name the table, with their chunk's shift and what they must say; None for one that cannot be changed."""
    for unit in file.facts.units():
        for key in foreign_keys(unit, file, workspace):
            for own, column in key.columns:
                target = target_of(workspace, own, column, key.text)
                if target is None or not any(each is table for each in target.tables):
                    continue
                parts = key.text.split(".")
                parts[-2 if len(parts) > 1 else -1] = new
                yield (
                    key.node,
                    key.chunk.shift,
                    ".".join(parts) if isinstance(key.node, ast.Constant) else None,
                )
        for fact in unit.calls:
            if workspace.resolver.external_name(fact.value.func, file) not in _RELATIONSHIPS:
                continue
            for name, value in fact.value.keywords:
                said = value.value if type(value) is Const else None
                if not isinstance(said, str) or name is None:
                    continue
                node = next((each.value for each in fact.node.keywords if each.arg == name), None)
                if node is None:
                    continue
                if name == "secondary" and said.rpartition(".")[2] == table.name:
                    yield node, fact.chunk.shift, said[: -len(table.name or "")] + new
                elif name in _EXPRESSIONS and f"{table.name}." in said:
                    # The name of a class looks the same here: nobody knows which of the two is meant.
                    yield node, fact.chunk.shift, None
