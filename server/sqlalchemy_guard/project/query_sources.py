"""Facts about where legacy queries may come from that no call shows: `Model.query` as it stands.

This module must never resolve a type: whoever subscribes asks what the attribute is read from.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import dataclass
from sqlalchemy_guard.syntax.parents import parents_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.units import Unit
    from sqlalchemy_guard.syntax.chunk import Chunk


@dataclass(slots=True, eq=False)
class QueryAttribute:
    """An attribute named `query` that is read and not called."""

    node: ast.Attribute
    chunk: Chunk


def query_attributes(unit: Unit, lines: list[str]) -> Iterator[QueryAttribute]:
    """The attributes named `query` of a unit that are not called."""
    if "query" not in unit.attribute_names:
        return
    for chunk in unit.chunk.leaves() if unit.kind != "class" else ():
        if not any(".query" in line for line in lines[chunk.start : chunk.end]):
            continue
        called: set[ast.expr] = set()
        found: list[ast.Attribute] = []
        for node in parents_in(chunk):
            if isinstance(node, ast.Call):
                called.add(node.func)
            elif isinstance(node, ast.Attribute) and node.attr == "query" and isinstance(node.ctx, ast.Load):
                found.append(node)
        found.sort(key=lambda node: (node.lineno, node.col_offset))
        for attribute in found:
            if attribute not in called:
                yield QueryAttribute(attribute, chunk)
