"""Makes real declarative classes of the user's: bases, mixins, mapped classes, by SQLAlchemy's own machinery.

What a class hands to it is chosen one by one: columns, attributes of the mapper, arguments of the table, evaluated annotations,
`declared_attr` as callbacks into the evaluator. Relationships are kept aside (`relations`) until all classes are there. Class
bodies, metaclasses, `__init_subclass__` and methods of the user are never handed on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import orm
from sqlalchemy.ext import associationproxy
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import interfaces

from sqlalchemy_guard.sql import classes, directives, forms, natives
from sqlalchemy_guard.sql.natives import UNKNOWN, Unknown, UnknownType
from sqlalchemy_guard.sql.values import (
    MISSING,
    Class,
    Function,
    Host,
    Method,
    Native,
    Opaque,
    Value,
)

if TYPE_CHECKING:
    from sqlalchemy_guard.sql.evaluator import Evaluator

OURS = "_guard_class_"
"""The attribute of a native class that holds ours."""
MAPPED = (
    sqlalchemy.Column,
    interfaces.MapperProperty,
    orm.MappedColumn,
    associationproxy.AssociationProxy,
    interfaces._AttributeOptions,
    interfaces._MapsColumns,
)
"""What a class body holds that SQLAlchemy maps."""
_DIRECTIVES = ("__tablename__", "__table_args__", "__mapper_args__", "__table__")


class Empty:
    """A base of a library that says nothing about tables (`Generic`, `ABC`, `MappedAsDataclass`)."""


class AbstractConcrete:
    """Stands for `AbstractConcreteBase`, a base without a table of its own."""


class Pending(Host):
    """A relationship or field that was written down and is not made yet.

    Attributes:
        kind: "relationship", "backref", "Field", "Relationship", "composite".
        args: Its positional arguments.
        keywords: Its keyword arguments.
    """

    def __init__(self, kind: str, args: list[Value], keywords: dict[str, Value]) -> None:
        self.kind = kind
        self.args = args
        self.keywords = keywords

    def get(self, name: str) -> Value:
        """Nothing of it is to be read."""
        return Opaque(f"{self.kind}().{name}")


class Declarative:
    """Makes the classes of one generation.

    Args:
        evaluator: Where the user's code runs.

    Attributes:
        bases: The native declarative bases, in the order in which they were made.
        classes: The mapped and abstract classes of ours below them.
        relationships: What was kept aside: class, attribute, what was written.
        failures: Why a class was not mapped, or an attribute left out: class, attribute ("" for the class), reason.
        unrelated: The same for relationships, which are no columns.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.bases: list[Any] = []
        self.classes: list[Class] = []
        self.relationships: list[tuple[Class, str, Pending]] = []
        self.failures: list[tuple[Class, str, str]] = []
        self.unrelated: list[tuple[Class, str, str]] = []
        self._mixins: dict[int, Any] = {}
        self._building: dict[int, Any] = {}
        self._probes: dict[Any, tuple[Any, dict[str, bool]]] = {}
        evaluator.makers.insert(0, self.make)
        evaluator.native_attribute = self.attribute
        evaluator.class_changed = self.changed

    # -- bases -----------------------------------------------------------------------------------------------------

    def make_base(self, cls: Class, parents: tuple[Any, ...], given: dict[str, Value]) -> Any:
        """A native declarative base for a class of ours.

        Args:
            parents: Native classes in front of `DeclarativeBase`.
            given: `metadata`, `registry` and `type_annotation_map` as the code gives them, if it does.
        """
        registry = given.get("registry")
        types = self.type_map(given.get("type_annotation_map"))
        if isinstance(registry, Registry):
            types = dict(registry.native.type_annotation_map)
        namespace: dict[str, Any] = self.namespace(cls, base_types=types)
        if isinstance(registry, Registry):
            namespace["registry"] = registry.native
        elif isinstance(given.get("metadata"), sqlalchemy.MetaData):
            namespace["metadata"] = given["metadata"]
        if not isinstance(registry, Registry):
            namespace["type_annotation_map"] = {forms.Unresolved: UnknownType("annotation"), **types}
        made: Any = type(cls.name, (*parents, orm.DeclarativeBase), namespace)
        if isinstance(given.get("metadata"), Opaque):
            made.metadata.info[UNKNOWN] = frozenset({"metadata"})
        self.bases.append(made)
        self.evaluator.made[made] = cls
        return made

    def type_map(self, given: Value) -> dict[Any, Any]:
        """A type annotation map, without what is unknown in it."""
        found: dict[Any, Any] = {}
        for key, value in given.items() if isinstance(given, dict) else ():
            form = forms.of_value(self.evaluator, key)
            native = value.native if isinstance(value, Class) else value
            if isinstance(value, Opaque):
                native = UnknownType(value.name)
            if form is not forms.Unresolved and forms.is_column_type(native):
                found[form] = native
        return found

    # -- classes ---------------------------------------------------------------------------------------------------

    def make(self, evaluator: Evaluator, cls: Class) -> Any:
        """The native class of a class of ours below a declarative base; None for every other."""
        mapped = [base for base in cls.bases if isinstance(base, Class) and self.is_declarative(base.native)]
        if orm.DeclarativeBase in cls.bases or orm.DeclarativeBaseNoMeta in cls.bases:
            parents = tuple(self.mixin(base) for base in cls.bases if isinstance(base, Class))
            made = self.make_base(cls, parents, cls.namespace)
            self.take(cls, made)
            return made
        decorated = next((one for one in map(self._decorator, cls.decorators) if one is not None), None)
        if decorated is not None:
            return decorated.make(cls)
        return self.map(cls) if mapped else None

    def _decorator(self, value: Value) -> Decorator | None:
        """A decorator that maps a class: what a call gave, or `registry.mapped` itself."""
        if isinstance(value, Decorator):
            return value
        owner = getattr(value, "__self__", None)
        return Decorator(self, owner) if isinstance(owner, Registry) else None

    def is_declarative(self, native: Any) -> bool:
        """Whether a native class is a declarative base or below one."""
        return isinstance(native, type) and issubclass(native, orm.DeclarativeBase)

    def map(self, cls: Class, extra: dict[str, Any] | None = None) -> Any:
        """Make the native class of a class with a declarative base among its ancestors; None when SQLAlchemy refuses it."""
        parents = tuple(self.native_base(base) for base in cls.bases if not isinstance(base, Opaque))
        parents = tuple(one for one in parents if one not in (Empty, AbstractConcrete))
        if any(isinstance(base, Opaque) for base in cls.bases):
            names = ", ".join(base.name for base in cls.bases if isinstance(base, Opaque))
            self.failures.append((cls, "", f"base {names} is not known"))
        self.classes.append(cls)
        namespace = self.namespace(cls) | (extra or {})
        try:
            made = natives.quietly(lambda: type(cls.name, parents, namespace))
        except natives.LIBRARY_ERRORS as error:
            self.evaluator.budget.check()
            self.failures.append((cls, "", _first_line(error)))
            return None
        self.take(cls, made)
        return made

    def take(self, cls: Class, made: Any) -> None:
        """A class was made: remember which is which."""
        cls.native = made
        self.evaluator.made[made] = cls

    def native_base(self, base: Value) -> Any:
        """The native class that stands for a base."""
        if isinstance(base, Class):
            return base.native if self.is_declarative(base.native) else self.mixin(base)
        return Empty

    def mixin(self, cls: Class) -> Any:
        """A native class for one without a declarative base: its columns and `declared_attr`s, and those of its bases."""
        if id(cls) not in self._mixins:
            parents = [
                self.mixin(base) for base in cls.bases if isinstance(base, Class) and base.native is None
            ]
            namespace = self.namespace(cls)
            try:
                made = type(
                    cls.name, tuple(dict.fromkeys(one for one in parents if one is not Empty)), namespace
                )
            except TypeError as error:
                self.failures.append((cls, "", _first_line(error)))
                made = Empty
            self._mixins[id(cls)] = made
            if made is not Empty:
                self.evaluator.made[made] = cls
        return self._mixins[id(cls)]

    def changed(self, cls: Class, name: str, value: Value) -> None:
        """`cls.name = value` behind the class: a column or a relationship is added to the mapped class."""
        if not self.is_declarative(cls.native) or "__mapper__" not in cls.native.__dict__:
            return
        if isinstance(value, Pending) and value.kind == "relationship":
            self.relationships.append((cls, name, value))
        elif isinstance(value, MAPPED):
            natives.call_library(
                self.evaluator, f"{cls.name}.{name}", lambda: setattr(cls.native, name, value)
            )

    # -- what a class hands on -------------------------------------------------------------------------------------

    def namespace(self, cls: Class, base_types: dict[Any, Any] | None = None) -> dict[str, Any]:
        """What of a class's body SQLAlchemy gets to see.

        Args:
            base_types: The types that the class itself, a base, maps annotations to.
        """
        namespace: dict[str, Any] = {"__module__": cls.module.name, OURS: cls, "__allow_unmapped__": True}
        annotations: dict[str, Any] = {}
        for name, value in cls.namespace.items():
            if name in _DIRECTIVES or not name.startswith("__"):
                self._attribute(cls, name, value, namespace)
            elif name == "__abstract__" and isinstance(value, bool):
                namespace[name] = value
        for name, (node, _) in cls.annotations.items():
            value = cls.namespace.get(name, MISSING)
            found = forms.mapped(self.evaluator, node, _frame(cls))
            if found is None or (name in namespace and not isinstance(namespace[name], orm.MappedColumn)):
                if isinstance(value, Pending) and found is not None:
                    value.keywords.setdefault("*annotation", found)
                continue
            if isinstance(value, Pending):
                value.keywords.setdefault("*annotation", found)
            elif value is MISSING or isinstance(value, orm.MappedColumn):
                annotations[name] = mapped_form(forms.form(self.evaluator, found.inner, found.frame))
            elif isinstance(value, Opaque):
                self.failures.append((cls, name, f"{value.name} is not known"))
        if AbstractConcrete in cls.bases:
            # Its children have the tables.
            namespace["__abstract__"] = True
        if annotations:
            namespace["__annotations__"] = self._resolvable(cls, annotations, namespace, base_types)
        return namespace

    def _resolvable(
        self,
        cls: Class,
        annotations: dict[str, Any],
        namespace: dict[str, Any],
        base_types: dict[Any, Any] | None,
    ) -> dict[str, Any]:
        """Annotations in which every type has a column type: what the registry does not know is unresolved."""
        base = next(
            (one.native for one in cls.mro[1:] if isinstance(one, Class) and self.is_declarative(one.native)),
            None,
        )
        for name, annotation in annotations.items():
            given = namespace.get(name)
            if isinstance(given, orm.MappedColumn) and not isinstance(
                given.column.type, sqlalchemy.types.NullType
            ):
                continue
            inner = annotation.__args__[0]
            if not self._has_type(base, inner, base_types):
                optional = forms.is_optional(inner)
                annotations[name] = mapped_form(forms.Unresolved | None if optional else forms.Unresolved)
        return annotations

    def _has_type(self, base: Any, form: Any, base_types: dict[Any, Any] | None) -> bool:
        """Whether a registry finds a column type for a form, by mapping a class with it."""
        probe = self._probes.get(base)
        if probe is None:
            types = {forms.Unresolved: UnknownType(), **(base_types or {})}
            if base is not None:
                types |= base.registry.type_annotation_map
            probe = (type("Probe", (orm.DeclarativeBase,), {"type_annotation_map": types}), {})
            if base is not None:
                self._probes[base] = probe
        known, answers = probe
        key = repr(form)
        if key not in answers:
            number = len(answers)
            namespace = {
                "__tablename__": f"t{number}",
                "__annotations__": {"value": mapped_form(form)},
                "id": sqlalchemy.Column(sqlalchemy.Integer, primary_key=True),
            }
            try:
                natives.quietly(lambda: type(f"Probe{number}", (known,), namespace))
                answers[key] = True
            except natives.LIBRARY_ERRORS:
                answers[key] = False
        return bool(answers[key])

    def _attribute(self, cls: Class, name: str, value: Value, namespace: dict[str, Any]) -> None:
        if isinstance(value, Function):
            made = self._function(cls, name, value)
            if made is not None:
                namespace[name] = made
        elif isinstance(value, Pending):
            self.keep(cls, name, value, namespace)
        elif name in _DIRECTIVES:
            made = self.directive(cls, name, value)
            if made is not None or (name == "__tablename__" and value is None):
                namespace[name] = made
        elif isinstance(value, MAPPED):
            namespace[name] = value
        elif (
            isinstance(value, Opaque) and value.dotted.startswith("sqlalchemy.") and "Column" in value.dotted
        ):
            self.failures.append((cls, name, f"{value.name} is not known"))

    def keep(self, cls: Class, name: str, pending: Pending, namespace: dict[str, Any]) -> None:
        """Put a relationship aside; other pending attributes are made now."""
        if pending.kind == "composite":
            self._composite(cls, name, pending, namespace)
        elif pending.kind == "relationship":
            self.relationships.append((cls, name, pending))

    def _composite(self, cls: Class, name: str, pending: Pending, namespace: dict[str, Any]) -> None:
        """The columns of a composite attribute; the attribute itself has none."""
        for index, column in enumerate(pending.args):
            if isinstance(column, (sqlalchemy.Column, orm.MappedColumn)):
                inner = column if isinstance(column, sqlalchemy.Column) else column.column
                namespace[inner.name or f"{name}_{index}"] = column

    def _function(self, cls: Class, name: str, function: Function) -> Any:
        """A `declared_attr` or hybrid as SQLAlchemy's own, over a callback."""
        if function.kind in (
            "declared_attr",
            "declared_attr.cascading",
            "declared_attr.directive",
            "classproperty",
        ):
            call = self._callback(name, function)
            returns = getattr(function.node, "returns", None)
            found = forms.mapped(self.evaluator, returns, function.frame) if returns is not None else None
            if found is not None and name not in _DIRECTIVES:
                call.__annotations__ = {
                    "return": mapped_form(forms.form(self.evaluator, found.inner, found.frame))
                }
            if function.kind == "declared_attr.cascading":
                return orm.declared_attr.cascading(call)
            return orm.declared_attr.directive(call) if name in _DIRECTIVES else orm.declared_attr(call)
        if function.kind == "classmethod" and name in _DIRECTIVES:
            return orm.declared_attr.directive(self._callback(name, function))
        if function.kind == "hybrid_property":
            inner = function.extra.get("expression", function)
            call = natives.callback(
                self.evaluator, inner.as_kind("") if isinstance(inner, Function) else function
            )
            return hybrid_property(_expression(name, call), expr=_expression(name, call))
        return None

    def _callback(self, name: str, function: Function) -> Any:
        def declared(native: Any) -> Any:
            cls = native.__dict__.get(OURS) or self.evaluator.made.get(native)
            if cls is None:
                return None
            self._building[id(cls)] = native
            result = self.evaluator.run(Method(function.as_kind(""), cls))
            if name in _DIRECTIVES:
                return self.directive(cls, name, result)
            if isinstance(result, Pending):
                found = getattr(function.node, "returns", None)
                annotation = (
                    forms.mapped(self.evaluator, found, function.frame) if found is not None else None
                )
                if annotation is not None:
                    result.keywords.setdefault("*annotation", annotation)
                if not any(one is cls and key == name for one, key, _ in self.relationships):
                    self.relationships.append((cls, name, result))
                return None
            if isinstance(
                result,
                (sqlalchemy.Column, interfaces.MapperProperty, orm.MappedColumn, interfaces._MapsColumns),
            ):
                return result
            if isinstance(result, associationproxy.AssociationProxy) or natives.is_clause(result):
                return result
            if isinstance(result, Opaque):
                self.failures.append((cls, name, f"{result.name} is not known"))
            return None

        declared.__name__ = declared.__qualname__ = name
        # SQLAlchemy reads the annotation of what it is to be: that of the user's function, if it has one.
        declared.__annotations__ = {}
        return declared

    def directive(self, cls: Class, name: str, value: Value) -> Any:
        """`__tablename__` and its like as SQLAlchemy takes them, without what is unknown; None for nothing at all."""
        made, unknown = directives.read(self.evaluator, name, value)
        self.failures.extend((cls, name, reason) for reason in unknown)
        return made

    # -- reading a mapped class ------------------------------------------------------------------------------------

    def attribute(self, cls: Class, name: str) -> Value:
        """An attribute of a mapped class as SQLAlchemy has it; MISSING for everything that it did not map."""
        native = cls.native
        if not self.is_declarative(native):
            return self._unfinished(cls, name)
        if name in ("metadata", "registry") and name not in cls.namespace:
            return native.metadata if name == "metadata" else Registry(self, native.registry)
        mapper = native.__dict__.get("__mapper__")
        if name == "__table__":
            return native.__table__ if mapper is not None and native.__table__ is not None else MISSING
        if name == "__tablename__" and mapper is not None and name not in cls.namespace:
            return getattr(native, name, MISSING)
        if mapper is None or name.startswith("__"):
            return MISSING
        if name in mapper._props or (mapper._init_properties or {}).get(name) is not None:
            return getattr(native, name, MISSING)
        return MISSING

    def _unfinished(self, cls: Class, name: str) -> Value:
        """An attribute of a class that is being made: its own copies of columns, and what `declared_attr`s gave for it."""
        native = self._building.get(id(cls))
        if native is None:
            return classes.native_attribute(cls, name)
        found, _ = cls.find(name)
        is_column = isinstance(found, (sqlalchemy.Column, orm.MappedColumn)) or (
            # `name: Mapped[str]` of a base is copied, too.
            found is MISSING and any(name in one.annotations for one in cls.mro if isinstance(one, Class))
        )
        if is_column or (isinstance(found, Function) and found.kind.startswith("declared_attr")):
            value = natives.call_library(self.evaluator, f"{cls.name}.{name}", lambda: getattr(native, name))
            return MISSING if value is None or isinstance(value, Opaque) else value
        return native.metadata if name == "metadata" else MISSING


class Registry(Host):
    """A `registry` of the user's."""

    def __init__(self, declarative: Declarative, native: Any) -> None:
        self._declarative = declarative
        self.native = native
        self.metadata = native.metadata

    def get(self, name: str) -> Value:
        """A method that makes or maps a class, or the metadata."""
        if name == "native":
            return Opaque(name)
        return super().get(name)

    def generate_base(self, **keywords: Value) -> Value:
        """A base of its own."""
        return make_base_value(self._declarative, {**keywords, "registry": self})

    def mapped(self, cls: Value) -> Value:
        """The decorator that maps a class."""
        return cls

    def mapped_as_dataclass(self, cls: Value = None, **_: Value) -> Value:
        """The same for a data class."""
        return Decorator(self._declarative, self) if cls is None else cls


class Decorator(Host):
    """A decorator that maps a class, or makes it a base."""

    def __init__(self, declarative: Declarative, registry: Registry | None, is_base: bool = False) -> None:
        self._declarative = declarative
        self._registry = registry
        self._is_base = is_base

    def make(self, cls: Class) -> Any:
        """The native class of the decorated one."""
        declarative = self._declarative
        given: dict[str, Value] = {"registry": self._registry} if self._registry is not None else {}
        if self._is_base:
            parents = (declarative.mixin(cls),)
            return declarative.make_base(cls, parents, {**cls.namespace, **given})
        assert self._registry is not None
        native = self._registry.native
        base = next((one for one in declarative.bases if one.registry is native), None)
        if base is None:
            home = Class("Base", "Base", cls.module, [], {})
            base = declarative.make_base(home, (), given)
        if not any(isinstance(one, Class) and declarative.is_declarative(one.native) for one in cls.bases):
            shadow = next(one for one in declarative.evaluator.made.items() if one[0] is base)[1]
            shadow.native = base
            cls.bases.append(shadow)
        return declarative.map(cls)


def make_base_value(declarative: Declarative, keywords: dict[str, Value]) -> Value:
    """What `declarative_base(…)` gives."""
    place = declarative.evaluator.place
    if place is None:
        return Opaque("declarative_base()")
    mixin = keywords.get("cls")
    mixins = list(mixin) if isinstance(mixin, tuple) else [mixin]
    bases: list[Value] = [one for one in mixins if isinstance(one, Class)]
    made = Class("Base", "Base", place[0].module, bases, {})
    made.chunk = place[0].chunk
    parents = tuple(one for one in map(declarative.mixin, bases) if one is not Empty)
    made.native = declarative.make_base(made, parents, keywords)
    return made


def install(declarative: Declarative) -> None:
    """Tell the evaluator what stands for SQLAlchemy's declarative names."""
    hosts = declarative.evaluator.hosts

    def base(evaluator: Evaluator, args: list[Value], keywords: dict[str, Value]) -> Value:
        return make_base_value(declarative, keywords)

    def registry(evaluator: Evaluator, args: list[Value], keywords: dict[str, Value]) -> Value:
        metadata = keywords.get("metadata")
        made = orm.registry(metadata=metadata if isinstance(metadata, sqlalchemy.MetaData) else None)
        types = declarative.type_map(keywords.get("type_annotation_map"))
        made.update_type_annotation_map({forms.Unresolved: UnknownType("annotation"), **types})
        return Registry(declarative, made)

    def as_declarative(evaluator: Evaluator, args: list[Value], keywords: dict[str, Value]) -> Value:
        return Decorator(declarative, None, is_base=True)

    def pending(kind: str) -> Native:
        return Native(kind, lambda _, args, keywords: Pending(kind, args, keywords))

    hosts |= {
        "sqlalchemy.orm.DeclarativeBase": orm.DeclarativeBase,
        "sqlalchemy.ext.declarative.AbstractConcreteBase": AbstractConcrete,
        "sqlalchemy.orm.DeclarativeBaseNoMeta": orm.DeclarativeBase,
        "sqlalchemy.orm.declarative_base": Native("declarative_base", base),
        "sqlalchemy.orm.registry": Native("registry", registry),
        "sqlalchemy.orm.as_declarative": Native("as_declarative", as_declarative),
        "sqlalchemy.orm.relationship": pending("relationship"),
        "sqlalchemy.orm.relation": pending("relationship"),
        "sqlalchemy.orm.dynamic_loader": Native(
            "dynamic_loader",
            lambda _, args, keywords: Pending("relationship", args, {**keywords, "lazy": "dynamic"}),
        ),
        "sqlalchemy.orm.backref": pending("backref"),
        "sqlalchemy.orm.composite": pending("composite"),
        **dict.fromkeys(
            (
                "sqlalchemy.orm.MappedAsDataclass",
                "sqlalchemy.ext.asyncio.AsyncAttrs",
                "typing.Generic",
                "typing.Protocol",
                "abc.ABC",
            ),
            Empty,
        ),
    }


def _expression(name: str, call: Any) -> Any:
    """The expression of a hybrid: never None, which a branch gives that only the run decides on."""

    def expression(native: Any) -> Any:
        result = call(native)
        if result is None:
            raise Unknown(name)
        return result

    expression.__annotations__ = {}
    expression.__name__ = name
    return expression


def mapped_form(form: Any) -> Any:
    """`Mapped[form]`."""
    mapped: Any = orm.Mapped
    return mapped[form]


def _frame(cls: Class) -> Any:
    return cls.frame


def _first_line(error: Exception) -> str:
    return (str(error).partition("\n")[0] or type(error).__name__)[:300]
