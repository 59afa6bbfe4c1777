"""What takes a step of a revision back, where the step itself says it: the text of the reverse operation.

What dropped something cannot be taken back from the revision alone. This module must never decide whether a revision should
be reversible.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.project.revision_steps import Step

    Text = Callable[[ast.expr], str]

_CONSTRAINTS = {
    "create_unique_constraint": "unique",
    "create_foreign_key": "foreignkey",
    "create_check_constraint": "check",
    "create_primary_key": "primary",
}


@dataclass(frozen=True, slots=True)
class Thing:
    """What a step makes or drops: its kind, its table and its name there."""

    kind: str
    table: str | None
    name: str | None


def made_by(step: Step) -> Thing | None:
    """What a step makes; None when it makes nothing, or when its name is not known."""
    if step.name == "create_table":
        return Thing("table", step.table, None) if step.table is not None else None
    if step.name == "add_column":
        column = step.column
        return Thing("column", step.table, column.name) if column is not None and column.name else None
    if step.name == "create_index":
        name = step.text("name")
        return Thing("index", None, name) if name is not None else None
    if step.name in _CONSTRAINTS:
        name = step.text("name")
        return Thing("constraint", step.table, name) if name is not None else None
    return None


def dropped_by(step: Step) -> Thing | None:
    """What a step drops; None when it drops nothing, or when its name is not known."""
    if step.name == "drop_table":
        return Thing("table", step.table, None) if step.table is not None else None
    if step.name == "drop_column":
        name = step.text("column_name")
        return Thing("column", step.table, name) if name is not None else None
    if step.name == "drop_index":
        name = step.text("name")
        return Thing("index", None, name) if name is not None else None
    if step.name == "drop_constraint":
        name = step.text("name")
        return Thing("constraint", step.table, name) if name is not None else None
    return None


def reverse_of(step: Step, text: Text) -> tuple[str, tuple[str, ...]] | None:
    """The name and the arguments of the operation that takes a step back, as they are written in the same context.

    Args:
        step: A step that is written in the file itself.
        text: Gives the source of a node.

    Returns:
        None where the step does not say what was there before.
    """
    maker = _REVERSES.get(step.name)
    if maker is None or step.fact.value.has_mapping:
        return None
    if any(isinstance(each, ast.Starred) for each in step.fact.node.args) and step.name != "create_table":
        return None
    return maker(step, text)


def _table(step: Step, text: Text) -> tuple[str, ...] | None:
    """The argument that names the table: none in batch mode; None where it cannot be told."""
    if step.batch is not None:
        return ()
    node = step.node("table_name")
    return (text(node),) if node is not None else None


def _schema(step: Step, text: Text) -> tuple[str, ...]:
    node = step.node("schema") if step.batch is None else None
    is_none = isinstance(node, ast.Constant) and node.value is None
    return (f"schema={text(node)}",) if node is not None and not is_none else ()


def _created_table(step: Step, text: Text) -> tuple[str, tuple[str, ...]] | None:
    table = _table(step, text)
    return ("drop_table", (*table, *_schema(step, text))) if table else None


def _added_column(step: Step, text: Text) -> tuple[str, tuple[str, ...]] | None:
    table, column = _table(step, text), step.column
    if table is None or column is None or not column.node.args:
        return None
    return "drop_column", (*table, text(column.node.args[0]), *_schema(step, text))


def _created_index(step: Step, text: Text) -> tuple[str, tuple[str, ...]] | None:
    table, name = _table(step, text), step.node("name")
    if table is None or name is None or step.literal("name") is None:
        return None
    named = (f"table_name={table[0]}",) if table else ()
    options = tuple(
        f"{keyword.arg}={text(keyword.value)}"
        for keyword in step.fact.node.keywords
        if keyword.arg == "postgresql_concurrently"
    )
    return "drop_index", (text(name), *named, *_schema(step, text), *options)


def _created_constraint(step: Step, text: Text) -> tuple[str, tuple[str, ...]] | None:
    table, name = _table(step, text), step.node("name")
    if table is None or name is None or step.literal("name") is None:
        return None
    kind = f'type_="{_CONSTRAINTS[step.name]}"'
    return "drop_constraint", (text(name), *table, kind, *_schema(step, text))


def _renamed_table(step: Step, text: Text) -> tuple[str, tuple[str, ...]] | None:
    table, name = _table(step, text), step.node("new_table_name")
    return (
        ("rename_table", (text(name), *table, *_schema(step, text))) if table and name is not None else None
    )


_SWAPPED = (
    ("type_", "existing_type"),
    ("server_default", "existing_server_default"),
    ("comment", "existing_comment"),
)


def _altered_column(step: Step, text: Text) -> tuple[str, tuple[str, ...]] | None:
    """What was changed is changed back where the call says what there was: `existing_…`, or the other of two values."""
    table, name = _table(step, text), step.node("column_name")
    if table is None or name is None or len(step.fact.node.args) > (2 if step.batch is None else 1):
        return None
    given = {each.arg: each.value for each in step.fact.node.keywords if each.arg is not None}
    rest = {key: text(value) for key, value in given.items() if key not in ("column_name", "table_name")}
    target = text(name)
    new_name = rest.pop("new_column_name", None)
    if new_name is not None:
        target, rest["new_column_name"] = new_name, text(name)
    if any(key.startswith(("postgresql_", "mysql_", "mssql_")) for key in rest):
        return None
    for new, old in _SWAPPED:
        if new in rest:
            if old not in rest:
                return None
            rest[new], rest[old] = rest[old], rest[new]
    if "nullable" in rest:
        now = step.literal("nullable")
        if not isinstance(now, bool) or step.literal("existing_nullable") not in (..., not now):
            return None
        rest["nullable"] = str(not now)
        if "existing_nullable" in rest:
            rest["existing_nullable"] = str(now)
    return "alter_column", (*table, target, *(f"{key}={value}" for key, value in rest.items()))


_REVERSES: dict[str, Callable[[Step, Text], tuple[str, tuple[str, ...]] | None]] = {
    "create_table": _created_table,
    "add_column": _added_column,
    "create_index": _created_index,
    **dict.fromkeys(_CONSTRAINTS, _created_constraint),
    "rename_table": _renamed_table,
    "alter_column": _altered_column,
}
