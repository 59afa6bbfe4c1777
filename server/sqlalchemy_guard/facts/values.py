"""Symbolic values: what one file says about an expression before any other file was asked.

`session.query(User).first()` in a file that imports `User` becomes, from the inside,
`Attr(Param(…), "query")`, a `Call` of that
with `Ref("app.models", "User")`, `Attr(…, "first")` and a `Call` again.
The project layer reduces values to types. Equality is structural, so that two evaluations of the same text compare equal;
`memo` belongs to the resolver and takes no part in it. This module must never look anything up.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Value:
    """Base of all symbolic values. `memo` is the resolver's."""

    __slots__ = ("memo",)
    _fields: tuple[str, ...] = ()
    _parts: Callable[[Value], object] = attrgetter("__class__")
    """Gives the values of the fields."""

    memo: Any

    def __init_subclass__(cls) -> None:
        if cls._fields:
            cls._parts = attrgetter(*cls._fields)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other):
            return False
        # Names come before the values that they are names of, so that most differences show at once.
        parts = self._parts
        return parts(self) == parts(other)

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._parts(self)))

    def __repr__(self) -> str:
        inside = ", ".join(repr(getattr(self, name)) for name in self._fields)
        return f"{type(self).__name__}({inside})"


class Unknown(Value):
    """Nothing is known."""

    __slots__ = ()

    def __init__(self) -> None:
        self.memo = None


class Const(Value):
    """A literal: str, bytes, number, bool, None or Ellipsis. `1` and `True` differ."""

    __slots__ = ("kind", "value")
    _fields = ("kind", "value")

    def __init__(self, value: object) -> None:
        self.memo = None
        self.value = value
        self.kind = type(value).__name__


class Ref(Value):
    """A name of a module: `module` is absolute, relative with leading dots, or empty for this very file.

    An empty name stands for the module itself.
    """

    __slots__ = ("module", "name")
    _fields = ("module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.memo = None
        self.module = module
        self.name = name


class Def(Value):
    """A class or function defined in this file, by qualified name (`Outer.method`, `make.<locals>.inner`)."""

    __slots__ = ("qualname",)
    _fields = ("qualname",)

    def __init__(self, qualname: str) -> None:
        self.memo = None
        self.qualname = qualname


class ClassName(Value):
    """A name read in a class body: an attribute of the class if it has one, else a name of the module."""

    __slots__ = ("name", "qualname")
    _fields = ("qualname", "name")

    def __init__(self, qualname: str, name: str) -> None:
        self.memo = None
        self.qualname = qualname
        self.name = name


class Param(Value):
    """A parameter of a function of this file."""

    __slots__ = ("name", "qualname")
    _fields = ("qualname", "name")

    def __init__(self, qualname: str, name: str) -> None:
        self.memo = None
        self.qualname = qualname
        self.name = name


class Attr(Value):
    """`base.name`"""

    __slots__ = ("base", "name")
    _fields = ("name", "base")

    def __init__(self, base: Value, name: str) -> None:
        self.memo = None
        self.base = base
        self.name = name


class Call(Value):
    """`func(*args, **keywords)`; a keyword named None is a `**mapping`, a starred argument is a `Star`."""

    __slots__ = ("args", "func", "keywords")
    _fields = ("func", "args", "keywords")

    def __init__(
        self, func: Value, args: tuple[Value, ...], keywords: tuple[tuple[str | None, Value], ...]
    ) -> None:
        self.memo = None
        self.func = func
        self.args = args
        self.keywords = keywords

    def keyword(self, name: str) -> Value | None:
        """The value of a keyword argument written out, else None."""
        for key, value in self.keywords:
            if key == name:
                return value
        return None

    @property
    def has_mapping(self) -> bool:
        """Whether the call takes a `**mapping`."""
        return any(key is None for key, _ in self.keywords)


class Star(Value):
    """`*base` among arguments or items."""

    __slots__ = ("base",)
    _fields = ("base",)

    def __init__(self, base: Value) -> None:
        self.memo = None
        self.base = base


class Item(Value):
    """`base[index]`"""

    __slots__ = ("base", "index")
    _fields = ("base", "index")

    def __init__(self, base: Value, index: Value) -> None:
        self.memo = None
        self.base = base
        self.index = index


class Element(Value):
    """What iterating `base` gives (`for`, `async for`, comprehension, unpacking a star)."""

    __slots__ = ("base",)
    _fields = ("base",)

    def __init__(self, base: Value) -> None:
        self.memo = None
        self.base = base


class Enter(Value):
    """What `with base as x` binds."""

    __slots__ = ("base", "is_async")
    _fields = ("base", "is_async")

    def __init__(self, base: Value, is_async: bool) -> None:
        self.memo = None
        self.base = base
        self.is_async = is_async


class Await(Value):
    """`await base`"""

    __slots__ = ("base",)
    _fields = ("base",)

    def __init__(self, base: Value) -> None:
        self.memo = None
        self.base = base


class Either(Value):
    """One of several values, in the order in which the paths were seen."""

    __slots__ = ("options",)
    _fields = ("options",)

    def __init__(self, options: tuple[Value, ...]) -> None:
        self.memo = None
        self.options = options


class Sequence(Value):
    """A list, tuple or set display; `kind` is the type's name."""

    __slots__ = ("items", "kind")
    _fields = ("kind", "items")

    def __init__(self, kind: str, items: tuple[Value, ...]) -> None:
        self.memo = None
        self.kind = kind
        self.items = items


class Collected(Value):
    """A comprehension: `kind` (list, set, generator, dict) of `element`."""

    __slots__ = ("element", "kind")
    _fields = ("kind", "element")

    def __init__(self, kind: str, element: Value) -> None:
        self.memo = None
        self.kind = kind
        self.element = element


class Mapping(Value):
    """A dict display; a key of None is a `**mapping`, other keys are values."""

    __slots__ = ("entries",)
    _fields = ("entries",)

    def __init__(self, entries: tuple[tuple[Value | None, Value], ...]) -> None:
        self.memo = None
        self.entries = entries


class Joined(Value):
    """Text put together: f-string, `%`, `.format`, `+`; `how` is one of "f-string", "%", "+"."""

    __slots__ = ("how", "parts")
    _fields = ("how", "parts")

    def __init__(self, how: str, parts: tuple[Value, ...]) -> None:
        self.memo = None
        self.how = how
        self.parts = parts


class Operation(Value):
    """A comparison, boolean or arithmetic operation; its operands matter, its result is hardly ever asked for."""

    __slots__ = ("name", "operands")
    _fields = ("name", "operands")

    def __init__(self, name: str, operands: tuple[Value, ...]) -> None:
        self.memo = None
        self.name = name
        self.operands = operands


class Function(Value):
    """A lambda: what it returns."""

    __slots__ = ("result",)
    _fields = ("result",)

    def __init__(self, result: Value) -> None:
        self.memo = None
        self.result = result


class Typed(Value):
    """A value that the code says the type of: an annotated local, or one narrowed by `isinstance`."""

    __slots__ = ("annotation", "value")
    _fields = ("annotation", "value")

    def __init__(self, annotation: Value, value: Value) -> None:
        self.memo = None
        self.annotation = annotation
        self.value = value


def same(one: object, other: object) -> bool:
    """Whether two values, or collections of values, are equal; False for values nested deeper than Python's stack."""
    try:
        return one == other
    except RecursionError:
        return False


UNKNOWN = Unknown()
NONE = Const(None)


def either(values: Iterable[Value]) -> Value:
    """The join of several values: flat, without repetition, at most eight options (then unknown)."""
    options: list[Value] = []
    for value in values:
        for option in value.options if type(value) is Either else (value,):
            if not any(same(option, known) for known in options):
                options.append(option)
    if not options:
        return UNKNOWN
    if len(options) == 1:
        return options[0]
    return Either(tuple(options)) if len(options) <= 8 else UNKNOWN
