"""Calls that make parts of a schema: columns, tables, constraints, types.

What is unknown is left out and named: in `info` of columns and tables, by `UnknownType` where a type stands. This module must
never guess.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy.sql import type_api
from sqlalchemy.sql.schema import SchemaItem

from sqlalchemy_guard.sql import allowed
from sqlalchemy_guard.sql.natives import UNKNOWN, Unknown, UnknownType, call_library, convert
from sqlalchemy_guard.sql.values import ANY_KEYWORDS, Class, Function, Instance, Method, Opaque, Spread, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.sql.evaluator import Evaluator

Handler = "Callable[[Evaluator, Any, list[Value], dict[str, Value]], Value]"

_DATACLASS = frozenset(
    {"init", "repr", "default_factory", "compare", "kw_only", "hash", "dataclass_metadata", "active_history"}
)
_DEFAULTS = frozenset({"default", "onupdate", "insert_default"})


def handler(name: str, callee: Any) -> Callable[..., Value] | None:
    """What calls a constructor of the schema; None for every other callable."""
    if name in ("sqlalchemy.Column", "sqlalchemy.orm.mapped_column"):
        return _column
    if name == "sqlalchemy.orm.synonym":
        return _synonym
    if name == "sqlalchemy.Table":
        return _table
    if name == "sqlalchemy.MetaData":
        return _metadata
    if allowed.is_type(callee):
        return _type
    if name.startswith("sqlalchemy.") and isinstance(callee, type) and issubclass(callee, SchemaItem):
        return _item
    return None


def placeholder(*_: Any) -> None:
    """What stands for a default that is not known: there is one."""


def _default(evaluator: Evaluator, value: Value) -> Any:
    if isinstance(value, (Function, Method)):
        return placeholder
    if isinstance(value, Opaque) and not isinstance(value, Spread):
        return placeholder
    try:
        return convert(evaluator, value, False)
    except Unknown:
        return placeholder


def _column(evaluator: Evaluator, callee: Any, args: list[Value], keywords: dict[str, Value]) -> Value:
    unknown: set[str] = set()
    positional: list[Any] = []
    reason = ""
    for index, arg in enumerate(args):
        if isinstance(arg, Spread):
            unknown.add("arguments")
        elif isinstance(arg, Opaque) and arg.dotted.startswith("sqlalchemy.") and _is_constraint(arg.dotted):
            unknown.add(_aspect(arg.dotted))
        elif isinstance(arg, Opaque) or (
            isinstance(arg, (Class, Instance)) and getattr(arg, "native", None) is None
        ):
            if index == 0 and any(_is_type(other) for other in args[1:2]):
                # An unknown name: nothing can be said about such a column.
                return Opaque("Column()", "sqlalchemy.Column()")
            reason = arg.name if isinstance(arg, (Opaque, Class)) else arg.cls.name
            unknown.add("type")
            positional.append(UnknownType(reason))
        elif arg is None:
            positional.append(None)
        else:
            unknown |= evaluator.marks_of(arg)
            positional.append(_made(evaluator, arg) if isinstance(arg, Class) else arg)
    given: dict[str, Any] = {}
    info: dict[str, Any] = {}
    for key, value in keywords.items():
        if key in _DATACLASS or key.startswith("_"):
            continue
        if key in _DEFAULTS:
            given[key] = _default(evaluator, value)
        elif key == ANY_KEYWORDS:
            unknown.add("arguments")
        elif key == "info":
            info = dict(value) if isinstance(value, dict) else {}
        elif key == "type_" and isinstance(value, Opaque):
            unknown.add("type")
            given[key] = UnknownType(value.name)
        else:
            try:
                given[key] = convert(evaluator, value, False)
            except Unknown:
                unknown.add(key)
                if key == "name":
                    return Opaque("Column()", "sqlalchemy.Column()")
    if "server_default" in unknown:
        given["server_default"] = sqlalchemy.FetchedValue()
    if unknown:
        info[UNKNOWN] = frozenset(unknown)
    if info:
        given["info"] = info
    return call_library(evaluator, "sqlalchemy.Column()", lambda: callee(*positional, **given))


def _made(evaluator: Evaluator, cls: Class) -> Any:
    """A class of ours where a column takes its type: SQLAlchemy makes an object of it, for which its `__init__` is run."""
    if allowed.is_type(cls.native) and isinstance(cls.find("__init__")[0], Function):
        return make_type(evaluator, cls.native, [], {})
    return cls.native


def _synonym(evaluator: Evaluator, callee: Any, args: list[Value], keywords: dict[str, Value]) -> Value:
    """A second name of an attribute; the descriptor in front of it is Python's business."""
    name = args[0] if args else keywords.get("name")
    return callee(name) if isinstance(name, str) else Opaque("synonym()")


def _is_type(value: Value) -> bool:
    return (
        isinstance(value, type_api.TypeEngine)
        or allowed.is_type(value)
        or (isinstance(value, Class) and allowed.is_type(value.native))
    )


def _is_constraint(dotted: str) -> bool:
    return _aspect(dotted) != ""


def _aspect(dotted: str) -> str:
    """What of a column an unknown part decides about."""
    last = dotted.removesuffix("()").rpartition(".")[2]
    if last in (
        "ForeignKey",
        "Sequence",
        "Identity",
        "Computed",
        "CheckConstraint",
        "FetchedValue",
        "DefaultClause",
    ):
        return {"ForeignKey": "foreign_keys", "CheckConstraint": "constraints"}.get(last, "server_default")
    if last.endswith("Constraint") or last == "Index":
        return "constraints"
    return ""


def _table(evaluator: Evaluator, callee: Any, args: list[Value], keywords: dict[str, Value]) -> Value:
    name, metadata, items = args[:1], args[1:2], args[2:]
    if not name or type(name[0]) not in (str, sqlalchemy.quoted_name) or not metadata:
        return Opaque("Table()", "sqlalchemy.Table()")
    if not isinstance(metadata[0], sqlalchemy.MetaData):
        return Opaque(str(name[0]), "sqlalchemy.Table()")
    unknown: set[str] = set()
    sure: list[Any] = []
    for item in items:
        if isinstance(item, Opaque):
            unknown.add("constraints" if _is_constraint(item.dotted) else "columns")
        elif isinstance(item, SchemaItem):
            sure.append(item)
    given: dict[str, Any] = {}
    for key, value in keywords.items():
        if key in ("listeners", "autoload_with", "autoload", "bind") or key.startswith("_"):
            if key in ("autoload_with", "autoload") and value is not None and value is not False:
                unknown.add("columns")
            continue
        try:
            given[key] = convert(evaluator, value, False)
        except Unknown:
            unknown.add("arguments" if key == ANY_KEYWORDS else key)
    if unknown:
        given["info"] = {**given.get("info", {}), UNKNOWN: frozenset(unknown)}
    made = call_library(evaluator, "sqlalchemy.Table()", lambda: callee(name[0], metadata[0], *sure, **given))
    evaluator.program.made(made)
    return made


def _metadata(evaluator: Evaluator, callee: Any, args: list[Value], keywords: dict[str, Value]) -> Value:
    given: dict[str, Any] = {}
    unknown: set[str] = set()
    for key, value in keywords.items():
        if key in ("bind", "quote_schema", "info") or key.startswith("_"):
            continue
        try:
            given[key] = convert(evaluator, value, False)
        except Unknown:
            unknown.add(key)
    if unknown:
        given["info"] = {UNKNOWN: frozenset(unknown)}
    return call_library(evaluator, "sqlalchemy.MetaData()", lambda: callee(**given))


def _item(evaluator: Evaluator, callee: Any, args: list[Value], keywords: dict[str, Value]) -> Value:
    """A constraint, an index, a default of the server: unknown as a whole when something of it is."""
    shown = f"sqlalchemy.{callee.__name__}()"
    given = {key: value for key, value in keywords.items() if not key.startswith("_") and key != "info"}
    if ANY_KEYWORDS in keywords:
        return Opaque(shown, shown)
    made = call_library(
        evaluator,
        shown,
        lambda: callee(
            *[convert(evaluator, arg, False) for arg in args],
            **{key: convert(evaluator, value, False) for key, value in given.items()},
        ),
    )
    return Opaque(made.name, shown) if isinstance(made, Opaque) else made


def _type(evaluator: Evaluator, callee: Any, args: list[Value], keywords: dict[str, Value]) -> Value:
    """A type of columns; one that gets something unknown is unknown."""
    shown = f"{callee.__name__}()"
    # How Python's values are pickled and compared is nothing that a schema says.
    keywords = {key: value for key, value in keywords.items() if key not in ("pickler", "comparator")}
    made = call_library(
        evaluator,
        shown,
        lambda: callee(
            *[convert(evaluator, arg, False) for arg in args],
            **{
                key: convert(evaluator, value, False)
                for key, value in keywords.items()
                if key != ANY_KEYWORDS
            },
        ),
    )
    if isinstance(made, Opaque):
        return UnknownType(shown)
    if ANY_KEYWORDS in keywords:
        evaluator.mark(made, frozenset({"arguments of the type"}))
    return made


def make_type(evaluator: Evaluator, native: type, args: list[Value], keywords: dict[str, Value]) -> Value:
    """An object of a type that the user's code defines: its own `__init__` is interpreted, the library's is called."""
    cls = evaluator.made[native]
    if not allowed.is_type(native):
        return Opaque(f"{cls.name}()")
    instance = Instance(cls)
    given: tuple[list[Value], dict[str, Value]] = (args, keywords)
    own, _ = cls.find("__init__")
    if isinstance(own, Function):
        evaluator.run(Method(own, instance), args, keywords)
        given = instance.attributes.pop("super().__init__", ([], {}))
    made = _type(evaluator, native, *given)
    if isinstance(made, native):
        made.__dict__["_guard_instance"] = instance
        for name, value in instance.attributes.items():
            if name in ("impl", "length", "name", "item_type") and not isinstance(value, Opaque):
                made.__dict__[name] = convert(evaluator, value, False)
    return made
