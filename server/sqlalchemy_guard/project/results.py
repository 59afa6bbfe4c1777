"""What calls give: constructors, functions and methods of the workspace, and what a library is known to return.

Free functions that take the resolver. This module must never conclude anything from a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Call, Ref, Value
from sqlalchemy_guard.project import stubs
from sqlalchemy_guard.project.attributes import with_bases
from sqlalchemy_guard.project.types import (
    NONE_TYPE,
    UNKNOWN_TYPE,
    CallableType,
    ClassType,
    External,
    FunctionType,
    Instance,
    MethodType,
    TupleType,
    Type,
    coroutine,
    known,
)

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import FunctionFacts
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

_TRANSPARENT_PROPERTIES = frozenset(
    {
        "builtins.property",
        "functools.cached_property",
        "sqlalchemy.ext.hybrid.hybrid_property",
        "werkzeug.utils.cached_property",
        "abc.abstractproperty",
        "sqlalchemy.util.memoized_property",
        "reify",
        "pyramid.decorator.reify",
    }
)
_CONTEXT_MANAGERS = frozenset({"contextlib.contextmanager", "contextlib.asynccontextmanager"})
CONTEXT_MANAGER = "contextlib.AbstractContextManager"


_MADE_BY = {
    "sqlalchemy.orm.sessionmaker": stubs.SESSION,
    "sqlalchemy.ext.asyncio.async_sessionmaker": stubs.ASYNC_SESSION,
    "sqlalchemy.orm.scoped_session": stubs.SESSION,
    "sqlalchemy.ext.asyncio.async_scoped_session": stubs.ASYNC_SESSION,
}
_CALLED_FOR_SESSION = frozenset(_MADE_BY)


def called(resolver: Resolver, func: Type, value: Call, file: SourceFile) -> Type:
    """What calling an object of a type gives."""
    if isinstance(func, FunctionType):
        target = resolver.sources.file(func.file_id)
        function = target.facts.function(func.qualname) if target is not None else None
        if function is None or target is None:
            return UNKNOWN_TYPE
        return resolver.result_of(function, target, func.bound)
    if isinstance(func, MethodType):
        return _method_result(resolver, func, value, file)
    if isinstance(func, ClassType):
        if isinstance(func.ref, str):
            stub = stubs.CONSTRUCTED.get(func.ref)
            if stub is not None:
                return stub(_Site(resolver, file, value, None))
            return Instance(func.ref)
        return _constructed(resolver, func, value, file)
    if isinstance(func, External):
        stub = stubs.FUNCTIONS.get(func.name)
        return stub(_Site(resolver, file, value, None)) if stub is not None else UNKNOWN_TYPE
    if isinstance(func, CallableType):
        return func.result
    if isinstance(func, Instance):
        if isinstance(func.ref, str):
            if func.ref not in _CALLED_FOR_SESSION:
                return UNKNOWN_TYPE
            # A bare `sessionmaker` as annotation does not say of which sessions.
            return func.args[0] if func.args else Instance(_MADE_BY[func.ref], likely=True)
        member = resolver.member(ClassType(func.ref), "__call__")
        if member is not None and member.function is not None:
            return resolver.result_of(member.function, member.file, func)
        for ref in resolver.ancestors(ClassType(func.ref)):
            if isinstance(ref, str) and ref in _CALLED_FOR_SESSION:
                return Instance(_MADE_BY[ref])
    return UNKNOWN_TYPE


def _constructed(resolver: Resolver, class_: ClassType, value: Call, file: SourceFile) -> Type:
    ref = resolver.external_ancestor(class_)
    if ref is not None and ref in stubs.CONSTRUCTED:
        return stubs.CONSTRUCTED[ref](_Site(resolver, file, value, None))
    return Instance(class_.ref)


def _method_result(resolver: Resolver, method: MethodType, value: Call, file: SourceFile) -> Type:
    owner = method.owner
    ref = owner.ref
    if isinstance(ref, str):
        for class_ in with_bases(ref):
            stub = stubs.METHODS.get(class_, {}).get(method.name)
            if stub is not None:
                return stub(_Site(resolver, file, value, owner))
    if method.name in ("format", "join", "strip", "lower", "upper") and ref == "builtins.str":
        return Instance("builtins.str")
    return UNKNOWN_TYPE


def result_of(resolver: Resolver, function: FunctionFacts, file: SourceFile, bound: Type | None) -> Type:
    """What calling a function of the workspace gives (before awaiting)."""
    resolver.keys.add((file.file_id, function.qualname))
    plain = _plain_result(resolver, function, file, bound)
    for decorator in function.decorators:
        name = resolver.external_name(decorator.func if type(decorator) is Call else decorator, file)
        if name in _CONTEXT_MANAGERS:
            return Instance(CONTEXT_MANAGER, (stubs.iterated(plain),))
    return plain


def _plain_result(resolver: Resolver, function: FunctionFacts, file: SourceFile, bound: Type | None) -> Type:
    declared = UNKNOWN_TYPE
    if function.annotation is not None:
        declared = resolver.instance_of(function.annotation, file)
        if isinstance(declared, Instance) and declared.ref == "typing.Self" and bound is not None:
            declared = Instance(bound.ref) if isinstance(bound, (Instance, ClassType)) else UNKNOWN_TYPE
    if function.yielded is not None:
        if isinstance(declared, Instance) and declared.args and next(known(declared.args[0]), None):
            return declared
        return Instance("typing.Generator", (resolver.type_of(function.yielded, file),))
    if next(known(declared), None) is None or _says_little(declared):
        if function.returned is not None:
            inferred = resolver.type_of(function.returned, file)
            if next(known(inferred), None) is not None:
                declared = inferred
        elif function.annotation is None:
            declared = NONE_TYPE
    return coroutine(declared) if function.is_async else declared


def is_property(resolver: Resolver, function: FunctionFacts, file: SourceFile) -> bool:
    """Whether reading the attribute calls the function."""
    for decorator in function.decorators:
        target = decorator.func if type(decorator) is Call else decorator
        if resolver.external_name(target, file) in _TRANSPARENT_PROPERTIES:
            return True
        if type(target) is Ref and target.name in (
            "declared_attr",
            "reify",
            "classproperty",
            "cached_property",
        ):
            return True
    return False


class _Site:
    """A `stubs.Site`."""

    __slots__ = ("_file", "_resolver", "call", "owner")

    def __init__(
        self, resolver: Resolver, file: SourceFile, call: Call, owner: Instance | ClassType | None
    ) -> None:
        self._resolver = resolver
        self._file = file
        self.call = call
        self.owner = owner

    def type_of(self, value: Value) -> Type:
        type_ = self._resolver.type_of(value, self._file)
        if isinstance(type_, FunctionType):
            target = self._resolver.sources.file(type_.file_id)
            function = target.facts.function(type_.qualname) if target is not None else None
            if function is not None and target is not None:
                return CallableType(self._resolver.result_of(function, target, type_.bound))
        return type_

    def is_model(self, type_: Type) -> bool:
        return self._resolver.is_model(type_)


def unwrapped(type_: Type) -> Type:
    """What awaiting gives; something that is no coroutine stays what it is."""
    if isinstance(type_, Instance) and type_.ref in ("typing.Coroutine", "typing.Awaitable") and type_.args:
        return type_.args[-1]
    return type_


def _says_little(type_: Type) -> bool:
    """An annotation such as `Any`, `object` or a bare `list` that the body may say more about."""
    return isinstance(type_, Instance) and (
        type_.ref in ("typing.Any", "builtins.object")
        or (
            type_.ref in ("builtins.list", "builtins.tuple", "builtins.dict", CONTEXT_MANAGER)
            and not type_.args
        )
    )


def indexed(base: Type, index: object) -> Type:
    """What `base[index]` is for a constant index, None for any other."""
    if isinstance(base, TupleType):
        return (
            base.items[index]
            if isinstance(index, int) and -len(base.items) <= index < len(base.items)
            else UNKNOWN_TYPE
        )
    if isinstance(base, Instance) and base.args:
        if base.ref == "sqlalchemy.Row":
            return (
                base.args[index] if isinstance(index, int) and 0 <= index < len(base.args) else UNKNOWN_TYPE
            )
        if base.ref == "builtins.dict":
            return base.args[-1]
        if base.ref == "sqlalchemy.orm.Query":
            return stubs.iterated(base)
        if isinstance(base.ref, str) and base.ref.startswith(("builtins.", "typing.")):
            return base.args[0]
    return UNKNOWN_TYPE
