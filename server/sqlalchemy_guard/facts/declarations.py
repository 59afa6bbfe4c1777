"""Declarations: what a file defines (functions, classes, names, calls) and the `Summary` that other files may see.

Plain data about one file. This module must never evaluate or resolve.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.records import dataclass, field

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.values import Call, Value
    from sqlalchemy_guard.syntax.chunk import Chunk


class Frame:
    """An enclosing block, innermost first through `parent`.

    `kind` is one of: for, async for, while, comprehension, if, else, with, async with, try, except, finally, try-else,
    loop-else, match, lambda, function, class.
    """

    __slots__ = ("chunk", "contexts", "kind", "node", "parent")

    def __init__(
        self, kind: str, node: ast.AST, chunk: Chunk, parent: Frame | None, contexts: tuple[Value, ...] = ()
    ) -> None:
        self.kind = kind
        self.node = node
        self.chunk = chunk
        self.parent = parent
        self.contexts = contexts

    def outwards(self) -> Iterator[Frame]:
        """This block and the enclosing ones up to, not including, the enclosing function or class."""
        frame: Frame | None = self
        while frame is not None and frame.kind not in ("function", "class"):
            yield frame
            frame = frame.parent


LOOPS = frozenset({"for", "async for", "while", "comprehension"})


class CallFact:
    """A call as it stands in the file.

    Attributes:
        value: The call as a symbolic value.
        node: The call's node; line numbers relative to `chunk`.
        chunk: The leaf chunk the node belongs to.
        statement: The simple or compound statement that contains it.
        frame: The innermost enclosing block, None at the top of the module.
        function: The enclosing function, None in module and class bodies.
        awaited: Whether the call itself is awaited.
    """

    __slots__ = ("awaited", "chunk", "frame", "function", "node", "statement", "value")

    def __init__(
        self,
        value: Call,
        node: ast.Call,
        chunk: Chunk,
        statement: ast.stmt,
        frame: Frame | None,
        function: FunctionFacts | None,
    ) -> None:
        self.value = value
        self.node = node
        self.chunk = chunk
        self.statement = statement
        self.frame = frame
        self.function = function
        self.awaited = False

    def loops(self) -> Iterator[Frame]:
        """The enclosing loops, innermost first, within the same function."""
        if self.frame is not None:
            for frame in self.frame.outwards():
                if frame.kind in LOOPS:
                    yield frame


@dataclass(slots=True, eq=False)
class ItemSet:
    """`base[key] = value`, as in `app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {…}`."""

    base: Value
    key: Value
    value: Value
    statement: ast.stmt
    chunk: Chunk
    function: FunctionFacts | None


@dataclass(slots=True, eq=False)
class Parameter:
    """A parameter: `kind` is one of positional, var-positional, keyword, var-keyword."""

    name: str
    kind: str
    annotation: Value | None
    default: Value | None
    node: ast.arg


@dataclass(slots=True, eq=False)
class FunctionFacts:
    """A function or method.

    Attributes:
        qualname: As Python's `__qualname__`.
        owner: Qualified name of the class it is a method of, or None.
        header: Its node; the body is empty when the function was cut.
        chunk: The chunk of the header.
        returned: What it returns, all paths joined; None when nothing is returned.
        yielded: What it yields, or None.
        call_facts: The calls of its own body (not of nested functions), in order; `Resolver.calls_in` gives them to others.
        body_chunks: The leaf chunks of the body.
        receives: What `x = yield`-style injection needs is not modelled; only outgoing values are.
    """

    qualname: str
    owner: str | None
    header: ast.FunctionDef | ast.AsyncFunctionDef
    chunk: Chunk
    is_async: bool
    parameters: tuple[Parameter, ...]
    annotation: Value | None
    decorators: tuple[Value, ...]
    returned: Value | None = None
    yielded: Value | None = None
    call_facts: list[CallFact] = field(default_factory=list)
    nested: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The last part of the qualified name."""
        return self.header.name

    def parameter(self, name: str) -> Parameter | None:
        """The parameter of that name."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        return None

    def outline(self) -> tuple[object, ...]:
        """What others can see of it besides its calls, comparable."""
        return (
            self.owner,
            self.is_async,
            tuple((p.name, p.kind, p.annotation, p.default) for p in self.parameters),
            self.annotation,
            self.decorators,
            self.returned,
            self.yielded,
            tuple(self.nested),
        )

    def calls_outline(self) -> tuple[object, ...]:
        """What others can see of its calls, comparable: most edits of a body touch nothing else."""
        return tuple(
            (call.value, call.awaited, next(call.loops(), None) is not None) for call in self.call_facts
        )


@dataclass(slots=True, eq=False)
class Attribute:
    """A binding in a class body: `name: annotation = value`."""

    name: str
    annotation: Value | None
    value: Value | None
    node: ast.stmt
    chunk: Chunk


@dataclass(slots=True, eq=False)
class ClassFacts:
    """A class: `attributes` are its own bindings, `methods` map names to qualified names, `instance` what methods assign
    to `self` (annotation, value)."""

    qualname: str
    header: ast.ClassDef
    chunk: Chunk
    bases: tuple[Value, ...]
    keywords: tuple[tuple[str | None, Value], ...]
    decorators: tuple[Value, ...]
    attributes: dict[str, Attribute] = field(default_factory=dict)
    methods: dict[str, str] = field(default_factory=dict)
    instance: dict[str, tuple[Value | None, Value]] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The last part of the qualified name."""
        return self.header.name

    def outline(self) -> tuple[object, ...]:
        """What others can see of it, comparable."""
        return (
            self.bases,
            self.keywords,
            self.decorators,
            tuple((a.name, a.annotation, a.value) for a in self.attributes.values()),
            tuple(self.methods.items()),
            tuple(self.instance.items()),
            tuple(self.classes.items()),
        )


@dataclass(slots=True, eq=False)
class Binding:
    """A name bound at module level: `conditional` when it stands in a branch or is assigned through `global`."""

    name: str
    value: Value
    annotation: Value | None
    conditional: bool
    node: ast.AST
    chunk: Chunk
