"""SQLModel as the evaluator sees it: `table=True` classes are mapped from their annotated fields, without pydantic.

This module must never validate anything.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import typing
import uuid
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import orm

from sqlalchemy_guard.sql import allowed, forms, schema_calls
from sqlalchemy_guard.sql.declarative import Declarative, Pending
from sqlalchemy_guard.sql.natives import UNKNOWN, UnknownType
from sqlalchemy_guard.sql.values import MISSING, Class, Function, Native, Opaque, Value

if TYPE_CHECKING:
    from sqlalchemy_guard.sql.evaluator import Evaluator

_TYPES: dict[type, Any] = {
    bool: sqlalchemy.Boolean,
    int: sqlalchemy.Integer,
    float: sqlalchemy.Float,
    datetime.datetime: sqlalchemy.DateTime,
    datetime.date: sqlalchemy.Date,
    datetime.timedelta: sqlalchemy.Interval,
    datetime.time: sqlalchemy.Time,
    bytes: sqlalchemy.LargeBinary,
    uuid.UUID: sqlalchemy.Uuid,
}
"""In the order in which subclasses are looked for."""


class Model:
    """Stands for the class `sqlmodel.SQLModel` among bases."""


class SQLModels:
    """Maps the classes of SQLModel."""

    def __init__(self, declarative: Declarative) -> None:
        self._declarative = declarative
        self._evaluator: Evaluator = declarative.evaluator
        self._base: Class | None = None
        self._evaluator.makers.insert(0, self.make)

    def make(self, evaluator: Evaluator, cls: Class) -> Any:
        """The native class of one with `table=True`; None for every other."""
        if Model not in cls.mro or cls.keywords.get("table") is not True:
            return None
        extra: dict[str, Any] = {"__tablename__": cls.name.lower()}
        for one in reversed(cls.mro):
            if isinstance(one, Class):
                for name, (node, _) in one.annotations.items():
                    self._field(cls, one, name, node, extra)
        parent = next(
            (
                one
                for one in cls.mro[1:]
                if isinstance(one, Class)
                and self._declarative.is_declarative(one.native)
                and one.keywords.get("table") is True
            ),
            None,
        )
        shadow = Class(cls.name, cls.qualname, cls.module, [parent or self.base(cls)], {})
        shadow.namespace.update(
            {
                name: value
                for one in reversed(cls.mro)
                if isinstance(one, Class)
                for name, value in one.namespace.items()
                if name.startswith("__") or isinstance(value, (sqlalchemy.Column, orm.MappedColumn, Function))
            }
        )
        shadow.annotations, shadow.node, shadow.chunk, shadow.frame = {}, cls.node, cls.chunk, cls.frame
        shadow.places, shadow.mro = cls.places, [cls, *shadow.mro[1:]]
        if "__tablename__" in shadow.namespace and not isinstance(shadow.namespace["__tablename__"], Opaque):
            extra.pop("__tablename__")
        made = self._declarative.map(shadow, extra)
        if made is not None:
            self._declarative.classes[self._declarative.classes.index(shadow)] = cls
            self._declarative.relationships = [
                (cls if owner is shadow else owner, name, pending)
                for owner, name, pending in self._declarative.relationships
            ]
            self._declarative.take(cls, made)
        return made

    def base(self, cls: Class) -> Class:
        """The declarative base of all models, with the metadata that SQLModel has one of."""
        if self._base is None:
            self._base = Class("SQLModel", "SQLModel", cls.module, [], {})
            self._base.native = self._declarative.make_base(self._base, (), {})
        return self._base

    # -- fields ----------------------------------------------------------------------------------------------------

    def _field(self, cls: Class, owner: Class, name: str, node: Any, extra: dict[str, Any]) -> None:
        value = owner.namespace.get(name, MISSING)
        if name.startswith("_") or (isinstance(node, object) and _is_class_variable(node)):
            return
        if isinstance(value, Pending) and value.kind == "Relationship":
            self._relationship(cls, owner, name, node, value)
            return
        pending = value if isinstance(value, Pending) and value.kind == "Field" else None
        form = forms.form(self._evaluator, node, owner.frame) if owner.frame is not None else forms.Unresolved
        extra[name] = self._column(form, value, pending)

    def _relationship(self, cls: Class, owner: Class, name: str, node: Any, value: Pending) -> None:
        given = value.keywords.get("sa_relationship_kwargs", {})
        keywords: dict[str, Value] = dict(given) if isinstance(given, dict) else {}
        if "back_populates" in value.keywords:
            keywords["back_populates"] = value.keywords["back_populates"]
        link = value.keywords.get("link_model")
        if isinstance(link, Class) and self._declarative.is_declarative(link.native):
            keywords["secondary"] = link.native.__table__
        if value.keywords.get("cascade_delete") is True:
            keywords.setdefault("cascade", "all, delete-orphan")
        if "passive_deletes" in value.keywords:
            keywords.setdefault("passive_deletes", value.keywords["passive_deletes"])
        assert owner.frame is not None
        keywords["*annotation"] = forms.Mapped("mapped", forms.unquoted(node), owner.frame)
        self._declarative.relationships.append((cls, name, Pending("relationship", [], keywords)))

    def _column(self, form: Any, value: Value, pending: Pending | None) -> Any:
        keywords = dict(pending.keywords) if pending is not None else {}
        given = keywords.get("sa_column", MISSING)
        if isinstance(given, sqlalchemy.Column):
            return given
        default = (
            pending.args[0]
            if pending is not None and pending.args
            else keywords.get("default", value if pending is None else MISSING)
        )
        optional = forms.is_optional(form)
        unknown: set[str] = set()
        type_ = self._type(form, keywords)
        args: list[Value] = [type_]
        foreign = keywords.get("foreign_key", MISSING)
        if isinstance(foreign, str):
            ondelete = keywords.get("ondelete")
            args.append(
                sqlalchemy.ForeignKey(foreign, ondelete=ondelete if isinstance(ondelete, str) else None)
            )
        elif isinstance(foreign, Opaque):
            unknown.add("foreign_keys")
        extra_args = keywords.get("sa_column_args")
        args += list(extra_args) if isinstance(extra_args, (list, tuple)) else []
        more = keywords.get("sa_column_kwargs")
        named: dict[str, Value] = dict(more) if isinstance(more, dict) else {}
        primary = keywords.get("primary_key", False)
        nullable = keywords.get("nullable", MISSING)
        if type(nullable) is not bool:
            nullable = primary is not True and optional
        column = {"primary_key": primary is True, "nullable": nullable, **named}
        for key in ("index", "unique"):
            if isinstance(keywords.get(key), bool):
                column.setdefault(key, keywords[key])
        if default not in (MISSING, None, Ellipsis) and not isinstance(default, Pending):
            column.setdefault("default", default)
        elif "default_factory" in keywords:
            column.setdefault("default", schema_calls.placeholder)
        if unknown:
            column["info"] = {UNKNOWN: frozenset(unknown)}
        return self._evaluator.call(sqlalchemy.Column, args, column)

    def _type(self, form: Any, keywords: dict[str, Value]) -> Any:
        """The column type of a field."""
        given = keywords.get("sa_type", MISSING)
        if isinstance(given, Class) and allowed.is_type(given.native):
            return given.native
        if given is not MISSING:
            return UnknownType(given.name) if isinstance(given, Opaque) else given
        for one in _plain(form):
            if isinstance(one, type) and issubclass(one, enum.Enum):
                return sqlalchemy.Enum(one)
            if one is str or (isinstance(one, type) and issubclass(one, str)):
                length = keywords.get("max_length")
                return sqlalchemy.String(length) if type(length) is int else sqlalchemy.String()
            if one is decimal.Decimal:
                digits, places = keywords.get("max_digits"), keywords.get("decimal_places")
                return sqlalchemy.Numeric(
                    precision=digits if type(digits) is int else None,
                    scale=places if type(places) is int else None,
                )
            for python, native in _TYPES.items():
                if isinstance(one, type) and issubclass(one, python):
                    return native()
        return UnknownType("field")


def _plain(form: Any) -> list[Any]:
    """The types of a form without None and annotations."""
    origin = typing.get_origin(form)
    if origin is typing.Annotated:
        return _plain(typing.get_args(form)[0])
    if origin is typing.Literal:
        return [str]
    if forms.is_optional(form) or origin is typing.Union:
        return [inner for one in typing.get_args(form) if one is not type(None) for inner in _plain(one)]
    return [form]


def _is_class_variable(node: Any) -> bool:
    shown = getattr(getattr(node, "value", node), "id", "") or getattr(
        getattr(node, "value", node), "attr", ""
    )
    return shown == "ClassVar"


def install(declarative: Declarative) -> None:
    """Tell the evaluator what stands for SQLModel's names."""
    models = SQLModels(declarative)
    hosts = declarative.evaluator.hosts

    def pending(kind: str) -> Native:
        return Native(kind, lambda _, args, keywords: Pending(kind, args, keywords))

    hosts |= {
        "sqlmodel.SQLModel": Model,
        "sqlmodel.Field": pending("Field"),
        "sqlmodel.Relationship": pending("Relationship"),
    }
    attribute = declarative.evaluator.native_attribute

    def of_model(cls: Class, name: str) -> Value:
        if name == "metadata" and Model in cls.mro:
            return models.base(cls).native.metadata
        return attribute(cls, name)

    declarative.evaluator.native_attribute = of_model
