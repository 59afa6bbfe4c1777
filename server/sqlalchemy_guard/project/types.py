"""Types: the small closed set that symbolic values are reduced to.

A class is referred to by `ClassRef`: a dotted canonical name for a class outside the workspace (`"sqlalchemy.orm.Session"`),
or `(file id, qualified name)` for one inside. `likely` marks what was concluded from a name, not proven.
This module must never look anything up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.records import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ClassRef = str | tuple[str, str]


@dataclass(frozen=True, slots=True)
class Type:
    """Base of all types; as such: unknown."""


@dataclass(frozen=True, slots=True)
class ModuleType(Type):
    """A module: dotted name, and the file id when it is in the workspace."""

    name: str
    file_id: str | None = None


@dataclass(frozen=True, slots=True)
class ClassType(Type):
    """A class object. `extra` are base classes given at run time (`declarative_base(cls=Base)`)."""

    ref: ClassRef
    extra: tuple[ClassRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Instance(Type):
    """An instance of a class; `args` are its type arguments (entities of a Query, element of a list, …)."""

    ref: ClassRef
    args: tuple[Type, ...] = ()
    likely: bool = False


@dataclass(frozen=True, slots=True)
class FunctionType(Type):
    """A function of the workspace; `bound` is the instance or class that it was taken from."""

    file_id: str
    qualname: str
    bound: Type | None = None


@dataclass(frozen=True, slots=True)
class MethodType(Type):
    """A method of a class outside the workspace, taken from `owner`."""

    owner: Instance | ClassType
    name: str


@dataclass(frozen=True, slots=True)
class External(Type):
    """A function or other object outside the workspace, by canonical dotted name."""

    name: str


@dataclass(frozen=True, slots=True)
class CallableType(Type):
    """Something that gives `result` when called."""

    result: Type


@dataclass(frozen=True, slots=True)
class TypeForm(Type):
    """A type expression that is no class object: `Annotated[Session, …]`, `User | None`."""

    instance: Type


@dataclass(frozen=True, slots=True)
class TupleType(Type):
    """A tuple of known length."""

    items: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class Literal(Type):
    """A literal value."""

    value: object
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Union(Type):
    """One of several."""

    options: tuple[Type, ...]


UNKNOWN_TYPE = Type()
NONE_TYPE = Literal(None, "NoneType")


def options(type_: Type) -> tuple[Type, ...]:
    """The alternatives of a type."""
    return type_.options if isinstance(type_, Union) else (type_,)


def union(types: Iterable[Type]) -> Type:
    """The join: flat, without repetition."""
    seen: dict[Type, None] = {}
    for type_ in types:
        for option in options(type_):
            seen[option] = None
    if len(seen) == 1:
        return next(iter(seen))
    return Union(tuple(seen)) if seen else UNKNOWN_TYPE


def known(type_: Type) -> Iterator[Type]:
    """The alternatives that are neither unknown nor None."""
    # Asked some hundred times for each key: a generator, and comparing with what is not known, would take twice as long.
    if type(type_) is Union:
        return iter([option for option in type_.options if _is_known(option)])
    return iter((type_,) if _is_known(type_) else ())


def _is_known(option: Type) -> bool:
    kind = type(option)
    return kind is not Type and (kind is not Literal or option != NONE_TYPE)


def likely(type_: Type) -> Type:
    """The same type, marked as concluded from a name."""
    return replace(type_, likely=True) if isinstance(type_, Instance) else type_


def list_of(element: Type) -> Instance:
    """`list[element]`"""
    return Instance("builtins.list", (element,))


def coroutine(result: Type) -> Instance:
    """What awaiting gives `result`."""
    return Instance("typing.Coroutine", (result,))
