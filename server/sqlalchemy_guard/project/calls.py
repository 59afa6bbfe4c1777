"""Calls with their callee resolved: the facts that most rules subscribe to.

This module must never judge a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.project import stubs
from sqlalchemy_guard.project.externals import ASYNC_SESSIONS, BASES, REGISTRIES, SESSIONS
from sqlalchemy_guard.project.types import (
    ClassType,
    External,
    FunctionType,
    Instance,
    MethodType,
    Type,
    known,
)
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile


@dataclass(slots=True, eq=False)
class LibraryCall:
    """A call of something outside the workspace.

    Attributes:
        fact: The call.
        name: Canonical name of the callee: `sqlalchemy.create_engine`, `sqlalchemy.orm.Session.commit`. A method is named
            after the library class that defines it, whatever class of the workspace it was reached through.
        owner: What the method is called on, None for functions and classes.
        likely: Whether the owner was concluded from a name; fixes must weaken then.
    """

    fact: CallFact
    name: str
    owner: Instance | ClassType | None
    likely: bool


@dataclass(slots=True, eq=False)
class LoopCall:
    """A call of a function of the workspace that runs once per iteration of a loop."""

    fact: CallFact
    function: FunctionType


def resolve_call(resolver: Resolver, fact: CallFact, file: SourceFile) -> LibraryCall | FunctionType | None:
    """What a call calls: something of a library, a function of the workspace, or nothing that is known."""
    for option in known(resolver.type_of(fact.value.func, file)):
        if isinstance(option, FunctionType):
            return option
        named = library_name(resolver, option)
        if named is not None:
            name, owner = named
            return LibraryCall(fact, name, owner, isinstance(owner, Instance) and owner.likely)
    return None


def library_name(resolver: Resolver, type_: Type) -> tuple[str, Instance | ClassType | None] | None:
    """The canonical name of a callable outside the workspace, and the object that a method was taken from."""
    if isinstance(type_, External):
        return type_.name, None
    if isinstance(type_, ClassType):
        if isinstance(type_.ref, str):
            return type_.ref, None
        ancestor = resolver.external_ancestor(type_)
        return (ancestor, None) if ancestor in SESSIONS or ancestor in stubs.CONSTRUCTED else None
    if isinstance(type_, MethodType) and isinstance(type_.owner.ref, str):
        return f"{defining_class(type_.owner.ref, type_.name)}.{type_.name}", type_.owner
    if isinstance(type_, Instance):
        ref = type_.ref if isinstance(type_.ref, str) else resolver.external_ancestor(ClassType(type_.ref))
        return (f"{ref}()", type_) if ref is not None and ref in stubs.CONSTRUCTED else None
    return None


def defining_class(ref: str, method: str) -> str:
    """The library class that defines a method which a class has."""
    todo = [ref]
    while todo:
        class_ = todo.pop(0)
        if method in stubs.METHODS.get(class_, {}):
            return class_
        todo.extend(BASES.get(class_, ()))
    return ref


def session_kind(resolver: Resolver, type_: Type) -> str | None:
    """`"sync"` or `"async"` for a session (or a registry that stands for one), else None."""
    for option in known(type_):
        if not isinstance(option, Instance):
            continue
        refs = (option.ref,) if isinstance(option.ref, str) else resolver.ancestors(ClassType(option.ref))
        if any(ref in ASYNC_SESSIONS for ref in refs):
            return "async"
        if any(ref in SESSIONS for ref in refs):
            return "sync"
        if any(ref in stubs.PROXIED for ref in refs) and option.args:
            return session_kind(resolver, option.args[0])
    return None


def is_proven_session(resolver: Resolver, type_: Type) -> bool:
    """Whether a type is certainly one session, not a registry of them."""
    instances = [option for option in known(type_) if isinstance(option, Instance)]
    return (
        bool(instances)
        and session_kind(resolver, type_) is not None
        and not any(option.likely or option.ref in REGISTRIES for option in instances)
    )
