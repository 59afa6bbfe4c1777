"""Which columns an index of their table begins with, and which columns the queries of the workspace ask by.

This module must never decide which column needs an index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, ClassName, Operation, Value
from sqlalchemy_guard.project.column_calls import is_column_of
from sqlalchemy_guard.project.engines import engine_of
from sqlalchemy_guard.project.table_arguments import read_constraint
from sqlalchemy_guard.project.tables import table_of
from sqlalchemy_guard.project.types import ClassType, known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.project.resolve import SourceFile
    from sqlalchemy_guard.project.table_columns import TableColumn
    from sqlalchemy_guard.project.tables import ClassId, Table
    from sqlalchemy_guard.project.workspace import Workspace

_ENGINES = ("create_engine", "create_async_engine")
_CRITERIA = ("where", "filter", "order_by")


def begins_index(workspace: Workspace, table: Table, column: TableColumn) -> bool | None:
    """Whether an index, unique constraint or primary key begins with a column; None when some could not be read."""
    if column.flag("index") or column.flag("unique"):
        return True
    for name in ("index", "unique"):
        if column.keyword(name) is not None and column.flag(name) is None:
            return None
    identity = table.primary_key()
    if identity and identity[0] is column:
        return True
    names = {column.name, column.key, column.attribute} - {None}
    if any(
        each.kind != "foreign key" and each.columns[:1] and each.columns[0] in names
        for each in table.constraints
    ):
        return True
    if any(name in names for name in _indexed_apart(workspace, table)):
        return True
    hidden = not table.has_all_arguments or not column.is_readable or not table.is_complete
    # Where an expression comes first, it may be one of this column.
    hidden = hidden or any(each.kind == "index" and each.columns[:1] == (None,) for each in table.constraints)
    return None if hidden else False


def _indexed_apart(workspace: Workspace, table: Table) -> Iterator[str]:
    """The first columns of `Index(…)` that stand outside of the table: in the body of its class, or behind it."""
    for call, file in workspace.calls_of("Index", None):
        yield from _first(workspace, table, call, file)
    for ref in table.classes:
        home = workspace.file(ref[0])
        for unit in home.facts.units() if home is not None else ():
            for fact in unit.calls:
                func = fact.value.func
                if home is not None and type(func) is ClassName and func.qualname == ref[1]:
                    constraint = read_constraint(workspace.resolver, fact.value, home)
                    if constraint is not None and constraint.columns and constraint.columns[0] is not None:
                        yield constraint.columns[0]


def _first(workspace: Workspace, table: Table, call: Call, file: SourceFile) -> Iterator[str]:
    first = call.args[1] if len(call.args) > 1 else None
    if type(first) is not Attr or workspace.resolver.external_name(call.func, file) != "sqlalchemy.Index":
        return
    of_table = is_column_of(first)
    if of_table is not None:
        made, _ = workspace.resolver.definition_of(of_table[0], file)
        if made == table.call or type(made) is not Call:
            yield of_table[1]
        return
    for option in known(workspace.resolver.type_of(first.base, file)):
        if isinstance(option, ClassType) and option.ref in table.classes:
            yield first.name


def only_mysql(workspace: Workspace) -> bool:
    """Whether every engine of the workspace whose dialect can be read is of MySQL or MariaDB, which index keys themselves."""
    found = dialects(workspace)
    return bool(found) and found <= {"mysql", "mariadb"}


def dialects(workspace: Workspace) -> set[str]:
    """The dialects of the workspace's engines, as far as they can be read."""
    return workspace.resolver.gathered("dialects", lambda: _dialects(workspace))


def _dialects(workspace: Workspace) -> set[str]:
    return {
        dialect
        for name in _ENGINES
        for call, file in workspace.calls_of(name, None)
        if (dialect := engine_of(workspace.resolver, call, file).dialect) is not None
    }


def asked_by(workspace: Workspace, table: Table, column: TableColumn) -> int:
    """In how many calls queries filter or order by a column of a mapped class."""
    counts = workspace.resolver.gathered("columns asked by", lambda: _asked(workspace))
    return sum(counts.get((ref, column.attribute or ""), 0) for ref in table.classes)


def _asked(workspace: Workspace) -> dict[tuple[ClassId, str], int]:
    found: dict[tuple[ClassId, str], int] = {}
    for method in _CRITERIA:
        for call, file in workspace.calls_of(method, None):
            for key in {key for arg in call.args for key in _columns(workspace, arg, file, 0)}:
                found[key] = found.get(key, 0) + 1
    return found


def _columns(
    workspace: Workspace, value: Value, file: SourceFile, depth: int
) -> Iterator[tuple[ClassId, str]]:
    """The mapped attributes whose own values a criterion compares: none below a function, which no plain index serves."""
    if depth > 6:
        return
    if type(value) is Operation:
        for operand in value.operands:
            yield from _columns(workspace, operand, file, depth + 1)
    elif type(value) is Call and type(value.func) is Attr:
        if value.func.name in ("in_", "between", "desc", "asc", "is_", "startswith", "like"):
            yield from _columns(workspace, value.func.base, file, depth + 1)
    elif type(value) is Attr:
        for option in known(workspace.resolver.type_of(value.base, file)):
            if isinstance(option, ClassType) and isinstance(option.ref, tuple):
                table = table_of(workspace, option.ref)
                if table is not None and table.model is not None:
                    yield table.model, value.name
