"""Who else uses what a module keeps, and what is handed to other threads and processes.

This module must never judge that.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Enter, Ref, Sequence, Value
from sqlalchemy_guard.project.bodies import own_nodes
from sqlalchemy_guard.project.index import IMPORTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import CallFact, FunctionFacts
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.project.workspace import File, Workspace

_WORKERS = frozenset({"threading.Thread", "threading.Timer", "multiprocessing.Process"})
_EXECUTORS = frozenset(
    {
        "concurrent.futures.ThreadPoolExecutor", "concurrent.futures.ProcessPoolExecutor", "multiprocessing.Pool",
        "multiprocessing.pool.ThreadPool", "multiprocessing.pool.Pool",
    }
)  # fmt: skip
_HAND_OVER = frozenset({"submit", "map", "apply_async", "starmap"})


def readers_of(file: File, name: str) -> list[FunctionFacts]:
    """The functions of a file that read a name of its module."""
    found = []
    for unit in file.facts.units():
        for function in unit.functions:
            nodes = [
                node for _, node in own_nodes(function) if isinstance(node, ast.Name) and node.id == name
            ]
            own = function.parameter(name) is not None or any(isinstance(n.ctx, ast.Store) for n in nodes)
            if nodes and not own:
                found.append(function)
    return found


def is_imported(workspace: Workspace, file: File, name: str) -> bool:
    """Whether another file of the workspace imports a name of this one."""
    resolver = workspace.resolver
    resolver.keys.add((IMPORTS, ""))
    for file_id in workspace.dependents(file.file_id):
        other = workspace.file(file_id)
        if other is None or other is file:
            continue
        resolver.keys.add((file_id, name))
        for binding in other.facts.names.get(name, ()):
            value = binding.value
            if type(value) is Ref and value.module and value.name == name:
                if resolver.sources.modules.find(value.module, file_id) == file.file_id:
                    return True
    return False


def handed_to_worker(resolver: Resolver, fact: CallFact, file: SourceFile) -> Iterator[Value]:
    """What a call gives to another thread or process."""
    func = fact.value.func
    sequences = [value for _, value in fact.value.keywords if type(value) is Sequence]
    if sequences and resolver.external_name(func, file) in _WORKERS:
        for value in sequences:
            yield from value.items
    elif type(func) is Attr and func.name in _HAND_OVER:
        made = func.base.base if type(func.base) is Enter else func.base
        if type(made) is Call and resolver.external_name(made.func, file) in _EXECUTORS:
            yield from fact.value.args[1:]
            yield from (value for _, value in fact.value.keywords)


def is_read_only_by(file: File, name: str, functions: list[FunctionFacts]) -> bool:
    """Whether nothing in a file but some functions reads a name of its module, which is bound once."""
    inside = sum(
        isinstance(node, ast.Name) and node.id == name
        for function in functions
        for _, node in own_nodes(function)
    )
    everywhere = 0
    todo = list(file.syntax.chunks)
    while todo:
        part = todo.pop()
        todo.extend(part.children or ())
        for statement in part.body:
            for node in ast.walk(statement):
                everywhere += isinstance(node, ast.Name) and node.id == name
                if isinstance(node, ast.Global) and name in node.names:
                    return False
    return everywhere == inside + 1
