"""The SQL of the statement at a line: the function around it is run over the rebuilt models, nothing is executed.

    for variant in preview(workspace, file_id, line, "postgresql"):   # line: 0-based
        variant.sql, variant.rows, variant.added, variant.unknown, variant.error, variant.when

Each way through the function that leads to other SQL is a variant; `when` says which conditions it takes. What is not known is a
named parameter, or named in `unknown` where a part is missing. This module must never show a statement whose FROM is unknown.
"""

from __future__ import annotations

import ast
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.records import dataclass
from sqlalchemy_guard.sql import classes, models, natives, rendering
from sqlalchemy_guard.sql.queries import Executed, Queries
from sqlalchemy_guard.sql.scopes import Frame
from sqlalchemy_guard.sql.values import MISSING, Class, Function, Instance, Method, Opaque, Spread, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy_guard.project.workspace import Workspace
    from sqlalchemy_guard.sql.evaluator import Evaluator
    from sqlalchemy_guard.sql.program import Module
    from sqlalchemy_guard.syntax.chunk import Chunk
    from sqlalchemy_guard.text.span import Span

MOST_WAYS = 24
"""So many ways through a function are looked at."""
MOST_VARIANTS = 8
ENOUGH, LONGEST = 0.7, 3.0
"""Seconds after which no further way is looked at: when there is a variant, and when there is none yet."""
_ANYTHING = (Spread("…"),)
"""Arguments of which nothing is known: parameters with a default are not known, either."""
MOST_FORKS = 12
"""So many conditions of one way are taken both ways."""
_LEAVING = (ast.Raise, ast.Return, ast.Continue, ast.Break)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(slots=True)
class Variant:
    """One form that a statement may have.

    Attributes:
        sql: Its text, laid out; empty when the dialect has none.
        error: Why not.
        parameters: The names of values that are not known.
        rows: What a row is.
        added: What loaders add: `1 SELECT by selectinload(User.posts)`.
        unknown: What is missing in the text because it is not known.
        unlinked: FROM elements that nothing links.
        when: The conditions that lead to it.
        terminal: The method that executes it, "" where it is only built.
        span: The expression in the source.
    """

    sql: str
    error: str
    parameters: tuple[str, ...]
    rows: str
    added: tuple[str, ...]
    unknown: tuple[str, ...]
    unlinked: tuple[str, ...]
    when: tuple[str, ...]
    terminal: str
    span: Span


class _Ways:
    """Which branches a run takes: each run takes the last open one the other way."""

    def __init__(self) -> None:
        self._fixed: dict[str, bool] = {}
        self._first: dict[str, bool] = {}
        self.trail: list[tuple[str, bool]] = []
        self.home = ""

    def fork(self, node: ast.If | ast.For | ast.AsyncFor, frame: Frame) -> bool | None:
        """The branch of this run: first the one that goes on, then the other."""
        shown = ast.unparse(node.test if isinstance(node, ast.If) else node.iter)
        shown = shown if len(shown) <= 60 else f"{shown[:59]}…"
        shown = shown if isinstance(node, ast.If) else f"any {shown}"
        known = next((taken for text, taken in self.trail if text == shown), None)
        if known is None:
            leaving = _LEAVING if frame.qualname == self.home else (ast.Raise,)
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


def preview(
    workspace: Workspace, file_id: str, line: int, dialect: str, poll: Callable[[], None] | None = None
) -> list[Variant]:
    """The statements at a line, one for each form that they may have; none when there is no statement, or its FROM is unknown.

    Args:
        workspace: Its models are rebuilt when they are not up to date.
        file_id: The file.
        line: 0-based.
        dialect: One of `ddl.DIALECTS`.
        poll: Raises to end everything.

    Raises:
        Whatever `poll` raises.
    """
    schema = models.rebuild(workspace, poll)
    evaluator = schema.evaluator
    module = evaluator.program.module(file_id)
    if module is None:
        return []
    evaluator.budget.renew(poll)
    found: dict[tuple[str, ...], Variant] = {}
    ways = _Ways()
    start = time.monotonic()
    ways.home = _home(module, line)
    before = evaluator.native_attribute
    queries = Queries(evaluator)
    try:
        queries.install()
        evaluator.fork = ways.fork
        evaluator.native_attribute = _with_query(before, queries)
        for _ in range(MOST_WAYS):
            queries.executed.clear()
            queries.broken.clear()
            _run(evaluator, module, line)
            chosen = _at(queries, module, line)
            if chosen is not None:
                variant = _variant(*chosen, dialect, ways.trail)
                found.setdefault((variant.sql, variant.error, *variant.unknown), variant)
            late = time.monotonic() - start > (ENOUGH if found else LONGEST)
            if late or len(found) >= MOST_VARIANTS or not ways.next():
                break
    finally:
        evaluator.release()
        evaluator.native_attribute = before
    return _told_apart(list(found.values()))


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
    if len(functions) > 1:
        evaluator.run(_plain(module, *functions[-1]), _ANYTHING)


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
        # What its constructor decides makes no variants: where that differs, the attribute is not known.
        fork = evaluator.fork
        evaluator.release_fork()
        made = evaluator.guarded("self", lambda: classes.instantiate(evaluator, owner, list(_ANYTHING), {}))
        evaluator.fork = fork
        receiver = made if isinstance(made, Instance) else Instance(owner)
        evaluator.run(Method(function.as_kind(""), receiver), _ANYTHING)


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
                if _first(one) + chunk.shift - 1 <= line <= _last(syntax, chunk, one)
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


# -- what is shown -------------------------------------------------------------------------------------------------


def _at(queries: Queries, module: Module, line: int) -> tuple[Executed, Span] | None:
    """The last and largest of the statements that calls at a line gave; one that is executed before one that is built."""
    best: tuple[tuple[bool, int, int], Executed, Span] | None = None
    for index, (frame, node, one) in enumerate(queries.executed):
        if frame.module is not module or frame.chunk is None:
            continue
        span = module.file.syntax.node_span(frame.chunk, node)
        if not span.line <= line <= span.end_line:
            continue
        if any(_encloses(module, span, *outer) for outer in queries.broken):
            # A part of something whose tables are not known.
            continue
        size = (span.end_line - span.line) * 1000 + span.end_column - span.column
        rank = (bool(one.terminal), size, index)
        if best is None or rank >= best[0]:
            best = (rank, one, span)
    return None if best is None else (best[1], best[2])


def _encloses(module: Module, span: Span, frame: Frame, node: ast.Call) -> bool:
    if frame.module is not module or frame.chunk is None:
        return False
    outer = module.file.syntax.node_span(frame.chunk, node)
    start, end = (outer.line, outer.column), (outer.end_line, outer.end_column)
    return start <= (span.line, span.column) and (span.end_line, span.end_column) <= end


def _variant(one: Executed, span: Span, dialect: str, trail: list[tuple[str, bool]]) -> Variant:
    made = rendering.render(one.statement, dialect)
    added = sorted(mark.removeprefix(natives.ADDED) for mark in one.marks if mark.startswith(natives.ADDED))
    selects = [f"1 SELECT by {text}" for text in added if not text.startswith("joinedload")]
    joins = [f"JOIN by {text}" for text in added if text.startswith("joinedload")]
    named = {text.partition("(")[2].rstrip(")") for text in added}
    mapped = [text for text in rendering.eager(one.statement) if text.rpartition(" ")[2] not in named]
    return Variant(
        sql=made.sql,
        error=made.error,
        parameters=made.parameters,
        rows=rendering.shape(one.statement, one.terminal),
        added=(*selects, *mapped, *joins),
        unknown=tuple(sorted(mark for mark in one.marks if not mark.startswith(natives.ADDED))),
        unlinked=() if one.marks else made.unlinked,
        when=tuple(text if taken else f"not ({text})" for text, taken in trail),
        terminal=one.terminal,
        span=span,
    )


def _told_apart(variants: list[Variant]) -> list[Variant]:
    """Variants with only those conditions that tell them apart."""
    common = set.intersection(*(set(one.when) for one in variants)) if variants else set()
    for one in variants:
        one.when = tuple(text for text in one.when if text not in common)
    return variants
