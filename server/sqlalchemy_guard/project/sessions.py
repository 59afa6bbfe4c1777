"""Sessions that a function makes, as facts: who makes them, what becomes of them, and on which paths they are closed.

This module must never judge a session.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Await, Call, Either, Typed, Value
from sqlalchemy_guard.project.bodies import body_of
from sqlalchemy_guard.project.calls import session_kind
from sqlalchemy_guard.project.courses import NEEDS_TRANSACTION, paths_of
from sqlalchemy_guard.project.externals import FACTORIES, SESSIONS
from sqlalchemy_guard.project.paths import walk
from sqlalchemy_guard.project.types import ClassType, External, FunctionType, Instance, known
from sqlalchemy_guard.records import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import CallFact, FunctionFacts
    from sqlalchemy_guard.project.paths import Paths, Point
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

CLOSING = frozenset({"close", "aclose"})
_LIVE = frozenset(
    {
        "sqlalchemy.orm.Query", "flask_sqlalchemy.Query", "sqlalchemy.Result", "sqlalchemy.ScalarResult",
        "sqlalchemy.Connection", "sqlalchemy.ext.asyncio.AsyncConnection", "sqlalchemy.orm.SessionTransaction",
    }
)  # fmt: skip
_CONNECTIONS = frozenset({"sqlalchemy.Connection", "sqlalchemy.ext.asyncio.AsyncConnection"})
_MAX_DEPTH = 4


@dataclass(slots=True, eq=False)
class Uses:
    """What becomes of a session in the function that bound a name to it.

    Attributes:
        bindings: How many places bind the name.
        escapes: Whether it is returned, yielded, stored, captured, entered or handed to something that may keep it.
        closings: The calls that close it, each with the nodes around it, innermost first.
        names: Every node that reads the name.
    """

    bindings: int = 0
    escapes: bool = False
    closings: list[tuple[ast.Call, tuple[ast.AST, ...]]] = field(default_factory=list)
    names: list[ast.Name] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class MadeSession:
    """A session that a statement of a function binds to a local name.

    Attributes:
        fact: The call that makes it.
        name: The name.
        kind: `"sync"` or `"async"`.
        likely: Whether that it is a session was concluded from names.
        uses: What becomes of it.
    """

    fact: CallFact
    name: str
    kind: str
    likely: bool
    uses: Uses

    @property
    def closings(self) -> list[tuple[ast.Call, tuple[ast.AST, ...]]]:
        """The calls that close it: of an asynchronous one those whose coroutine somebody awaits."""
        if self.kind == "sync":
            return self.uses.closings
        return [each for each in self.uses.closings if not (each[1] and isinstance(each[1][0], ast.Expr))]

    @property
    def assignment(self) -> ast.stmt:
        """The statement that binds it."""
        return self.fact.statement


def maker_kind(resolver: Resolver, value: Value, file: SourceFile, depth: int = 0) -> str | None:
    """`"sync"` or `"async"` for a call that makes a new session each time it runs: a factory's, a class's, a helper's.

    None for everything else: registries, getters of a session that somebody keeps, sessions on a connection that somebody
    else holds.
    """
    if type(value) is Typed:
        return maker_kind(resolver, value.value, file, depth)
    if type(value) is Await:
        return maker_kind(resolver, value.base, file, depth)
    if type(value) is Either:
        kinds = {maker_kind(resolver, option, file, depth) for option in value.options}
        return kinds.pop() if len(kinds) == 1 else None
    if type(value) is not Call or depth > _MAX_DEPTH:
        return None
    for option in known(resolver.type_of(value.func, file)):
        if isinstance(option, FunctionType):
            return _helper_kind(resolver, option, depth)
        if isinstance(option, ClassType):
            refs = (option.ref,) if isinstance(option.ref, str) else resolver.ancestors(option)
            if any(ref in SESSIONS for ref in refs) and not _on_connection(resolver, value, file):
                return session_kind(resolver, Instance(option.ref))
            return None
        if isinstance(option, Instance):
            if option.ref in FACTORIES and not _on_connection(resolver, value, file):
                return session_kind(resolver, resolver.type_of(value, file))
            return None
    return None


def _helper_kind(resolver: Resolver, function: FunctionType, depth: int) -> str | None:
    source = resolver.sources.file(function.file_id)
    facts = source.facts.function(function.qualname) if source is not None else None
    if source is None or facts is None or facts.returned is None or facts.yielded is not None:
        return None
    resolver.keys.add((function.file_id, function.qualname))
    for decorator in facts.decorators:
        name = resolver.external_name(decorator, source) or ""
        if name not in ("builtins.staticmethod", "builtins.classmethod"):
            return None
    made = facts.returned
    kind = maker_kind(resolver, made, source, depth + 1)
    # Asked last: most helpers make no session, and what they call besides is of no interest then.
    if kind is not None and any(
        made in (*call.value.args, *(given for _, given in call.value.keywords))
        for call in resolver.calls_in(facts, source)
    ):
        # Somebody else was given the session as well, and may close it: an exit stack, a framework's context.
        return None
    return kind


def _on_connection(resolver: Resolver, value: Call, file: SourceFile) -> bool:
    bind = value.keyword("bind") or (value.args[0] if value.args else None)
    if bind is None:
        return False
    return any(
        isinstance(option, Instance) and option.ref in _CONNECTIONS
        for option in known(resolver.type_of(bind, file))
    )


def made_sessions(resolver: Resolver, function: FunctionFacts, file: SourceFile) -> Iterator[MadeSession]:
    """The sessions that a function makes and binds to a name of its own, once each."""
    seen: set[ast.Call] = set()
    for fact in resolver.calls_in(function, file):
        name = bound_name(fact)
        if name is None or fact.node in seen or function.parameter(name) is not None:
            continue
        kind = maker_kind(resolver, fact.value, file)
        if kind is None:
            continue
        seen.add(fact.node)
        uses = uses_of(resolver, function, name, file)
        if uses.bindings == 1 and not _is_unbound(resolver, fact.value, file):
            yield MadeSession(fact, name, kind, _is_likely(resolver, fact, file), uses)


def nameless_sessions(
    resolver: Resolver, function: FunctionFacts, file: SourceFile
) -> Iterator[tuple[CallFact, str, bool]]:
    """The sessions that a function uses where it makes them, `make_session().execute(…)`: nothing is left to close them by.

    Gives the call that uses one, the session's kind, and whether that it is one was concluded from names.
    """
    seen: set[ast.Call] = set()
    for fact in resolver.calls_in(function, file):
        func = fact.value.func
        written = fact.node.func.value if isinstance(fact.node.func, ast.Attribute) else None
        if type(func) is not Attr or type(func.base) is not Call or not isinstance(written, ast.Call):
            continue
        is_work = func.name in NEEDS_TRANSACTION and fact.node not in seen
        kind = maker_kind(resolver, func.base, file) if is_work else None
        if kind is not None and not _is_unbound(resolver, func.base, file):
            seen.add(fact.node)
            types = (
                *known(resolver.type_of(func.base.func, file)),
                *known(resolver.type_of(func.base, file)),
            )
            yield fact, kind, any(isinstance(option, Instance) and option.likely for option in types)


def _is_unbound(resolver: Resolver, call: Call, file: SourceFile) -> bool:
    """Whether it is the library's class called without any argument: such a session has no engine and no connection."""
    made = resolver.type_of(call.func, file)
    plain = isinstance(made, ClassType) and isinstance(made.ref, str)
    return plain and not call.args and not call.keywords


def bound_name(fact: CallFact) -> str | None:
    """The name that the statement of a call binds to its result, awaited or not."""
    statement = fact.statement
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target: ast.expr = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign):
        target = statement.target
    else:
        return None
    value = statement.value.value if isinstance(statement.value, ast.Await) else statement.value
    return target.id if isinstance(target, ast.Name) and value is fact.node else None


def _is_likely(resolver: Resolver, fact: CallFact, file: SourceFile) -> bool:
    types = (*known(resolver.type_of(fact.value.func, file)), *known(resolver.type_of(fact.value, file)))
    return any(isinstance(option, Instance) and option.likely for option in types)


def gives_live(resolver: Resolver, function: FunctionFacts, file: SourceFile) -> bool:
    """Whether a function hands out something that works only while its session is open: a query, a result, a connection."""
    for value in (function.returned, function.yielded):
        for option in known(resolver.type_of(value, file)) if value is not None else ():
            if isinstance(option, Instance) and option.ref in _LIVE:
                return True
    return False


def uses_of(resolver: Resolver, function: FunctionFacts, name: str, file: SourceFile, depth: int = 0) -> Uses:
    """What becomes of the value of a local name (or parameter) in a function."""
    uses = Uses()
    facts = {fact.node: fact for fact in resolver.calls_in(function, file)}
    todo: list[tuple[ast.AST, tuple[ast.AST, ...]]] = [(node, ()) for _, node in body_of(function)]
    while todo:
        node, around = todo.pop()
        if isinstance(node, ast.Name) and node.id == name:
            _note(resolver, node, around, facts, uses, file, depth)
        elif isinstance(node, (ast.Global, ast.Nonlocal)) and name in node.names:
            uses.escapes = True
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            uses.escapes = uses.escapes or _mentions(node, name)
            continue
        todo.extend((child, (node, *around)) for child in ast.iter_child_nodes(node))
    uses.escapes = uses.escapes or any(_captures(inner, name, file) for inner in function.nested)
    return uses


def _mentions(node: ast.AST, name: str) -> bool:
    return any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(node))


def _captures(qualname: str, name: str, file: SourceFile) -> bool:
    """Whether a nested function, cut or not, mentions a name."""
    inner = file.facts.function(qualname)
    return inner is not None and (
        any(_mentions(statement, name) for _, statement in body_of(inner))
        or any(_captures(deeper, name, file) for deeper in inner.nested)
    )


def _note(
    resolver: Resolver,
    node: ast.Name,
    around: tuple[ast.AST, ...],
    facts: dict[ast.Call, CallFact],
    uses: Uses,
    file: SourceFile,
    depth: int,
) -> None:
    if not isinstance(node.ctx, ast.Load):
        uses.bindings += 1
        return
    uses.names.append(node)
    parent = around[0] if around else None
    outer = around[1] if len(around) > 1 else None
    if isinstance(parent, ast.Attribute):
        called = isinstance(outer, ast.Call) and outer.func is parent
        if called and parent.attr in CLOSING and isinstance(outer, ast.Call):
            uses.closings.append((outer, around[2:]))
        elif not called and parent.attr in CLOSING | {"rollback", "commit"}:
            # Handed on as something to be called later.
            uses.escapes = True
    elif isinstance(parent, (ast.Call, ast.keyword)):
        call = parent if isinstance(parent, ast.Call) else outer
        fact = facts.get(call) if isinstance(call, ast.Call) else None
        keyword = parent.arg if isinstance(parent, ast.keyword) else None
        if fact is None or _may_keep(resolver, fact, node, keyword, file, depth):
            uses.escapes = True
    elif not _only_tests(parent, outer):
        uses.escapes = True


def _only_tests(parent: ast.AST | None, outer: ast.AST | None) -> bool:
    """Whether a name is read only for its truth or to compare it."""
    tests = (ast.If, ast.While, ast.Assert)
    if isinstance(parent, ast.BoolOp):
        return isinstance(outer, tests)
    return isinstance(parent, (ast.Compare, ast.UnaryOp, *tests))


def _may_keep(
    resolver: Resolver, fact: CallFact, node: ast.Name, keyword: str | None, file: SourceFile, depth: int
) -> bool:
    """Whether a call may keep or close the session that it is given; it does not when all of it can be read."""
    target = next(known(resolver.type_of(fact.value.func, file)), None)
    if isinstance(target, External) and target.name in (
        "builtins.print",
        "builtins.isinstance",
        "builtins.id",
    ):
        return False
    if not isinstance(target, FunctionType) or depth >= _MAX_DEPTH:
        return True
    source = resolver.sources.file(target.file_id)
    function = source.facts.function(target.qualname) if source is not None else None
    if source is None or function is None or function.yielded is not None or function.decorators:
        return True
    resolver.keys.add((target.file_id, target.qualname))
    parameter = keyword
    if parameter is None:
        positions = [p.name for p in function.parameters if p.kind == "positional"]
        if target.bound is not None:
            positions = positions[1:]
        index = next((i for i, argument in enumerate(fact.node.args) if argument is node), -1)
        starred = any(isinstance(argument, ast.Starred) for argument in fact.node.args)
        if starred or not 0 <= index < len(positions):
            return True
        parameter = positions[index]
    if function.parameter(parameter) is None:
        return True
    inner = uses_of(resolver, function, parameter, source, depth + 1)
    return (
        inner.escapes or bool(inner.closings) or inner.bindings > 0 or gives_live(resolver, function, source)
    )


def ways_left_open(
    resolver: Resolver, session: MadeSession, function: FunctionFacts, file: SourceFile
) -> list[Point]:
    """The steps from which a function is left with the session open, errors included; empty when every way closes it."""
    paths = paths_of(resolver, function, file)
    closing = {point for call, around in session.closings for point in _closes_at(paths, call, around)}
    starts = [following for point in paths.at(session.fact.node) for following in point.next]
    exits = (paths.returned, paths.raised)
    return [
        point
        for point in walk(starts, closing.__contains__, alive=session.name)
        if point not in closing
        and (point in exits or any(end in exits for end in (*point.next, *point.errors)))
    ]


def _closes_at(paths: Paths, call: ast.Call, around: tuple[ast.AST, ...]) -> Iterator[Point]:
    """The steps that close; in `finally` the test around a call counts, which asks whose session it is."""
    yield from paths.at(call)
    inner: ast.AST = call
    tests: list[ast.AST] = []
    for node in around:
        if isinstance(node, ast.If):
            tests.append(node)
        if isinstance(node, ast.Try) and inner in node.finalbody:
            for test in tests:
                yield from paths.at(test)
        inner = node
