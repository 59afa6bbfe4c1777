"""Which `MetaData` a table or mapped class belongs to: tables of different ones know nothing of each other.

A `MetaData` is identified by the file and name that it, its base, registry or extension object was bound to first.
None wherever that cannot be followed. This module must never compare tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, ClassName, Const, Def, Either, Ref, Typed, Value
from sqlalchemy_guard.project.externals import DECLARATIVE_BASES
from sqlalchemy_guard.project.types import ClassType, Instance, Literal, ModuleType, known, options

if TYPE_CHECKING:
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

MetadataId = tuple[str, str]
"""File and name. The name is empty for a library's own `MetaData` (the library stands for the file) and for those of functions."""

_OWN = frozenset({"sqlalchemy.orm.DeclarativeBase", "sqlalchemy.orm.DeclarativeBaseNoMeta"})
_MADE = frozenset({"sqlalchemy.orm.declarative_base", "sqlalchemy.orm.registry.generate_base"})
_BASE_DECORATORS = frozenset({"sqlalchemy.orm.as_declarative", "sqlalchemy.orm.registry.as_declarative_base"})
_MAPPERS = frozenset({"sqlalchemy.orm.registry.mapped", "sqlalchemy.orm.registry.mapped_as_dataclass"})


def metadata_of_class(resolver: Resolver, ref: tuple[str, str]) -> MetadataId | None:
    """The `MetaData` of a declarative class."""
    return resolver.remembered(("metadata", ref), lambda: _of_class(resolver, ref))


def _of_class(resolver: Resolver, ref: tuple[str, str]) -> MetadataId | None:
    found: MetadataId | None = None
    bind_key: str | None = None
    for each in resolver.ancestors(ClassType(ref)):
        known_class = resolver.class_facts(each)
        if known_class is None:
            continue
        facts, file = known_class
        assert isinstance(each, tuple)
        key = facts.attributes.get("__bind_key__")
        if key is not None and bind_key is None:
            if type(key.value) is not Const or not isinstance(key.value.value, str | None):
                return None
            bind_key = key.value.value
        own = facts.attributes.get("metadata") or facts.attributes.get("registry")
        if own is not None and own.value is not None:
            given = own.value.keyword("metadata") if type(own.value) is Call else None
            if type(own.value) is Call and (given is None or type(given) is Call):
                found = each
            else:
                found = metadata_of(resolver, own.value, file)
            return _bound(found, bind_key)
        for decorator in facts.decorators:
            func = decorator.func if type(decorator) is Call else decorator
            name = resolver.external_name(func, file)
            if name in _BASE_DECORATORS:
                given = decorator.keyword("metadata") if type(decorator) is Call else None
                if given is not None:
                    return _bound(metadata_of(resolver, given, file), bind_key)
                owned = type(func) is Attr and name == "sqlalchemy.orm.registry.as_declarative_base"
                return _bound(metadata_of(resolver, func.base, file), bind_key) if owned else each  # type: ignore[attr-defined]
            if name in _MAPPERS and type(func) is Attr:
                return _bound(metadata_of(resolver, func.base, file), bind_key)
        found = found or _by_bases(resolver, each, facts.bases, file)
    return _bound(found, bind_key)


def _bound(found: MetadataId | None, bind_key: str | None) -> MetadataId | None:
    """Flask-SQLAlchemy has a `MetaData` for each bind key."""
    return (found[0], f"{found[1]}[{bind_key}]") if found is not None and bind_key is not None else found


def _by_bases(
    resolver: Resolver, ref: tuple[str, str], bases: tuple[Value, ...], file: SourceFile
) -> MetadataId | None:
    for base in bases:
        if type(base) is Attr and base.name == "Model":
            # An extension object may give its own class: what counts is the object.
            owned = metadata_of(resolver, base.base, file)
            if owned is not None:
                return owned
        for option in options(resolver.type_of(base, file)):
            name = option.ref if isinstance(option, ClassType) and isinstance(option.ref, str) else ""
            if name not in DECLARATIVE_BASES:
                continue
            if name in _OWN:
                return ref
            if name == "sqlmodel.SQLModel" or name.startswith("advanced_alchemy."):
                return (name, "")
            if name == "sqlalchemy.orm.declarative_base()":
                return metadata_of(resolver, base, file)
    return None


def metadata_of(resolver: Resolver, value: Value, file: SourceFile, depth: int = 0) -> MetadataId | None:
    """The `MetaData` that a value is, or that belongs to the base, registry or extension object that it is."""
    if depth > 12:
        return None
    if type(value) is Typed:
        return metadata_of(resolver, value.value, file, depth + 1)
    if type(value) is Either:
        # `Base = Any` for type checkers beside the real one says nothing.
        found = {metadata_of(resolver, option, file, depth + 1) for option in value.options} - {None}
        return found.pop() if len(found) == 1 else None
    if type(value) is Attr:
        base = resolver.type_of(value.base, file)
        if isinstance(base, ModuleType):
            return _named(resolver, base.file_id, value.name, depth) if base.file_id is not None else None
        if value.name in ("metadata", "registry", "Model", "mapper_registry"):
            return metadata_of(resolver, value.base, file, depth + 1)
        return _class_of(resolver, value, file) or _stored(resolver, value, file, depth)
    if type(value) is Ref:
        if not value.module:
            return _named(resolver, file.file_id, value.name, depth) or _class_of(resolver, value, file)
        target = resolver.module(value.module, file)
        if target is None:
            return _class_of(resolver, value, file)
        return _named(resolver, target, value.name, depth) or _class_of(resolver, value, file)
    if type(value) is Call:
        given = value.keyword("metadata")
        if given is not None:
            return metadata_of(resolver, given, file, depth + 1)
        made = resolver.external_name(value.func, file)
        return (file.file_id, "") if made == "sqlalchemy.MetaData" else None
    if type(value) is ClassName:
        facts = file.facts.class_(value.qualname)
        own = facts.attributes.get(value.name) if facts is not None else None
        named = own is None or own.value is None or own.value == value
        inner = Ref("", value.name) if named or own is None else own.value
        return metadata_of(resolver, inner, file, depth + 1) if inner is not None else None
    if type(value) is Def:
        return _class_of(resolver, value, file)
    return None


def _stored(resolver: Resolver, value: Attr, file: SourceFile, depth: int) -> MetadataId | None:
    """What a method of the workspace keeps on its object."""
    for option in known(resolver.type_of(value.base, file)):
        member = resolver.member(ClassType(option.ref), value.name) if isinstance(option, Instance) else None
        if member is not None and member.instance is not None:
            return metadata_of(resolver, member.instance[1], member.file, depth + 1)
    return None


def _class_of(resolver: Resolver, value: Value, file: SourceFile) -> MetadataId | None:
    for option in known(resolver.type_of(value, file)):
        if isinstance(option, ClassType):
            if isinstance(option.ref, tuple):
                return metadata_of_class(resolver, option.ref)
            return (option.ref, "") if option.ref == "sqlmodel.SQLModel" else None
    return None


def _named(resolver: Resolver, file_id: str, name: str, depth: int) -> MetadataId | None:
    """What a name of a module of the workspace is bound to, through star imports."""
    if file_id.endswith(("/", "\\")):
        return None
    resolver.keys.update(((file_id, name), (file_id, "*")))
    source = resolver.sources.file(file_id)
    if source is None:
        return None
    bound = source.facts.value_of(name)
    if bound is None:
        for star in source.facts.stars:
            target = resolver.module(star.module, source)
            found = _named(resolver, target, name, depth + 1) if target is not None and depth < 12 else None
            if found is not None:
                return found
        return None
    value = bound[0]
    if type(value) is Either:
        calls = [option for option in value.options if type(option) is Call]
        value = calls[0] if len(calls) == 1 else value
    if type(value) is not Call:
        return metadata_of(resolver, value, source, depth + 1)
    made = resolver.external_name(value.func, source)
    given = value.keyword("metadata")
    if made in _MADE:
        if given is not None:
            return metadata_of(resolver, given, source, depth + 1)
        if type(value.func) is Attr and made == "sqlalchemy.orm.registry.generate_base":
            return metadata_of(resolver, value.func.base, source, depth + 1)
        return file_id, name
    if made == "sqlalchemy.MetaData":
        return file_id, name
    is_owner = made in ("sqlalchemy.orm.registry", "flask_sqlalchemy.SQLAlchemy") or any(
        isinstance(option, ClassType) and "flask_sqlalchemy.SQLAlchemy" in resolver.ancestors(option)
        for option in known(resolver.type_of(value.func, source))
    )
    if is_owner:
        if given is not None:
            return metadata_of(resolver, given, source, depth + 1) or (file_id, name)
        return file_id, name
    return None


def schema_of(resolver: Resolver, metadata: MetadataId) -> str | None:
    """The schema that a `MetaData` gives to tables that name none."""
    file = resolver.sources.file(metadata[0]) if metadata[1] else None
    if file is None:
        return None
    resolver.keys.add(metadata)
    facts = file.facts.class_(metadata[1])
    own = facts.attributes.get("metadata") if facts is not None else None
    bound = file.facts.value_of(metadata[1])
    value = own.value if own is not None else bound[0] if bound is not None else None
    if type(value) is not Call:
        return None
    given = value.keyword("schema")
    said = resolver.type_of(given, file) if given is not None else None
    return said.value if isinstance(said, Literal) and isinstance(said.value, str) else None
