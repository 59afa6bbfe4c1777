"""Annotations as real forms of types, made by the evaluator: `Mapped[str | None]`, `Annotated[int, mapped_column(…)]`.

Strings in annotations are parsed and interpreted like the rest; nothing that is evaluated by somebody else is ever put into a form.
What is unknown is `Unresolved`, which has a column type of its own: an unknown one. This module must never guess a type.
"""

from __future__ import annotations

import ast
import types
import typing
from typing import TYPE_CHECKING, Any

from sqlalchemy import orm

from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.sql import allowed
from sqlalchemy_guard.sql.values import Class, Opaque, Value, is_emulated

if TYPE_CHECKING:
    from sqlalchemy_guard.sql.evaluator import Evaluator
    from sqlalchemy_guard.sql.scopes import Frame

Form = Any


class Unresolved:
    """Stands in an annotation for a type that is not known."""


_CONTAINERS: dict[Any, str] = {
    orm.Mapped: "mapped",
    orm.DynamicMapped: "dynamic",
    orm.WriteOnlyMapped: "write_only",
}
_COLLECTIONS = {
    "list": list,
    "List": list,
    "set": set,
    "Set": set,
    "Sequence": list,
    "Collection": list,
    "Iterable": list,
    "InstrumentedList": list,
    "AssociationList": list,
    "MutableSequence": list,
}
_MAPPINGS = frozenset({"dict", "Dict", "Mapping", "MutableMapping"})


class Mapped(NamedTuple):
    """An annotation of a mapped attribute, taken apart.

    Attributes:
        kind: "mapped", "dynamic" or "write_only".
        inner: What stands in the brackets, strings parsed.
        frame: Where its names are looked up.
    """

    kind: str
    inner: ast.expr
    frame: Frame


class Target(NamedTuple):
    """What the annotation of a relationship says.

    Attributes:
        expression: Its target.
        collection: What collects the targets, None for a single one.
        is_mapping: Whether a dictionary does.
        optional: Whether there may be none.
    """

    expression: ast.expr
    collection: type | None
    is_mapping: bool
    optional: bool


def mapped(evaluator: Evaluator, node: ast.expr, frame: Frame) -> Mapped | None:
    """The annotation of a mapped attribute, None for every other."""
    node = unquoted(node)
    if not isinstance(node, ast.Subscript):
        return None
    container = evaluator.guarded("", lambda: evaluator.evaluate(node.value, frame))
    kind = _CONTAINERS.get(container) if isinstance(container, type) else None
    return Mapped(kind, unquoted(node.slice), frame) if kind is not None else None


def unquoted(node: ast.expr) -> ast.expr:
    """An annotation whose outermost string is parsed; one that cannot be is a name that nothing binds."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if len(node.value) > 300:
            return ast.Name("…", ast.Load())
        try:
            return unquoted(ast.parse(node.value.strip(), mode="eval").body)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ast.Name("…", ast.Load())
    return node


def form(evaluator: Evaluator, node: ast.expr, frame: Frame) -> Form:
    """An annotation as a real type or a form of types. Raises nothing but what `poll` raises."""
    made = evaluator.guarded("", lambda: _form(evaluator, unquoted(node), frame))
    return Unresolved if isinstance(made, Opaque) else made


def _form(evaluator: Evaluator, node: ast.expr, frame: Frame) -> Form:
    evaluator.budget.spend()
    if isinstance(node, ast.Constant):
        return type(None) if node.value is None else Unresolved
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return typing.Union[form(evaluator, node.left, frame), form(evaluator, node.right, frame)]  # noqa: UP007
    if isinstance(node, ast.Subscript):
        return _subscript(evaluator, node, frame)
    return of_value(evaluator, evaluator.evaluate(node, frame))


def _subscript(evaluator: Evaluator, node: ast.Subscript, frame: Frame) -> Form:
    base = evaluator.evaluate(node.value, frame)
    arguments = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
    if base is typing.Literal:
        values = [evaluator.evaluate(one, frame) for one in arguments]
        return (
            typing.Literal[tuple(values)]
            if all(type(one) in (str, int, bool, type(None)) for one in values)
            else Unresolved
        )
    if base is typing.Annotated:
        extras = [evaluator.evaluate(one, frame) for one in arguments[1:]]
        return annotated(form(evaluator, arguments[0], frame), extras)
    if base is typing.Optional:
        return typing.Optional[form(evaluator, arguments[0], frame)]  # noqa: UP045
    inner = [form(evaluator, one, frame) for one in arguments]
    if base is typing.Union:
        return typing.Union[tuple(inner)]  # noqa: UP007
    return generic(of_value(evaluator, base), inner)


def annotated(inner: Form, extras: list[Value]) -> Form:
    """`Annotated[inner, …]` with what SQLAlchemy looks at among the rest; a string there would be evaluated."""
    kept: list[Any] = [one for one in extras if isinstance(one, orm.MappedColumn)]
    return typing.Annotated[(inner, *(kept or [0]))]


def generic(base: Form, arguments: list[Form]) -> Form:
    """`list[int]`, `dict[str, Any]`; the class alone where it takes no arguments."""
    if base is Unresolved:
        return Unresolved
    try:
        return base[tuple(arguments) if len(arguments) > 1 else arguments[0]]
    except TypeError:
        return base


def of_value(evaluator: Evaluator, value: Value) -> Form:
    """A value as a form of types."""
    if value is None:
        return type(None)
    if isinstance(value, Class):
        return stand_in(evaluator, value)
    if isinstance(value, Opaque):
        # The same name of a library, or the same unknown value, is the same type, whatever it is: maps of types may know it.
        key = value.dotted or value
        number = len(evaluator.library_types)
        made = type(value.name, (Unresolved,), {"__qualname__": f"{value.name}#{number}"})
        return evaluator.library_types.setdefault(key, made)
    if is_emulated(value) or isinstance(value, str):
        return Unresolved
    if isinstance(value, type) or typing.get_origin(value) is not None or isinstance(value, typing.NewType):
        return value
    return value if value is typing.Any else Unresolved


def stand_in(evaluator: Evaluator, cls: Class) -> type:
    """The real class that stands for one of ours in annotations."""
    if isinstance(cls.native, type):
        return cls.native
    return evaluator.stand_ins.setdefault(
        cls, type(cls.name, (), {"__qualname__": f"{cls.name}#{len(evaluator.stand_ins)}"})
    )


def subscripted(evaluator: Evaluator, base: Value, key: Value) -> Form:
    """`base[key]` of values: an alias such as `intpk = Annotated[int, mapped_column(primary_key=True)]`."""
    keys = list(key) if isinstance(key, tuple) else [key]
    if base is typing.Annotated:
        return annotated(of_value(evaluator, keys[0]), keys[1:])
    if base is typing.Literal:
        return (
            typing.Literal[tuple(keys)] if all(type(one) in (str, int, bool) for one in keys) else Unresolved
        )
    inner = [of_value(evaluator, one) for one in keys]
    if base is typing.Optional:
        return typing.Optional[inner[0]]  # noqa: UP045
    if base is typing.Union:
        return typing.Union[tuple(inner)]  # noqa: UP007
    return generic(base, inner)


def is_optional(made: Form) -> bool:
    """Whether a form allows None."""
    origin: Any = typing.get_origin(made)
    if origin is typing.Annotated:
        return is_optional(typing.get_args(made)[0])
    return origin in (typing.Union, types.UnionType) and type(None) in typing.get_args(made)


def target(evaluator: Evaluator, node: ast.expr, frame: Frame) -> Target:
    """What the annotation of a relationship says: its target, and what collects it."""
    node = unquoted(node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = [unquoted(node.left), unquoted(node.right)]
        rest = [one for one in sides if not (isinstance(one, ast.Constant) and one.value is None)]
        found = target(evaluator, rest[0], frame)
        return found._replace(optional=len(rest) < 2)
    if isinstance(node, ast.Subscript):
        base = evaluator.evaluate(node.value, frame)
        name = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
        if base is typing.Optional:
            return target(evaluator, node.slice, frame)._replace(optional=True)
        arguments = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
        if name in _MAPPINGS and len(arguments) == 2:
            return Target(unquoted(arguments[1]), dict, True, False)
        if name in _COLLECTIONS:
            return Target(unquoted(arguments[0]), _COLLECTIONS[name], False, False)
        if base is typing.Annotated:
            return target(evaluator, arguments[0], frame)
    return Target(node, None, False, False)


def is_column_type(value: Value) -> bool:
    """Whether a value can stand in a type annotation map as a column type."""
    return allowed.is_type(value) or hasattr(value, "__visit_name__")
