"""What happens to one session, connection or transaction along the ways of a function: used, committed, handed on, left.

For rules about transactions and life times. This module must never judge what happens.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Enter, Typed, Value, same
from sqlalchemy_guard.project.bodies import body_of
from sqlalchemy_guard.project.effects import arguments_of
from sqlalchemy_guard.project.paths import Paths, Point, binds, paths_through, walk
from sqlalchemy_guard.project.types import FunctionType, known
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy_guard.facts.declarations import CallFact, Frame, FunctionFacts
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

ENDINGS = frozenset({"rollback", "close", "aclose", "remove", "reset", "invalidate", "expunge_all"})
"""What makes a session usable again after an error, or gives it up."""

NEEDS_TRANSACTION = frozenset(
    {
        "execute", "scalars", "scalar", "query", "get", "get_one", "commit", "flush", "refresh", "exec", "merge", "add",
        "add_all", "delete",
    }
)  # fmt: skip
"""What a session refuses after a failed flush, or does in vain."""

HANDED = "()"
"""The name of the event that the object is passed to something."""

_NEVER_RETURN = frozenset(
    {
        "sys.exit", "os._exit", "os.abort", "builtins.exit", "builtins.quit", "flask.abort", "flask.helpers.abort",
        "werkzeug.exceptions.abort", "pytest.fail", "pytest.skip", "pytest.exit", "quart.abort",
    }
)  # fmt: skip
_NEVER = frozenset({"typing.NoReturn", "typing.Never"})


@dataclass(slots=True, eq=False)
class Event:
    """Something that happens to the object.

    Attributes:
        name: The method that is called on it, or `HANDED`.
        fact: The call.
    """

    name: str
    fact: CallFact


def paths_of(resolver: Resolver, function: FunctionFacts, file: SourceFile) -> Paths:
    """The ways through a function; calls that never come back are known by their type."""
    statements = tuple(statement for _, statement in body_of(function))
    calls = resolver.calls_in(function, file)
    ends = frozenset(fact.node for fact in calls if _never_returns(resolver, fact, file))
    return paths_through(statements, ends)


def _never_returns(resolver: Resolver, fact: CallFact, file: SourceFile) -> bool:
    value = fact.statement.value if isinstance(fact.statement, ast.Expr) else None
    if (value.value if isinstance(value, ast.Await) else value) is not fact.node:
        return False
    if resolver.external_name(fact.value.func, file) in _NEVER_RETURN:
        return True
    for option in known(resolver.type_of(fact.value.func, file)):
        source = resolver.sources.file(option.file_id) if isinstance(option, FunctionType) else None
        if source is None or not isinstance(option, FunctionType):
            continue
        resolver.keys.add((option.file_id, option.qualname))
        function = source.facts.function(option.qualname)
        if function is not None and function.annotation is not None:
            return resolver.external_name(function.annotation, source) in _NEVER
    return False


def receiver_of(fact: CallFact) -> Value | None:
    """What a method is called on."""
    func = fact.value.func
    return plain(func.base) if type(func) is Attr else None


def plain(value: Value) -> Value:
    """A value without what the code says about its type."""
    while type(value) is Typed:
        value = value.value
    return value


class Course:
    """The events of one object in a function, in the order of the ways through it.

    Args:
        resolver: Types, for calls that never come back.
        function: The function.
        receiver: The object.
        file: The function's file.
    """

    def __init__(
        self, resolver: Resolver, function: FunctionFacts, receiver: Value, file: SourceFile
    ) -> None:
        self.paths = paths_of(resolver, function, file)
        self.receiver = plain(receiver)
        self._events: dict[Point, list[Event]] = {}
        seen: set[ast.Call] = set()
        for fact in resolver.calls_in(function, file):
            if fact.node in seen:
                continue
            event = self._event(fact)
            if event is None:
                continue
            seen.add(fact.node)
            for point in self.paths.at(fact.node):
                self._events.setdefault(point, []).append(event)

    def _event(self, fact: CallFact) -> Event | None:
        base = receiver_of(fact)
        if base is not None and type(fact.value.func) is Attr and same(base, self.receiver):
            return Event(fact.value.func.name, fact)
        if any(same(plain(value), self.receiver) for value, _ in arguments_of(fact)):
            return Event(HANDED, fact)
        return None

    def at(self, point: Point) -> list[Event]:
        """What happens to the object in a step."""
        return self._events.get(point, [])

    def events(self) -> Iterator[Event]:
        """Everything that happens to it, in no order."""
        for events in self._events.values():
            yield from events

    def enters(self, node: ast.AST, contexts: Iterable[Value]) -> bool:
        """Whether the object is what a `with` block binds or manages."""
        for context in contexts:
            func = context.func if hasattr(context, "func") else None
            if same(plain(context), self.receiver):
                return True
            if type(self.receiver) is Enter and same(self.receiver.base, context):
                return True
            if type(func) is Attr and func.name.startswith("begin") and same(plain(func.base), self.receiver):
                return True
        return False

    def behind(
        self,
        starts: Iterable[Point],
        stop: Callable[[Point], bool] = lambda _: False,
        *,
        errors: bool = False,
    ) -> Iterator[Event]:
        """The events that control may come to from some steps, the nearest first; not behind a step that stops."""
        for point in walk(starts, stop, errors=errors):
            yield from self.at(point)


def work_after_failure(course: Course, handler: ast.ExceptHandler, name: str) -> CallFact | None:
    """The next work on a session that control comes to from a handler, without anything that may roll back between.

    Args:
        course: What happens to the session.
        handler: What runs after a failed flush.
        name: The name that the session is called by: bound anew, it is another session.
    """
    own = set(ast.walk(handler))

    def ends(point: Point) -> bool:
        if point.kind in ("enter", "leave") or binds(point, name):
            return True
        for event in course.at(point):
            if event.name in ENDINGS or (event.name == HANDED and event.fact.node in own):
                return True
        return any(isinstance(node, ast.Call) and _may_roll_back(node) for node in point.nodes())

    for point in walk(course.paths.at(handler), ends, errors=False):
        if not ends(point):
            for event in course.at(point):
                if event.name in NEEDS_TRANSACTION:
                    return event.fact
    return None


def _may_roll_back(call: ast.Call) -> bool:
    """Whether something is called that ends transactions by its name, of whatever object."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    return name in ENDINGS or "rollback" in name


def is_read_behind(resolver: Resolver, fact: CallFact, loop: Frame, file: SourceFile) -> bool:
    """Whether the rest of an iteration behind a call reads a name that the loop bound: it may want keys and defaults."""
    if fact.function is None:
        return True
    bound = {
        part.id
        for part in ast.walk(loop.node)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }
    paths = Course(resolver, fact.function, fact.value, file).paths
    inside = set(ast.walk(loop.node))
    starts = [following for point in paths.at(fact.node) for following in point.next]
    for point in walk(starts, lambda one: one.kind == "step" or one.node not in inside, errors=False):
        if point.node is not None and point.node in inside and point.kind != "step":
            for node in point.nodes():
                if isinstance(node, ast.Name) and node.id in bound and isinstance(node.ctx, ast.Load):
                    return True
    return False
