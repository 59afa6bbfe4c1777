"""Functions that commit a session which was passed to them, while their callers commit it as well.

Kept are names of functions, never their nodes: places are looked up when they are shown. This module must never judge.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Param
from sqlalchemy_guard.project.bodies import rests_on_all
from sqlalchemy_guard.project.calls import LibraryCall, resolve_call
from sqlalchemy_guard.project.courses import Course, plain, receiver_of
from sqlalchemy_guard.project.effects import COMMITS, argument_of
from sqlalchemy_guard.project.file_roles import is_test_file
from sqlalchemy_guard.project.lasting import callers_of
from sqlalchemy_guard.project.loops import deliberate
from sqlalchemy_guard.project.paths import walk
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import CallFact, FunctionFacts
    from sqlalchemy_guard.project.workspace import File, Workspace

_MARKS = frozenset({"pyproject.toml", "setup.py", "setup.cfg", ".git"})
"""What stands in the folder of a project."""


@dataclass(frozen=True, slots=True)
class NestedCommit:
    """A function that commits what its callers commit, too.

    Attributes:
        file_id: Its file.
        qualname: The function.
        name: Its last name.
        owners: How many of its callers commit the session that they pass, behind the call.
        is_silenced: Whether a comment says that it may.
    """

    file_id: str
    qualname: str
    name: str
    owners: int
    is_silenced: bool


def nested_commits(workspace: Workspace, file_id: str, code: str) -> list[NestedCommit]:
    """Such functions in the project of a file: those that the most callers use first.

    Args:
        workspace: The files.
        file_id: One of the project's.
        code: The rule that a comment has to name to allow one.
    """
    project = _project_of(workspace, file_id)
    return workspace.resolver.gathered(
        f"nested commits {code} {project}", lambda: _find(workspace, project, code)
    )


def own_commit(workspace: Workspace, function: FunctionFacts, file: File) -> CallFact | None:
    """The first commit of a session that was passed to a function, where neither its name nor a condition announces it."""
    if function.yielded is not None or "commit" in function.name.lower() or is_test_file(file.file_id):
        return None
    calls = list(workspace.resolver.calls_in(function, file))
    if any(_locks(fact) for fact in calls):
        # The commit gives rows back before the callers go on.
        return None
    commits = [fact for fact in calls if _commits_parameter(workspace, fact, function, file)]
    first = min(commits, key=_place, default=None)
    if first is None or _is_asked_for(first):
        return None
    if any(deliberate(workspace.resolver, first, loop, file) for loop in first.loops()):
        # In parts: batches, retries and the like.
        return None
    return first


def _locks(fact: CallFact) -> bool:
    return (
        getattr(fact.value.func, "name", "") == "with_for_update"
        or fact.value.keyword("with_for_update") is not None
    )


def owners_of(workspace: Workspace, function: FunctionFacts, file: File) -> list[tuple[CallFact, File]]:
    """The commits of callers, of the session that they pass, behind their call of a function; one of each caller."""
    commit = own_commit(workspace, function, file)
    receiver = receiver_of(commit) if commit is not None else None
    if type(receiver) is not Param:
        return []
    found: dict[tuple[str, str], tuple[CallFact, File]] = {}
    for call, source in callers_of(workspace, function, file):
        caller = call.function
        given = argument_of(call.value, function, receiver.name)
        if caller is None or given is None or caller is function or is_test_file(source.file_id):
            continue
        _rest_on_body(workspace, caller, source)
        course = Course(workspace.resolver, caller, plain(given), source)
        starts = course.paths.at(call.node)
        behind = (event for point in walk(starts, errors=False) for event in course.at(point))
        commit = next((event.fact for event in behind if event.name == "commit"), None)
        if commit is not None:
            found.setdefault((source.file_id, caller.qualname), (commit, source))
    return list(found.values())


def _find(workspace: Workspace, project: str, code: str) -> list[NestedCommit]:
    found: list[NestedCommit] = []
    for file in workspace.naming("commit")[0]:
        if is_test_file(file.file_id) or _project_of(workspace, file.file_id) != project:
            continue
        rests_on_all(workspace.resolver, file)
        for function in [functions[-1] for functions in file.facts.functions.values()]:
            count = _count(workspace, function, file)
            if count:
                silent = _is_silenced(function, file, code)
                found.append(NestedCommit(file.file_id, function.qualname, function.name, count, silent))
    return sorted(found, key=lambda each: (-each.owners, each.file_id, each.qualname))


def _count(workspace: Workspace, function: FunctionFacts, file: File) -> int:
    """How many callers commit what a function commits."""
    if not any(_may_commit(fact, function) for fact in function.call_facts):
        return 0

    def count() -> int:
        _rest_on_body(workspace, function, file)
        workspace.resolver.keys.add((file.file_id, function.qualname))
        return len(owners_of(workspace, function, file))

    return workspace.resolver.remembered(("nested commit", file.file_id, function.qualname), count)


def _rest_on_body(workspace: Workspace, function: FunctionFacts, file: File) -> None:
    """Note that what is concluded rests on the statements of a function."""
    file.facts.watched.add(function.qualname)
    workspace.resolver.keys.add((file.file_id, f"*body.{function.qualname}"))


def _is_silenced(function: FunctionFacts, file: File, code: str) -> bool:
    commits = [fact for fact in function.call_facts if _may_commit(fact, function)]
    first = min(commits, key=_place)
    start = first.statement.lineno - 1 + first.chunk.shift
    end = (first.statement.end_lineno or first.statement.lineno) + first.chunk.shift
    return file.syntax.suppressions.silences(code, start, end)


def _may_commit(fact: CallFact, function: FunctionFacts) -> bool:
    func = fact.value.func
    receiver = receiver_of(fact)
    return (
        type(func) is Attr
        and func.name == "commit"
        and type(receiver) is Param
        and receiver.qualname == function.qualname
    )


def _commits_parameter(workspace: Workspace, fact: CallFact, function: FunctionFacts, file: File) -> bool:
    if fact.function is not function or not _may_commit(fact, function):
        return False
    called = resolve_call(workspace.resolver, fact, file)
    return isinstance(called, LibraryCall) and called.name in COMMITS and "Connection" not in called.name


def _is_asked_for(fact: CallFact) -> bool:
    """Whether the commit stands under a condition: the callers may decide."""
    return fact.frame is not None and any(
        frame.kind in ("if", "else", "except", "lambda", "match") for frame in fact.frame.outwards()
    )


def _place(fact: CallFact) -> tuple[int, int]:
    return fact.node.lineno + fact.chunk.shift, fact.node.col_offset


def _project_of(workspace: Workspace, file_id: str) -> str:
    """The folder of the project that a file belongs to: the nearest with a project's file, or the workspace's."""
    folder = os.path.dirname(file_id)
    while folder and folder not in workspace.folders:
        parent = os.path.dirname(folder)
        if parent == folder or not _MARKS.isdisjoint(workspace.names_in(folder)):
            break
        folder = parent
    return folder
