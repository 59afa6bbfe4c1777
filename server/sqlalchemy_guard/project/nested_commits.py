"""Functions that commit a session which was passed to them, while their callers commit it as well.

Kept are names of functions, never their nodes: places are looked up when they are shown. This module must never judge.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.units import REPLACED
from sqlalchemy_guard.facts.values import Attr, Param, same
from sqlalchemy_guard.project.bodies import rests_on_all
from sqlalchemy_guard.project.calls import LibraryCall, resolve_call
from sqlalchemy_guard.project.courses import Course, plain, receiver_of
from sqlalchemy_guard.project.effects import COMMITS, argument_of, arguments_of
from sqlalchemy_guard.project.file_roles import is_test_file
from sqlalchemy_guard.project.lasting import callers_of
from sqlalchemy_guard.project.loops import deliberate
from sqlalchemy_guard.project.types import FunctionType, known
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import CallFact, FunctionFacts
    from sqlalchemy_guard.facts.values import Call, Value
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
    handed = (file.file_id, function.qualname, receiver.name)
    found: dict[tuple[str, str], tuple[CallFact, File]] = {}
    for call, source in callers_of(workspace, function, file):
        caller = call.function
        if caller is None or (source.file_id, caller.qualname) in found or is_test_file(source.file_id):
            continue
        if caller is not function and handed in _handed_on(workspace, caller, source):
            given = argument_of(call.value, function, receiver.name)
            course = _course(workspace, given, caller, source) if given is not None else None
            later = _commit_behind(course, call) if course is not None else None
            if later is not None:
                found[source.file_id, caller.qualname] = later, source
    return list(found.values())


def _find(workspace: Workspace, project: str, code: str) -> list[NestedCommit]:
    owners: dict[tuple[str, str, str], int] = {}
    for file in workspace.naming("commit")[0]:
        for handed in _handed_on_in(workspace, file):
            owners[handed] = owners.get(handed, 0) + 1
    found: list[NestedCommit] = []
    for (file_id, qualname, name), count in owners.items():
        source = workspace.file(file_id)
        function = source.facts.function(qualname) if source is not None else None
        if source is None or function is None or _project_of(workspace, file_id) != project:
            continue
        commit = own_commit(workspace, function, source)
        receiver = receiver_of(commit) if commit is not None else None
        if type(receiver) is Param and receiver.name == name:
            # What allows it may stand anywhere in the file.
            rests_on_all(workspace.resolver, source)
            silent = _is_silenced(function, source, code)
            found.append(NestedCommit(file_id, qualname, function.name, count, silent))
    return sorted(found, key=lambda each: (-each.owners, each.file_id, each.qualname))


def _committing(workspace: Workspace, file: File) -> list[str]:
    """The functions of a file in which something called `commit` is called, whatever it is."""

    def find() -> list[str]:
        workspace.resolver.keys.update(((file.file_id, "*called.commit"), (file.file_id, REPLACED)))
        calls = (fact for unit in file.facts.units() for fact in unit.calls if _is_commit(fact))
        return list({fact.function.qualname: None for fact in calls if fact.function is not None})

    if is_test_file(file.file_id):
        return []
    return workspace.resolver.remembered(("committing", file.file_id), find)


def _handed_on_in(workspace: Workspace, file: File) -> list[tuple[str, str, str]]:
    """To which parameters the functions of a file hand what they commit behind the call; once for each such function."""

    def find() -> list[tuple[str, str, str]]:
        callers = [file.facts.function(qualname) for qualname in _committing(workspace, file)]
        return [
            each for caller in callers if caller is not None for each in _handed_on(workspace, caller, file)
        ]

    return workspace.resolver.remembered(("handed on", file.file_id), find)


def _handed_on(workspace: Workspace, caller: FunctionFacts, file: File) -> frozenset[tuple[str, str, str]]:
    """To which parameters a function hands what it commits behind the call: file, function and parameter of each."""
    resolver = workspace.resolver

    def find() -> frozenset[tuple[str, str, str]]:
        found: set[tuple[str, str, str]] = set()
        for call, committed in _committed_later(workspace, caller, file):
            for option in known(resolver.type_of(call.func, file)):
                source = workspace.file(option.file_id) if type(option) is FunctionType else None
                if source is None or type(option) is not FunctionType:
                    continue
                resolver.keys.add((option.file_id, option.qualname))
                function = source.facts.function(option.qualname)
                if function is None or option.qualname not in _committing(workspace, source):
                    continue
                for parameter in function.parameters:
                    value = argument_of(call, function, parameter.name)
                    if value is not None and any(same(plain(value), each) for each in committed):
                        found.add((option.file_id, option.qualname, parameter.name))
        found -= {each for each in found if each[:2] == (file.file_id, caller.qualname)}
        return frozenset(found)

    return resolver.remembered(("handed on", file.file_id, caller.qualname), find)


def _committed_later(
    workspace: Workspace, caller: FunctionFacts, file: File
) -> list[tuple[Call, list[Value]]]:
    """The calls in a function to which it passes something that it commits behind them, with what that is."""

    def find() -> list[tuple[Call, list[Value]]]:
        calls = workspace.resolver.calls_in(caller, file)
        committed = [value for fact in calls if _is_commit(fact) and (value := receiver_of(fact)) is not None]
        courses: list[Course] = []
        found: list[tuple[Call, list[Value]]] = []
        for fact in calls:
            given = [plain(value) for value, _ in arguments_of(fact)]
            later: list[Value] = []
            for value in given:
                if not any(same(value, each) for each in committed):
                    continue
                course = next((each for each in courses if same(each.receiver, value)), None)
                if course is None:
                    course = _course(workspace, value, caller, file)
                    courses.append(course)
                if _commit_behind(course, fact) is not None:
                    later.append(value)
            if later:
                found.append((fact.value, later))
        return found

    return workspace.resolver.remembered(("committed later", file.file_id, caller.qualname), find)


def _course(workspace: Workspace, value: Value, function: FunctionFacts, file: File) -> Course:
    """What happens to something in a function, for who keeps what is concluded from it."""
    file.facts.watched.add(function.qualname)
    workspace.resolver.keys.add((file.file_id, f"*body.{function.qualname}"))
    return Course(workspace.resolver, function, value, file)


def _commit_behind(course: Course, call: CallFact) -> CallFact | None:
    """The nearest commit that control may come to from a call."""
    events = course.behind(course.paths.at(call.node))
    return next((event.fact for event in events if event.name == "commit"), None)


def _is_silenced(function: FunctionFacts, file: File, code: str) -> bool:
    commits = [fact for fact in function.call_facts if _may_commit(fact, function)]
    first = min(commits, key=_place)
    start = first.statement.lineno - 1 + first.chunk.shift
    end = (first.statement.end_lineno or first.statement.lineno) + first.chunk.shift
    return file.syntax.suppressions.silences(code, start, end)


def _is_commit(fact: CallFact) -> bool:
    func = fact.value.func
    return type(func) is Attr and func.name == "commit"


def _may_commit(fact: CallFact, function: FunctionFacts) -> bool:
    receiver = receiver_of(fact)
    return _is_commit(fact) and type(receiver) is Param and receiver.qualname == function.qualname


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
