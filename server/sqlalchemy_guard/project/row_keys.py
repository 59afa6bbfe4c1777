"""Rows of results that are read by a column's name in brackets (`row["name"]`), as facts.

Expressions are evaluated anew only in code that executes something and reads items by constant texts: most code does not.
This module must never judge a row.
"""

from __future__ import annotations

import ast
import keyword
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.memos import values_in
from sqlalchemy_guard.project.types import Instance, known
from sqlalchemy_guard.records import dataclass
from sqlalchemy_guard.syntax.parents import parents_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.units import Unit
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.resolve import Resolver
    from sqlalchemy_guard.project.workspace import File
    from sqlalchemy_guard.syntax.chunk import Chunk

_EXECUTING = frozenset(("execute", "query", "fetchall", "fetchone", "fetchmany", "exec_driver_sql", "stream"))
_METHODS = frozenset(("count", "index", "t", "tuple"))


@dataclass(slots=True, eq=False)
class RowKey:
    """A row read by a column's name in brackets.

    Attributes:
        node: The subscript.
        chunk: Its chunk.
        key: The name.
    """

    node: ast.Subscript
    chunk: Chunk
    key: str

    @property
    def is_attribute(self) -> bool:
        """Whether an attribute of the row is the same."""
        return (
            self.key.isidentifier()
            and not keyword.iskeyword(self.key)
            and not self.key.startswith("_")
            and self.key not in _METHODS
        )

    @property
    def written(self) -> str:
        """How 2.x reads it."""
        return f"row.{self.key}" if self.is_attribute else f'row._mapping["{self.key}"]'


def row_keys(unit: Unit, file: File, resolver: Resolver) -> Iterator[RowKey]:
    """The reads of rows by name in a unit."""
    if unit.kind == "class" or not any(
        isinstance(fact.node.func, ast.Attribute) and fact.node.func.attr in _EXECUTING for fact in unit.calls
    ):
        return
    for chunk in unit.chunk.leaves():
        read = chunk.once(_string_items)
        values = values_in(chunk) if read else {}
        for node, key in read:
            value = values.get(node.value)
            if value is not None and _is_row(resolver, value, file):
                yield RowKey(node, chunk, key)


def _string_items(chunk: Chunk) -> list[tuple[ast.Subscript, str]]:
    found: list[tuple[ast.Subscript, str]] = []
    for node in parents_in(chunk):
        match node:
            case ast.Subscript(ctx=ast.Load(), slice=ast.Constant(value=str(key))):
                found.append((node, key))
    return sorted(found, key=lambda each: (each[0].lineno, each[0].col_offset))


def _is_row(resolver: Resolver, value: Value, file: File) -> bool:
    """Whether a value is a row of a result and nothing else."""
    kinds = list(known(resolver.type_of(value, file)))
    return bool(kinds) and all(
        isinstance(kind, Instance) and kind.ref == "sqlalchemy.Row" and not kind.likely for kind in kinds
    )
