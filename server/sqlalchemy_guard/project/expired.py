"""Objects of asynchronous sessions that a commit expired and that are read before anything loads them again.

Told of only where every session of the workspace expires its objects, where the object is known to be the session's, and where
no other `await` may have loaded it in between. This module must never judge a read.
"""

from __future__ import annotations

import ast
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import UNKNOWN
from sqlalchemy_guard.project.bodies import own_nodes, values_of
from sqlalchemy_guard.project.courses import Course, receiver_of
from sqlalchemy_guard.project.externals import ASYNC_SESSIONS
from sqlalchemy_guard.project.file_roles import is_test_file
from sqlalchemy_guard.project.paths import Point, binds, walk
from sqlalchemy_guard.project.rows import Rows
from sqlalchemy_guard.project.shapes import Loaded
from sqlalchemy_guard.project.types import ClassType, Instance, known
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy_guard.facts.declarations import CallFact, FunctionFacts
    from sqlalchemy_guard.facts.query import ModelInfo
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.syntax.chunk import Chunk

_OPTION = "expire_on_commit"


@dataclass(slots=True, eq=False)
class ExpiredRead:
    """A read of an attribute that a commit expired.

    Attributes:
        name: The variable that holds the object.
        model: The object's class.
        node: The attribute.
        chunk: Its chunk.
        statement: The statement around it.
    """

    name: str
    model: ModelInfo
    node: ast.Attribute
    chunk: Chunk
    statement: ast.stmt


def expired_reads(workspace: Workspace, commit: CallFact, file: File) -> Iterator[ExpiredRead]:
    """The first read of each object that a commit of an asynchronous session expires.

    Args:
        workspace: The files.
        commit: The call of `commit()`.
        file: Its file.
    """
    function, receiver = commit.function, receiver_of(commit)
    if function is None or receiver is None or not function.is_async or not commit.awaited:
        return
    if not sessions_expire(workspace):
        return
    values = values_of(function, file.facts)
    course = Course(workspace.resolver, function, receiver, file)
    starts = [following for point in course.paths.at(commit.node) for following in point.next]
    places = {node: chunk for chunk, node in own_nodes(function) if isinstance(node, ast.Attribute)}
    for name, model in _objects(function, course, values, file, workspace):
        mapped = model.columns.keys() | model.relationships.keys()
        for point in walk(starts, partial(_may_load, name), errors=False):
            node = _read_of(point, name, mapped)
            if node is not None and node in places and isinstance(point.node, ast.stmt):
                yield ExpiredRead(name, model, node, places[node], point.node)
                break


def sessions_expire(workspace: Workspace) -> bool:
    """Whether all asynchronous sessions of the workspace expire their objects on commit: some are made, none says otherwise."""

    def find() -> bool:
        files, is_all = workspace.naming(_OPTION)
        if not is_all or any(not is_test_file(each.file_id) for each in files):
            return False
        return any(_makes_async(workspace, name) for name in ("async_sessionmaker", "AsyncSession"))

    return workspace.resolver.gathered("expiring sessions", find)


def _makes_async(workspace: Workspace, name: str) -> bool:
    wanted = ASYNC_SESSIONS | {"sqlalchemy.ext.asyncio.async_sessionmaker"}
    return any(
        not is_test_file(file.file_id)
        and not call.has_mapping
        and workspace.resolver.external_name(call.func, file) in wanted
        for call, file in workspace.calls_of(name, None)
    )


def _objects(
    function: FunctionFacts,
    course: Course,
    values: Mapping[ast.expr, Value],
    file: File,
    workspace: Workspace,
) -> Iterator[tuple[str, ModelInfo]]:
    """The variables that hold objects of the session: what it loaded, and what was added to it."""
    added = {
        part.id
        for event in course.events()
        if event.name == "add"
        for part in event.fact.node.args
        if isinstance(part, ast.Name)
    }
    rows = Rows(workspace)
    seen: set[str] = set()
    for _, node in own_nodes(function):
        if (
            not isinstance(node, ast.Attribute)
            or not isinstance(node.value, ast.Name)
            or node.value.id in seen
        ):
            continue
        name, value = node.value.id, values.get(node.value, UNKNOWN)
        model = _model(value, file, workspace)
        if model is None:
            continue
        shapes = rows.shapes(value, rows.scope(file))
        loaded = [
            each for each in shapes if isinstance(each, Loaded) and each.load.is_async and not each.path
        ]
        if name in added or (loaded and len(loaded) == len(shapes)):
            seen.add(name)
            yield name, model


def _model(value: Value, file: File, workspace: Workspace) -> ModelInfo | None:
    for option in known(workspace.resolver.type_of(value, file)):
        if isinstance(option, Instance) and isinstance(option.ref, tuple) and not option.likely:
            if workspace.resolver.is_model(ClassType(option.ref)):
                return workspace.mappings.model(option.ref)
    return None


def _may_load(name: str, point: Point) -> bool:
    """Whether a step may load the object again, or make the variable something else."""
    if binds(point, name):
        return True
    for node in point.nodes():
        if isinstance(node, ast.Await) and not _is_commit(node.value):
            return True
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_of(node, name):
            return True
    return point.kind in ("enter", "leave", "handler")


def _is_commit(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit"


def _is_of(node: ast.Attribute, name: str) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == name


def _read_of(point: Point, name: str, mapped: set[str]) -> ast.Attribute | None:
    found = [
        node
        for node in point.nodes()
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and node.attr in mapped
        and _is_of(node, name)
    ]
    return min(found, key=lambda node: (node.lineno, node.col_offset), default=None)
