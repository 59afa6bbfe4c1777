"""Loops as facts: does a loop run its body once per item on purpose (batches, retries, workers, sessions of their own)?

For rules about work that should be done once. This module must never judge a loop.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.project.effects import is_own

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import CallFact, Frame
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

_BATCH_WORDS = ("batch", "chunk", "partition", "page", "slice")
_PAUSES = frozenset({"sleep", "wait", "wait_for", "poll", "recv", "receive"})


def deliberate(resolver: Resolver, fact: CallFact, loop: Frame, file: SourceFile) -> str | None:
    """Why a call in a loop runs once per iteration on purpose; None when nothing speaks for it.

    Args:
        resolver: Types.
        fact: The call.
        loop: One of the loops around it.
        file: The file of both.
    """
    node = loop.node
    inner = list(_between(fact, loop))
    if isinstance(node, ast.While) and _is_worker(node):
        return "a worker or polling loop"
    if _is_retry(node):
        return "a retry loop"
    if _is_batched(node) or any(_tests_a_count(frame) for frame in inner if frame.kind in ("if", "else")):
        return "a batch"
    if _walks_batch_inside(node, fact):
        return "a batch"
    if _makes_own_session(resolver, fact, loop, file):
        return "a session of its own"
    if any(frame.kind in ("with", "async with") and _begins(resolver, frame, file) for frame in inner):
        return "a transaction of its own"
    if any(frame.kind in ("try", "try-else") and _isolates(frame.node) for frame in inner):
        return "isolated items"
    if _leaves_after(node, fact):
        return "the last iteration"
    if any(isinstance(part, (ast.Yield, ast.YieldFrom)) for part in _own_nodes(node)):
        return "a generator handing out rows"
    return None


def _between(fact: CallFact, loop: Frame) -> Iterator[Frame]:
    """The blocks between a call and a loop around it, innermost first."""
    frame = fact.frame
    while frame is not None and frame is not loop:
        yield frame
        frame = frame.parent


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a loop without those of functions defined inside."""
    todo = list(ast.iter_child_nodes(node))
    while todo:
        part = todo.pop()
        if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            continue
        yield part
        todo.extend(ast.iter_child_nodes(part))


def _called_name(node: ast.AST) -> str:
    func = node.func if isinstance(node, ast.Call) else None
    if isinstance(func, ast.Attribute):
        return func.attr
    return func.id if isinstance(func, ast.Name) else ""


def _is_worker(node: ast.While) -> bool:
    """`while True`, or a loop that waits for something."""
    if isinstance(node.test, ast.Constant):
        return True
    return any(_called_name(part) in _PAUSES for part in _own_nodes(node))


def _is_retry(node: ast.AST) -> bool:
    """`for attempt in range(n)` that is left as soon as it worked, around a `try`."""
    if not isinstance(node, (ast.For, ast.While)):
        return False
    has_try = any(isinstance(part, ast.Try) for part in node.body)
    leaves = any(isinstance(part, (ast.Break, ast.Return)) for part in _own_nodes(node))
    counted = isinstance(node, ast.While) or _called_name(node.iter) == "range"
    return has_try and leaves and counted


def _is_batched(node: ast.AST) -> bool:
    """The loop walks batches: `range(0, n, size)`, or an iterable that says so."""
    if isinstance(node, (ast.For, ast.AsyncFor)):
        if isinstance(node.iter, ast.Call):
            if _called_name(node.iter) == "range" and len(node.iter.args) == 3:
                return True
            if any(word in _called_name(node.iter).lower() for word in _BATCH_WORDS):
                return True
        return any(
            isinstance(part, ast.Name) and any(word in part.id.lower() for word in _BATCH_WORDS)
            for part in ast.walk(node.target)
        )
    if isinstance(node, ast.While):
        return any(
            _called_name(part) in ("limit", "fetchmany", "slice", "offset") for part in _own_nodes(node)
        )
    return False


def _tests_a_count(frame: Frame) -> bool:
    """An `if` on a remainder, a length or a counter."""
    test = getattr(frame.node, "test", None)
    if not isinstance(test, ast.expr):
        return False
    for part in ast.walk(test):
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Mod):
            return True
        if _called_name(part) == "len":
            return True
        if isinstance(part, ast.Compare) and isinstance(
            part.ops[0], (ast.Gt, ast.GtE, ast.Eq, ast.Lt, ast.LtE)
        ):
            names = {inner.id.lower() for inner in ast.walk(part) if isinstance(inner, ast.Name)}
            if any("count" in name or "batch" in name or "chunk" in name or "size" in name for name in names):
                return True
    return False


def _walks_batch_inside(node: ast.AST, fact: CallFact) -> bool:
    """A loop whose body itself loops over what this iteration fetched, before the call: the outer loop walks batches."""
    if not isinstance(node, ast.While):
        return False
    line = fact.node.lineno
    return any(isinstance(part, (ast.For, ast.AsyncFor)) and part.lineno < line for part in node.body)


def _makes_own_session(resolver: Resolver, fact: CallFact, loop: Frame, file: SourceFile) -> bool:
    """The session is made inside the loop, once per iteration."""
    if not is_own(resolver, fact, file):
        return False
    receiver = fact.node.func.value if isinstance(fact.node.func, ast.Attribute) else None
    if not isinstance(receiver, ast.Name):
        return True
    return any(
        isinstance(part, ast.Name) and part.id == receiver.id and isinstance(part.ctx, ast.Store)
        for part in _own_nodes(loop.node)
    )


def _begins(resolver: Resolver, frame: Frame, file: SourceFile) -> bool:
    """The block is `with session.begin()` or one like it."""
    for context in frame.contexts:
        name = resolver.external_name(getattr(context, "func", context), file) or ""
        if name.endswith((".begin", ".begin_nested")):
            return True
    return False


def _isolates(node: ast.AST) -> bool:
    """A `try` whose handlers roll back or go on with the next item: each item succeeds or fails alone."""
    handlers: list[ast.ExceptHandler] = getattr(node, "handlers", [])
    return any(
        any(_called_name(part) == "rollback" for part in ast.walk(handler))
        or not any(isinstance(part, (ast.Raise, ast.Return, ast.Break)) for part in ast.walk(handler))
        for handler in handlers
    )


def _leaves_after(node: ast.AST, fact: CallFact) -> bool:
    """The call is followed by `break`, `return` or `raise` in its own block, so that it runs once."""
    for part in ast.walk(node):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(part, name, None)
            if not isinstance(block, list) or fact.statement not in block:
                continue
            following = block[block.index(fact.statement) + 1 :]
            return any(isinstance(statement, (ast.Break, ast.Return, ast.Raise)) for statement in following)
    return False
