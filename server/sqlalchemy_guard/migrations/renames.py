"""Renames told from a drop and an add, and changes told from a drop and an add of the same thing.

A column is renamed when a table loses one and gets one that is alike in type, nullability and place, and neither could be meant by
another. This module must never guess between two.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from alembic.operations import ops

from sqlalchemy_guard.migrations.difference import Difference
from sqlalchemy_guard.migrations.reflection import column_type
from sqlalchemy_guard.records import replace
from sqlalchemy_guard.sql.natives import LIBRARY_ERRORS

if TYPE_CHECKING:
    import sqlalchemy

    from sqlalchemy_guard.migrations.difference import Side
    from sqlalchemy_guard.migrations.state import Key, TableState

_ALIKE = 0.8
"""The share of columns that a renamed table has in common with itself."""


def recognised(side: Side, found: list[Difference]) -> list[Difference]:
    """The differences with renames and changes put together."""
    found = _tables(side, found)
    by_table: dict[Key, list[Difference]] = defaultdict(list)
    for one in found:
        by_table[one.key].append(one)
    result: list[Difference] = []
    for key, ones in by_table.items():
        result += _changed(_columns(side, key, ones))
    return result


# -- tables --------------------------------------------------------------------------------------------------------------


def _tables(side: Side, found: list[Difference]) -> list[Difference]:
    removed = [one for one in found if one.kind == "remove_table"]
    added = [one for one in found if one.kind == "add_table"]
    pairs = [
        (old, new)
        for old in removed
        for new in added
        if old.key[0] == new.key[0] and _is_alike(side, side.schema.tables[old.key], side.table(new.key))
    ]
    result = list(found)
    for old, new in pairs:
        if sum(one is old for one, _ in pairs) > 1 or sum(one is new for _, one in pairs) > 1:
            continue
        state, model = side.schema.tables[old.key], side.table(new.key)
        assert model is not None
        if {column.name for column in state.columns} != {column.name for column in model.columns}:
            continue
        rename = ops.RenameTableOp(old.key[1], new.key[1], schema=new.key[0])
        gone = {id(old), id(new)}
        result = [
            one
            for one in result
            if id(one) not in gone and not (one.kind == "part_of_table" and one.key == new.key)
        ]
        result.append(Difference("rename_table", new.key, None, old.revision, (rename,), old.key[1]))
    return result


def _is_alike(side: Side, state: TableState, model: sqlalchemy.Table | None) -> bool:
    if model is None or len(state.columns) < 3:
        return False
    old = {(column.name, _written(side, column_type(column))) for column in state.columns}
    new = {(column.name, _written(side, column.type)) for column in model.columns}
    return len(old & new) >= _ALIKE * max(len(old), len(new))


def _written(side: Side, type_: Any) -> str:
    try:
        return str(side.dialect.type_compiler_instance.process(type_)).lower()
    except LIBRARY_ERRORS:
        return type(type_).__name__


# -- columns -------------------------------------------------------------------------------------------------------------


def _columns(side: Side, key: Key, found: list[Difference]) -> list[Difference]:
    state, model = side.schema.tables.get(key), side.table(key)
    removed = [one for one in found if one.kind == "remove_column"]
    added = [one for one in found if one.kind == "add_column"]
    if state is None or model is None or not removed or not added:
        return found
    pairs = [(old, new) for old in removed for new in added if _is_renamed(side, state, model, old, new)]
    result = list(found)
    for old, new in pairs:
        if sum(one is old for one, _ in pairs) > 1 or sum(one is new for _, one in pairs) > 1:
            # Either could be meant.
            continue
        assert old.column is not None
        assert new.column is not None
        column = state.column(old.column)
        assert column is not None
        renamed = ops.AlterColumnOp(
            key[1],
            old.column,
            schema=key[0],
            modify_name=new.column,
            existing_type=column_type(column),
            existing_nullable=column.nullable,
        )
        result = _without_followers(result, state, old.column, new.column)
        result = [one for one in result if one is not old and one is not new]
        result.append(Difference("rename_column", key, new.column, old.revision, (renamed,), old.column))
    return result


def _is_renamed(
    side: Side, state: TableState, model: sqlalchemy.Table, old: Difference, new: Difference
) -> bool:
    """Whether a column that went and one that came are alike."""
    assert old.column is not None
    assert new.column is not None
    column, target = state.column(old.column), model.c[new.column]
    return (
        column is not None
        and _written(side, column_type(column)) == _written(side, target.type)
        and column.nullable is bool(target.nullable)
        and _is_in_place(state, model, old.column, new.column)
    )


def _is_in_place(state: TableState, model: sqlalchemy.Table, old: str, new: str) -> bool:
    """Whether a column stands between the same neighbours, or the names have a part in common."""
    before = [column.name for column in state.columns]
    after = [column.name for column in model.columns]
    neighbours = _around(before, old), _around(after, new)
    parts = set(old.lower().split("_")) & set(new.lower().split("_"))
    return bool(parts) or neighbours[0] == neighbours[1]


def _around(names: list[str], name: str) -> tuple[str | None, str | None]:
    index = names.index(name)
    return (names[index - 1] if index else None, names[index + 1] if index + 1 < len(names) else None)


def _without_followers(found: list[Difference], state: TableState, old: str, new: str) -> list[Difference]:
    """The differences without keys that differ by nothing but the name of a column that was renamed."""
    gone: list[Difference] = []
    for kind in ("unique", "foreignkey"):
        before = [one for one in found if one.kind == f"remove_{kind}" and old in _parts(one)]
        for added in (one for one in found if one.kind == f"add_{kind}" and new in _parts(one)):
            columns = tuple(old if name == new else name for name in _parts(added))
            if any(sorted(one.columns) == sorted(columns) for one in state.of_kind(kind)):
                gone += [added, *(one for one in before if sorted(_parts(one)) == sorted(columns))]
    return [one for one in found if not any(one is each for each in gone)]


# -- constraints and indexes ---------------------------------------------------------------------------------------------


def _parts(one: Difference) -> tuple[str, ...]:
    """The columns of a constraint or index."""
    operation = one.operations[0]
    if isinstance(operation, (ops.CreateIndexOp, ops.DropIndexOp)):
        index = operation.to_index()
        return tuple(str(getattr(each, "name", each)) for each in index.expressions)
    constraint = operation.to_constraint()
    return (
        tuple(element.parent.name for element in constraint.elements)
        if hasattr(constraint, "elements")
        else tuple(column.name for column in constraint.columns)
    )


def _name(one: Difference) -> str | None:
    operation = one.operations[0]
    return getattr(operation, "index_name", None) or getattr(operation, "constraint_name", None)


def _changed(found: list[Difference]) -> list[Difference]:
    """A removed and an added constraint or index of the same columns or name are one that changed."""
    result = list(found)
    for kind in ("index", "unique", "foreignkey"):
        for old in [one for one in result if one.kind == f"remove_{kind}"]:
            columns, name = _parts(old), _name(old)
            for new in [one for one in result if one.kind == f"add_{kind}"]:
                if _parts(new) == columns or (name is not None and _name(new) == name):
                    merged = replace(
                        new,
                        kind=f"change_{kind}",
                        operations=(*old.operations, *new.operations),
                        old=name,
                        revision=old.revision,
                    )
                    result = [one for one in result if one is not old and one is not new]
                    result.append(merged)
                    break
    return result
