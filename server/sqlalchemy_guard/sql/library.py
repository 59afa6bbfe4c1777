"""What stands for names of libraries that are neither objects of SQLAlchemy nor unknown: decorators, typing, `re`, `enum.auto`.

This module must never hand out an object of the library itself.
"""

from __future__ import annotations

import sys
import typing
import uuid
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.sql import harmless
from sqlalchemy_guard.sql.values import MISSING, Class, Function, Host, Native, Opaque, Value

if TYPE_CHECKING:
    from sqlalchemy_guard.sql.evaluator import Evaluator


def kind_of_attribute(kind: str) -> Native:
    """A decorator that makes a function an attribute of its own kind."""

    def call(evaluator: Evaluator, args: list[Value], keywords: dict[str, Value]) -> Value:
        if args and isinstance(args[0], Function):
            return args[0].as_kind(kind)
        # `column = hybrid_property(getter)` of something unknown; `@declared_attr()`.
        return args[0] if args else Native(kind, call)

    return Native(kind, call)


def _partial(evaluator: Evaluator, args: list[Value], keywords: dict[str, Value]) -> Value:
    function, given = args[0], args[1:]

    def call(inner: Evaluator, more: list[Value], named: dict[str, Value]) -> Value:
        return inner.call(function, [*given, *more], {**keywords, **named})

    return Native("functools.partial()", call)


def _cast(evaluator: Evaluator, args: list[Value], keywords: dict[str, Value]) -> Value:
    return args[1] if len(args) == 2 else Opaque("cast()")


def _import_module(evaluator: Evaluator, args: list[Value], keywords: dict[str, Value]) -> Value:
    """A module of the project by its name: interpreted like one that is imported."""
    place = evaluator.place
    if len(args) != 1 or keywords or type(args[0]) is not str or place is None:
        return Opaque("import_module()")
    return evaluator.program.imported(args[0], place[0].module)


def _identity(evaluator: Evaluator, args: list[Value], keywords: dict[str, Value]) -> Value:
    return args[0] if args else Opaque("…")


def _wraps(evaluator: Evaluator, args: list[Value], keywords: dict[str, Value]) -> Value:
    return Native("functools.wraps()", _identity)


def _compile(evaluator: Evaluator, args: list[Value], keywords: dict[str, Value]) -> Value:
    return _Pattern(args[0]) if len(args) == 1 and type(args[0]) is str else Opaque("re.compile()")


class _Pattern(Host):
    """A compiled pattern, of which only `sub` is offered."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def sub(self, replacement: Value, text: Value) -> Value:
        """`pattern.sub(replacement, text)`."""
        return harmless.substitute_plain([self._pattern, replacement, text])


def _as_mutable(evaluator: Evaluator, args: list[Value], keywords: dict[str, Value]) -> Value:
    """A type of which values are watched: the type."""
    if len(args) != 1:
        return Opaque("as_mutable()")
    native = args[0].native if isinstance(args[0], Class) else args[0]
    return evaluator.call(native, [], {}) if isinstance(native, type) else native


def _with_metaclass(evaluator: Evaluator, args: list[Value], keywords: dict[str, Value]) -> Value:
    return args[1] if len(args) > 1 else Opaque("with_metaclass()")


_FORMS: dict[str, Any] = {
    "Any": typing.Any,
    "Optional": typing.Optional,
    "Union": typing.Union,
    "List": list,
    "Dict": dict,
    "Set": set,
    "Tuple": tuple,
    "FrozenSet": frozenset,
    "Sequence": typing.Sequence,
    "Mapping": typing.Mapping,
    "Iterable": typing.Iterable,
    "Collection": typing.Collection,
    "MutableMapping": typing.MutableMapping,
    "Annotated": typing.Annotated,
    "Literal": typing.Literal,
}

_KNOWN: dict[str, Value] = {
    **{f"typing.{name}": form for name, form in _FORMS.items()},
    "typing.TYPE_CHECKING": False,
    "typing.cast": Native("typing.cast", _cast),
    "importlib.import_module": Native("importlib.import_module", _import_module),
    "functools.partial": Native("functools.partial", _partial),
    "functools.wraps": Native("functools.wraps", _wraps),
    "functools.cached_property": kind_of_attribute("property"),
    "re.sub": Native("re.sub", harmless.substitute),
    "re.split": Native("re.split", harmless.split),
    "re.findall": Native("re.findall", harmless.find_all),
    "re.compile": Native("re.compile", _compile),
    "sqlalchemy.orm.declared_attr": kind_of_attribute("declared_attr"),
    "sqlalchemy.ext.hybrid.hybrid_property": kind_of_attribute("hybrid_property"),
    "sqlalchemy.ext.hybrid.hybrid_method": kind_of_attribute("hybrid_method"),
    "sqlalchemy.util.classproperty": kind_of_attribute("classproperty"),
    "sqlalchemy.util.langhelpers.classproperty": kind_of_attribute("classproperty"),
    "sqlalchemy.orm.declarative_mixin": Native("declarative_mixin", _identity),
    "sqlalchemy.util.hybridproperty": kind_of_attribute("classproperty"),
    "six.with_metaclass": Native("with_metaclass", _with_metaclass),
    **{
        f"sqlalchemy.ext.mutable.{name}.as_mutable": Native("as_mutable", _as_mutable)
        for name in ("MutableDict", "MutableList", "MutableSet")
    },
    "copy.copy": Native("copy.copy", _identity),
    "copy.deepcopy": Native("copy.deepcopy", _identity),
    "uuid.UUID": uuid.UUID,
    # Only what is older than this package's own Python asks for less.
    "sys.version_info": tuple(sys.version_info),
}


def known(dotted: str) -> Value:
    """What stands for a library's name; MISSING when nothing does."""
    return _KNOWN.get(dotted, MISSING)


def is_form(value: Value) -> bool:
    """Whether a value is a form of types such as `Optional`, which takes arguments in brackets."""
    return any(value is form for form in _FORMS.values()) and not isinstance(value, Class)
