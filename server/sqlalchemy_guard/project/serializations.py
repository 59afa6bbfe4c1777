"""Where objects are handed to serializers: `Model.model_validate(x)`, `schema.dump(x)`, what routes return.

This module must never judge.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import UNKNOWN, Attr, Call, Const, Element, Mapping, Typed
from sqlalchemy_guard.project.bodies import own_nodes, values_of
from sqlalchemy_guard.project.routes import framework_of
from sqlalchemy_guard.project.serializers import (
    Schema,
    field_schemas,
    is_pydantic,
    models_in,
    reads_attributes,
    schema_of,
)
from sqlalchemy_guard.project.shapes import Many
from sqlalchemy_guard.project.types import ClassType, known
from sqlalchemy_guard.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import CallFact, FunctionFacts
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.rows import Rows
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.syntax.chunk import Chunk

_VALIDATING = frozenset(("model_validate", "from_orm", "validate_python", "dump", "dumps", "parse_obj_as"))

_ANSWERING = frozenset(
    ("flask_apispec.marshal_with", "flask_smorest.Blueprint", "apiflask.APIFlask", "apiflask.APIBlueprint")
)


class Serialization(NamedTuple):
    """An object that a serializer is given: the argument, and the object as the serializer sees it."""

    schema: Schema
    given: Value
    value: Value


def may_serialize(fact: CallFact) -> bool:
    """Whether a call may serialize something, as far as its own text tells."""
    func = fact.value.func
    name = getattr(func, "name", "")
    return bool(fact.value.args and name in _VALIDATING) or bool(
        name[:1].isupper() and any(name is not None for name, _ in fact.value.keywords)
    )


def serializations(workspace: Workspace, fact: CallFact, file: File, rows: Rows) -> Iterator[Serialization]:
    """What a call hands to serializers."""
    call, resolver = fact.value, workspace.resolver
    func = call.func
    name = getattr(func, "name", "")
    if isinstance(func, Attr) and name in ("model_validate", "from_orm") and call.args:
        for option in known(resolver.type_of(func.base, file)):
            ref = option.ref if isinstance(option, ClassType) else None
            if isinstance(ref, tuple) and is_pydantic(resolver, ref):
                told = call.keyword("from_attributes") == Const(True) or name == "from_orm"
                if told or reads_attributes(resolver, ref):
                    yield Serialization(Schema(ref), call.args[0], call.args[0])
    elif isinstance(func, Attr) and name == "validate_python" and call.args:
        made, source = resolver.definition_of(func.base, file)
        if (
            isinstance(made, Call)
            and made.args
            and resolver.external_name(made.func, source) == "pydantic.TypeAdapter"
        ):
            for ref, is_many in models_in(resolver, resolver.instance_of(made.args[0], source)):
                if call.keyword("from_attributes") == Const(True) or reads_attributes(resolver, ref):
                    yield _one(Schema(ref), call.args[0], is_many=is_many)
    elif isinstance(func, Attr) and name in ("dump", "dumps") and call.args:
        schema = schema_of(resolver, func.base, file)
        if schema is not None:
            shapes = rows.shapes(call.args[0], rows.scope(file))
            yield _one(schema, call.args[0], is_many=any(isinstance(shape, Many) for shape in shapes))
    elif name[:1].isupper():
        for option in known(resolver.type_of(func, file)):
            ref = option.ref if isinstance(option, ClassType) else None
            if isinstance(ref, tuple) and is_pydantic(resolver, ref):
                yield from _fields(workspace, Schema(ref), call.keywords)


def _one(schema: Schema, given: Value, *, is_many: bool) -> Serialization:
    return Serialization(schema, given, Element(given) if is_many else given)


def _fields(
    workspace: Workspace, schema: Schema, given: tuple[tuple[str | None, Value], ...]
) -> Iterator[Serialization]:
    """What the fields of a model that are given one by one hand to the models that they nest."""
    for name, value in given:
        for nested, is_many in field_schemas(workspace, schema.ref, name or ""):
            if reads_attributes(workspace.resolver, nested.ref):
                yield _one(nested, value, is_many=is_many)


def _answered(workspace: Workspace, function: FunctionFacts, file: File) -> Iterator[Schema]:
    """The Marshmallow schemas that decorators dump what a function returns with."""
    resolver = workspace.resolver
    for decorator in function.decorators:
        if not isinstance(decorator, Call):
            continue
        func = decorator.func
        name = resolver.external_name(func, file) or ""
        if isinstance(func, Attr) and func.name in ("response", "output"):
            made, source = resolver.definition_of(func.base, file)
            name = (resolver.external_name(made.func, source) or "") if isinstance(made, Call) else ""
        if name not in _ANSWERING:
            continue
        for given in decorator.args:
            schema = schema_of(resolver, given, file)
            if schema is not None:
                yield schema


def returned(
    workspace: Workspace, function: FunctionFacts, file: File, rows: Rows
) -> Iterator[tuple[Chunk, ast.Return, Serialization]]:
    """What the `return`s of a route hand to its response model or schema."""
    for schema in _answered(workspace, function, file):
        values = values_of(function, file.facts)
        for chunk, node in own_nodes(function):
            if isinstance(node, ast.Return) and node.value is not None:
                value = values.get(node.value, UNKNOWN)
                is_many = any(isinstance(each, Many) for each in rows.shapes(value, rows.scope(file)))
                yield chunk, node, _one(schema, value, is_many=is_many)
    resolver = workspace.resolver
    declared = _response_model(function)
    if declared is None or framework_of(resolver, function, file) != "fastapi":
        return
    models = list(models_in(resolver, resolver.instance_of(declared, file)))
    if not models:
        return
    values = values_of(function, file.facts)
    for chunk, node in own_nodes(function):
        if not isinstance(node, ast.Return) or node.value is None:
            continue
        value = values.get(node.value, UNKNOWN)
        if isinstance(value, Typed):
            value = value.value
        for ref, is_many in models:
            if isinstance(value, Mapping):
                pairs = tuple(
                    (key.value, each)
                    for key, each in value.entries
                    if isinstance(key, Const) and isinstance(key.value, str)
                )
                for each in _fields(workspace, Schema(ref), pairs):
                    yield chunk, node, each
            else:
                yield chunk, node, _one(Schema(ref), value, is_many=is_many)


def _response_model(function: FunctionFacts) -> Value | None:
    """What a route declares to answer with: the decorator's `response_model`, else the annotation."""
    for decorator in function.decorators:
        if isinstance(decorator, Call) and isinstance(decorator.func, Attr):
            given = decorator.keyword("response_model")
            if given is not None:
                return None if given == Const(None) else given
    return function.annotation if function.decorators else None
