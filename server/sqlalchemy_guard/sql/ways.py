"""Every way through the function around a line, run one after the other over the rebuilt models; nothing is executed.

    for way in ways(workspace, file_id, line, poll):
        way.queries.executed   # what the calls of this way build and execute
        way.trail              # the conditions that it takes, and how

This module must never look at what a statement says.
"""

from __future__ import annotations

import ast
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.sql import classes, models
from sqlalchemy_guard.sql.queries import Queries
from sqlalchemy_guard.sql.scopes import Frame
from sqlalchemy_guard.sql.toward import Reached, Step, Toward
from sqlalchemy_guard.sql.values import MISSING, Class, Function, Instance, Method, Opaque, Spread, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from sqlalchemy_guard.project.workspace import Workspace
    from sqlalchemy_guard.sql.evaluator import Evaluator
    from sqlalchemy_guard.sql.models import Schema
    from sqlalchemy_guard.sql.program import Module
    from sqlalchemy_guard.syntax.chunk import Chunk

_ANYTHING = (Spread("…"),)
"""Arguments of which nothing is known: parameters with a default are not known, either."""
MOST_FORKS = 12
"""So many conditions of one way are taken both ways."""
_LEAVING = (ast.Raise, ast.Return, ast.Continue, ast.Break)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class _Forks:
    """Which branches a run takes: each run takes the last open one the other way.

    Args:
        home: The name of the function that is run.
    """

    def __init__(self, home: str) -> None:
        self._fixed: dict[str, bool] = {}
        self._first: dict[str, bool] = {}
        self._texts: dict[ast.AST, str] = {}
        self.trail: list[tuple[str, bool]] = []
        self._home = home

    def fork(self, node: ast.If | ast.For | ast.AsyncFor, frame: Frame) -> bool | None:
        """The branch of this run: first the one that goes on, then the other."""
        shown = self._texts.get(node)
        if shown is None:
            shown = ast.unparse(node.test if isinstance(node, ast.If) else node.iter)
            shown = shown if len(shown) <= 60 else f"{shown[:59]}…"
            self._texts[node] = shown = shown if isinstance(node, ast.If) else f"any {shown}"
        known = next((taken for text, taken in self.trail if text == shown), None)
        if known is None:
            leaving = _LEAVING if frame.qualname == self._home else (ast.Raise,)
            first = not (isinstance(node, ast.If) and isinstance(node.body[-1], leaving))
            self._first.setdefault(shown, first)
            known = self._fixed.get(shown, first)
            self.trail.append((shown, known))
        return known

    def next(self) -> bool:
        """Prepare the next run; False when all were made."""
        trail = self.trail[:MOST_FORKS]
        while trail and trail[-1][1] is not self._first[trail[-1][0]]:
            trail.pop()
        if not trail:
            return False
        last, taken = trail.pop()
        self._fixed = {**dict(trail), last: not taken}
        self.trail = []
        return True


class Way(NamedTuple):
    """One way through a function.

    Attributes:
        queries: What its calls built and executed.
        trail: The conditions on the way, in order, and whether each was taken.
        module: The file.
        schema: The models.
    """

    queries: Queries
    trail: list[tuple[str, bool]]
    module: Module
    schema: Schema


def ways(
    workspace: Workspace, file_id: str, line: int, poll: Callable[[], None] | None = None
) -> Generator[Way]:
    """Run the function around a line, or the module's statement, in every way; the caller says when it is enough.

    Args:
        workspace: Its models are rebuilt when they are not up to date.
        file_id: The file.
        line: 0-based.
        poll: Raises to end everything.

    Raises:
        Whatever `poll` raises.
    """
    schema = models.rebuild(workspace, poll)
    evaluator = schema.evaluator
    module = evaluator.program.module(file_id)
    if module is None:
        return
    evaluator.budget.renew(poll)
    forks = _Forks(_home(module, line))
    before = evaluator.native_attribute
    queries = Queries(evaluator)
    toward = _toward(module, line)
    try:
        queries.install()
        evaluator.fork = forks.fork
        evaluator.native_attribute = _with_query(before, queries)
        while True:
            queries.executed.clear()
            queries.broken.clear()
            evaluator.toward = toward
            with suppress(Reached):
                _run(evaluator, module, line)
            yield Way(queries, forks.trail, module, schema)
            if not forks.next():
                return
    finally:
        evaluator.release()
        evaluator.native_attribute = before


def _with_query(before: Callable[[Class, str], Value], queries: Queries) -> Callable[[Class, str], Value]:
    """Mapped classes have `query`, which Flask-SQLAlchemy and `query_property` give them."""

    def attribute(cls: Class, name: str) -> Value:
        found = before(cls, name)
        if name == "query" and found is MISSING and "__mapper__" in getattr(cls.native, "__dict__", {}):
            own, _ = cls.find(name)
            return queries.of_class(cls) if own is MISSING or isinstance(own, Opaque) else own
        return found

    return attribute


# -- what runs -----------------------------------------------------------------------------------------------------


def _home(module: Module, line: int) -> str:
    """The name of the function around a line; empty outside of functions."""
    names = [node.name for node, _ in _enclosing(module, line) if isinstance(node, _DEFINITIONS)]
    return names[-1] if names else ""


def _run(evaluator: Evaluator, module: Module, line: int) -> None:
    """Run the function around a line, or the statement of the module."""
    path = list(_enclosing(module, line))
    functions = [(node, chunk) for node, chunk in path if isinstance(node, _DEFINITIONS)]
    if not functions:
        if path and isinstance(path[0][0], ast.stmt) and not isinstance(path[0][0], ast.ClassDef):
            node, chunk = path[0]
            evaluator.guarded("", lambda: evaluator.program.run_one(Frame(module, None, chunk), chunk, node))
        return
    holders = [node.name for node, _ in path[: path.index(functions[0])] if isinstance(node, ast.ClassDef)]
    owner = module.get(holders[0]) if holders else MISSING
    for name in holders[1:]:
        owner = owner.namespace.get(name, MISSING) if isinstance(owner, Class) else MISSING
    if isinstance(owner, Class):
        _run_method(evaluator, owner, _plain(module, *functions[0]))
    else:
        value = module.get(functions[0][0].name)
        if isinstance(value, Function) and value.node is functions[0][0]:
            evaluator.run(value, _ANYTHING)
        else:
            # A decorator that is not understood stands in front of it.
            evaluator.run(_plain(module, *functions[0]), _ANYTHING)


def _toward(module: Module, line: int) -> Toward | None:
    """The way through the outermost function around a line to the statement there; None outside of functions."""
    path = [node for node, _ in _enclosing(module, line)]
    chunks = [chunk for _, chunk in _enclosing(module, line)]
    outer = next((number for number, node in enumerate(path) if isinstance(node, _DEFINITIONS)), None)
    if outer is None or outer == len(path) - 1:
        return None
    steps = [
        Step(node, _block_with(module, path[number], chunks[number], node))
        for number, node in enumerate(path[outer + 1 :], outer)
    ]
    return Toward(steps)


def _block_with(module: Module, around: Any, chunk: Chunk, node: ast.stmt) -> list[ast.stmt]:
    """The block of a statement that another one stands in."""
    if isinstance(around, (*_DEFINITIONS, ast.ClassDef)):
        return [one for _, one in module.body_of(around, chunk)]
    parts = [around, *getattr(around, "handlers", ()), *getattr(around, "cases", ())]
    blocks = (getattr(part, name, None) for part in parts for name in ("body", "orelse", "finalbody"))
    return next(block for block in blocks if block and any(one is node for one in block))


def _run_method(evaluator: Evaluator, owner: Class, plain: Function) -> None:
    """Run a method; `plain` is it without its decorators, for when these are not understood."""
    function = owner.namespace.get(plain.name)
    if not isinstance(function, Function) or function.node is not plain.node:
        names = {getattr(one, "id", "") for one in getattr(plain.node, "decorator_list", ())}
        plain.owner, function = owner, plain
        plain.kind = next((kind for kind in ("classmethod", "staticmethod") if kind in names), "")
    if function.kind == "staticmethod":
        evaluator.run(function.as_kind(""), _ANYTHING)
    elif function.kind in ("classmethod", "hybrid_property", "declared_attr"):
        evaluator.run(Method(function.as_kind(""), owner), _ANYTHING)
    else:
        evaluator.run(Method(function.as_kind(""), _receiver(evaluator, owner)), _ANYTHING)


def _receiver(evaluator: Evaluator, owner: Class) -> Instance:
    """An object of a class, as its constructor leaves it.

    What that decides makes no variants: where it differs, the attribute is not known.
    """
    fork, toward = evaluator.fork, evaluator.toward
    evaluator.release_fork()
    evaluator.toward = None
    made = evaluator.guarded("self", lambda: classes.instantiate(evaluator, owner, list(_ANYTHING), {}))
    evaluator.fork, evaluator.toward = fork, toward
    return made if isinstance(made, Instance) else Instance(owner)


def _plain(module: Module, node: Any, chunk: Chunk) -> Function:
    """A function without its decorators and the names around it."""
    return Function(node, module.body_of(node, chunk), Frame(module, None, chunk), {})


def _enclosing(module: Module, line: int) -> Iterator[tuple[Any, Chunk]]:
    """The statements around a line, from the module inwards, with their chunks."""
    syntax = module.file.syntax
    block = [(chunk, statement) for chunk in syntax.chunks for statement in chunk.body]
    while block:
        holding = next(
            (
                (chunk, one)
                for chunk, one in block
                if _first(one) + chunk.shift - 1 <= line
                and (line < (one.end_lineno or 0) + chunk.shift or line <= _last(syntax, chunk, one))
            ),
            None,
        )
        if holding is None:
            return
        chunk, node = holding
        yield node, chunk
        if isinstance(node, (*_DEFINITIONS, ast.ClassDef)):
            block = module.body_of(node, chunk)
        else:
            block = [(chunk, one) for one in ast.iter_child_nodes(node) if isinstance(one, ast.stmt)]
            if isinstance(node, (ast.Try, ast.Match)):
                parts = [*getattr(node, "handlers", ()), *getattr(node, "cases", ())]
                block += [(chunk, one) for part in parts for one in part.body]


def _first(node: Any) -> int:
    decorators = getattr(node, "decorator_list", [])
    return min(node.lineno, *(one.lineno for one in decorators)) if decorators else int(node.lineno)


def _last(syntax: Any, chunk: Chunk, node: Any) -> int:
    return int(syntax.node_span(chunk, node).end_line)
