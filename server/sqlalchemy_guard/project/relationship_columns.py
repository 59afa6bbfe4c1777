"""Columns that the arguments of a relationship name: in lists, in conditions, in strings to be evaluated, behind callables.

An empty list says that something is named and not understood. This module must never choose a join.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, ClassName, Function, Item, Operation, Sequence, Value
from sqlalchemy_guard.project import registries
from sqlalchemy_guard.project.relationships import text_of
from sqlalchemy_guard.project.tables import mapped_parents, table_of
from sqlalchemy_guard.project.types import ClassType, known
from sqlalchemy_guard.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.project.registries import ClassId, Registry
    from sqlalchemy_guard.project.relationships import Relationship
    from sqlalchemy_guard.project.table_columns import TableColumn
    from sqlalchemy_guard.project.tables import Table
    from sqlalchemy_guard.project.workspace import Workspace

Columns = list[tuple["Table", "TableColumn"]]


class Named(NamedTuple):
    """A column that an expression names, with what is said of it; `column` is None when it was not found."""

    column: tuple[Table, TableColumn] | None
    is_foreign: bool
    is_remote: bool


def foreign_columns(
    workspace: Workspace, relationship: Relationship, registry: Registry | None
) -> Columns | None:
    """The columns that a relationship says are foreign keys; None when it says nothing, empty when that is not understood."""
    given = relationship.value("foreign_keys")
    if given is not None:
        return _all([each.column for each in _columns(workspace, relationship, given, registry)])
    condition = relationship.value("primaryjoin")
    if condition is None:
        return None
    named = list(_columns(workspace, relationship, condition, registry))
    marked = [each.column for each in named if each.is_foreign]
    if marked:
        return _all(marked)
    if any(each.column is None for each in named):
        return []
    return [each.column for each in named if each.column is not None and each.column[1].foreign_keys]


def remote_columns(
    workspace: Workspace, relationship: Relationship, registry: Registry | None
) -> Columns | None:
    """The columns that a relationship says are of the other side; None when it says nothing, empty when not understood."""
    given = relationship.value("remote_side")
    if given is not None:
        return _all([each.column for each in _columns(workspace, relationship, given, registry)])
    condition = relationship.value("primaryjoin")
    if condition is None:
        return None
    named = list(_columns(workspace, relationship, condition, registry))
    marked = [each.column for each in named if each.is_remote]
    return _all(marked) if marked else None


def _all(columns: list[tuple[Table, TableColumn] | None]) -> Columns:
    found = [each for each in columns if each is not None]
    return found if len(found) == len(columns) else []


def _columns(
    workspace: Workspace, relationship: Relationship, value: Value, registry: Registry | None
) -> Iterator[Named]:
    text = text_of(workspace.resolver, value, relationship.file)
    if text is None:
        yield from _in_value(workspace, relationship, value, registry, foreign=False, remote=False)
        return
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        yield Named(None, False, False)
        return
    yield from _in_node(workspace, relationship, tree.body, registry, foreign=False, remote=False)


def _in_value(
    workspace: Workspace,
    relationship: Relationship,
    value: Value,
    registry: Registry | None,
    *,
    foreign: bool,
    remote: bool,
) -> Iterator[Named]:
    resolver, file = workspace.resolver, relationship.file
    inner: tuple[Value, ...] = ()
    if type(value) is Call:
        name = resolver.external_name(value.func, file)
        foreign = foreign or name == "sqlalchemy.orm.foreign"
        remote = remote or name == "sqlalchemy.orm.remote"
        # A method of a column: `User.id.in_(…)`.
        own = (value.func.base,) if type(value.func) is Attr and name is None else ()
        inner = (*own, *value.args)
    elif type(value) is Operation:
        inner = value.operands
    elif type(value) is Sequence:
        inner = value.items
    elif type(value) is Function:
        inner = (value.result,)
    elif type(value) is Item:
        inner = (value.base,)
    elif type(value) is ClassName:
        column = _column(workspace, relationship.owner_id, value.name)
        if column is not None or value.name in relationship.owner.attributes:
            yield Named(column, foreign, remote)
    elif type(value) is Attr:
        for option in known(resolver.type_of(value.base, file)):
            if isinstance(option, ClassType) and isinstance(option.ref, tuple):
                yield Named(_column(workspace, option.ref, value.name), foreign, remote)
                return
        if type(value.base) is Attr and value.base.name in ("c", "columns"):
            yield Named(None, foreign, remote)
    elif text_of(resolver, value, file) is not None and type(relationship.value("foreign_keys")) is Sequence:
        yield from _columns(workspace, relationship, value, registry)
    for each in inner:
        yield from _in_value(workspace, relationship, each, registry, foreign=foreign, remote=remote)


def _in_node(
    workspace: Workspace,
    relationship: Relationship,
    node: ast.AST,
    registry: Registry | None,
    *,
    foreign: bool,
    remote: bool,
) -> Iterator[Named]:
    if isinstance(node, ast.Attribute) and isinstance(node.value, (ast.Name, ast.Attribute)):
        path = ast.unparse(node.value)
        if path.endswith((".c", ".columns")):
            yield Named(None, foreign, remote)
            return
        found = registries.named(workspace.resolver, path, relationship.file, registry)
        if found:
            yield Named(_column(workspace, found[0], node.attr), foreign, remote)
            return
        yield Named(None, foreign, remote)
        return
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        foreign, remote = foreign or name == "foreign", remote or name == "remote"
        children: list[ast.AST] = [*node.args]
        if isinstance(node.func, ast.Attribute) and not isinstance(node.func.value, ast.Name):
            children.append(node.func.value)
    else:
        children = list(ast.iter_child_nodes(node))
    for child in children:
        yield from _in_node(workspace, relationship, child, registry, foreign=foreign, remote=remote)


def _column(workspace: Workspace, ref: ClassId, name: str) -> tuple[Table, TableColumn] | None:
    """The column of an attribute of a class, in its own table or in one that it is joined with."""
    for each in (ref, *mapped_parents(workspace.resolver, ref)):
        table = table_of(workspace, each)
        column = table.column(name) if table is not None else None
        if table is not None and column is not None:
            return table, column
    return None
