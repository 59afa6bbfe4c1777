"""Classes that are mapped by a call: `registry.map_imperatively(User, user_table)` and `mapper(User, user_table)`.

What is not written out in the table's own definition makes the mapping incomplete. This module must never guess a column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import ColumnInfo, Inheritance, ModelInfo
from sqlalchemy_guard.facts.values import Call, Const, Mapping, Value
from sqlalchemy_guard.project.types import ClassType, known

if TYPE_CHECKING:
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

_MAPPERS = ("map_imperatively", "mapper")


def mapped_by_call(resolver: Resolver, ref: tuple[str, str]) -> ModelInfo | None:
    """The mapping that a call gives a class; None when no call does. It is never complete.

    Args:
        resolver: Types of values.
        ref: The class.
    """
    for name in _MAPPERS:
        for call, file in resolver.sources.calls_of(name, None):
            if call.args and any(
                isinstance(option, ClassType) and option.ref == ref
                for option in known(resolver.type_of(call.args[0], file))
            ):
                return _model(resolver, ref, call, file)
    return None


def _model(resolver: Resolver, ref: tuple[str, str], call: Call, file: SourceFile) -> ModelInfo:
    table = call.args[1] if len(call.args) > 1 else call.keyword("local_table")
    columns = _columns(resolver, table, file) if table is not None else {}
    properties = call.keyword("properties")
    if properties is not None:
        for name in _names(properties):
            columns.pop(name, None)
        if type(properties) is not Mapping:
            columns.clear()
    return ModelInfo(
        ref[1].rpartition(".")[2],
        f"{ref[0]}:{ref[1]}",
        (),
        columns,
        inheritance=Inheritance.UNKNOWN,
        complete=False,
    )


def _names(properties: Value) -> set[str]:
    entries = properties.entries if type(properties) is Mapping else ()
    return {key.value for key, _ in entries if type(key) is Const and isinstance(key.value, str)}


def _columns(resolver: Resolver, table: Value, file: SourceFile) -> dict[str, ColumnInfo]:
    """The columns that a table's definition writes out, under the names that attributes get."""
    definition, home = resolver.definition_of(table, file)
    found: dict[str, ColumnInfo] = {}
    if type(definition) is not Call or resolver.external_name(definition.func, home) != "sqlalchemy.Table":
        return found
    for argument in definition.args[2:]:
        if type(argument) is not Call or resolver.external_name(argument.func, home) != "sqlalchemy.Column":
            continue
        given = argument.keyword("key") or (argument.args[0] if argument.args else argument.keyword("name"))
        if type(given) is Const and isinstance(given.value, str):
            found[given.value] = ColumnInfo(given.value, None)
    return found
