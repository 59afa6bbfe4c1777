"""The ways through a function: which statement may run behind which, after errors, early returns and `finally` too.

For rules about what must happen on every path, or must not follow. A way is judged by order alone: that two conditions exclude
each other is not known, except for tests of one name's own truth. This module must never know what a statement means.
"""

from __future__ import annotations

import ast
from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence

_RAISING = (ast.Call, ast.Await, ast.Yield, ast.YieldFrom, ast.Subscript, ast.Assert)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


class Point:
    """A step of a way: a simple statement, the head of a compound one, the leaving of a `with` block, or an exit.

    Attributes:
        kind: statement, test, step (of a loop), dispatch (to handlers), handler, enter and leave (a `with` block), return or
            raise (the two exits).
        node: The statement or handler, None for the exits and dispatches.
        parts: What is evaluated here.
        next: Where control goes from here; for a test first where it holds.
        errors: Where an error leads.
    """

    __slots__ = ("errors", "kind", "next", "node", "parts")

    def __init__(self, kind: str, node: ast.AST | None = None, parts: Sequence[ast.AST] = ()) -> None:
        self.kind = kind
        self.node = node
        self.parts = parts
        self.next: list[Point] = []
        self.errors: list[Point] = []

    def nodes(self) -> Iterator[ast.AST]:
        """The nodes that are evaluated here; bodies of definitions are not."""
        todo = list(self.parts)
        while todo:
            node = todo.pop()
            yield node
            if not isinstance(node, _DEFINITIONS):
                todo.extend(ast.iter_child_nodes(node))


class Paths:
    """The ways through a function.

    Args:
        statements: Its body.
        ends: The calls that never come back, as `sys.exit()`.

    Attributes:
        entry: Where it begins.
        returned: Where it ends without an error.
        raised: Where it ends with one.
    """

    def __init__(self, statements: Sequence[ast.stmt], ends: Container[ast.Call] = ()) -> None:
        self.returned = Point("return")
        self.raised = Point("raise")
        builder = _Builder(ends)
        ways = _Ways({"following": self.returned, "returning": self.returned, "error": self.raised})
        self.entry = builder.block(statements, ways)
        self._at: dict[ast.AST, list[Point]] = {}
        for point in builder.points:
            if point.node is not None:
                self._at.setdefault(point.node, []).append(point)
            for node in point.nodes():
                if isinstance(node, ast.Call):
                    self._at.setdefault(node, []).append(point)

    def at(self, node: ast.AST) -> list[Point]:
        """The steps of a statement, or those that evaluate a call: several where `finally` is come to in several ways."""
        return self._at.get(node, [])


@lru_cache(maxsize=16)
def paths_through(statements: tuple[ast.stmt, ...], ends: frozenset[ast.Call]) -> Paths:
    """The ways through a function of these statements; several rules ask for those of the same one."""
    return Paths(statements, ends)


def walk(
    starts: Iterable[Point],
    stop: Callable[[Point], bool] = lambda _: False,
    *,
    errors: bool = True,
    alive: str = "",
) -> Iterator[Point]:
    """The steps that control may come to, the nearest first.

    Args:
        starts: The first ones, given as well.
        stop: Behind which steps not to go on; they are given.
        errors: Whether errors happen.
        alive: A name whose value is known to be true: of tests of it only one side is walked.
    """
    todo = deque(starts)
    seen = set(todo)
    while todo:
        point = todo.popleft()
        yield point
        if stop(point):
            continue
        following = _taken(point, alive) if alive else point.next
        for other in (*following, *point.errors) if errors else following:
            if other not in seen:
                seen.add(other)
                todo.append(other)


def _taken(point: Point, alive: str) -> list[Point]:
    """Where control goes from a test of a name whose value is true."""
    if point.kind != "test" or len(point.next) != 2 or not point.parts:
        return point.next
    verdict = _truth(point.parts[0], alive)
    return point.next if verdict is None else [point.next[0] if verdict else point.next[1]]


def _truth(test: ast.AST, name: str) -> bool | None:
    """What a test of a name gives, when its value is true; None for other tests."""
    if isinstance(test, ast.Name) and test.id == name:
        return True
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _truth(test.operand, name)
        return None if inner is None else not inner
    if isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == name:
        against = test.comparators[0]
        if len(test.ops) == 1 and isinstance(against, ast.Constant) and against.value is None:
            return isinstance(test.ops[0], (ast.IsNot, ast.NotEq))
    return None


def binds(point: Point, name: str) -> bool:
    """Whether a step binds a name, so that it stands for something else from there on."""
    return any(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
        for node in point.nodes()
    )


class _Ways:
    """Where control goes from a place, by manner: following, error, returning, breaking, continuing.

    Args:
        own: The targets that are known.
        outer: Who knows the others.
        through: What stands between here and the targets of `outer`: gives the step before one of them.
    """

    def __init__(
        self,
        own: dict[str, Point],
        outer: _Ways | None = None,
        through: Callable[[Point, str], Point] | None = None,
    ) -> None:
        self._own = own
        self._outer = outer
        self._through = through
        self._made: dict[Point, Point] = {}

    def to(self, manner: str) -> Point:
        """The target; made when it is first asked for, so that nothing is built for ways that nobody takes."""
        known = self._own.get(manner)
        if known is not None:
            return known
        if self._outer is None:
            # `break` outside a loop: the file does not run, so nothing follows.
            return self._own["error"]
        target = self._outer.to(manner)
        if self._through is not None:
            before = self._made.get(target)
            if before is None:
                before = self._made[target] = self._through(target, manner)
            target = before
        self._own[manner] = target
        return target

    def but(self, **own: Point) -> _Ways:
        """The same ways with other targets for some manners."""
        return _Ways(dict(own), self)


class _Builder:
    """Builds the steps from the last statement to the first: what follows is known when a statement is built."""

    def __init__(self, ends: Container[ast.Call]) -> None:
        self._ends = ends
        self.points: list[Point] = []

    def point(
        self,
        kind: str,
        node: ast.AST,
        parts: Sequence[ast.AST | None],
        ways: _Ways,
        following: Iterable[Point] = (),
    ) -> Point:
        made = Point(kind, node, [part for part in parts if part is not None])
        made.next.extend(following)
        if any(isinstance(part, _RAISING) for part in made.nodes()):
            made.errors.append(ways.to("error"))
        self.points.append(made)
        return made

    def block(self, statements: Sequence[ast.stmt], ways: _Ways) -> Point:
        entry = ways.to("following")
        for statement in reversed(statements):
            entry = self.statement(statement, ways.but(following=entry))
        return entry

    def statement(self, node: ast.stmt, ways: _Ways) -> Point:
        if isinstance(node, ast.If):
            return self._branches(node, ways)
        if isinstance(node, ast.While):
            return self._while(node, ways)
        if isinstance(node, (ast.For, ast.AsyncFor)):
            return self._for(node, ways)
        if isinstance(node, (ast.With, ast.AsyncWith)):
            return self._with(node, ways)
        if isinstance(node, ast.Try) or type(node).__name__ == "TryStar":
            return self._try(node, ways)  # type: ignore[arg-type]
        if isinstance(node, ast.Match):
            return self._match(node, ways)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            return self.point("statement", node, node.decorator_list, ways, [ways.to("following")])
        if isinstance(node, ast.Return):
            return self.point("statement", node, [node], ways, [ways.to("returning")])
        if isinstance(node, ast.Raise):
            return self.point("statement", node, [node], ways, [ways.to("error")])
        if isinstance(node, (ast.Break, ast.Continue)):
            manner = "breaking" if isinstance(node, ast.Break) else "continuing"
            return self.point("statement", node, [node], ways, [ways.to(manner)])
        manner = "following"
        value = node.value if isinstance(node, ast.Expr) else None
        value = value.value if isinstance(value, ast.Await) else value
        if isinstance(value, ast.Call) and value in self._ends:
            manner = "error"
        return self.point("statement", node, [node], ways, [ways.to(manner)])

    def _branches(self, node: ast.If, ways: _Ways) -> Point:
        # A chain of `elif` may be longer than Python's stack is deep.
        chain = [node]
        while len(chain[-1].orelse) == 1 and isinstance(chain[-1].orelse[0], ast.If):
            chain.append(chain[-1].orelse[0])
        entry = self.block(chain[-1].orelse, ways)
        for one in reversed(chain):
            entry = self.point("test", one, [one.test], ways, [self.block(one.body, ways), entry])
        return entry

    def _while(self, node: ast.While, ways: _Ways) -> Point:
        head = self.point("test", node, [node.test], ways)
        inside = ways.but(following=head, breaking=ways.to("following"), continuing=head)
        head.next.append(self.block(node.body, inside))
        if not (isinstance(node.test, ast.Constant) and node.test.value):
            head.next.append(self.block(node.orelse, ways))
        return head

    def _for(self, node: ast.For | ast.AsyncFor, ways: _Ways) -> Point:
        step = self.point("step", node, [node.target], ways)
        inside = ways.but(following=step, breaking=ways.to("following"), continuing=step)
        step.next.extend((self.block(node.body, inside), self.block(node.orelse, ways)))
        return self.point("statement", node.iter, [node.iter], ways, [step])

    def _with(self, node: ast.With | ast.AsyncWith, ways: _Ways) -> Point:
        suppresses = any(_suppresses(item.context_expr) for item in node.items)

        def leave(target: Point, manner: str) -> Point:
            left = Point("leave", node)
            left.next.append(target)
            if manner == "error" and suppresses:
                left.next.append(ways.to("following"))
            left.errors.append(ways.to("error"))
            self.points.append(left)
            return left

        inside = self.block(node.body, _Ways({}, ways, leave))
        return self.point("enter", node, list(node.items), ways, [inside])

    def _try(self, node: ast.Try, ways: _Ways) -> Point:
        def finish(target: Point, _manner: str) -> Point:
            return self.block(node.finalbody, ways.but(following=target))

        outer = _Ways({}, ways, finish) if node.finalbody else ways
        behind = outer
        if node.handlers:
            dispatch = Point("dispatch")
            self.points.append(dispatch)
            for handler in node.handlers:
                caught = self.point("handler", handler, [handler.type], outer)
                caught.next.append(self.block(handler.body, outer))
                dispatch.next.append(caught)
            if not any(catches_all(handler) for handler in node.handlers):
                dispatch.next.append(outer.to("error"))
            behind = outer.but(error=dispatch)
        following = self.block(node.orelse, outer)
        return self.block(node.body, behind.but(following=following))

    def _match(self, node: ast.Match, ways: _Ways) -> Point:
        head = self.point("statement", node.subject, [node.subject], ways)
        for case in node.cases:
            head.next.append(self.block(case.body, ways))
        last = node.cases[-1]
        if not (
            isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None and last.guard is None
        ):
            head.next.append(ways.to("following"))
        return head


def catches_all(handler: ast.ExceptHandler) -> bool:
    """Whether a handler catches every error, those that end the program left aside."""
    names = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(name is None or getattr(name, "id", "") in ("Exception", "BaseException") for name in names)


def _suppresses(context: ast.expr) -> bool:
    """Whether a context manager is `suppress(…)`, or called like it."""
    func = context.func if isinstance(context, ast.Call) else context
    name = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
    return "suppress" in name.lower()
