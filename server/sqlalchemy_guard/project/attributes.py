"""What attributes are: of modules, of instances and classes of the workspace, of what a library is known to have.

Free functions that take the resolver. This module must never conclude anything from a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Const, Function, Param, Value
from sqlalchemy_guard.project import registries, stubs
from sqlalchemy_guard.project.externals import BASES, is_public
from sqlalchemy_guard.project.homes import home_of
from sqlalchemy_guard.project.types import (
    UNKNOWN_TYPE,
    ClassRef,
    ClassType,
    External,
    FunctionType,
    Instance,
    Literal,
    MethodType,
    ModuleType,
    Type,
    known,
    likely,
    list_of,
    options,
    union,
)
from sqlalchemy_guard.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import Attribute, ClassFacts, FunctionFacts
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

_MAPPED = frozenset(
    {"sqlalchemy.orm.Mapped", "sqlalchemy.orm.DynamicMapped", "sqlalchemy.orm.WriteOnlyMapped"}
)


class Member(NamedTuple):
    """An attribute found in a class of the workspace."""

    owner: ClassFacts
    file: SourceFile
    attribute: Attribute | None
    function: FunctionFacts | None
    instance: tuple[Value | None, Value] | None


def attribute(resolver: Resolver, base: Type, name: str) -> Type:
    """The type of `base.name`."""
    if isinstance(base, ModuleType):
        if base.file_id is not None:
            return resolver.member_of_module(base.file_id, name, base.name)
        return resolver.external(base.name, name)
    if isinstance(base, External):
        return resolver.external(base.name, name)
    if isinstance(base, Instance):
        return _instance_attribute(resolver, base, name)
    if isinstance(base, ClassType):
        return _class_attribute(resolver, base, name)
    if isinstance(base, Literal) and base.kind == "str":
        return MethodType(Instance("builtins.str"), name)
    return UNKNOWN_TYPE


def _instance_attribute(resolver: Resolver, base: Instance, name: str) -> Type:
    if isinstance(base.ref, str):
        return _library_attribute(resolver, base, base.ref, name)
    class_ = ClassType(base.ref)
    member = resolver.member(class_, name)
    if member is not None:
        return _member_type(resolver, member, base, name)
    for ref in resolver.ancestors(class_):
        if isinstance(ref, str):
            found = _library_attribute(resolver, Instance(ref, base.args, base.likely), ref, name)
            if found != UNKNOWN_TYPE:
                return found
    return UNKNOWN_TYPE


def _library_attribute(resolver: Resolver, base: Instance, ref: str, name: str) -> Type:
    for class_ in with_bases(ref):
        known_attribute = stubs.ATTRIBUTES.get(class_, {}).get(name)
        if known_attribute is not None:
            return likely(known_attribute) if base.likely else known_attribute
        if name in stubs.METHODS.get(class_, {}):
            return MethodType(base, name)
    if ref in stubs.PROXIED and base.args:
        return resolver.attribute(base.args[0], name)
    for module in stubs.PROXY_TARGETS.get(ref, ()):
        if is_public(module, name):
            return resolver.external(module, name)
    return UNKNOWN_TYPE


def _class_attribute(resolver: Resolver, base: ClassType, name: str) -> Type:
    if isinstance(base.ref, str):
        return _library_class_attribute(resolver, base.ref, name, base)
    member = resolver.member(base, name)
    if member is not None:
        if member.function is not None:
            if resolver.is_property(member.function, member.file):
                return resolver.result_of(member.function, member.file, base)
            return FunctionType(member.file.file_id, member.function.qualname, base)
        if member.attribute is not None:
            return _attribute_type(resolver, member, of_instance=False)
        if member.instance is not None:
            return _stored(resolver, member.instance, member.file)
    facts = resolver.class_facts(base.ref)
    if facts is not None and name in facts[0].classes:
        return ClassType((base.ref[0], facts[0].classes[name]))
    for ref in resolver.ancestors(base):
        if isinstance(ref, str):
            found = _library_class_attribute(resolver, ref, name, base)
            if found != UNKNOWN_TYPE:
                return found
    if name == "query":
        added = query_property(resolver, base)
        if added is not None:
            return Instance("sqlalchemy.orm.Query", (base,))
    if name == "query" and _is_mapped_elsewhere(resolver, base):
        return Instance("sqlalchemy.orm.Query", (base,), likely=True)
    return UNKNOWN_TYPE


def query_property(resolver: Resolver, class_: ClassType) -> tuple[Value, SourceFile] | None:
    """The `registry.query_property()` behind a class's `query`, with its file; None for any other `query`.

    It stands in the class or a base of it, or is added from outside, as Flask's documentation has it: `Base.query = …`.
    """
    found = resolver.member(class_, "query")
    if found is not None:
        value = found.attribute.value if found.attribute is not None else None
        return (
            (value, found.file) if value is not None and _is_property(resolver, value, found.file) else None
        )
    for base, value, file in resolver.sources.stored_attributes("query"):
        if _is_base(resolver, class_, base, file) and _is_property(resolver, value, file):
            return value, file
    return None


def _is_base(resolver: Resolver, class_: ClassType, base: Value, file: SourceFile) -> bool:
    """Whether a class gets its attributes from what a value stands for."""
    ancestors = resolver.ancestors(class_)
    found = [option.ref for option in known(resolver.type_of(base, file)) if isinstance(option, ClassType)]
    if any(isinstance(ref, tuple) and ref in ancestors for ref in found):
        return True
    # All bases that `declarative_base()` makes are of one type.
    home = home_of(resolver, base, file) if found else None
    parents = [facts for ref in ancestors if (facts := resolver.class_facts(ref)) is not None]
    return home is not None and any(
        home_of(resolver, parent, source) == home for facts, source in parents for parent in facts.bases
    )


def _is_property(resolver: Resolver, value: Value, file: SourceFile) -> bool:
    made = resolver.type_of(value, file)
    return isinstance(made, Instance) and made.ref == "sqlalchemy.orm.query_property()"


_COLUMNS = frozenset({"sqlalchemy.Column", "sqlalchemy.orm.mapped_column"})
_COLUMN_TYPES = frozenset({"sqlalchemy.Column", "sqlalchemy.orm.MappedColumn"})


def _is_mapped_elsewhere(resolver: Resolver, class_: ClassType) -> bool:
    """Whether a class names its table and has columns, while its base is one that a library makes on SQLAlchemy's."""
    if resolver.is_model(class_):
        return False
    named = columned = False
    for ref in resolver.ancestors(class_):
        found = resolver.class_facts(ref)
        if found is None:
            continue
        attributes = found[0].attributes
        named = named or "__tablename__" in attributes or "__table__" in attributes
        columned = columned or any(
            type(each.value) is Call and resolver.external_name(each.value.func, found[1]) in _COLUMNS
            for each in attributes.values()
        )
    return named and columned


def _library_class_attribute(resolver: Resolver, ref: str, name: str, owner: ClassType) -> Type:
    for class_ in with_bases(ref):
        found = stubs.CLASS_ATTRIBUTES.get(class_, {}).get(name)
        if found is not None:
            return found
        if name == "query" and class_ == "flask_sqlalchemy.Model":
            return Instance("flask_sqlalchemy.Query", (owner,))
        if name in stubs.METHODS.get(class_, {}):
            return MethodType(owner, name)
    return UNKNOWN_TYPE


def member(resolver: Resolver, class_: ClassType, name: str) -> Member | None:
    """An attribute or method of a class of the workspace, through its ancestors there."""
    for ref in resolver.ancestors(class_):
        if isinstance(ref, str):
            continue
        found = resolver.class_facts(ref)
        if found is None:
            continue
        facts, file = found
        if name in facts.attributes:
            return Member(facts, file, facts.attributes[name], None, facts.instance.get(name))
        if name in facts.methods:
            function = file.facts.function(facts.methods[name])
            if function is not None:
                resolver.keys.add((file.file_id, function.qualname))
                return Member(facts, file, None, function, None)
        if name in facts.instance:
            return Member(facts, file, None, None, facts.instance[name])
    return None


def _member_type(resolver: Resolver, member: Member, base: Instance, name: str) -> Type:
    if member.function is not None:
        if resolver.is_property(member.function, member.file):
            return resolver.result_of(member.function, member.file, base)
        return FunctionType(member.file.file_id, member.function.qualname, base)
    if member.attribute is not None:
        declared = _attribute_type(resolver, member, of_instance=True)
        if next(known(declared), None) is not None or member.instance is None:
            if isinstance(declared, Instance) and declared.ref == "sqlalchemy.orm.query_property()":
                return Instance("sqlalchemy.orm.Query", (ClassType(base.ref),))
            return declared
    if member.instance is not None:
        return _stored(resolver, member.instance, member.file)
    return resolver.name(name, member.file)


def _stored(resolver: Resolver, stored: tuple[Value | None, Value], file: SourceFile) -> Type:
    annotation, value = stored
    if annotation is not None:
        declared = resolver.instance_of(annotation, file)
        if next(known(declared), None) is not None:
            return declared
    return resolver.type_of(value, file)


def _attribute_type(resolver: Resolver, member: Member, *, of_instance: bool) -> Type:
    attribute = member.attribute
    assert attribute is not None
    mapped = resolver.mapped_type(attribute, member.file)
    if mapped is not None:
        return mapped if of_instance else Instance("sqlalchemy.orm.InstrumentedAttribute", (mapped,))
    if attribute.annotation is not None:
        declared = resolver.instance_of(attribute.annotation, member.file)
        if next(known(declared), None) is not None:
            return declared
    if attribute.value is None:
        return UNKNOWN_TYPE
    type_ = resolver.type_of(attribute.value, member.file)
    if isinstance(type_, Instance) and type_.ref == "sqlalchemy.orm.query_property()":
        return Instance("sqlalchemy.orm.Query", (ClassType((member.file.file_id, member.owner.qualname)),))
    return type_


def mapped_type(resolver: Resolver, attribute: Attribute, file: SourceFile) -> Type | None:
    """The Python type of a mapped attribute (column or relationship), None when the attribute is not mapped."""
    if attribute.annotation is not None:
        declared = resolver.instance_of(attribute.annotation, file)
        if isinstance(declared, Instance) and declared.ref in _MAPPED:
            return declared.args[0] if declared.args else UNKNOWN_TYPE
    if attribute.value is None:
        return None
    type_ = resolver.type_of(attribute.value, file)
    made = list(known(type_))
    if made and all(isinstance(each, Instance) and each.ref in _COLUMN_TYPES for each in made):
        return UNKNOWN_TYPE  # also where a module takes `mapped_column` or `Column`, as the library has them
    if isinstance(type_, Instance) and type_.ref == "sqlalchemy.orm.Relationship":
        if attribute.annotation is not None:
            declared = resolver.instance_of(attribute.annotation, file)
            if next(known(declared), None) is not None:
                return declared
        target = resolver.relationship_target(attribute.value, file)
        if target is None:
            return UNKNOWN_TYPE
        call = attribute.value
        uselist = call.keyword("uselist") if type(call) is Call else None
        if type(uselist) is Const and uselist.value is False:
            return Instance(target)
        # The direction needs the keys; either way iterating or reading gives objects of the target.
        return union((list_of(Instance(target)), Instance(target)))
    return None


def relationship_target(
    resolver: Resolver, value: Value, file: SourceFile, owner: tuple[str, str] | None = None
) -> ClassRef | None:
    """The class that `relationship(…)` names, by object, string or callable.

    Args:
        resolver: Types of values.
        value: The call.
        file: Where it stands.
        owner: The class that declares it: a string names a class of the same registry.
    """
    if type(value) is not Call or not (value.args or value.keyword("argument")):
        return None
    target = value.args[0] if value.args else value.keyword("argument")
    if type(target) is Function:
        target = target.result
    if type(target) is Const and isinstance(target.value, str):
        registry = registries.registry_of(resolver, owner) if owner is not None else None
        found = registries.named(resolver, target.value, file, registry) if registry is not None else []
        found = found or registries.named(resolver, target.value, file)
        return found[0] if found else None
    for option in known(resolver.type_of(target, file)) if target is not None else ():
        if isinstance(option, ClassType):
            return option.ref
    return None


def with_bases(ref: str) -> Iterator[str]:
    todo = [ref]
    while todo:
        class_ = todo.pop(0)
        yield class_
        todo.extend(BASES.get(class_, ()))


def request_attribute(resolver: Resolver, value: Attr, file: SourceFile) -> Type:
    """What Pyramid's `config.add_request_method(make, "name", reify=True)` makes of `request.name`."""
    base = value.base
    if not (isinstance(base, (Param, Attr)) and base.name == "request"):
        return UNKNOWN_TYPE
    found: list[Type] = []
    for call, source in resolver.sources.calls_of("add_request_method", None):
        named = call.args[1] if len(call.args) > 1 else call.keyword("name")
        made = call.args[0] if call.args else call.keyword("callable")
        if type(made) is Call and type(made.func) is Attr and made.func.name == "get" and len(made.args) == 2:
            # `settings.get("create_session", create_session)`: what it is when nobody configured another one.
            made = made.args[1]
        if made is None or type(named) is not Const or named.value != value.name:
            continue
        is_read = any(
            type(flag) is Const and flag.value is True
            for flag in (call.keyword("reify"), call.keyword("property"))
        )
        for option in options(resolver.type_of(made, source)):
            if is_read:
                found.append(resolver.called(option, Call(made, (base,), ()), source))
            else:
                found.append(option)
    return union(found) if found else UNKNOWN_TYPE
