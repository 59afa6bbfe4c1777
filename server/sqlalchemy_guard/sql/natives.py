"""Objects of SQLAlchemy: what of them is read, and how they are called with values of the evaluator.

An unknown value becomes a bind parameter of its name where SQL has a place for a value; where it would decide what the SQL is
about (a table, a name, a type) the result is unknown, or says so (`UNKNOWN` in `info`, `UnknownType`). Lambdas of the user are
handed on as callbacks into the evaluator. This module must never call what `allowed` does not name.
"""

from __future__ import annotations

import enum
import re
import types
import typing
import warnings
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import event, orm
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import strategy_options
from sqlalchemy.orm import util as orm_util
from sqlalchemy.sql import base as sql_base
from sqlalchemy.sql import elements, functions

from sqlalchemy_guard.sql import allowed, harmless, library
from sqlalchemy_guard.sql.budget import Exhausted
from sqlalchemy_guard.sql.values import (
    ANY_KEYWORDS,
    MISSING,
    Class,
    Function,
    Host,
    Instance,
    Method,
    Native,
    NativeMethod,
    Opaque,
    Spread,
    Value,
    is_emulated,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.sql.evaluator import Evaluator

UNKNOWN = "sqlalchemy_guard.unknown"
"""The key of `info` under which a column or table keeps the names of what is not known of it."""
QUOTED = elements.quoted_name
LIBRARY_ERRORS = (
    SQLAlchemyError,
    TypeError,
    ValueError,
    AttributeError,
    KeyError,
    IndexError,
    NotImplementedError,
    AssertionError,
    NameError,
)
"""What SQLAlchemy raises when it is given what it does not take."""


class UnknownType(sqlalchemy.types.UserDefinedType[Any]):
    """The type of a column that could not be told.

    Args:
        reason: What is unknown, as the source names it.
    """

    cache_ok = True

    def __init__(self, reason: str = "?") -> None:
        self.reason = reason

    def get_col_spec(self, **_: Any) -> str:
        """A name for people: it stands in no DDL that anybody runs."""
        return "UNKNOWN"


ADDED = "+ "
"""How a mark begins that says what a loader adds to a statement, instead of what is not known of it."""


class NativeHost(Host):
    """A host that stands for one object of SQLAlchemy, `native`, where SQL is made."""

    native: Any = None


class Unknown(ValueError):
    """A value has no counterpart in SQLAlchemy; `name` says which."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


is_clause = allowed.is_clause


# -- conversion ----------------------------------------------------------------------------------------------------


def parameter(name: str) -> Any:
    """A bind parameter for an unknown value, named as the source names that."""
    parts = [part for part in re.split(r"\W+", name) if part and part not in ("self", "cls")]
    key = "_".join(parts[-2:]).strip("_") or "value"
    return sqlalchemy.bindparam(key, unique=True)


def convert(evaluator: Evaluator, value: Value, bind: bool) -> Any:
    """A value as SQLAlchemy takes it.

    Args:
        bind: Whether an unknown value may become a bind parameter.

    Raises:
        Unknown: it has no counterpart.
    """
    if isinstance(value, Spread):
        raise Unknown(value.name)
    if isinstance(value, Class):
        if value.native is None:
            raise Unknown(value.name)
        return value.native
    if isinstance(value, (Function, Method)) and not bind:
        return callback(evaluator, value)
    if isinstance(value, NativeHost):
        return value.native
    if is_emulated(value):
        name = value.name if isinstance(value, Opaque) else type(value).__name__.lower()
        if bind:
            return parameter(name)
        raise Unknown(name)
    if type(value) in (list, tuple, set, frozenset):
        if evaluator.is_tainted(value):
            raise Unknown("…")
        return type(value)([convert(evaluator, item, bind) for item in value])
    if type(value) is dict:
        if evaluator.is_tainted(value):
            raise Unknown("…")
        return {convert(evaluator, key, False): convert(evaluator, item, bind) for key, item in value.items()}
    return value


def callback(evaluator: Evaluator, function: Function | Method) -> Callable[..., Any]:
    """A function that SQLAlchemy may call: it runs ours in the evaluator."""

    def run(*args: Any, **keywords: Any) -> Any:
        given = [back(evaluator, arg) for arg in args]
        result = evaluator.run(
            function, given, {name: back(evaluator, one) for name, one in keywords.items()}
        )
        return convert(evaluator, result, False)

    inner = function.function if isinstance(function, Method) else function
    run.__annotations__ = {}
    run.__name__ = inner.name
    run.__qualname__ = inner.name
    return run


def back(evaluator: Evaluator, value: Any) -> Value:
    """Something that SQLAlchemy hands to a callback, as the evaluator knows it."""
    if not isinstance(value, type):
        return value
    # A class that is being made is not yet known by itself.
    return value.__dict__.get("_guard_class_") or evaluator.made.get(value, value)


def quietly(work: Callable[[], Any]) -> Any:
    """Do something without the warnings of SQLAlchemy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return work()


def call_library(evaluator: Evaluator, shown: str, work: Callable[[], Any], node_reason: str = "") -> Value:
    """Call SQLAlchemy: what it refuses is unknown."""
    try:
        result = quietly(work)
    except Unknown as error:
        evaluator.note(f"{shown}: {error.name} is not known")
        return Opaque(shown, shown)
    except (Exhausted, RecursionError):
        raise
    except LIBRARY_ERRORS as error:
        evaluator.budget.check()
        if evaluator.budget.interrupted is not None:
            raise evaluator.budget.interrupted from error
        evaluator.note(f"{shown}: {error}")
        return Opaque(shown)
    return result


# -- calls ---------------------------------------------------------------------------------------------------------

_ABOUT = frozenset(
    """
    select insert update delete table join outerjoin join_from outerjoin_from select_from aliased alias union union_all
    intersect intersect_all except_ except_all with_only_columns add_columns column literal_column text exists subquery cte
    lateral with_polymorphic tablesample op bool_op label Bundle type_coerce cast order_by group_by options distinct
    joinedload selectinload subqueryload lazyload immediateload raiseload noload contains_eager defaultload load_only defer
    undefer of_type foreign remote columns table_valued from_select with_entities add_entity add_column ddl_if
    """.split()
)
"""What decides by its arguments what SQL is about: nothing that gets an unknown one is shown."""
_SKIPPED = frozenset({"order_by", "group_by", "options", "distinct", "execution_options", "with_for_update"})
"""Of these, the methods without which a statement is incomplete, but not wrong."""


def call(evaluator: Evaluator, callee: Any, args: list[Value], keywords: dict[str, Value]) -> Value:
    """Call a function or a class of a library."""
    from sqlalchemy_guard.sql import schema_calls

    if isinstance(callee, type) and callee in evaluator.made:
        return schema_calls.make_type(evaluator, callee, args, keywords)
    if isinstance(callee, enum.EnumMeta):
        return Opaque(callee.__name__)
    if isinstance(callee, type) and callee in evaluator.constructors:
        return evaluator.constructors[callee](evaluator, None, args, keywords)
    if not allowed.is_callable(callee):
        return Opaque(getattr(callee, "__name__", "…") + "()")
    name = allowed.name_of(callee)
    last = name.rpartition(".")[2]
    special = schema_calls.handler(name, callee)
    if special is not None:
        return special(evaluator, callee, args, keywords)
    if name.startswith(("datetime.", "uuid.", "decimal.")):
        known = all(map(harmless.is_known, (*args, *keywords.values())))
        return (
            call_library(evaluator, f"{name}()", lambda: callee(*args, **keywords)) if known else Opaque(name)
        )
    return call_made(evaluator, last or "func()", callee, None, args, keywords)


def call_made(
    evaluator: Evaluator,
    name: str,
    callee: Callable[..., Any],
    receiver: Any,
    args: list[Value],
    keywords: dict[str, Value],
) -> Value:
    """Call something that makes SQL; what is not known of its parts is not known of the whole."""
    marks: set[str] = set(evaluator.marks_of(receiver))
    bind = name not in _ABOUT
    sure: list[Any] = []

    def work() -> Any:
        for arg in args:
            if isinstance(arg, Spread):
                marks.add(f"*{arg.name}")
                continue
            if (
                name in _ABOUT
                and name not in _SKIPPED
                and not (name in ("insert", "update", "delete") and sure)
            ):
                sure.append(convert(evaluator, arg, False))
            elif isinstance(arg, Opaque) and name in _SKIPPED:
                marks.add(f"{name}({arg.name})")
            else:
                sure.append(_operand(evaluator, name, arg, bind or name in _SKIPPED))
        given: dict[str, Any] = {}
        for key, value in keywords.items():
            if key == ANY_KEYWORDS:
                marks.add(f"**{value.name}")
            elif not key.startswith("_"):
                given[key] = convert(evaluator, value, bind)
        if marks and not sure and not given and name in _ABOUT and name not in _SKIPPED:
            raise Unknown("*")
        return callee(*sure, **given)

    for arg in (*args, *keywords.values()):
        marks |= evaluator.marks_of(arg)
        if isinstance(arg, Opaque) and not isinstance(arg, Spread) and name in ("where", "filter", "having"):
            marks.add(f"{name}({arg.name})")
    if name in allowed.EAGER:
        marks.add(f"{ADDED}{name}({', '.join(map(shown_attribute, args))})")
    result = call_library(evaluator, f"{name}()", work)
    if not isinstance(result, Opaque):
        evaluator.mark(result, frozenset(marks))
    return result


def _operand(evaluator: Evaluator, name: str, arg: Value, bind: bool) -> Any:
    if name in ("in_", "not_in", "notin_") and (isinstance(arg, Opaque) or evaluator.is_tainted(arg)):
        made = parameter(arg.name if isinstance(arg, Opaque) else "values")
        made.expanding = True
        return made
    if name in ("in_", "not_in", "notin_") and isinstance(arg, (list, tuple, set)):
        if any(isinstance(item, Opaque) for item in arg):
            first = next(item for item in arg if isinstance(item, Opaque))
            if isinstance(first, Spread):
                made = parameter(first.name)
                made.expanding = True
                return made
    return convert(evaluator, arg, bind)


def call_method(
    evaluator: Evaluator, receiver: Any, name: str, args: list[Value], keywords: dict[str, Value]
) -> Value:
    """Call an allowed method of an object of SQLAlchemy."""
    if isinstance(receiver, strategy_options._AbstractLoad):
        return call_made(evaluator, name, getattr(receiver, name), receiver, args, keywords)
    if name in ("op", "bool_op"):
        made = call_made(evaluator, name, getattr(receiver, name), receiver, args, keywords)
        if isinstance(made, Opaque):
            return made
        return Native(name, lambda _, given, more: call_made(evaluator, "…", made, receiver, given, more))
    if isinstance(receiver, (sql_base.ReadOnlyColumnCollection, types.MappingProxyType)) or not is_clause(
        receiver
    ):
        result = call_library(
            evaluator,
            f"….{name}()",
            lambda: getattr(receiver, name)(*[convert(evaluator, arg, False) for arg in args]),
        )
        return (
            list(result) if name in ("keys", "values", "items") and not isinstance(result, Opaque) else result
        )
    return call_made(evaluator, name, getattr(receiver, name), receiver, args, keywords)


def operate(evaluator: Evaluator, function: Callable[[Any, Any], Any], left: Value, right: Value) -> Value:
    """An operator with SQL on one side."""
    marks = evaluator.marks_of(left) | evaluator.marks_of(right)
    if isinstance(right, (Opaque, Instance)) and _is_relationship(left):
        # Which row it is, only the run knows.
        shown = right.name if isinstance(right, Opaque) else right.cls.name
        name = re.sub(r"[^a-zA-Z0-9]+", "_", shown)
        return sqlalchemy.bindparam(f"{left.key}_is_{name}", type_=sqlalchemy.Boolean(), unique=True)
    result = call_library(
        evaluator, "…", lambda: function(convert(evaluator, left, True), convert(evaluator, right, True))
    )
    if not isinstance(result, Opaque):
        evaluator.mark(result, marks)
    return result


def _is_relationship(value: Value) -> bool:
    return isinstance(value, orm.QueryableAttribute) and isinstance(value.property, orm.RelationshipProperty)


# -- reading -------------------------------------------------------------------------------------------------------


def attribute(evaluator: Evaluator, value: Any, name: str) -> Value:
    """An attribute of plain data or of an object of a library."""
    methods = harmless.METHODS.get(type(value))
    if methods is not None:
        if name in methods or (type(value) is str and name == "format"):
            return NativeMethod(value, name)
        return Opaque(f"….{name}")
    if isinstance(value, type):
        return _class_attribute(value, name)
    if isinstance(value, sql_base.ReadOnlyColumnCollection) and name in value:
        return value[name]
    if (
        isinstance(value, orm_util.AliasedClass)
        and name in sqlalchemy.inspect(value).mapper.all_orm_descriptors
    ):
        return call_library(evaluator, f"….{name}", lambda: getattr(value, name))
    if name == "__visit_name__" and isinstance(value, sqlalchemy.types.TypeEngine):
        return value.__visit_name__
    if name.startswith("_"):
        return Opaque(f"….{name}")
    if isinstance(value, functions._FunctionGenerator):
        # `func.lower`, `func.pg_catalog.count`: a name, whatever it is.
        return getattr(value, name)
    if isinstance(value, orm.MappedColumn):
        return attribute(evaluator, value.column, name)
    if name in allowed.method_names(value):
        return NativeMethod(value, name) if hasattr(value, name) else Opaque(f"….{name}")
    if name in allowed.attribute_names(value):
        found = call_library(evaluator, f"….{name}", lambda: getattr(value, name))
        if isinstance(found, QUOTED) and found.quote is None:
            # A name of which nothing special is known is a text like any other.
            return str(found)
        return back(evaluator, found) if isinstance(found, type) else found
    if isinstance(value, event.registry._EventKey):
        return Opaque(name)
    return Opaque(f"….{name}")


def _class_attribute(value: type, name: str) -> Value:
    """An attribute of a class of a library: a member of an enum, else only its name is known."""
    if name == "__name__":
        return value.__name__
    if isinstance(value, enum.EnumMeta):
        member = value.__members__.get(name, MISSING)
        if member is not MISSING:
            return member
        if name == "__members__":
            return dict(value.__members__)
        raise AttributeError(name)
    dotted = allowed.name_of(value) or value.__name__
    known = library.known(f"{dotted}.{name}")
    if known is not MISSING:
        return known
    return Opaque(f"{value.__name__}.{name}", f"{dotted}.{name}")


def iterate(value: Any) -> list[Value] | None:
    """What a loop over an object of a library gives; None when that is not known."""
    if isinstance(value, sql_base.ReadOnlyColumnCollection):
        return list(value)
    if isinstance(value, (sqlalchemy.util.FacadeDict, types.MappingProxyType)):
        return list(value)
    return None


def item(evaluator: Evaluator, value: Any, key: Value, shown: str) -> Value:
    """`value[key]` for an object of a library."""
    if isinstance(value, (sql_base.ReadOnlyColumnCollection, sqlalchemy.util.FacadeDict)):
        return value[key] if type(key) is str and key in value else Opaque(shown)
    if isinstance(value, enum.EnumMeta):
        if type(key) is str and key in value.__members__:
            return value.__members__[key]
        raise KeyError(str(key))
    if is_clause(value):
        return operate(evaluator, lambda one, other: one[other], value, key)
    if isinstance(value, type) or typing.get_origin(value) is not None or library.is_form(value):
        from sqlalchemy_guard.sql import forms

        return forms.subscripted(evaluator, value, key)
    return Opaque(shown)


def item_of_unknown(value: Value, key: Value, shown: str) -> Value:
    """`value[key]` where one of both is not known."""
    if isinstance(value, Opaque) and value.dotted:
        return Opaque(shown, f"{value.dotted}[]")
    return Opaque(shown)


def sliced(evaluator: Evaluator, value: Value, bounds: list[Value], shown: str) -> Value:
    """`value[a:b]` of something that is no plain sequence."""
    if is_clause(value) and all(type(one) in (int, type(None)) for one in bounds):
        return operate(evaluator, lambda one, _: one[slice(*bounds)], value, None)
    return Opaque(shown)


def union(left: Value, right: Value, shown: str) -> Value:
    """`X | Y` of types; what is no type is unknown."""
    if isinstance(left, (type, types.UnionType, type(None), typing._GenericAlias)) and isinstance(  # type: ignore[attr-defined]
        right,
        (type, types.UnionType, type(None), typing._GenericAlias),  # type: ignore[attr-defined]
    ):
        if left is not None or right is not None:
            return typing.Union[left, right]  # noqa: UP007 # both are values here
    if isinstance(left, (enum.Flag,)) and type(left) is type(right):
        return left | right
    return Opaque(shown)


def compare_members(function: Callable[[Any, Any], Any], left: Value, right: Value, shown: str) -> Value:
    """Compare members of enums, of which the values may be plain."""
    if isinstance(left, enum.Enum) and isinstance(right, (enum.Enum, str, int)):
        return bool(function(left, right)) if function.__name__ in ("eq", "ne") else Opaque(shown)
    if isinstance(right, enum.Enum) and isinstance(left, (str, int)):
        return bool(function(left, right)) if function.__name__ in ("eq", "ne") else Opaque(shown)
    if (left is None or right is None) and not isinstance(left, Opaque) and not isinstance(right, Opaque):
        if function.__name__ in ("eq", "ne"):
            return (left is right) is (function.__name__ == "eq")
    return Opaque(shown)


def shown_attribute(value: Value) -> str:
    """`User.posts`; what is no attribute is an ellipsis."""
    if isinstance(value, orm.QueryableAttribute):
        return f"{value.class_.__name__}.{value.key}"
    return value.name if isinstance(value, Opaque) else "…"


def is_orm_attribute(value: Any) -> bool:
    """Whether a value is an attribute of a mapped class."""
    return isinstance(value, orm.QueryableAttribute)
