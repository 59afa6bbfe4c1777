"""Loops as facts: does a loop run its body once per item on purpose (batches, retries, workers, sessions of their own)?

For rules about work that should be done once. This module must never judge a loop.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import TYPE_CHECKING

from sqlalchemy_guard.project.bodies import root_name
from sqlalchemy_guard.project.calls import session_kind
from sqlalchemy_guard.project.effects import arguments_of, is_fresh, is_own
from sqlalchemy_guard.project.types import ClassType, Instance, known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import CallFact, Frame
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

_BATCH_WORDS = ("batch", "chunk", "partition", "page", "slice")
_PLACES = frozenset({"tenant", "schema", "database", "shard", "bind", "engine", "table"})
_STOPS = frozenset({"stop", "stopped", "stopping", "running", "alive", "shutdown", "terminate"})
"""What a method is called that asks whether to go on; of flags it is seen."""
_LOOKING = frozenset({"is_set", "is_alive", "wait", "empty", "done"})
_PROGRESS = ("progress", "heartbeat")
_TYPED_PLACES = frozenset(
    {
        "sqlalchemy.Engine", "sqlalchemy.ext.asyncio.AsyncEngine", "sqlalchemy.Connection", "sqlalchemy.Table",
        "sqlalchemy.ext.asyncio.AsyncConnection", "sqlalchemy.URL", "sqlalchemy.MetaData",
    }
)  # fmt: skip
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
    if any(frame.kind == "except" for frame in inner):
        return "what follows an error"
    if _is_worker(node):
        return "a worker or polling loop"
    if _is_retry(node):
        return "a retry loop"
    if _is_batched(node) or any(_tests_a_count(frame) for frame in inner if frame.kind in ("if", "else")):
        return "a batch"
    if _walks_batch_inside(node, fact):
        return "a batch"
    if _walks_places(node) or _walks_typed_places(resolver, fact, node, file):
        return "one database, schema or table each"
    if _has_own_session(resolver, fact, loop, file):
        return "a session of its own"
    withs = [frame for frame in inner if frame.kind in ("with", "async with")]
    if any(_begins(resolver, frame, file) for frame in withs) or _begins_inside(node):
        return "a transaction of its own"
    if any(_suppresses(frame) for frame in withs) or _isolates_items(node, inner):
        return "isolated items"
    if _leaves_after(node, fact):
        return "the last iteration"
    if _reports_progress(node, fact):
        return "a report that others read"
    if any(isinstance(part, (ast.Yield, ast.YieldFrom)) for part in _own_nodes(node)):
        return "a generator handing out rows"
    return None


def _between(fact: CallFact, loop: Frame) -> Iterator[Frame]:
    """The blocks between a call and a loop around it, innermost first."""
    frame = fact.frame
    while frame is not None and frame is not loop:
        yield frame
        frame = frame.parent


@lru_cache(maxsize=4)
def _own_nodes(node: ast.AST) -> tuple[ast.AST, ...]:
    """The nodes of a loop without those of functions defined inside. Kept, because each call in it asks several times."""
    found: list[ast.AST] = []
    todo = list(ast.iter_child_nodes(node))
    while todo:
        part = todo.pop()
        if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            continue
        found.append(part)
        todo.extend(ast.iter_child_nodes(part))
    return tuple(found)


def _called_name(node: ast.AST) -> str:
    func = node.func if isinstance(node, ast.Call) else None
    if isinstance(func, ast.Attribute):
        return func.attr
    return func.id if isinstance(func, ast.Name) else ""


def _words(name: str) -> set[str]:
    """The words of a name, plurals without their `s`."""
    words = name.lower().split("_")
    return {*words, *(word.removesuffix("s") for word in words)}


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        return _called_name(node)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _is_worker(node: ast.AST) -> bool:
    """`while True`, `for _ in itertools.count()`, a loop that waits for something or runs until it is told to stop."""
    if isinstance(node, ast.For):
        return _called_name(node.iter) == "count" and not getattr(node.iter, "keywords", [1])[1:]
    if not isinstance(node, ast.While):
        return False
    if isinstance(node.test, ast.Constant):
        return True
    test = node.test.operand if isinstance(node.test, ast.UnaryOp) else node.test
    return _is_ended_from_outside(node, test) or any(
        _called_name(part) in _PAUSES for part in _own_nodes(node)
    )


def _is_ended_from_outside(loop: ast.While, test: ast.expr) -> bool:
    """Whether nothing in a loop can change what it tests: a flag that somebody else sets, as `while not stop.is_set()`."""
    flag = test
    if isinstance(test, ast.Call) and isinstance(test.func, ast.Attribute) and not test.args:
        if not _words(test.func.attr).isdisjoint(_STOPS):
            return True
        flag = test.func.value
    if not isinstance(flag, (ast.Name, ast.Attribute)) or not root_name(flag):
        return False
    text = ast.unparse(flag)
    for part in (inner for statement in loop.body for inner in ast.walk(statement)):
        if not isinstance(part, (ast.Name, ast.Attribute)) or ast.unparse(part) != text:
            continue
        if not isinstance(part.ctx, ast.Load):
            return False
        if any(_takes(other, part) for statement in loop.body for other in ast.walk(statement)):
            return False
    return True


def _takes(node: ast.AST, part: ast.AST) -> bool:
    """Whether a node may change an object: calls one of its methods, is handed it, or takes an item or iterates over it."""
    if isinstance(node, ast.Call):
        method = (
            isinstance(node.func, ast.Attribute)
            and node.func.value is part
            and node.func.attr not in _LOOKING
        )
        return method or any(given is part for given in (*node.args, *(k.value for k in node.keywords)))
    return isinstance(node, ast.Subscript) and node.value is part


def _is_retry(node: ast.AST) -> bool:
    """A loop over the attempts of a retrying object, or one that is left as soon as its `try` worked."""
    if not isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
        return False
    if not isinstance(node, ast.While):
        words = _words(_last_name(node.target)) | _words(_last_name(node.iter))
        if not words.isdisjoint({"attempt", "retry", "retrie", "retries", "retrying", "asyncretrying"}):
            return True
    has_try = any(isinstance(part, ast.Try) for part in node.body)
    leaves = any(isinstance(part, (ast.Break, ast.Return)) for part in _own_nodes(node))
    counted = isinstance(node, ast.While) or _called_name(node.iter) == "range"
    return has_try and leaves and counted


def _is_batched(node: ast.AST) -> bool:
    """The loop walks batches: `range(0, n, size)`, an iterable that says so, what a condition takes from an iterator."""
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
        if any(_called_name(part) in ("islice", "batched") for part in ast.walk(node.test)) or _is_refilled(
            node
        ):
            return True
        return any(
            _called_name(part) in ("limit", "fetchmany", "slice", "offset") for part in _own_nodes(node)
        )
    return False


def _is_refilled(loop: ast.While) -> bool:
    """Whether each round fetches anew what the condition asks for: it goes on with the next part until nothing is left."""
    asked = {part.id for part in ast.walk(loop.test) if isinstance(part, ast.Name)}
    return any(
        isinstance(part, ast.Assign)
        and isinstance(part.value, (ast.Call, ast.Await))
        and any(isinstance(target, ast.Name) and target.id in asked for target in part.targets)
        for part in _own_nodes(loop)
    )


def _tests_a_count(frame: Frame) -> bool:
    """An `if` on a remainder, or on a length or counter that has reached something."""
    test = getattr(frame.node, "test", None)
    if not isinstance(test, ast.expr):
        return False
    for part in ast.walk(test):
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Mod):
            return not (isinstance(part.left, ast.Constant) and isinstance(part.left.value, str))
        if not isinstance(part, ast.Compare) or not isinstance(
            part.ops[0], (ast.Gt, ast.GtE, ast.Eq, ast.Lt, ast.LtE)
        ):
            continue
        if any(isinstance(side, ast.Constant) and side.value in (0, 1) for side in part.comparators):
            # Whether there is anything at all.
            continue
        if any(_called_name(inner) == "len" for inner in ast.walk(part)):
            return True
        names = {inner.id.lower() for inner in ast.walk(part) if isinstance(inner, ast.Name)}
        if any(word in name for name in names for word in ("count", "batch", "chunk", "size")):
            return True
    return False


def _walks_batch_inside(node: ast.AST, fact: CallFact) -> bool:
    """A loop whose body loops over what this iteration fetched, before the call, or that counts within an inner loop.

    Who counts through a `range` and loops over rows inside goes through them in parts.
    """
    if not isinstance(node, (ast.While, ast.For, ast.AsyncFor)):
        return False
    line = fact.node.lineno
    loops = [part for part in node.body if isinstance(part, (ast.For, ast.AsyncFor)) and part.lineno < line]
    if isinstance(node, ast.While):
        return bool(loops)
    if _called_name(node.iter) == "range" and isinstance(node.target, ast.Name):
        numbered = node.target.id
        return any(
            isinstance(part, ast.Name) and part.id == numbered
            for loop in loops
            for part in ast.walk(loop.iter)
        )
    return any(
        isinstance(part, ast.If)
        and any(
            isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Mod) for inner in ast.walk(part.test)
        )
        and any(_called_name(inner) == _called_name(fact.node) for inner in ast.walk(part))
        for loop in loops
        for part in ast.walk(loop)
    )


def _walks_places(node: ast.AST) -> bool:
    """Each iteration works on a tenant, schema, database or table of its own."""
    if not isinstance(node, (ast.For, ast.AsyncFor)):
        return False
    targets = [part.id for part in ast.walk(node.target) if isinstance(part, ast.Name)]
    first = targets[:1] if len(targets) == 2 else targets
    if any(not _words(name).isdisjoint(_PLACES) for name in first):
        return True
    inner = any(isinstance(part, (ast.For, ast.AsyncFor)) for part in node.body)
    return inner and any(not _words(name).isdisjoint({"model", "cls"}) for name in first)


def _walks_typed_places(resolver: Resolver, fact: CallFact, node: ast.AST, file: SourceFile) -> bool:
    """What the loop walks are engines, connections, tables or classes, as the calls in it show."""
    if not isinstance(node, (ast.For, ast.AsyncFor)) or fact.function is None:
        return False
    targets = {part.id for part in ast.walk(node.target) if isinstance(part, ast.Name)}
    inside: set[ast.AST] | None = None
    for other in resolver.calls_in(fact.function, file):
        for value, expression in arguments_of(other):
            if isinstance(expression, ast.Name) and expression.id in targets:
                inside = set(ast.walk(node)) if inside is None else inside
                if other.node not in inside:
                    break
                for option in known(resolver.type_of(value, file)):
                    if isinstance(option, ClassType) or (
                        isinstance(option, Instance) and option.ref in _TYPED_PLACES
                    ):
                        return True
    return False


def _has_own_session(resolver: Resolver, fact: CallFact, loop: Frame, file: SourceFile) -> bool:
    """The session is made inside the loop, is what the loop walks, or is given back in every iteration.

    That of a called function is one that the iteration made and passes to it.
    """
    stored = {
        part.id
        for part in (*_own_nodes(loop.node), loop.node)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }
    for value, node in arguments_of(fact):
        root = root_name(node)
        if (
            root in stored
            and is_fresh(resolver, value, file)
            and session_kind(resolver, resolver.type_of(value, file))
        ):
            return True
    receiver = fact.node.func.value if isinstance(fact.node.func, ast.Attribute) else None
    if receiver is None:
        return False
    targets = getattr(loop.node, "target", None)
    walked = (
        {part.id for part in ast.walk(targets) if isinstance(part, ast.Name)}
        if targets is not None
        else set()
    )
    root = root_name(receiver)
    if _called_name(fact.node) == "commit" and root in walked:
        return True
    if is_own(resolver, fact, file) and (not isinstance(receiver, ast.Name) or root in stored):
        return True
    text = ast.dump(receiver)
    return any(
        _called_name(part) in ("remove", "close", "aclose")
        and isinstance(part, ast.Call)
        and not part.args
        and isinstance(part.func, ast.Attribute)
        and ast.dump(part.func.value) == text
        for part in _own_nodes(loop.node)
    )


def _begins(resolver: Resolver, frame: Frame, file: SourceFile) -> bool:
    """The block is `with session.begin()` or one like it."""
    for context in frame.contexts:
        name = resolver.external_name(getattr(context, "func", context), file) or ""
        if name.endswith((".begin", ".begin_nested")):
            return True
    return False


def _begins_inside(node: ast.AST) -> bool:
    """Each iteration has a `with ….begin():` block besides."""
    return any(
        isinstance(part, (ast.With, ast.AsyncWith))
        and any(_called_name(item.context_expr) in ("begin", "begin_transaction") for item in part.items)
        for part in _own_nodes(node)
    )


def _suppresses(frame: Frame) -> bool:
    """The block is `with suppress(…)` or one called like it: a failed item does not stop the others."""
    items = getattr(frame.node, "items", [])
    return any("suppress" in _called_name(item.context_expr).lower() for item in items)


def _isolates_items(node: ast.AST, inner: list[Frame]) -> bool:
    """Each item succeeds or fails alone: the `try` around the call goes on with the next, or one of the body rolls back."""
    if any(frame.kind in ("try", "try-else") and _goes_on(frame.node) for frame in inner):
        return True
    body: list[ast.stmt] = getattr(node, "body", [])
    tries = [part for part in body if isinstance(part, ast.Try)] if isinstance(body, list) else []
    return any(
        _called_name(part) == "rollback"
        for one in tries
        for handler in one.handlers
        for part in ast.walk(handler)
    )


def _goes_on(node: ast.AST) -> bool:
    handlers: list[ast.ExceptHandler] = getattr(node, "handlers", [])
    return any(
        any(_called_name(part) == "rollback" for part in ast.walk(handler))
        or not any(isinstance(part, (ast.Raise, ast.Return, ast.Break)) for part in ast.walk(handler))
        for handler in handlers
    )


def _leaves_after(node: ast.AST, fact: CallFact) -> bool:
    """What follows the call in its block, or in the blocks around that one, leaves the loop, so that it runs once."""
    path = _path(node, fact.statement)
    for block, statement in path:
        following = block[block.index(statement) + 1 :]
        if any(isinstance(other, (ast.Break, ast.Return, ast.Raise)) for other in following):
            return True
        if isinstance(statement, ast.Return):
            return True
    return False


def _path(node: ast.AST, wanted: ast.stmt) -> list[tuple[list[ast.stmt], ast.stmt]]:
    """The blocks from a statement out to a loop around it, innermost first, each with the statement that leads inwards."""
    blocks = [getattr(node, name, None) for name in ("body", "orelse", "finalbody")]
    blocks += [handler.body for handler in getattr(node, "handlers", [])]
    blocks += [case.body for case in getattr(node, "cases", [])]
    for block in blocks:
        if not isinstance(block, list):
            continue
        if wanted in block:
            return [(block, wanted)]
        for statement in block:
            if isinstance(
                statement, (ast.For, ast.AsyncFor, ast.While, ast.FunctionDef, ast.AsyncFunctionDef)
            ):
                # `break` would leave that loop only.
                continue
            found = _path(statement, wanted)
            if found:
                return [*found, (block, statement)]
    return []


def tail_of(node: ast.AST, statement: ast.stmt) -> list[ast.stmt] | None:
    """The block whose last statement ends an iteration of a loop, through `if` and `else` only; None for any other."""
    path = _path(node, statement)
    body = getattr(node, "body", None)
    if not path or path[-1][0] is not body:
        return None
    inwards = [step for _, step in path[1:]]
    if any(not isinstance(step, ast.If) for step in inwards) or any(
        block[-1] is not step for block, step in path
    ):
        return None
    return path[0][0]


def leaves_early(loop: ast.AST) -> bool:
    """Whether a loop, or one round of it, may be left before its end."""
    leaving = (ast.Break, ast.Continue, ast.Return, ast.Try, ast.Raise)
    return any(isinstance(part, leaving) for part in ast.walk(loop))


def head_of(node: ast.AST) -> ast.expr:
    """What stands for a loop in a message: the iterable or the condition."""
    if isinstance(node, (ast.For, ast.AsyncFor)):
        return node.iter
    if isinstance(node, ast.Lambda):
        return node
    head: ast.expr = node.test if isinstance(node, ast.While) else node.generators[0].iter  # type: ignore[attr-defined]
    return head


def later_like(loop: ast.AST, statement: ast.stmt) -> ast.stmt | None:
    """The last of the same statements that stand further down in a loop."""
    text = ast.dump(statement)
    later = [
        part
        for part in ast.walk(loop)
        if isinstance(part, ast.Expr) and part.lineno > statement.lineno and ast.dump(part) == text
    ]
    return max(later, key=lambda part: part.lineno, default=None)


def _reports_progress(node: ast.AST, fact: CallFact) -> bool:
    """The statement before the call notes how far the work is, which others read while it goes on."""
    path = _path(node, fact.statement)
    if not path:
        return False
    block, statement = path[0]
    before = block[: block.index(statement)][-1:]
    return any(word in ast.dump(other).lower() for other in before for word in _PROGRESS)
