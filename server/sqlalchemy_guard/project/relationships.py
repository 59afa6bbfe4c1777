"""Relationships of mapped classes as facts: one attribute with everything that its call and its annotation say.

What the other side and the tables make of it is the business of `configured`. This module must never judge a relationship.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import (
    Call,
    ClassName,
    Const,
    Function,
    Item,
    Mapping,
    Ref,
    Sequence,
    Value,
)
from sqlalchemy_guard.project import registries
from sqlalchemy_guard.project.columns import MAPPED
from sqlalchemy_guard.project.types import NONE_TYPE, ClassType, Instance, Literal, Type, known, options
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import Attribute, ClassFacts
    from sqlalchemy_guard.project.registries import ClassId, Registry
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

RELATIONSHIP_CALLS = frozenset({
    "sqlalchemy.orm.relationship", "sqlalchemy.orm.relation", "sqlmodel.Relationship", "sqlalchemy.orm.dynamic_loader",
})  # fmt: skip
"""What makes a relationship, by canonical name."""

_POSITIONAL = ("argument", "secondary")
_COLLECTIONS = frozenset(
    ("builtins.list", "builtins.set", "builtins.dict", "typing.List", "typing.Set", "typing.Sequence",
     "typing.Collection", "typing.Dict", "typing.MutableSequence", "typing.FrozenSet", "typing.Iterable")
)  # fmt: skip


@dataclass(slots=True, eq=False)
class Annotated:
    """What the annotation of a relationship says.

    Attributes:
        wrapper: `sqlalchemy.orm.Mapped`, `…DynamicMapped`, `…WriteOnlyMapped`; None for an annotation without any of them.
        collection: Whether it says a collection; None when that cannot be read.
        optional: Whether it admits None.
        target: The class that it names, None when that is not found.
        name: The name of the class as it is written, None when the annotation cannot be read.
    """

    wrapper: str | None
    collection: bool | None
    optional: bool
    target: ClassId | None
    name: str | None


@dataclass(slots=True, eq=False)
class Relationship:
    """A relationship attribute of a class.

    Attributes:
        attribute: The attribute; its node and chunk say where it stands.
        owner: The class that declares it.
        file: That class's file.
        kind: What makes it, by canonical name.
        call: The call as a value.
        node: The call's node, in the chunk of the attribute.
        is_readable: Whether nothing is hidden in `*arguments` or `**mappings`.
        spread: What the `**mappings` that can be read say, each with the mapping's node.
    """

    attribute: Attribute
    owner: ClassFacts
    file: SourceFile
    kind: str
    call: Call
    node: ast.Call
    is_readable: bool
    spread: dict[str, tuple[Value, ast.expr]]

    @property
    def name(self) -> str:
        """The attribute's name."""
        return self.attribute.name

    @property
    def owner_id(self) -> ClassId:
        """The class that declares it."""
        return (self.file.file_id, self.owner.qualname)

    @property
    def statement(self) -> ast.Assign | ast.AnnAssign:
        """The assignment."""
        assert isinstance(self.attribute.node, (ast.Assign, ast.AnnAssign))
        return self.attribute.node

    @property
    def annotation(self) -> ast.expr | None:
        """The annotation's node."""
        return self.statement.annotation if isinstance(self.statement, ast.AnnAssign) else None

    def argument(self, name: str) -> tuple[Value, ast.expr] | None:
        """The value and the node of an argument, also of those that SQLModel hands on in `sa_relationship_kwargs`."""
        if name in _POSITIONAL and self.kind != "sqlmodel.Relationship":
            place = _POSITIONAL.index(name)
            if place < len(self.call.args) and place < len(self.node.args):
                return self.call.args[place], self.node.args[place]
        for (key, value), keyword in zip(self.call.keywords, self.node.keywords, strict=False):
            if key == name:
                return value, keyword.value
            if (
                key == "sa_relationship_kwargs"
                and type(value) is Mapping
                and isinstance(keyword.value, ast.Dict)
            ):
                for (entry, item), inner in zip(value.entries, keyword.value.values, strict=False):
                    if type(entry) is Const and entry.value == name:
                        return item, inner
        return self.spread.get(name)

    def value(self, name: str) -> Value | None:
        """The value of an argument."""
        found = self.argument(name)
        return found[0] if found is not None else None

    def constant(self, name: str) -> object:
        """What an argument says when it is a literal, else None."""
        value = self.value(name)
        return value.value if type(value) is Const else None


def relationship_of(
    resolver: Resolver, attribute: Attribute, owner: ClassFacts, file: SourceFile
) -> Relationship | None:
    """The relationship that an attribute is, None when it is none."""
    call, statement = attribute.value, attribute.node
    if type(call) is not Call or not isinstance(statement, (ast.Assign, ast.AnnAssign)):
        return None
    node = statement.value
    if not isinstance(node, ast.Call) or (isinstance(statement, ast.Assign) and len(statement.targets) != 1):
        return None
    kind = resolver.external_name(call.func, file)
    if kind not in RELATIONSHIP_CALLS:
        return None
    readable = not any(isinstance(arg, ast.Starred) for arg in node.args)
    spread: dict[str, tuple[Value, ast.expr]] = {}
    for (key, value), keyword in zip(call.keywords, node.keywords, strict=False):
        if key is None:
            entries = _entries(resolver, value, owner, file)
            readable = readable and entries is not None
            spread |= {name: (item, keyword.value) for name, item in (entries or {}).items()}
        elif key == "sa_relationship_kwargs":
            readable = (
                readable and type(value) is Mapping and all(entry is not None for entry, _ in value.entries)
            )
        elif key in ("sa_relationship", "sa_relationship_args"):
            readable = False
    return Relationship(attribute, owner, file, kind, call, node, readable, spread)


def _entries(
    resolver: Resolver, value: Value, owner: ClassFacts, file: SourceFile
) -> dict[str, Value] | None:
    """What a `**mapping` says, None when it cannot be read."""
    if type(value) is ClassName:
        own = owner.attributes.get(value.name)
        value = own.value if own is not None and own.value is not None else Ref("", value.name)
    found, source = resolver.definition_of(value, file)
    if type(found) is not Mapping or source is not file:
        return None
    keys = [key.value if type(key) is Const else None for key, _ in found.entries]
    if not all(isinstance(key, str) for key in keys):
        return None
    return {str(key): item for key, (_, item) in zip(keys, found.entries, strict=True)}


def relationships_of(resolver: Resolver, owner: ClassFacts, file: SourceFile) -> Iterator[Relationship]:
    """The relationships that a class declares itself, in order."""
    for attribute in owner.attributes.values():
        found = relationship_of(resolver, attribute, owner, file)
        if found is not None:
            yield found


def annotated(
    resolver: Resolver, annotation: Value | None, file: SourceFile, registry: Registry | None = None
) -> Annotated | None:
    """What an annotation says of a relationship; None without one.

    A class that is not known where the annotation stands is looked for in the registry, as SQLAlchemy does.
    """
    if annotation is None:
        return None
    wrapper, inner = None, annotation
    if type(annotation) is Item:
        wrapper = resolver.external_name(annotation.base, file)
        wrapper = wrapper if wrapper in MAPPED else None
    if wrapper is not None and type(annotation) is Item:
        inner = annotation.index
    alternatives, optional = _alternatives(resolver, inner, file)
    if len(alternatives) != 1:
        return Annotated(wrapper, None, optional, None, None)
    inner = alternatives[0]
    collection = wrapper not in (None, "sqlalchemy.orm.Mapped")
    if type(inner) is Item:
        container = _container(resolver, inner.base, file)
        if container is None:
            return Annotated(wrapper, None, optional, None, None)
        collection = True
        items = inner.index.items if type(inner.index) is Sequence else (inner.index,)
        inner = items[-1]
    name = inner.name if type(inner) in (Ref, ClassName) else None  # type: ignore[attr-defined]
    for option in known(resolver.instance_of(inner, file)):
        if isinstance(option, Instance) and isinstance(option.ref, tuple):
            return Annotated(wrapper, collection, optional, option.ref, name or option.ref[1])
        return Annotated(wrapper, None, optional, None, None)
    if name is None:
        return Annotated(wrapper, None, optional, None, None)
    found = registries.named(resolver, name, file, registry)
    return Annotated(wrapper, collection, optional, found[0] if found else None, name)


def _alternatives(resolver: Resolver, value: Value, file: SourceFile) -> tuple[list[Value], bool]:
    """The alternatives of an annotation that are not None, and whether None is one of them."""
    todo, found, optional = [value], list[Value](), False
    while todo:
        each = todo.pop(0)
        inner = getattr(each, "options", None)
        if isinstance(inner, tuple):
            todo = [*inner, *todo]
        elif type(each) is Const and each.value is None:
            optional = True
        elif type(each) is Item and (form := resolver.external_name(each.base, file)) in _UNIONS:
            optional = optional or form == "typing.Optional"
            items = each.index.items if type(each.index) is Sequence else (each.index,)
            todo = [*items, *todo]
        elif type(each) is Item and form == "typing.Annotated" and type(each.index) is Sequence:
            todo = [each.index.items[0], *todo]
        else:
            found.append(each)
    return found, optional


_UNIONS = ("typing.Optional", "typing.Union")


def _container(resolver: Resolver, value: Value, file: SourceFile) -> str | None:
    name = resolver.external_name(value, file)
    return name if name in _COLLECTIONS else None


def registry_of(resolver: Resolver, relationship: Relationship) -> Registry | None:
    """The registry in which the strings of a relationship are looked up."""
    return registries.registry_of(resolver, relationship.owner_id)


def annotated_as(resolver: Resolver, relationship: Relationship) -> Annotated | None:
    """What the annotation of a relationship says."""
    registry = registry_of(resolver, relationship)
    return annotated(resolver, relationship.attribute.annotation, relationship.file, registry)


def target_of(resolver: Resolver, relationship: Relationship) -> ClassId | None:
    """The class that a relationship leads to: by its first argument, else by its annotation."""
    given = relationship.value("argument")
    if given is None:
        said = annotated_as(resolver, relationship)
        return said.target if said is not None else None
    return named_class(resolver, given, relationship.file, registry_of(resolver, relationship))


def named_class(
    resolver: Resolver, value: Value, file: SourceFile, registry: Registry | None
) -> ClassId | None:
    """The class that the first argument of `relationship(…)` gives: an object, a callable or a string."""
    if type(value) is Function:
        value = value.result
    text = text_of(resolver, value, file)
    if text is not None:
        found = registries.named(resolver, text, file, registry)
        return found[0] if found else None
    for option in known(resolver.type_of(value, file)):
        if isinstance(option, ClassType) and isinstance(option.ref, tuple):
            return option.ref
    return None


def text_of(resolver: Resolver, value: Value, file: SourceFile) -> str | None:
    """The string that a value is, None when it is none or cannot be read."""
    type_: Type = resolver.type_of(value, file)
    return type_.value if isinstance(type_, Literal) and isinstance(type_.value, str) else None


def admits_none(type_: Type) -> bool:
    """Whether None is one of a type's alternatives."""
    return NONE_TYPE in options(type_)
