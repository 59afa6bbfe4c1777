"""Classes of the user's code: their attributes, their objects, and the native enums and column types made of them.

A native class gets nothing of the user's but plain values, and methods that are callbacks into the evaluator. This module must
never make a class of SQLAlchemy with a metaclass or an attribute of a name that the user chose, mapped attributes aside.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy.sql import type_api

from sqlalchemy_guard.sql import harmless, natives
from sqlalchemy_guard.sql.values import (
    MISSING,
    Class,
    Function,
    Host,
    Instance,
    Method,
    Native,
    Opaque,
    Super,
    Value,
    is_emulated,
)

if TYPE_CHECKING:
    from sqlalchemy_guard.sql.evaluator import Evaluator


class Dialect(Host):
    """What the user's code sees of a dialect.

    Args:
        name: `postgresql`, `sqlite` and so on.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def type_descriptor(self, typeobj: Value) -> Value:
        """The type as the dialect has it: the same."""
        return typeobj


def own(value: Value, cls: Class) -> None:
    """Tell a function of a class body whose it is."""
    if isinstance(value, Function) and value.owner is None:
        value.owner = cls
        for extra in value.extra.values():
            own(extra, cls)


def finish(evaluator: Evaluator, cls: Class) -> Value:
    """A class whose body ran: native where one of the makers makes it so, and as `__init_subclass__` leaves it: untouched."""
    for make in evaluator.makers:
        native = make(evaluator, cls)
        if isinstance(native, type):
            cls.native = native
            evaluator.made[native] = cls
            break
    return cls


def make_enum(evaluator: Evaluator, cls: Class) -> type | None:
    """The enum of a class with an enum among its bases; None for another, or when a member is unknown."""
    base = next((one for one in cls.natives if isinstance(one, enum.EnumMeta)), None)
    if base is None:
        return None
    members: list[tuple[str, Value]] = []
    for name, value in cls.namespace.items():
        if name.startswith("_") or isinstance(value, (Function, Class)):
            continue
        if isinstance(value, Opaque) and value.dotted == "enum.auto()":
            value = _next_value(evaluator, cls, name, [one for _, one in members])
            if value is MISSING:
                return None
        elif not harmless.is_known(value):
            return None
        members.append((name, value))
    if not members:
        return None
    mixin = next((one for one in (str, int) if one in cls.natives and not issubclass(base, one)), None)
    try:
        make: Any = base
        functional: Any = enum.Enum
        made: type = make(cls.name, members) if mixin is None else functional(cls.name, members, type=mixin)
        return made
    except (TypeError, ValueError, AttributeError) as error:
        evaluator.note(f"{cls.name}: {error}")
        return None


def _next_value(evaluator: Evaluator, cls: Class, name: str, before: list[Value]) -> Value:
    """What `auto()` gives a member: as the class itself says, else as its library does; MISSING when that is not known."""
    own, _ = cls.find("_generate_next_value_")
    if own is MISSING:
        return enum.auto()
    if not isinstance(own, Function):
        return MISSING
    value = evaluator.run(own.as_kind(""), [name, 1, len(before), before])
    return value if harmless.is_known(value) else MISSING


def make_type(evaluator: Evaluator, cls: Class) -> type | None:
    """The column type of a class that extends one of SQLAlchemy's; None for another."""
    made = next((one.native for one in cls.mro[1:] if isinstance(one, Class) and _is_type(one.native)), None)
    base = made or next((one for one in cls.natives if _is_type(one)), None)
    if base is None or cls.is_unknown():
        return None
    namespace: dict[str, Any] = {"cache_ok": True, "__visit_name__": base.__visit_name__}
    if issubclass(base, sqlalchemy.types.TypeDecorator):
        impl, _ = cls.find("impl")
        if impl is not MISSING:
            try:
                namespace["impl"] = natives.convert(evaluator, impl, False)
            except natives.Unknown as error:
                namespace["impl"] = natives.UnknownType(error.name)
        elif not hasattr(base, "impl"):
            namespace["impl"] = natives.UnknownType(cls.name)
        if isinstance(cls.namespace.get("load_dialect_impl"), Function):
            namespace["load_dialect_impl"] = _load_dialect_impl(evaluator, cls, base)
    elif isinstance(cls.namespace.get("get_col_spec"), Function):
        namespace["get_col_spec"] = _col_spec(evaluator, cls)
    return type(cls.name, (base,), namespace)


def _is_type(value: Value) -> bool:
    return isinstance(value, type) and issubclass(value, type_api.TypeEngine)


def _load_dialect_impl(evaluator: Evaluator, cls: Class, base: Any) -> Any:
    function = cls.namespace["load_dialect_impl"]

    def load_dialect_impl(self: Any, dialect: Any) -> Any:
        result = evaluator.run(Method(function, _instance_of(self, cls)), [Dialect(dialect.name)])
        result = result.native if isinstance(result, Class) else result
        if _is_type(result) or isinstance(result, type_api.TypeEngine):
            return type_api.to_instance(result)
        return base.load_dialect_impl(self, dialect)

    return load_dialect_impl


def _col_spec(evaluator: Evaluator, cls: Class) -> Any:
    function = cls.namespace["get_col_spec"]

    def get_col_spec(self: Any, **_: Any) -> str:
        result = evaluator.run(Method(function, _instance_of(self, cls)))
        return result if isinstance(result, str) else "UNKNOWN"

    return get_col_spec


def _instance_of(native: Any, cls: Class) -> Instance:
    """Our object behind a native one, with what is read of the native one most often."""
    found = native.__dict__.get("_guard_instance")
    instance = found if isinstance(found, Instance) else Instance(cls)
    impl = native.__dict__.get("impl")
    if impl is not None:
        instance.attributes.setdefault("impl", impl)
    return instance


def instantiate(evaluator: Evaluator, cls: Class, args: list[Value], keywords: dict[str, Value]) -> Value:
    """`cls(…)`."""
    if isinstance(cls.native, enum.EnumMeta):
        if len(args) == 1 and harmless.is_known(args[0]):
            for member in list[Any](cls.native):
                if member.value == args[0]:
                    return member
        return Opaque(f"{cls.name}()")
    if _is_type(cls.native):
        return natives.call(evaluator, cls.native, args, keywords)
    for one in cls.natives:
        if one in evaluator.constructors:
            return evaluator.constructors[one](evaluator, cls, args, keywords)
    instance = Instance(cls)
    init, _ = cls.find("__init__")
    if isinstance(init, Function):
        evaluator.call(Method(init, instance), args, keywords)
    else:
        names = [name for name in _fields(cls) if not name.startswith("_")]
        instance.attributes.update(zip(names, args, strict=False))
        instance.attributes.update({name: value for name, value in keywords.items() if name.isidentifier()})
    return instance


def _fields(cls: Class) -> list[str]:
    """The annotated names of a class and its bases, in the order of a data class."""
    names: dict[str, None] = {}
    for one in reversed(cls.mro):
        if isinstance(one, Class):
            names.update(dict.fromkeys(one.annotations))
    return list(names)


# -- attributes ----------------------------------------------------------------------------------------------------


def class_attribute(evaluator: Evaluator, cls: Class, name: str) -> Value:
    """`cls.name`.

    Raises:
        AttributeError: no class that is known has it, and all are known.
    """
    special = _special(evaluator, cls, name)
    if special is not MISSING:
        return special
    native = evaluator.native_attribute(cls, name)
    if native is not MISSING:
        return native
    value, owner = cls.find(name)
    if value is not MISSING:
        return _bound(evaluator, value, cls, owner, on_class=True)
    return _missing(cls, name)


def _missing(cls: Class, name: str) -> Value:
    if cls.is_unknown() or cls.natives or name.startswith("__"):
        return Opaque(f"{cls.name}.{name}")
    raise AttributeError(name)


def _special(evaluator: Evaluator, cls: Class, name: str) -> Value:
    if name in ("__name__", "__qualname__"):
        return cls.name if name == "__name__" else cls.qualname
    if name == "__module__":
        return cls.module.name
    if name == "__mro__":
        return tuple(cls.mro)
    if name == "__bases__":
        return tuple(cls.bases)
    if name == "__annotations__":
        return Opaque("__annotations__")
    return MISSING


def native_attribute(cls: Class, name: str) -> Value:
    """An attribute of the native class: a member of an enum."""
    if isinstance(cls.native, enum.EnumMeta):
        members: dict[str, Any] = dict(cls.native.__members__)
        return members if name == "__members__" else members.get(name, MISSING)
    return MISSING


def instance_attribute(evaluator: Evaluator, instance: Instance, name: str) -> Value:
    """`instance.name`."""
    if name in instance.attributes:
        return instance.attributes[name]
    if name == "__class__":
        return instance.cls
    value, owner = instance.cls.find(name)
    if natives.is_clause(value) or evaluator.native_attribute(instance.cls, name) is not MISSING:
        # The value of a column, in a row that nobody has seen.
        return Opaque(f"{instance.cls.name.lower()}.{name}")
    if value is not MISSING:
        return _bound(evaluator, value, instance, owner, on_class=False)
    return Opaque(name) if instance.attributes else _missing(instance.cls, name)


def super_attribute(evaluator: Evaluator, value: Super, name: str) -> Value:
    """`super().name`."""
    cls = value.receiver.cls if isinstance(value.receiver, Instance) else value.receiver
    if not isinstance(cls, Class):
        return Opaque(f"super().{name}")
    found, owner = cls.find(name, behind=value.owner)
    if found is not MISSING:
        return _bound(evaluator, found, value.receiver, owner, on_class=isinstance(value.receiver, Class))
    if name == "__init__" and isinstance(value.receiver, Instance):
        return Native("super().__init__", _remember_init(value.receiver))
    return Opaque(f"super().{name}")


def _remember_init(instance: Instance) -> Any:
    def init(evaluator: Evaluator, args: list[Value], keywords: dict[str, Value]) -> Value:
        instance.attributes["super().__init__"] = (args, keywords)

    return init


def _bound(evaluator: Evaluator, value: Value, receiver: Value, owner: Class, on_class: bool) -> Value:
    """What reading an attribute gives that a class has: functions are bound, properties run."""
    if not isinstance(value, Function):
        return value
    cls = (
        receiver
        if isinstance(receiver, Class)
        else receiver.cls
        if isinstance(receiver, Instance)
        else receiver
    )
    if value.kind == "staticmethod":
        return value.as_kind("")
    if value.kind == "classmethod":
        return Method(value, cls)
    if value.kind in ("declared_attr", "classproperty"):
        return evaluator.call(value, [cls], {})
    if value.kind == "hybrid_property":
        inner = value.extra.get("expression") if on_class else None
        result = evaluator.call(inner if isinstance(inner, Function) else value, [receiver], {})
        # No expression of SQL is None: it comes from a branch that only the run decides on.
        return Opaque(f"{cls.name}.{value.name}") if result is None and isinstance(cls, Class) else result
    if value.kind == "hybrid_method":
        return Method(value, receiver)
    if value.kind:
        return Opaque(value.name) if on_class else evaluator.call(value, [receiver], {})
    return value if on_class and isinstance(receiver, Class) else Method(value, receiver)


def set_class_attribute(evaluator: Evaluator, cls: Class, name: str, value: Value) -> None:
    """`cls.name = value` behind the class's body."""
    if not name.startswith("__") or name in (
        "__table__",
        "__tablename__",
        "__table_args__",
        "__mapper_args__",
    ):
        cls.namespace[name] = value = Opaque(name) if evaluator.uncertain else value
        own(value, cls)
        if not isinstance(value, Opaque):
            place = evaluator.place
            if place is not None and place[0].module is cls.module and place[0].chunk is not None:
                cls.places[name] = (place[0].chunk, place[1])
            evaluator.class_changed(cls, name, value)


def is_plain(value: Value) -> bool:
    """Whether a value can be an attribute of a native class: nothing of ours, no callable."""
    return not is_emulated(value)
