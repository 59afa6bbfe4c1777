"""Serializers: which attributes Pydantic models and Marshmallow schemas read of the objects that they are given.

Only what a class says of its fields counts; one that looks at the object in code of its own says nothing. This module must never
look at where a serializer is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Const, Element, Function, Mapping, Sequence, Value
from sqlalchemy_guard.project.types import ClassType, Instance, known
from sqlalchemy_guard.records import NamedTuple

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import Attribute, ClassFacts
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.project.types import Type
    from sqlalchemy_guard.project.workspace import Workspace
    from sqlalchemy_guard.syntax.chunk import Chunk

Ref = tuple[str, str]
_PYDANTIC = frozenset(
    ("pydantic.BaseModel", "pydantic.main.BaseModel", "pydantic.v1.BaseModel", "sqlmodel.SQLModel")
)
_LISTS = ("builtins.list", "builtins.set", "builtins.tuple", "builtins.frozenset")
_BEFORE = ("model_validator", "root_validator")
_DEEPEST = 4


class Serialized(NamedTuple):
    """An attribute that a serializer reads.

    Attributes:
        base: What it reads it of.
        name: The attribute.
        serializer: The name of the class that does.
        file: Where its field is declared.
        chunk: The chunk of that place.
        node: The declaration.
    """

    base: Value
    name: str
    serializer: str
    file: SourceFile
    chunk: Chunk
    node: ast.stmt


class Schema(NamedTuple):
    """A serializer: its class, and which of the fields are used; `only` is None where all are."""

    ref: Ref
    only: frozenset[str] | None = None
    without: frozenset[str] = frozenset()


class _Field(NamedTuple):
    """A field, the attributes that it reads one of the other, and the class and attribute that say so.

    No place is kept: other edits of its file make it anew, and this rests on what the class says alone.
    """

    name: str
    path: tuple[str, ...]
    nested: tuple[tuple[Schema, bool], ...]
    owner: Ref
    said: str


class _Said(NamedTuple):
    """An attribute of a `Meta` class."""

    attribute: Attribute
    file: SourceFile
    owner: Ref


# -- Pydantic ----------------------------------------------------------------------------------------------------------


def is_pydantic(resolver: Resolver, ref: object) -> bool:
    """Whether a class of the workspace is a Pydantic model."""
    return isinstance(ref, tuple) and any(
        isinstance(each, str) and each in _PYDANTIC for each in resolver.ancestors(ClassType(ref))
    )


def models_in(resolver: Resolver, type_: Type, *, is_many: bool = False) -> Iterator[tuple[Ref, bool]]:
    """The Pydantic models in a type, each with whether there are many of it."""
    for option in known(type_):
        if not isinstance(option, Instance):
            continue
        if isinstance(option.ref, tuple):
            if is_pydantic(resolver, option.ref):
                yield option.ref, is_many
        elif (option.ref in _LISTS or option.ref.startswith("typing.")) and option.args:
            yield from models_in(resolver, option.args[0], is_many=True)


def reads_attributes(resolver: Resolver, ref: Ref) -> bool:
    """Whether a Pydantic model takes objects that are no mappings (`from_attributes`, `orm_mode`)."""
    for ancestor in resolver.ancestors(ClassType(ref)):
        if ancestor == "sqlmodel.SQLModel":
            return True
        found = resolver.class_facts(ancestor) if isinstance(ancestor, tuple) else None
        if found is None:
            continue
        facts, _ = found
        config = facts.attributes.get("model_config")
        pairs = list(facts.keywords)
        if config is not None and isinstance(config.value, Call):
            pairs += config.value.keywords
        elif config is not None and isinstance(config.value, Mapping):
            pairs += [(str(key.value), each) for key, each in config.value.entries if isinstance(key, Const)]
        inner = (
            resolver.class_facts((ancestor[0], facts.classes["Config"]))
            if "Config" in facts.classes
            else None
        )
        if inner is not None:
            pairs += [(each.name, each.value or Const(None)) for each in inner[0].attributes.values()]
        for name, value in pairs:
            if name in ("from_attributes", "orm_mode") and isinstance(value, Const):
                return value.value is True
    return False


def _pydantic_fields(resolver: Resolver, ref: Ref) -> list[_Field]:
    found: dict[str, _Field] = {}
    for ancestor in resolver.ancestors(ClassType(ref)):
        inside = resolver.class_facts(ancestor)
        if inside is None or isinstance(ancestor, str):
            continue
        facts, file = inside
        if _looks_itself(facts, file, resolver):
            return []
        for attribute in facts.attributes.values():
            if attribute.annotation is None or attribute.name.startswith(("_", "model_config")):
                continue
            if attribute.name in found or _is_renamed(attribute):
                continue
            type_ = resolver.instance_of(attribute.annotation, file)
            nested = tuple((Schema(each), is_many) for each, is_many in models_in(resolver, type_))
            found[attribute.name] = _Field(
                attribute.name, (attribute.name,), nested, ancestor, attribute.name
            )
    return list(found.values())


def _is_renamed(attribute: Attribute) -> bool:
    """Whether a field is no plain attribute of what is validated: it has an alias, or is a relationship of SQLModel."""
    value = attribute.value
    if not isinstance(value, Call):
        return False
    name = getattr(value.func, "name", "")
    if name in ("Relationship", "PrivateAttr", "relationship", "mapped_column"):
        return True
    return value.keyword("alias") is not None or value.keyword("validation_alias") is not None


def _looks_itself(facts: ClassFacts, file: SourceFile, resolver: Resolver) -> bool:
    """Whether a validator sees the object before its fields are read."""
    for qualname in facts.methods.values():
        function = file.facts.function(qualname)
        for decorator in function.decorators if function is not None else ():
            if isinstance(decorator, Call) and getattr(decorator.func, "name", "") in _BEFORE:
                if Const("before") in (decorator.keyword("mode"), *decorator.args) or Const(
                    True
                ) == decorator.keyword("pre"):
                    return True
    inner = (
        resolver.class_facts((file.file_id, facts.classes["Config"])) if "Config" in facts.classes else None
    )
    return inner is not None and "getter_dict" in inner[0].attributes


# -- Marshmallow -------------------------------------------------------------------------------------------------------


def is_marshmallow(resolver: Resolver, ref: object) -> bool:
    """Whether a class of the workspace is a Marshmallow schema."""
    if not isinstance(ref, tuple):
        return False
    for ancestor in resolver.ancestors(ClassType(ref)):
        if isinstance(ancestor, str):
            if _is_schema_name(ancestor):
                return True
            continue
        found = resolver.class_facts(ancestor)
        for base in found[0].bases if found is not None else ():
            if found is not None and _is_schema_name(_library_name(resolver, base, found[1])):
                return True
    return False


def _is_schema_name(name: str) -> bool:
    return name.startswith(("marshmallow", "flask_marshmallow")) and name.rpartition(".")[2].endswith(
        "Schema"
    )


def _library_name(resolver: Resolver, value: Value, file: SourceFile) -> str:
    """The name of something of a library; what hangs on the extension object of Flask-Marshmallow included."""
    name = resolver.external_name(value, file)
    if name is None and isinstance(value, Attr):
        made, source = resolver.definition_of(value.base, file)
        if (
            isinstance(made, Call)
            and resolver.external_name(made.func, source) == "flask_marshmallow.Marshmallow"
        ):
            return f"flask_marshmallow.{value.name}"
    return name or ""


def schema_of(resolver: Resolver, value: Value, file: SourceFile) -> Schema | None:
    """The Marshmallow schema that a value is an instance of, with what its constructor says of the fields."""
    made, source = resolver.definition_of(value, file)
    for option in known(resolver.type_of(made.func if isinstance(made, Call) else made, source)):
        ref = option.ref if isinstance(option, ClassType) else None
        if isinstance(ref, tuple) and isinstance(made, Call) and is_marshmallow(resolver, ref):
            return _narrowed(Schema(ref), made)
    return None


def _narrowed(schema: Schema, call: Call) -> Schema | None:
    """A schema with `only` and `exclude` of a call; None when they are not written out."""
    only, without = call.keyword("only"), call.keyword("exclude")
    names = _texts(only) if only is not None else None
    left_out = _texts(without) if without is not None else frozenset()
    if (only is not None and names is None) or left_out is None:
        return None
    return schema._replace(only=names, without=left_out)


def _texts(value: Value | None) -> frozenset[str] | None:
    if isinstance(value, Const) and isinstance(value.value, str):
        return frozenset((value.value,))
    if not isinstance(value, Sequence):
        return None
    texts = [each.value for each in value.items if isinstance(each, Const) and isinstance(each.value, str)]
    return frozenset(texts) if len(texts) == len(value.items) else None


def _marshmallow_fields(workspace: Workspace, ref: Ref) -> list[_Field]:
    resolver = workspace.resolver
    found: dict[str, _Field] = {}
    meta: dict[str, _Said] = {}
    for ancestor in resolver.ancestors(ClassType(ref)):
        inside = resolver.class_facts(ancestor)
        if inside is None or isinstance(ancestor, str):
            continue
        facts, file = inside
        for attribute in facts.attributes.values():
            field = _marshmallow_field(workspace, attribute, file, ancestor)
            if field is not None:
                found.setdefault(attribute.name, field)
        own = (file.file_id, facts.classes.get("Meta", ""))
        inner = resolver.class_facts(own) if own[1] else None
        for attribute in inner[0].attributes.values() if inner is not None else ():
            meta.setdefault(attribute.name, _Said(attribute, file, own))
    for name, field in _automatic(workspace, meta):
        found.setdefault(name, field)
    only = _texts(meta["fields"].attribute.value) if "fields" in meta else None
    without = _texts(meta["exclude"].attribute.value) if "exclude" in meta else frozenset()
    return [
        field
        for name, field in found.items()
        if (only is None or name in only) and name not in (without or frozenset())
    ]


def _automatic(workspace: Workspace, meta: dict[str, _Said]) -> Iterator[tuple[str, _Field]]:
    """The relationships that `include_relationships` makes fields of."""
    wanted, model = meta.get("include_relationships"), meta.get("model")
    if wanted is None or model is None or wanted.attribute.value != Const(True):
        return
    given = model.attribute.value
    for option in known(workspace.resolver.type_of(given, model.file)) if given is not None else ():
        if isinstance(option, ClassType) and isinstance(option.ref, tuple):
            info = workspace.mappings.model(option.ref)
            for name in info.relationships if info is not None else ():
                yield name, _Field(name, (name,), (), wanted.owner, "include_relationships")


def _marshmallow_field(
    workspace: Workspace, attribute: Attribute, file: SourceFile, owner: Ref
) -> _Field | None:
    resolver, value = workspace.resolver, attribute.value
    if not isinstance(value, Call):
        return None
    home, _, kind = _library_name(resolver, value.func, file).rpartition(".")
    if not home.startswith(("marshmallow", "flask_marshmallow", "webargs")) or kind in (
        "Method",
        "Function",
        "Constant",
    ):
        return None
    if value.keyword("load_only") == Const(True):
        return None
    renamed = value.keyword("attribute")
    path = renamed.value if isinstance(renamed, Const) else attribute.name
    if not isinstance(path, str) or (renamed is not None and not isinstance(renamed, Const)):
        return None
    is_many = value.keyword("many") == Const(True)
    inner: Value | None = value
    if kind == "List":
        inner = value.args[0] if value.args else value.keyword("cls_or_instance")
        is_many = True
    nested: tuple[tuple[Schema, bool], ...] = ()
    if isinstance(inner, Call) and _library_name(resolver, inner.func, file).endswith((".Nested", ".Pluck")):
        target = _nested_schema(workspace, inner, file)
        nested = ((target, is_many),) if target is not None else ()
    return _Field(attribute.name, tuple(path.split(".")), nested, owner, attribute.name)


def _nested_schema(workspace: Workspace, call: Call, file: SourceFile) -> Schema | None:
    resolver = workspace.resolver
    given = call.args[0] if call.args else call.keyword("nested")
    if isinstance(given, Function):
        given = given.result
    schema: Schema | None = None
    if isinstance(given, Const) and isinstance(given.value, str):
        refs = [ref for ref in workspace.classes_named(given.value, file.file_id) if isinstance(ref, tuple)]
        schema = Schema(refs[0]) if len(refs) == 1 and is_marshmallow(resolver, refs[0]) else None
    elif isinstance(given, Call):
        schema = schema_of(resolver, given, file)
    elif given is not None:
        for option in known(resolver.type_of(given, file)):
            if (
                isinstance(option, ClassType)
                and isinstance(option.ref, tuple)
                and is_marshmallow(resolver, option.ref)
            ):
                schema = Schema(option.ref)
    return _narrowed(schema, call) if schema is not None and _says_fields(call) else schema


def _says_fields(call: Call) -> bool:
    return call.keyword("only") is not None or call.keyword("exclude") is not None


# -- both --------------------------------------------------------------------------------------------------------------


def serialized(
    workspace: Workspace, schema: Schema, value: Value, active: tuple[Ref, ...] = ()
) -> Iterator[Serialized]:
    """The attributes that a serializer reads of an object, and of what they give.

    Args:
        workspace: The files.
        schema: The serializer.
        value: The object.
        active: The serializers that led here.
    """
    if schema.ref in active or len(active) >= _DEEPEST:
        return
    name = schema.ref[1].rpartition(".")[2]
    for field in _fields(workspace, schema.ref):
        if (schema.only is not None and field.name not in schema.only) or field.name in schema.without:
            continue
        found = workspace.resolver.class_facts(field.owner)
        said = found[0].attributes.get(field.said) if found is not None else None
        if found is None or said is None:
            continue
        at = value
        for part in field.path:
            yield Serialized(at, part, name, found[1], said.chunk, said.node)
            at = Attr(at, part)
        for nested, is_many in field.nested:
            inner = Element(at) if is_many else at
            yield from serialized(workspace, nested, inner, (*active, schema.ref))


def _fields(workspace: Workspace, ref: Ref) -> list[_Field]:
    resolver = workspace.resolver
    if is_pydantic(resolver, ref):
        return resolver.remembered(("pydantic fields", ref), lambda: _pydantic_fields(resolver, ref))
    return resolver.remembered(("marshmallow fields", ref), lambda: _marshmallow_fields(workspace, ref))


def field_schemas(workspace: Workspace, ref: Ref, name: str) -> tuple[tuple[Schema, bool], ...]:
    """What one field of a serializer nests, each with whether it holds many of it."""
    return next((field.nested for field in _fields(workspace, ref) if field.name == name), ())
