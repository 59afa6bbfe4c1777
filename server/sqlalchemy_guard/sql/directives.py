"""`__tablename__`, `__table_args__`, `__mapper_args__` as SQLAlchemy takes them, without what is unknown in them.

This module must never guess what is unknown: it leaves it out and says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy.sql.schema import SchemaItem

from sqlalchemy_guard.sql import natives
from sqlalchemy_guard.sql.natives import UNKNOWN, Unknown
from sqlalchemy_guard.sql.values import Opaque, Value

if TYPE_CHECKING:
    from sqlalchemy_guard.sql.evaluator import Evaluator


def read(evaluator: Evaluator, name: str, value: Value) -> tuple[Any, list[str]]:
    """What SQLAlchemy gets for a directive, None for nothing at all, and what of it is unknown."""
    if name == "__tablename__":
        unknown = [f"{value.name} is not known"] if isinstance(value, Opaque) else []
        return (value if isinstance(value, str) else None), unknown
    if name == "__table__":
        return (value if isinstance(value, sqlalchemy.FromClause) else None), []
    if name == "__mapper_args__":
        return _mapper_arguments(evaluator, value)
    return _table_arguments(evaluator, value), []


def _mapper_arguments(evaluator: Evaluator, value: Value) -> tuple[dict[str, Any], list[str]]:
    found: dict[str, Any] = {}
    unknown: list[str] = []
    for key, one in value.items() if isinstance(value, dict) else ():
        if str(key).startswith("_"):
            continue
        try:
            made = natives.convert(evaluator, one, False)
        except Unknown as error:
            unknown.append(f"{key}: {error.name} is not known")
            continue
        if callable(made) and key != "polymorphic_identity" and not isinstance(made, type):
            continue
        found[key] = made
    return found, unknown


def _table_arguments(evaluator: Evaluator, value: Value) -> Any:
    parts = list(value) if isinstance(value, (tuple, list)) else [value]
    options: dict[str, Any] = {}
    items: list[Any] = []
    unknown: set[str] = set()
    for part in parts:
        if isinstance(part, dict):
            for key, one in part.items():
                try:
                    options[key] = natives.convert(evaluator, one, False)
                except Unknown:
                    unknown.add(str(key))
        elif isinstance(part, Opaque):
            unknown.add("constraints")
        elif isinstance(part, SchemaItem):
            items.append(part)
    if any(evaluator.is_tainted(part) for part in (value, *parts)):
        unknown.add("constraints")
    if unknown:
        options["info"] = {**options.get("info", {}), UNKNOWN: frozenset(unknown)}
    return (*items, options)
