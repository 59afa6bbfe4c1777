"""Calls of the user's functions, of hosts, and of methods of plain data. This module must never call a library."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.sql import harmless, library, statements
from sqlalchemy_guard.sql.budget import DEEPEST_NODES
from sqlalchemy_guard.sql.scopes import Frame, join
from sqlalchemy_guard.sql.values import (
    ANY_KEYWORDS,
    Class,
    Function,
    Host,
    Instance,
    Method,
    Native,
    NativeMethod,
    Opaque,
    Spread,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.sql.evaluator import Evaluator
    from sqlalchemy_guard.syntax.chunk import Chunk

_DEPTH = DEEPEST_NODES // 40
MOST_RECURSION = 4
"""How often a function may be on its way through something unknown before its result is unknown, too."""


def call(evaluator: Evaluator, function: Function, args: list[Value], keywords: dict[str, Value]) -> Value:
    """Run a function of ours; parameters that get nothing are opaque, named as they are."""
    frame = Frame(function.frame.module, function.frame, function.frame.chunk)
    frame.owner = function.owner
    frame.qualname = function.name
    frame.receiver = args[0] if args else None
    bind(function, frame, args, keywords)
    evaluator.program.entered(function)
    if evaluator.running.count(function.node) >= MOST_RECURSION and any(
        isinstance(one, Opaque) for one in frame.env.values()
    ):
        # A walk through something unknown has no end.
        return Opaque(f"{function.name}()")
    evaluator.running.append(function.node)
    place = evaluator.place
    try:
        result = _run(evaluator, function, frame)
    except statements.CATCHABLE as error:
        # What calls it at the bottom learns of it.
        if not evaluator.is_lenient or len(evaluator.running) == 1 or statements.is_ours(evaluator, error):
            raise
        evaluator.note(f"{type(error).__name__}: {error}")
        return Opaque(f"{function.name}()")
    finally:
        evaluator.running.pop()
    if place is not None:
        # The statement that called goes on: what it makes is written there.
        evaluator.at(*place)
    return result


def _run(evaluator: Evaluator, function: Function, frame: Frame) -> Value:
    depth = len(evaluator.uncertain)
    evaluator.budget.descend(_DEPTH)
    try:
        if function.body is None:
            assert isinstance(function.node, ast.Lambda)
            return evaluator.evaluate(function.node.body, frame)
        if is_generator(function):
            frame.yields = []
        outcome = statements.run(evaluator, function.body, frame)
    finally:
        evaluator.budget.ascend(_DEPTH)
        del evaluator.uncertain[depth:]
    if frame.yields is not None:
        return frame.yields
    result = outcome.value if isinstance(outcome, statements.Returned) else None
    return join(f"{function.name}()", [result, *frame.results]) if frame.results else result


def bind(function: Function, frame: Frame, args: list[Value], keywords: dict[str, Value]) -> None:
    """Give the parameters of a function their values."""
    given = function.node.args
    names = [arg.arg for arg in (*given.posonlyargs, *given.args)]
    rest = dict(keywords)
    vague = rest.pop(ANY_KEYWORDS, None) is not None or any(isinstance(arg, Spread) for arg in args)
    sure = list(args)
    for index, arg in enumerate(sure):
        if isinstance(arg, Spread):
            del sure[index:]
            break
    env = frame.env
    for name, value in zip(names, sure, strict=False):
        env[name] = value
    if given.vararg is not None:
        more = sure[len(names) :]
        env[given.vararg.arg] = tuple([*more, Spread(given.vararg.arg)] if len(sure) < len(args) else more)
    for name in (*names[len(sure) :], *(arg.arg for arg in given.kwonlyargs)):
        if name in rest:
            env[name] = rest.pop(name)
        elif name in function.defaults and not vague:
            env[name] = function.defaults[name]
        else:
            env[name] = Opaque(name)
    if given.kwarg is not None:
        env[given.kwarg.arg] = Opaque(given.kwarg.arg) if vague else rest


def is_generator(function: Function) -> bool:
    """Whether a function's own body has a `yield`."""
    if not function.frame.module.may_yield:
        return False
    is_cut = isinstance(function.node, ast.FunctionDef | ast.AsyncFunctionDef) and not function.node.body
    wanted: ast.AST | None = None if is_cut else function.node
    last: Chunk | None = None
    for chunk, _ in function.body or ():
        if chunk is not last and wanted in chunk.once(_generators):
            return True
        last = chunk
    return False


def _generators(chunk: Chunk) -> frozenset[ast.AST | None]:
    """The functions of a chunk whose own bodies have a `yield`; None for the one that the chunk is a piece of."""
    found: set[ast.AST | None] = set()
    todo: list[tuple[ast.AST, ast.AST | None]] = [(statement, None) for statement in chunk.body]
    while todo:
        node, owner = todo.pop()
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            found.add(owner)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            owner = node
        todo.extend((child, owner) for child in ast.iter_child_nodes(node))
    return frozenset(found)


def call_host(
    evaluator: Evaluator, method: Callable[..., Value], args: list[Value], keywords: dict[str, Value]
) -> Value:
    """Call a method of an object that was handed in; wrong arguments give something opaque."""
    try:
        return method(*args, **{name: value for name, value in keywords.items() if name != ANY_KEYWORDS})
    except TypeError as error:
        evaluator.note(str(error))
        return Opaque(f"{method.__name__}()")


def call_data_method(
    evaluator: Evaluator, method: NativeMethod, args: list[Value], keywords: dict[str, Value]
) -> Value:
    """Call a method of a string or a container."""
    receiver, name = method.receiver, method.name
    if type(receiver) is str and name == "format":
        made = (
            None
            if ANY_KEYWORDS in keywords
            else shielded_text(lambda: harmless.format_braces(receiver, args, keywords))
        )
        return Opaque("….format()") if made is None else made
    return shielded(
        evaluator, f"….{name}()", lambda: harmless.call_method(evaluator, receiver, name, args, keywords)
    )


def shielded(evaluator: Evaluator, shown: str, work: Callable[[], Value]) -> Value:
    """Let through what the user's code can catch; whatever else a builtin raises means that it was used in an unknown way."""
    try:
        return work()
    except (TypeError, ValueError) as error:
        if evaluator.budget.interrupted is not None:
            raise
        evaluator.note(f"{shown}: {error}")
        return Opaque(shown)


def shielded_text(work: Callable[[], str | None]) -> str | None:
    """Text that may not come about."""
    try:
        return work()
    except (ValueError, TypeError, IndexError, KeyError):
        return None


def attribute(evaluator: Evaluator, value: Function | Method, name: str) -> Value:
    """An attribute of a function: its name, or what makes it more of a property."""
    function = value.function if isinstance(value, Method) else value
    if name == "__name__":
        return function.name
    if function.kind and name in (
        "setter",
        "deleter",
        "inplace",
        "update_expression",
        "comparator",
        "getter",
    ):
        return InPlace(function) if name == "inplace" else Native(name, lambda *_: function)
    if name == "expression" and function.kind:
        return Native(name, lambda _, args, __: _with_expression(function, args))
    return function.extra.get(name, Opaque(f"{function.name}.{name}"))


class InPlace(Host):
    """`hybrid.inplace`: what it adds, it adds to the property itself."""

    def __init__(self, function: Function) -> None:
        self._function = function

    def get(self, name: str) -> Value:
        """The decorator of an expression; what the others decorate is nothing that SQL sees."""
        if name == "expression":
            return Native(name, lambda _, args, __: self._add(args))
        return Native(name, lambda _, args, __: args[0] if args else self._function)

    def _add(self, args: list[Value]) -> Value:
        if args and isinstance(args[0], Function):
            self._function.extra["expression"] = args[0]
        return self._function


def _with_expression(function: Function, args: list[Value]) -> Value:
    made = function.as_kind(function.kind)
    if args and isinstance(args[0], Function):
        made.extra["expression"] = args[0]
    return made


def part_of_library(value: Native | NativeMethod, name: str) -> Value:
    """An attribute of something callable of a library: only its dotted name is known."""
    dotted = value.dotted if isinstance(value, Native) else value.name
    if dotted == "declared_attr":
        return library.kind_of_attribute("declared_attr.cascading" if name == "cascading" else dotted)
    return Opaque(f"{dotted}.{name}", f"{dotted}.{name}")


def receiver_class(value: Value) -> Value:
    """The class of what a method was got from."""
    return value.cls if isinstance(value, Instance) else value


def is_class(value: Value) -> bool:
    """Whether a value is a class of ours."""
    return isinstance(value, Class)
