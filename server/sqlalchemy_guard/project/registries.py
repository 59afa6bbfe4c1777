"""Registries of mapped classes: which class a string such as `relationship("shop.models.User")` names.

A declarative base has a registry of its own, in which SQLAlchemy looks names up: two `User` classes below two bases are two
models, and one below the same base in another module is told apart by its module's path. This module must never judge a name.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Value
from sqlalchemy_guard.project.externals import DECLARATIVE_BASES
from sqlalchemy_guard.project.file_roles import is_migration_file
from sqlalchemy_guard.project.types import ClassType, options
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

ClassId = tuple[str, str]

_MAPPING_DECORATORS = frozenset(
    {"sqlalchemy.orm.registry.mapped", "sqlalchemy.orm.registry.mapped_as_dataclass"}
)
_BASE_DECORATORS = frozenset({"sqlalchemy.orm.as_declarative", "sqlalchemy.orm.registry.as_declarative_base"})
_CLASS_BASES = frozenset({"sqlalchemy.orm.DeclarativeBase", "sqlalchemy.orm.DeclarativeBaseNoMeta"})


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry of mapped classes.

    Attributes:
        home: The file that makes it, "" for a library's own.
        made: What makes it there: a class's qualified name, or the value that the base was bound to.
        kind: The library base behind it, by canonical name.
    """

    home: str
    made: Hashable
    kind: str


def registry_of(resolver: Resolver, ref: ClassId) -> Registry | None:
    """The registry that a mapped class belongs to; None when it cannot be told."""
    return resolver.remembered(("registry", ref), lambda: next(_registries(resolver, ref, set()), None))


def _registries(resolver: Resolver, ref: ClassId, seen: set[ClassId]) -> Iterator[Registry]:
    found = resolver.class_facts(ref)
    if found is None or ref in seen:
        return
    seen.add(ref)
    facts, file = found
    for decorator in facts.decorators:
        func = decorator.func if type(decorator) is Call else decorator
        name = resolver.external_name(func, file)
        if name in _BASE_DECORATORS:
            yield Registry(ref[0], ref[1], name or "")
        elif name in _MAPPING_DECORATORS and type(func) is Attr:
            yield _made_by(resolver, func.base, file, "sqlalchemy.orm.registry")
    for base in facts.bases:
        for option in options(resolver.type_of(base, file)):
            if not isinstance(option, ClassType):
                continue
            if not isinstance(option.ref, str):
                yield from _registries(resolver, option.ref, seen)
            elif option.ref in _CLASS_BASES:
                own = facts.attributes.get("registry")
                if own is not None and own.value is not None:
                    yield _made_by(resolver, own.value, file, option.ref)
                else:
                    yield Registry(ref[0], ref[1], option.ref)
            elif option.ref in ("flask_sqlalchemy.Model", "sqlalchemy.orm.declarative_base()"):
                yield _made_by(resolver, base, file, option.ref)
            elif option.ref in DECLARATIVE_BASES:
                yield Registry("", option.ref, option.ref)


def _made_by(resolver: Resolver, value: Value, file: SourceFile, kind: str) -> Registry:
    value, file = resolver.definition_of(value, file)
    if type(value) is Attr:
        # `db.Model`: the extension is what makes the registry, unless it was given a base that has one.
        value, file = resolver.definition_of(value.base, file)
    given = value.keyword("model_class") if type(value) is Call else None
    for option in options(resolver.type_of(given, file)) if given is not None else ():
        if isinstance(option, ClassType) and isinstance(option.ref, tuple):
            found = registry_of(resolver, option.ref)
            if found is not None:
                return found
    return Registry(file.file_id, value, kind)


def named(resolver: Resolver, text: str, file: SourceFile, registry: Registry | None = None) -> list[ClassId]:
    """The mapped classes that a name, or a name behind a module's path, may mean, the likeliest first.

    Args:
        resolver: Types of values.
        text: `"User"` or `"shop.models.User"`.
        file: The file that says it.
        registry: Where to look; classes of other registries are left out. Without it, classes that are not known to be
            mapped are better than none.
    """
    path, _, name = text.rpartition(".")
    modules = path.split(".") if path else []
    found = [
        ref
        for ref in resolver.sources.classes_named(name, file.file_id)
        if isinstance(ref, tuple) and (not modules or _in_module(ref[0], modules))
    ]
    here = resolver.name(name, file) if not modules else None
    if isinstance(here, ClassType) and isinstance(here.ref, tuple):
        found = [here.ref, *(ref for ref in found if ref != here.ref)]
    mapped = [ref for ref in found if resolver.is_model(ClassType(ref))]
    if registry is None:
        # A revision's copy of a model is meant by that revision only.
        is_copy = is_migration_file(file.file_id)
        return sorted(mapped, key=lambda ref: is_migration_file(ref[0]) is not is_copy) or found
    return [ref for ref in mapped if registry_of(resolver, ref) in (registry, None)]


def _in_module(file_id: str, modules: list[str]) -> bool:
    """Whether a file is the module that the last parts of its dotted name say."""
    stem, _ = os.path.splitext(file_id)
    parts = stem.split(os.sep)
    if parts[-1] == "__init__":
        parts.pop()
    return parts[-len(modules) :] == modules
