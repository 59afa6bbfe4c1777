"""Classes that hold data, made as by the standard library's `dataclasses` and `NamedTuple`, in a tenth of the time.

More than a hundred of them are made before the first diagnostics of a server or the first line of a command; with the
standard library's decorator, and the modules that it imports, that is a quarter of starting up. What is different: only
what the house uses is here, methods that nobody has a reason to look at are shared instead of generated, a constructor is
compiled when the first object is made, and `frozen` is what it is for a type checker, a promise. This module must never
import anything that is not needed for that.
"""

from __future__ import annotations

from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform

try:
    # What the standard library's own are read with: half the time of a property.
    from _collections import _tuplegetter  # type: ignore[import-not-found]
except ImportError:
    _tuplegetter = None

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import NamedTuple as NamedTuple

T = TypeVar("T")

_MISSING: Any = object()
_NO_METADATA: Mapping[str, Any] = {}


class Field:
    """A field of a class; made by `field` or by a plain default.

    Attributes:
        name: Its name.
        default: What it is when nothing is given.
        default_factory: What makes that, for each object anew.
        init: Whether it is given to the constructor.
        repr: Whether it is shown.
        compare: Whether it takes part in equality, and in the hash unless `hash` says otherwise.
        metadata: Whatever the owner of the class wants to know of it.
    """

    __slots__ = ("compare", "default", "default_factory", "hash", "init", "metadata", "name", "repr")

    def __init__(
        self,
        default: Any,
        default_factory: Callable[[], Any] | None,
        init: bool,
        repr: bool,
        compare: bool,
        hash: bool | None,
        metadata: Mapping[str, Any],
    ) -> None:
        self.name = ""
        self.default = default
        self.default_factory = default_factory
        self.init = init
        self.repr = repr
        self.compare = compare
        self.hash = compare if hash is None else hash
        self.metadata = metadata


def field(
    *,
    default: Any = _MISSING,
    default_factory: Callable[[], Any] | None = None,
    init: bool = True,
    repr: bool = True,
    compare: bool = True,
    hash: bool | None = None,
    metadata: Mapping[str, Any] = _NO_METADATA,
) -> Any:
    """A field that a plain default cannot describe; see `Field` for the arguments."""
    return Field(default, default_factory, init, repr, compare, hash, metadata)


@dataclass_transform(field_specifiers=(field,))
def dataclass(*, frozen: bool = False, eq: bool = True, slots: bool = False) -> Callable[[type[T]], type[T]]:
    """Make a constructor, a representation and an equality out of a class's annotated names.

    Args:
        frozen: Its objects do not change: they are hashed by their fields.
        eq: They are equal when their fields are; else only each to itself.
        slots: They have no other attributes than these.
    """

    def make(cls: type[T]) -> type[T]:
        own = _own_fields(cls)
        every = {name: each for base in reversed(cls.__mro__[1:]) for name, each in _known(base).items()}
        every.update(own)
        made: Any = _slotted(cls, own) if slots else cls
        made.__record_fields__ = every
        made.__match_args__ = tuple(name for name, each in every.items() if each.init)  # type: ignore[misc]

        def first(self: object, *args: Any, **named: Any) -> None:
            constructor = made.__init__ = _constructor(made, every)
            constructor(self, *args, **named)

        made.__init__ = first
        if "__repr__" not in cls.__dict__:
            made.__repr__ = _shown
        if eq:
            _compare(made, every, frozen)
        return made  # type: ignore[no-any-return]

    return make


def fields(cls: type) -> tuple[Field, ...]:
    """The fields of a class."""
    return tuple(_known(cls).values())


def replace(record: T, **changes: Any) -> T:
    """A copy of an object with some fields changed."""
    given = {name: getattr(record, name) for name, each in _known(type(record)).items() if each.init}
    return type(record)(**{**given, **changes})


def _known(cls: type) -> Mapping[str, Field]:
    found: Mapping[str, Field] = cls.__dict__.get("__record_fields__", {})
    return found


def _own_fields(cls: type) -> dict[str, Field]:
    """The fields that a class adds, in the order in which they are written; their defaults stay on the class."""
    own: dict[str, Field] = {}
    for name, annotation in cls.__annotations__.items():
        if "ClassVar" in str(annotation):
            continue
        given = cls.__dict__.get(name, _MISSING)
        if isinstance(given, Field):
            own[name] = given
            if given.default is _MISSING:
                delattr(cls, name)
            else:
                setattr(cls, name, given.default)
        else:
            own[name] = Field(given, None, True, True, True, None, _NO_METADATA)
        own[name].name = name
    return own


def _slotted(cls: type, own: Mapping[str, Field]) -> Any:
    """The class once more, with slots for its fields."""
    namespace = {
        name: value
        for name, value in cls.__dict__.items()
        if name not in own and name not in ("__dict__", "__weakref__")
    }
    inherited = {name for base in cls.__mro__[1:] for name in _known(base)}
    namespace["__slots__"] = tuple(name for name in own if name not in inherited)
    metaclass: Any = type(cls)
    return metaclass(cls.__name__, cls.__bases__, namespace)


def _constructor(cls: type, every: Mapping[str, Field]) -> Any:
    parameters, body = ["self"], []
    values: dict[str, Any] = {"_missing": _MISSING}
    for name, each in every.items():
        value = name
        if each.default_factory is not None:
            values[f"_make_{name}"] = each.default_factory
            value = f"_make_{name}()" + (f" if {name} is _missing else {name}" if each.init else "")
        elif each.default is not _MISSING:
            values[f"_default_{name}"] = each.default
            value = name if each.init else f"_default_{name}"
        elif not each.init:
            continue
        if each.init:
            optional = "=_missing" if each.default_factory is not None else f"=_default_{name}"
            required = each.default is _MISSING and each.default_factory is None
            parameters.append(name if required else name + optional)
        body.append(f" self.{name} = {value}\n")
    if hasattr(cls, "__post_init__"):
        body.append(" self.__post_init__()\n")
    exec(f"def __init__({', '.join(parameters)}):\n{''.join(body) or ' pass'}", values)
    made = values["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    made.__module__ = cls.__module__
    return made


def _shown(self: object) -> str:
    shown = (f"{name}={getattr(self, name)!r}" for name, each in _known(type(self)).items() if each.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _compare(cls: Any, every: Mapping[str, Field], frozen: bool) -> None:
    """Give a class equality, and a hash when its objects do not change."""
    compared = _values_of([name for name, each in every.items() if each.compare])
    hashed = _values_of([name for name, each in every.items() if each.hash])

    def equal(self: object, other: object) -> Any:
        if self is other:
            return True
        return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

    def hash_(self: object) -> int:
        return hash(hashed(self))

    has_hash = cls.__dict__.get("__hash__") is not None
    cls.__eq__ = equal
    if not has_hash:
        cls.__hash__ = hash_ if frozen else None


def _values_of(names: list[str]) -> Callable[[Any], Any]:
    return attrgetter(*names) if names else lambda _: ()


class _NamedTuples(type):
    """Makes classes of tuples whose items have names."""

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
        if not bases:
            return super().__new__(cls, name, bases, namespace)
        namespace["__slots__"] = ()
        made: Any = type(name, (tuple, *bases[1:]), namespace)
        made._fields = names = tuple(made.__annotations__)
        made.__match_args__ = names  # type: ignore[misc]
        defaults = tuple(namespace[each] for each in names if each in namespace)
        for number, each in enumerate(names):
            setattr(
                made, each, property(itemgetter(number)) if _tuplegetter is None else _tuplegetter(number, "")
            )

        def first(kind: type, /, *args: Any, **named: Any) -> Any:
            constructor = _tuple_constructor(made, names, defaults)
            made.__new__ = staticmethod(constructor)
            return constructor(kind, *args, **named)

        made.__new__ = staticmethod(first)
        made.__getnewargs__ = _items
        made._replace = _with
        if "__repr__" not in namespace:
            made.__repr__ = _shown_tuple
        return made


def _tuple_constructor(cls: type, names: tuple[str, ...], defaults: tuple[object, ...]) -> Any:
    values: dict[str, Any] = {"_new": tuple.__new__}
    exec(f"def __new__(_cls, {', '.join(names)}): return _new(_cls, ({', '.join(names)},))", values)
    made = values["__new__"]
    made.__defaults__ = defaults
    made.__qualname__ = f"{cls.__qualname__}.__new__"
    made.__module__ = cls.__module__
    return made


def _items(self: Any) -> tuple[Any, ...]:
    return tuple(self)


def _with(self: Any, /, **changes: Any) -> Any:
    return type(self)(**{**dict(zip(self._fields, self, strict=True)), **changes})


def _shown_tuple(self: Any) -> str:
    shown = (f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
    return f"{type(self).__name__}({', '.join(shown)})"


if not TYPE_CHECKING:

    class NamedTuple(metaclass=_NamedTuples):
        """The base of a class of tuples whose items have names; for a type checker the standard library's."""
