"""Annotations as types: `Annotated[Session, Depends(get_db)]`, `AsyncIterator[AsyncSession]`, `User | None`, aliases.

This module must never guess: what an annotation does not say is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Const, Either, Sequence, Value
from sqlalchemy_guard.project.types import (
    NONE_TYPE,
    UNKNOWN_TYPE,
    CallableType,
    ClassType,
    External,
    FunctionType,
    Instance,
    Literal,
    TupleType,
    Type,
    TypeForm,
    known,
    list_of,
    options,
    union,
)

if TYPE_CHECKING:
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

_ITERABLES = frozenset({
    "Generator", "Iterator", "Iterable", "AsyncGenerator", "AsyncIterator", "AsyncIterable", "Sequence", "List", "Set",
    "Collection", "FrozenSet", "MutableSequence",
})  # fmt: skip
_MANAGERS = frozenset(
    {"ContextManager", "AsyncContextManager", "AbstractContextManager", "AbstractAsyncContextManager"}
)
_TRANSPARENT = frozenset({"ClassVar", "Final", "Required", "NotRequired", "ReadOnly"})


def instance_of(resolver: Resolver, annotation: Value, file: SourceFile) -> Type:
    """The type of a value that an annotation describes."""
    if type(annotation) is Const:
        return NONE_TYPE if annotation.value is None else UNKNOWN_TYPE
    if type(annotation) is Either:
        return union(instance_of(resolver, option, file) for option in annotation.options)
    return union(_instance(resolver, option) for option in options(resolver.type_of(annotation, file)))


def _instance(resolver: Resolver, type_: Type) -> Type:
    if isinstance(type_, ClassType):
        return Instance(type_.ref)
    if isinstance(type_, TypeForm):
        return type_.instance
    if isinstance(type_, Literal):
        return NONE_TYPE if type_.value is None else UNKNOWN_TYPE
    if isinstance(type_, External):
        if type_.name in ("typing.Any", "typing.Self", "typing.TypeAlias", "builtins.object"):
            return Instance(type_.name)
        if type_.name in ("typing.List", "typing.Dict", "typing.Set", "typing.Tuple"):
            return Instance("builtins." + type_.name.rpartition(".")[2].lower())
        return UNKNOWN_TYPE
    if isinstance(type_, Instance) and type_.ref == "typing.TypeVar":
        return type_.args[0] if type_.args else UNKNOWN_TYPE
    return UNKNOWN_TYPE


def form_of(resolver: Resolver, base: Type, index: Value, file: SourceFile) -> Type | None:
    """What `base[index]` is when it is a type expression, else None."""
    items = index.items if type(index) is Sequence and index.kind == "tuple" else (index,)
    if isinstance(base, ClassType):
        if base.ref == "builtins.type":
            return TypeForm(
                union(_class_of(option) for option in options(instance_of(resolver, items[0], file)))
            )
        if base.ref == "builtins.tuple":
            return TypeForm(_tuple(resolver, items, file))
        if base.ref == "sqlalchemy.Select" and items:
            # Select[tuple[A, B]]: the entities are the tuple's items, as class objects.
            return TypeForm(Instance(base.ref, _entities(instance_of(resolver, items[0], file))))
        args = tuple(instance_of(resolver, item, file) for item in items)
        if base.ref == "sqlalchemy.orm.Query":
            args = tuple(_class_of(arg) for arg in args)
        return TypeForm(Instance(base.ref, args))
    if not isinstance(base, External):
        return None
    home, _, name = base.name.rpartition(".")
    if home not in ("typing", "contextlib"):
        return None
    first = items[0] if items else Const(None)
    if name == "Annotated":
        return TypeForm(_annotated(resolver, items, file))
    if name == "Optional":
        return TypeForm(union((instance_of(resolver, first, file), NONE_TYPE)))
    if name == "Union":
        return TypeForm(union(instance_of(resolver, item, file) for item in items))
    if name in _TRANSPARENT:
        return TypeForm(instance_of(resolver, first, file))
    if name == "Type":
        return TypeForm(union(_class_of(option) for option in options(instance_of(resolver, first, file))))
    if name == "Tuple":
        return TypeForm(_tuple(resolver, items, file))
    if name in _ITERABLES:
        return TypeForm(Instance(f"typing.{name}", (instance_of(resolver, first, file),)))
    if name in _MANAGERS:
        return TypeForm(Instance("contextlib.AbstractContextManager", (instance_of(resolver, first, file),)))
    if name in ("Awaitable", "Coroutine"):
        return TypeForm(Instance("typing.Coroutine", (instance_of(resolver, items[-1], file),)))
    if name == "Callable":
        return TypeForm(CallableType(instance_of(resolver, items[-1], file)))
    if name in ("Dict", "Mapping"):
        return TypeForm(Instance("builtins.dict", tuple(instance_of(resolver, item, file) for item in items)))
    return TypeForm(UNKNOWN_TYPE)


def _annotated(resolver: Resolver, items: tuple[Value, ...], file: SourceFile) -> Type:
    declared = instance_of(resolver, items[0], file) if items else UNKNOWN_TYPE
    if next(known(declared), None) is not None:
        return declared
    for item in items[1:]:
        injected = injected_by(resolver, resolver.type_of(item, file))
        if injected is not None:
            return injected
    return UNKNOWN_TYPE


def injected_by(resolver: Resolver, type_: Type) -> Type | None:
    """What FastAPI passes for a `Depends(f)`, None when the type is no such marker."""
    if not isinstance(type_, Instance) or type_.ref != "fastapi.Depends" or not type_.args:
        return None
    target = type_.args[0]
    results: list[Type] = []
    for option in options(target):
        if isinstance(option, FunctionType):
            source = resolver.sources.file(option.file_id)
            function = source.facts.function(option.qualname) if source is not None else None
            if function is not None and source is not None:
                results.append(resolver.result_of(function, source, option.bound))
        elif isinstance(option, CallableType):
            results.append(option.result)
        elif isinstance(option, ClassType):
            results.append(Instance(option.ref))
        elif isinstance(option, Instance) and isinstance(option.ref, tuple):
            member = resolver.member(ClassType(option.ref), "__call__")
            if member is not None and member.function is not None:
                results.append(resolver.result_of(member.function, member.file, option))
        elif isinstance(option, Instance) and option.args:
            results.append(option.args[0])
    return union(given_by(result) for result in results) if results else UNKNOWN_TYPE


def given_by(type_: Type) -> Type:
    """A dependency's result as FastAPI hands it on: awaited, and what a generator yields."""
    if isinstance(type_, Instance) and type_.args:
        if type_.ref == "typing.Coroutine":
            return given_by(type_.args[-1])
        if type_.ref in _GENERATORS or type_.ref == "contextlib.AbstractContextManager":
            return type_.args[0]
    return type_


_GENERATORS = frozenset(
    f"typing.{name}"
    for name in ("Generator", "Iterator", "Iterable", "AsyncGenerator", "AsyncIterator", "AsyncIterable")
)


def _class_of(type_: Type) -> Type:
    return ClassType(type_.ref) if isinstance(type_, Instance) else UNKNOWN_TYPE


def _entities(type_: Type) -> tuple[Type, ...]:
    items = type_.items if isinstance(type_, TupleType) else (type_,)
    return tuple(_class_of(item) for item in items)


def _tuple(resolver: Resolver, items: tuple[Value, ...], file: SourceFile) -> Type:
    if len(items) == 2 and type(items[1]) is Const and items[1].value is Ellipsis:
        return list_of(instance_of(resolver, items[0], file))
    return TupleType(tuple(instance_of(resolver, item, file) for item in items))
