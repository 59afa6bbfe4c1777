"""A resolver for the tests: it says what nodes mean by evaluating them over the oracle's real mappings.

Independent of the product's own inference on purpose: what is tested here is the rewriting alone.
"""

from __future__ import annotations

import ast
from functools import cache
from typing import Any

from sqlalchemy import Table, inspect
from sqlalchemy.orm import MANYTOONE, Bundle, RelationshipProperty
from sqlalchemy.orm.attributes import QueryableAttribute
from sqlalchemy.orm.util import AliasedClass
from sqlalchemy.sql.elements import ColumnElement, Label, TextClause
from sqlalchemy.sql.functions import Function
from sqlalchemy.sql.selectable import FromClause, Subquery

from sqlalchemy_guard.facts.query import (
    UNKNOWN_ENTITY,
    ColumnInfo,
    EntityInfo,
    EntityKind,
    Inheritance,
    ModelInfo,
    RelationshipInfo,
    SessionInfo,
)
from tests.query.models import MODELS
from tests.query.names import IMPORTED

AGGREGATES = frozenset(("count", "sum", "max", "min", "avg"))


@cache
def model_info(cls: type) -> ModelInfo:
    mapper = inspect(cls)
    relationships = {
        prop.key: RelationshipInfo(
            prop.key,
            bool(prop.uselist),
            to_one=prop.direction is MANYTOONE and prop.secondary is None,
            secondary=prop.secondary is not None,
            lazy={False: "joined", True: "select"}.get(prop.lazy, prop.lazy),
            resolve=lambda prop=prop: model_info(prop.mapper.class_),
        )
        for prop in mapper.relationships
    }
    columns = {
        prop.key: ColumnInfo(prop.key, type(prop.columns[0].type).__name__ != "JSON")
        for prop in mapper.column_attrs
        if getattr(prop.columns[0], "table", None) is not None
    }
    others = frozenset(
        name
        for name in dir(cls)
        if not name.startswith("__") and name not in columns and name not in relationships
    )
    inheritance = Inheritance.NONE
    if mapper.concrete or any(each.concrete for each in mapper.self_and_descendants):
        inheritance = Inheritance.CONCRETE
    elif len(mapper.tables) > 1 or any(len(each.tables) > 1 for each in mapper.self_and_descendants):
        inheritance = Inheritance.JOINED
    elif mapper.polymorphic_on is not None:
        inheritance = Inheritance.SINGLE
    return ModelInfo(
        cls.__name__,
        f"models.{cls.__name__}",
        tuple(mapper.get_property_by_column(column).key for column in mapper.primary_key),
        columns,
        relationships,
        others,
        inheritance,
        f"models.{mapper.inherits.class_.__name__}" if mapper.inherits else None,
        computed=any(getattr(prop.columns[0], "table", None) is None for prop in mapper.column_attrs),
    )


class Text:
    """The text of one expression that was parsed alone."""

    def __init__(self, text: str) -> None:
        self.text = text

    def segment(self, node: ast.expr) -> str:
        segment = ast.get_source_segment(self.text, node)
        assert segment is not None
        return segment


class Resolver:
    """Knowledge by evaluation.

    Args:
        names: The namespace of the expression. A name that begins with `opaque` is not understood, of
            `some_class` it is known only that it is a class.
        sessions: What is known about names and dotted names of sessions.
        registries: For `Model.query`.
    """

    def __init__(
        self,
        names: dict[str, Any],
        sessions: dict[str, SessionInfo],
        registries: SessionInfo | None = None,
    ) -> None:
        self.names = names
        self.sessions = sessions
        self.registries = registries

    def session(self, receiver: ast.expr) -> SessionInfo | None:
        return self.sessions.get(ast.unparse(receiver))

    def registry(self, query: ast.Attribute) -> tuple[SessionInfo, EntityInfo] | None:
        if query.attr != "query" or self.registries is None or not isinstance(query.value, ast.Name):
            return None
        info = self.entity(query.value)
        return (self.registries, info) if info.kind is EntityKind.MODEL else None

    def qualified_name(self, node: ast.expr) -> str | None:
        if isinstance(node, ast.Name):
            return f"{IMPORTED[node.id][0]}.{node.id}" if node.id in IMPORTED else None
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "func":
            return f"sqlalchemy.func.{node.attr}"
        return None

    def option(self, node: ast.expr) -> str | None:
        return {"option": "selectinload", "joining": "joinedload"}.get(ast.unparse(node))

    def spelling(self, model: ModelInfo) -> str | None:
        return model.name if model.name in self.names else None

    def entity(self, node: ast.expr) -> EntityInfo:
        if any(isinstance(each, ast.Name) and each.id.startswith("opaque") for each in ast.walk(node)):
            return UNKNOWN_ENTITY
        if any(isinstance(each, ast.Name) and each.id == "some_class" for each in ast.walk(node)):
            return EntityInfo(EntityKind.MODEL) if isinstance(node, ast.Name) else UNKNOWN_ENTITY
        if any(isinstance(each, ast.Name) and each.id in self.sessions for each in ast.walk(node)):
            return UNKNOWN_ENTITY
        try:
            value = eval(ast.unparse(node), dict(self.names))
        except Exception:
            return UNKNOWN_ENTITY
        return classify(value)


def classify(value: Any) -> EntityInfo:
    """What a live object means."""
    if isinstance(value, type) and value in MODELS:
        info = model_info(value)
        return EntityInfo(EntityKind.MODEL, info, info.identity)
    if isinstance(value, AliasedClass):
        insp = inspect(value)
        return EntityInfo(
            EntityKind.ALIAS,
            model_info(insp.mapper.class_),
            f"alias {id(value)}",
            repeats=isinstance(insp.selectable, Subquery),
        )
    if isinstance(value, Bundle):
        names = [inner.label or inner.attribute for inner in map(classify, value.exprs)]
        known = () if None in names else tuple(names)
        return UNKNOWN_ENTITY if value.single_entity else EntityInfo(EntityKind.BUNDLE, names=known)
    if isinstance(value, Label):
        inner = classify(value.element)
        kind = EntityKind.AGGREGATE if inner.kind is EntityKind.AGGREGATE else EntityKind.EXPRESSION
        return EntityInfo(kind, inner.model, inner.owner, label=value.name, hashable=inner.hashable)
    if isinstance(value, QueryableAttribute):
        return _attribute(value)
    if isinstance(value, Function):
        kind = EntityKind.AGGREGATE if value.name in AGGREGATES else EntityKind.EXPRESSION
        return EntityInfo(kind, hashable=True)
    if isinstance(value, FromClause):
        return EntityInfo(EntityKind.TABLE, owner=_table(value))
    if isinstance(value, ColumnElement):
        table = getattr(value, "table", None)
        if table is not None:
            return EntityInfo(EntityKind.COLUMN, owner=_table(table), attribute=value.key, hashable=True)
        return EntityInfo(EntityKind.EXPRESSION, hashable=None)
    if isinstance(value, TextClause):
        return EntityInfo(EntityKind.EXPRESSION)
    if isinstance(value, int | str | bool | None | list | tuple | dict | float):
        return EntityInfo(EntityKind.VALUE)
    return UNKNOWN_ENTITY


def _table(value: FromClause) -> str:
    return f"table {value.name}" if isinstance(value, Table) else f"table {id(value)}"


def _attribute(value: QueryableAttribute[Any]) -> EntityInfo:
    entity = value.parent
    cls = entity.mapper.class_
    owner = f"alias {id(entity.entity)}" if entity.is_aliased_class else f"models.{cls.__name__}"
    model = model_info(cls)
    if value.key not in entity.mapper.attrs:  # a hybrid
        return EntityInfo(EntityKind.COLUMN, model, owner, value.key, hashable=True)
    if isinstance(value.property, RelationshipProperty):
        return EntityInfo(EntityKind.RELATIONSHIP, model, owner, value.key)
    known = model.columns.get(value.key)
    return EntityInfo(EntityKind.COLUMN, model, owner, value.key, hashable=known.hashable if known else None)
