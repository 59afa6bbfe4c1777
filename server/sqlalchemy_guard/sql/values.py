"""What the evaluator computes with, besides plain data and objects of SQLAlchemy.

Whatever the user's code defines (functions, classes, objects of these) is data here, with no way into Python's own machinery.
An `Opaque` is something unknown that has a name. This module must never evaluate anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy_guard.sql.program import Module
    from sqlalchemy_guard.sql.scopes import Frame
    from sqlalchemy_guard.syntax.chunk import Chunk

Value = Any
"""Plain data, an object of SQLAlchemy, or one of the classes below."""

MISSING: Any = object()
"""No value at all, where None is one."""

ANY_KEYWORDS = "**"
"""The name under which an unknown `**mapping` stands among keyword arguments."""


class Opaque:
    """A value that is not known.

    Attributes:
        name: How the source names it (`settings.prefix`, `user_id`), for people.
        dotted: The library's name behind it (`uuid.uuid4`, `uuid.uuid4()` for a result); empty for others.
    """

    __slots__ = ("dotted", "name")

    def __init__(self, name: str, dotted: str = "") -> None:
        self.name = name[:120]
        self.dotted = dotted[:120]

    def __repr__(self) -> str:
        return f"<unknown {self.name}>"


class Spread(Opaque):
    """An unknown number of unknown values: what `*filters` puts into a call or a list."""

    __slots__ = ()


class Function:
    """A function or lambda of the user's code, with the names that it sees.

    Attributes:
        node: Its definition; a cut one has an empty body, see `body`.
        body: Its statements with their chunks; for a lambda None.
        frame: Where it was defined.
        owner: The class whose body holds it, None for others.
        defaults: Values of the parameters that have one, by name.
        kind: "", "classmethod", "staticmethod", "property", or a library's decorator such as "declared_attr".
        extra: What further decorators of its name added: "expression" of a hybrid property, "directive" of a declared attribute.
    """

    __slots__ = ("body", "defaults", "extra", "frame", "kind", "node", "owner")

    def __init__(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda,
        body: list[tuple[Chunk, ast.stmt]] | None,
        frame: Frame,
        defaults: dict[str, Value],
    ) -> None:
        self.node = node
        self.body = body
        self.frame = frame
        self.owner: Class | None = None
        self.defaults = defaults
        self.kind = ""
        self.extra: dict[str, Value] = {}

    @property
    def name(self) -> str:
        """Its name; that of a lambda is `<lambda>`."""
        return getattr(self.node, "name", "<lambda>")

    def as_kind(self, kind: str) -> Function:
        """The same function as another kind of attribute."""
        made = Function(self.node, self.body, self.frame, self.defaults)
        made.owner, made.kind, made.extra = self.owner, kind, dict(self.extra)
        return made


class Class:
    """A class of the user's code.

    Attributes:
        bases: Its bases as values: classes of ours, of libraries, unknown ones.
        namespace: Its attributes in the order of their definition, mutable.
        annotations: The annotations of its body: the expression, and the chunk it stands in.
        keywords: What stands behind the bases in the header.
        native: The class of SQLAlchemy or `enum` that was made of it, None for a class that is nothing but ours.
        places: Where its attributes were last bound: chunk and statement.
    """

    __slots__ = (
        "annotations",
        "bases",
        "chunk",
        "decorators",
        "frame",
        "keywords",
        "module",
        "mro",
        "name",
        "namespace",
        "native",
        "node",
        "places",
        "qualname",
    )

    def __init__(
        self, name: str, qualname: str, module: Module, bases: list[Value], namespace: dict[str, Value]
    ) -> None:
        self.name = name
        self.qualname = qualname
        self.module = module
        self.bases = bases
        self.namespace = namespace
        self.annotations: dict[str, tuple[ast.expr, Chunk]] = {}
        self.keywords: dict[str, Value] = {}
        self.decorators: list[Value] = []
        self.native: Any = None
        self.node: ast.ClassDef | None = None
        self.chunk: Chunk | None = None
        self.frame: Frame | None = None
        self.places: dict[str, tuple[Chunk, ast.AST]] = {}
        self.mro: list[Value] = linearize(self)

    def find(self, name: str, behind: Class | None = None) -> tuple[Value, Value]:
        """An attribute along the linearization and the class that has it; MISSING twice when no class of ours has it.

        Args:
            name: The attribute.
            behind: Look only at what follows this class (`super()`).
        """
        seen = behind is None
        for one in self.mro:
            if seen and isinstance(one, Class) and name in one.namespace:
                return one.namespace[name], one
            seen = seen or one is behind
        return MISSING, MISSING

    @property
    def natives(self) -> list[Any]:
        """The library classes among its ancestors, nearest first."""
        return [one for one in self.mro if isinstance(one, type)]

    def is_unknown(self) -> bool:
        """Whether an ancestor is unknown, so that it may have attributes nobody sees."""
        return any(isinstance(one, Opaque) for one in self.mro)

    def __repr__(self) -> str:
        return f"<class {self.qualname}>"


class Instance:
    """An object of a class of ours."""

    __slots__ = ("attributes", "cls")

    def __init__(self, cls: Class) -> None:
        self.cls = cls
        self.attributes: dict[str, Value] = {}


class Method:
    """A function of ours with the object or class that it was got from."""

    __slots__ = ("function", "receiver")

    def __init__(self, function: Function, receiver: Value) -> None:
        self.function = function
        self.receiver = receiver


class NativeMethod:
    """An allowed method of a native object, not yet called."""

    __slots__ = ("name", "receiver")

    def __init__(self, receiver: Any, name: str) -> None:
        self.receiver = receiver
        self.name = name


class Super:
    """What `super()` gives: attributes of `receiver` from behind `owner`."""

    __slots__ = ("owner", "receiver")

    def __init__(self, owner: Class, receiver: Value) -> None:
        self.owner = owner
        self.receiver = receiver


class Library:
    """A module outside of the project that the evaluator knows by name only."""

    __slots__ = ("dotted",)

    def __init__(self, dotted: str) -> None:
        self.dotted = dotted


class Native:
    """A callable of ours that stands for something of a library: it is called with the evaluator's values.

    Attributes:
        dotted: What it stands for.
        call: Given positional and keyword arguments, and the evaluator in front.
    """

    __slots__ = ("call", "dotted")

    def __init__(self, dotted: str, call: Callable[..., Value]) -> None:
        self.dotted = dotted
        self.call = call

    def __repr__(self) -> str:
        return f"<{self.dotted}>"


class Host:
    """An object that whoever uses the evaluator hands in: its public attributes and methods are the user's code to use.

    Methods are called in the order of the program with values of the evaluator, and give such values. While the branch is
    not known to be taken, `Evaluator.uncertain` is not empty.
    """

    def get(self, name: str) -> Value:
        """A public attribute; an unknown one is opaque."""
        found = MISSING if name.startswith("_") else getattr(self, name, MISSING)
        return Opaque(f"{type(self).__name__}.{name}") if found is MISSING else found

    def set(self, name: str, value: Value) -> None:
        """The user's code assigns to an attribute: forgotten, unless a host says otherwise."""

    def enter(self) -> Value:
        """`with host as value`."""
        return self

    def leave(self) -> None:
        """The end of that block."""

    def is_kind_of(self, cls: Value) -> bool | None:
        """`isinstance(host, cls)`; None when that is not known."""
        return None

    def items(self) -> Iterator[Value] | None:
        """What a loop over it gives; None when that is unknown."""
        return None

    def item(self, key: Value) -> Value:
        """`host[key]`."""
        return Opaque(f"{type(self).__name__}[…]")


def linearize(cls: Class) -> list[Value]:
    """The order in which attributes are looked for (C3); what has no such order is taken depth first."""
    rows = [_row(base) for base in cls.bases] + [list(cls.bases)]
    found: list[Value] = [cls]
    while any(rows):
        rows = [row for row in rows if row]
        head = next(
            (row[0] for row in rows if not any(_holds(other[1:], row[0]) for other in rows)), rows[0][0]
        )
        found.append(head)
        rows = [[one for one in row if one is not head] for row in rows]
    return found


def _row(base: Value) -> list[Value]:
    if isinstance(base, Class):
        return list(base.mro)
    return [one for one in base.__mro__ if one is not object] if isinstance(base, type) else [base]


def _holds(row: list[Value], value: Value) -> bool:
    return any(one is value for one in row)


def is_emulated(value: Value) -> bool:
    """Whether a value exists in the evaluator alone."""
    return isinstance(
        value, (Opaque, Function, Class, Instance, Method, NativeMethod, Super, Library, Native, Host)
    )


def plain_keywords(values: Mapping[str, Value]) -> dict[str, Value]:
    """Keyword arguments without those that a spread hides."""
    return {name: value for name, value in values.items() if not isinstance(value, Spread)}
