"""Names while code is evaluated: frames, branches and how they are joined. This module must never evaluate anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.sql.values import MISSING, Opaque, Value

if TYPE_CHECKING:
    from sqlalchemy_guard.sql.program import Module
    from sqlalchemy_guard.sql.values import Class
    from sqlalchemy_guard.syntax.chunk import Chunk


class Frame:
    """A function, a class body, a comprehension or a statement of a module while it runs.

    Attributes:
        env: The names bound here so far.
        parent: The frame whose names are seen from here, None for the module's own.
        chunk: The chunk of the statement that runs.
        is_class: Whether its names are hidden from functions inside.
        owner: The class whose method runs.
        receiver: The first argument of that method.
        results: What returns in branches that may have been taken gave.
        yields: What a generator gave.
        outer: Names that are bound elsewhere (`global`, `nonlocal`).
    """

    __slots__ = (
        "annotating",
        "chunk",
        "env",
        "is_class",
        "module",
        "outer",
        "owner",
        "parent",
        "places",
        "qualname",
        "receiver",
        "results",
        "yields",
    )

    def __init__(self, module: Module, parent: Frame | None, chunk: Chunk | None) -> None:
        self.module = module
        self.env: dict[str, Value] = {}
        self.parent = parent
        self.chunk = chunk
        self.is_class = False
        self.owner: Class | None = None
        self.receiver: Value = MISSING
        self.results: list[Value] = []
        self.yields: list[Value] | None = None
        self.outer: set[str] = set()
        self.annotating: dict[str, Any] = {}
        self.places: dict[str, Any] = {}
        self.qualname = ""

    def find(self, name: str) -> Value:
        """A name of this frame or of those around it; MISSING when it is the module's or a builtin."""
        frame: Frame | None = self
        if name in self.outer:
            frame = self.parent
        inside = False
        while frame is not None:
            if name in frame.env and not (inside and frame.is_class):
                return frame.env[name]
            frame, inside = frame.parent, True
        return MISSING


def join(name: str, values: list[Value]) -> Value:
    """What is known of a name that has one of several values."""
    first = values[0]
    if all(is_same(first, other) for other in values[1:]):
        return first
    return Opaque(name)


def join_envs(envs: list[dict[str, Value]]) -> dict[str, Value]:
    """The names after one of several branches was taken; what one of them leaves unbound is taken from the others."""
    joined: dict[str, Value] = {}
    for env in envs:
        for name in env:
            if name not in joined:
                joined[name] = join(name, [other[name] for other in envs if name in other])
    return joined


def is_same(one: Value, other: Value) -> bool:
    """Whether two values are the same beyond doubt."""
    if one is other:
        return True
    plain = (str, int, float, bool, bytes, type(None))
    if isinstance(one, plain):
        return type(one) is type(other) and bool(one == other)
    if isinstance(one, (list, tuple)) and type(one) is type(other):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, Opaque) and isinstance(other, Opaque):
        return (one.name, one.dotted) == (other.name, other.dotted) != ("", "")
    return False
