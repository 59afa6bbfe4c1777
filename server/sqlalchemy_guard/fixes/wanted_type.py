"""Which Python type the `Mapped[…]` of an untyped column holds, as its own file can write it.

This module must never decide whether the column may be None.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.project.column_types import PythonType, python_type
from sqlalchemy_guard.project.columns import is_nullable
from sqlalchemy_guard.project.foreign_keys import followed_type
from sqlalchemy_guard.project.types import NONE_TYPE, options

if TYPE_CHECKING:
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.columns import Column
    from sqlalchemy_guard.project.workspace import File, Workspace


def wanted_type(workspace: Workspace, column: Column, file: File, source: Source) -> PythonType | None:
    """What `Mapped` must hold; None when the names that it needs mean something else in the class.

    Args:
        workspace: Types.
        column: The column.
        file: Its file.
        source: The text of that.
    """
    resolver = workspace.resolver
    statement = column.statement
    if isinstance(statement, ast.AnnAssign) and column.annotation is not None:
        declared = resolver.instance_of(column.annotation, file)
        if (NONE_TYPE in options(declared)) != is_nullable(resolver, column):
            return None
        return PythonType(_escaped(source.segment(statement.annotation, column.attribute.chunk.shift)))
    if column.type is None and column.foreign_keys:
        python = followed_type(workspace, column.owner, file, column.name)
    else:
        python = python_type(resolver, column.type, column.type_node, file)
    if python is None:
        return None
    own = {*column.owner.attributes, *column.owner.methods, *column.owner.classes}
    builtins = python.names & {"int", "str", "float", "bool", "bytes", "list", "dict", "set"}
    return None if python.names & own or builtins & file.facts.names.keys() else python


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
