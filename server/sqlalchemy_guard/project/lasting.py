"""Objects that should live as long as the process, engines and factories, made inside functions: how often, and for whom.

This module must never judge them.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import (
    Attr,
    Call,
    ClassName,
    Const,
    Def,
    Either,
    Item,
    Joined,
    Mapping,
    Ref,
    Sequence,
    Value,
)
from sqlalchemy_guard.project.bodies import body_of, own_nodes
from sqlalchemy_guard.project.handlers import (
    is_command,
    is_dependency,
    is_task,
    makes_application,
)
from sqlalchemy_guard.project.index import CALLED, IMPORTS
from sqlalchemy_guard.project.routes import framework_of
from sqlalchemy_guard.project.runs import decorated_by, is_cached, is_script
from sqlalchemy_guard.project.types import ClassType, External, FunctionType, known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import CallFact, FunctionFacts
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.project.workspace import File, Workspace

_ONCE = frozenset(
    {
        "pytest.fixture",
        "pytest_asyncio.fixture",
        "contextlib.asynccontextmanager",
        "contextlib.contextmanager",
    }
)


_TELLING = frozenset(
    {
        ast.AnnAssign,
        ast.Assign,
        ast.AsyncFunctionDef,
        ast.Attribute,
        ast.Call,
        ast.FunctionDef,
        ast.Global,
        ast.Lambda,
        ast.Nonlocal,
        ast.Return,
        ast.Yield,
    }
)
"""The nodes that can tell what becomes of a local name."""


def runs_once(resolver: Resolver, function: FunctionFacts, file: File) -> bool:
    """Whether something speaks for it that a function runs once: a script, a command, a cache, a factory of applications."""
    if function.name in (
        "__init__",
        "__new__",
        "__post_init__",
        "__aenter__",
        "__enter__",
        "main",
        "setUp",
        "setUpClass",
    ):
        return True
    return (
        is_script(resolver, file)
        or is_cached(resolver, function, file)
        or not _ONCE.isdisjoint(decorated_by(resolver, function, file))
        or is_command(resolver, function, file)
        or makes_application(resolver, function, file)
    )


def runs_per_request(resolver: Resolver, function: FunctionFacts, file: SourceFile) -> str | None:
    """For whom a framework calls a function again and again: `request` or `task`; None when none is known to."""
    if framework_of(resolver, function, file) is not None or is_dependency(resolver, function, file):
        return "request"
    return "task" if is_task(resolver, function, file) else None


def is_kept(resolver: Resolver, function: FunctionFacts, name: str, file: SourceFile) -> bool:
    """Whether what a local name stands for outlives the call: returned, yielded, stored, captured, disposed of."""
    facts = {fact.node: fact for fact in resolver.calls_in(function, file)}
    for _, node in own_nodes(function):
        if type(node) not in _TELLING:
            continue
        if isinstance(node, (ast.Global, ast.Nonlocal)) and name in node.names:
            return True
        if isinstance(node, (ast.Return, ast.Yield)) and _holds(resolver, node.value, name, facts, file):
            return True
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            stored = any(isinstance(target, (ast.Attribute, ast.Subscript)) for target in targets)
            if stored and _mentions(node.value, name):
                return True
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) and _mentions(node, name):
            return True
        if isinstance(node, ast.Attribute) and node.attr == "dispose":
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr":
            return True
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "configure"
        ):
            # A factory that lasts is told to use it.
            if any(_mentions(given, name) for given in (*node.args, *(each.value for each in node.keywords))):
                return True
    return any(_captured(inner, name, file) for inner in function.nested)


def is_configured(function: FunctionFacts, name: str) -> bool:
    """Whether the function says more about the factory by `configure()`, which may differ from call to call."""
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == "configure"
        and isinstance(node.value, ast.Name)
        and node.value.id == name
        for _, node in own_nodes(function)
    )


def _captured(qualname: str, name: str, file: SourceFile) -> bool:
    inner = file.facts.function(qualname)
    return inner is not None and any(_mentions(statement, name) for _, statement in body_of(inner))


def _mentions(node: ast.AST | None, name: str) -> bool:
    return node is not None and any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(node))


def _holds(
    resolver: Resolver, node: ast.expr | None, name: str, facts: dict[ast.Call, CallFact], file: SourceFile
) -> bool:
    """Whether an expression gives the object itself, or something that may hold it; a function's result does not."""
    if not isinstance(node, ast.Call):
        return _mentions(node, name) and not isinstance(node, ast.Attribute)
    fact = facts.get(node)
    if not _mentions(node, name) or fact is None:
        return False
    target = next(known(resolver.type_of(fact.value.func, file)), None)
    if isinstance(target, External):
        return not target.name.rpartition(".")[2][:1].islower()
    return target is None or isinstance(target, (ClassType, FunctionType))


def callers_of(
    workspace: Workspace, function: FunctionFacts, file: File, *, passing: bool = True
) -> Iterator[tuple[CallFact, File]]:
    """The calls of a function in its own file and in those that import it.

    Args:
        workspace: The files.
        function: What is called.
        file: Its file.
        passing: Whether only calls with arguments matter, which are found sooner.
    """
    name, home = function.name, file.file_id if function.owner is None else None
    workspace.resolver.keys.update(((IMPORTS, ""), (CALLED, name)))
    if passing:
        files = {source.file_id for _, source in workspace.calls_of(name, home)}
    else:
        files = {file.file_id, *workspace.dependents(file.file_id)}
    for file_id in sorted(files):
        other = workspace.file(file_id)
        for unit in other.facts.units() if other is not None else ():
            if other is None or (passing and name not in unit.called):
                continue
            for call in unit.calls:
                func = call.value.func
                if getattr(func, "name", getattr(func, "qualname", "").rpartition(".")[2]) != name:
                    continue
                for option in known(workspace.resolver.type_of(func, other)):
                    if isinstance(option, FunctionType) and option.file_id == file.file_id:
                        if option.qualname == function.qualname:
                            if call.function is not None:
                                # What the caller does besides is asked next.
                                workspace.resolver.keys.add((file_id, call.function.qualname))
                            yield call, other


def depends_on_call(value: Value) -> bool:
    """Whether a value depends on what was passed to the function around it, or on what the function made itself."""
    if isinstance(value, Call):
        inside: list[Value] = [*value.args, *(item for _, item in value.keywords)]
        if isinstance(value.func, Attr):
            inside.append(value.func.base)
        return any(depends_on_call(item) for item in inside)
    if isinstance(value, (Const, Ref, Def, ClassName)):
        return False
    if isinstance(value, Attr):
        return depends_on_call(value.base)
    if isinstance(value, (Joined, Sequence)):
        return any(
            depends_on_call(part) for part in (value.parts if isinstance(value, Joined) else value.items)
        )
    if isinstance(value, Mapping):
        return any(depends_on_call(item) for _, item in value.entries)
    if isinstance(value, Item):
        return depends_on_call(value.base) or depends_on_call(value.index)
    if isinstance(value, Either):
        return any(depends_on_call(option) for option in value.options)
    return True
