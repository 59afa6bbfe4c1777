"""Drift: what the models of a workspace have that its history of migrations does not build, and the other way round.

    for drift in drifts(workspace, poll):      # one for each environment
        drift.problem                          # why nothing can be said, or empty
        drift.findings                         # what differs, put together by place

Models, replays and comparisons are kept and made again only when something that they rest on changed. This module must never
write, and never guess where the history or the models could not be read.
"""

from __future__ import annotations

import os
import weakref
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.migrations.compare import compare
from sqlalchemy_guard.migrations.configured import Configured, configured
from sqlalchemy_guard.migrations.databases import dialects_of
from sqlalchemy_guard.migrations.findings import Finding, findings_of
from sqlalchemy_guard.migrations.history import history, is_complete
from sqlalchemy_guard.migrations.reading import key_of
from sqlalchemy_guard.migrations.replay import replay
from sqlalchemy_guard.migrations.state import COLUMNS, CONSTRAINTS
from sqlalchemy_guard.project.file_roles import is_test_file
from sqlalchemy_guard.records import NamedTuple, dataclass, field
from sqlalchemy_guard.sql.models import rebuild
from sqlalchemy_guard.sql.values import Class, Opaque

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import sqlalchemy

    from sqlalchemy_guard.migrations.difference import Comparison
    from sqlalchemy_guard.migrations.history import Environment
    from sqlalchemy_guard.migrations.replay import Replay
    from sqlalchemy_guard.project.workspace import Workspace
    from sqlalchemy_guard.sql.models import Schema as Models


_WITHOUT_COLUMNS = frozenset(
    {"sqlalchemy", "typing", "typing_extensions", "abc", "builtins", "collections", "dataclasses"}
)
"""Libraries of which no base brings columns."""


_MOST_FOREIGN = 3
"""How many tables a history may change that neither it nor a model has: what more there are, somebody made by hand."""


_BEGINNING = 40
"""How many revisions are replayed before the models are made."""


@dataclass(slots=True, eq=False)
class Drift:
    """What was found for one environment.

    Attributes:
        environment: The environment.
        problem: Why nothing can be said, as a sentence without its full stop; empty when something can.
        dialects: The databases for which both sides were compared; what differs, differs for all of them.
        findings: What differs, put together by place.
        comparison: Both sides, and the differences one by one; None with a problem.
        replay: The replayed history; None when it was not replayed.
        configured: What `env.py` says.
        files: The files that all this rests on.
    """

    environment: Environment
    problem: str
    dialects: tuple[str, ...] = ()
    findings: list[Finding] = field(default_factory=list)
    comparison: Comparison | None = None
    replay: Replay | None = None
    configured: Configured = field(default_factory=Configured)
    files: frozenset[str] = frozenset()


class _State(NamedTuple):
    """What a kept answer was made of."""

    models: Models
    schemas: tuple[Any, ...]
    text: str
    options: tuple[tuple[str, str], ...]


_KEPT: weakref.WeakKeyDictionary[Workspace, dict[tuple[str, ...], tuple[_State, Drift]]] = (
    weakref.WeakKeyDictionary()
)


def drifts(
    workspace: Workspace, dialect: str | None = None, poll: Callable[[], None] | None = None
) -> Iterator[Drift]:
    """The drift of each environment of the workspace.

    Args:
        workspace: All files, read.
        dialect: For which database; what the project uses when not given.
        poll: Called now and then; ends everything by raising.
    """
    environments = history(workspace)
    if not environments:
        return
    for environment in environments:
        dialects = dialects_of(workspace, environment, dialect)
        # The longest parts come last: a history that cannot be compared mostly shows it where it begins, and costs no models.
        problem = _unreadable(workspace, environment)
        first = None if problem else replay(workspace, environment, dialects[0], None, poll, _BEGINNING)
        if first is not None and len(first.absent) > _MOST_FOREIGN:
            problem = _cut(first)
        if problem:
            yield Drift(environment, problem, dialects, replay=first, files=_files(environment, first))
        else:
            models = rebuild(workspace, poll)
            yield _drift(workspace, environment, len(environments) == 1, models, dialects, poll)


def _drift(
    workspace: Workspace,
    environment: Environment,
    is_only: bool,
    models: Models,
    dialects: tuple[str, ...],
    poll: Callable[[], None] | None,
) -> Drift:
    said = configured(workspace, models.evaluator, environment)
    targets = said.metadata
    if not said.is_known:
        if not is_only or len(models.bases) != 1:
            why = "its `target_metadata` could not be read"
            return Drift(environment, why, dialects, configured=said, files=_files(environment, None, models))
        targets = [models.bases[0].metadata]
    if not any(one.tables for one in targets):
        why = "no models of its `target_metadata` were found"
        return Drift(environment, why, dialects, configured=said, files=_files(environment, None, models))
    convention = next((one for one in targets if one.naming_convention), targets[0])
    replays = [replay(workspace, environment, name, convention, poll) for name in dialects]
    file = workspace.file(environment.env)
    modelled = {table.name for one in targets for table in one.tables.values()}
    if len(replays[0].absent) > _MOST_FOREIGN or modelled & {name for _, name in replays[0].absent}:
        # A few tables of libraries may be made by those; what the models have must be there.
        return Drift(
            environment,
            _cut(replays[0]),
            dialects,
            replay=replays[0],
            configured=said,
            files=_files(environment, replays[0], models),
        )
    made = {name for each in replays for _, name in each.schema.tables}
    if environment.graph.revisions and modelled.isdisjoint(made):
        return Drift(
            environment,
            _ELSEWHERE,
            dialects,
            replay=replays[0],
            configured=said,
            files=_files(environment, replays[0], models),
        )
    state = _State(
        models,
        tuple(one.schema for one in replays),
        file.document.text if file is not None else "",
        tuple(sorted(environment.options.items())),
    )
    key = (environment.scripts.folder, *environment.scripts.version_folders, *dialects)
    kept = _KEPT.setdefault(workspace, {}).get(key)
    if kept is not None and _is_same(kept[0], state):
        return kept[1]
    found = _compared(workspace, environment, models, said, targets, replays)
    found.dialects = dialects
    _KEPT[workspace][key] = (state, found)
    return found


_ELSEWHERE = "its revisions create none of the models' tables; the schema was made in another way"


def _is_same(one: _State, other: _State) -> bool:
    return (
        one.models is other.models
        and len(one.schemas) == len(other.schemas)
        and all(a is b for a, b in zip(one.schemas, other.schemas, strict=True))
        and (one.text, one.options) == (other.text, other.options)
    )


def _cut(replayed: Replay) -> str:
    """Why a history is no base for a comparison that does not hold all that it builds upon."""
    return f"its history is not whole: {replayed.missing}; the rest of the schema was made in another way"


def _unreadable(workspace: Workspace, environment: Environment) -> str:
    """Why a history cannot be replayed at all."""
    graph = environment.graph
    if not graph.revisions:
        return "it has no revisions"
    for revision in graph.revisions:
        missing = graph.missing(revision)
        if missing:
            return f"revision {revision.id} follows {missing[0]}, which no revision is"
        if not revision.is_known:
            return f"the `down_revision` of {revision.id} could not be read"
    if graph.cyclic:
        return f"revision {graph.cyclic[0].id} follows itself"
    if graph.duplicates:
        return f"the id {next(iter(graph.duplicates))} is there twice"
    if not is_complete(workspace, environment):
        return "a folder of versions is not in the workspace"
    return ""


def _compared(
    workspace: Workspace,
    environment: Environment,
    models: Models,
    said: Configured,
    targets: list[sqlalchemy.MetaData],
    replays: list[Replay],
) -> Drift:
    own = _Own(workspace, environment, models, _touched_elsewhere(workspace))
    elsewhere = _Elsewhere(workspace, environment, models)
    comparisons = [
        compare(one, targets, said, own.has, elsewhere.may_have, own.open_parts) for one in replays
    ]
    first = comparisons[0]
    for other in comparisons[1:]:
        # Which database it is, is not known: only what differs on each of them counts.
        there = {(one.kind, one.key, one.column) for one in other.differences}
        first.differences = [one for one in first.differences if (one.kind, one.key, one.column) in there]
    dialect = replays[0].dialect
    tables = {
        key_of(table.name, table.schema, dialect): table for one in targets for table in one.tables.values()
    }
    return Drift(
        environment,
        "",
        (),
        findings_of(workspace, environment, models, tables, first),
        first,
        replays[0],
        said,
        _files(environment, replays[0], models),
    )


def _files(environment: Environment, replayed: Replay | None, models: Models | None = None) -> frozenset[str]:
    """The files that an answer rests on, also the answer that nothing can be compared."""
    found = {environment.env, *(replayed.files if replayed is not None else ())}
    if models is not None:
        found.update(file_id for file_id, _ in models.evaluator.program.read)
    return frozenset(file_id for file_id in found if os.path.isabs(file_id))


def _touched_elsewhere(workspace: Workspace) -> str:
    """The text of migrations that belong to no environment: plug-ins that bring their own."""
    folders = {folder for environment in history(workspace) for folder in environment.scripts.version_folders}
    found = []
    for word in ("add_column", "create_table", "alter_column"):
        files, _ = workspace.naming(word)
        for file in files:
            text = file.document.text
            if os.path.dirname(file.file_id) not in folders and "op." in text and "def upgrade" in text:
                found.append(text)
    return "\n".join(found)


_VERSIONING = ("_version", "_versions", "_history", "transaction", "transaction_changes")
"""How the tables end that keep versions, by the usual options."""


class _Own:
    """Which tables are declared in the user's own files, and migrated by this history alone."""

    def __init__(
        self, workspace: Workspace, environment: Environment, models: Models, elsewhere: str
    ) -> None:
        self._workspace, self._models, self._elsewhere = workspace, models, elsewhere
        self._is_of_tests = is_test_file(environment.env)
        # Classes with an attribute that could not be made, which may be a column.
        self._incomplete = {
            one.what.partition(".")[0]
            for one in models.unknown
            if one.what[:1].isupper() and not one.is_relationship
        }

    def has(self, table: sqlalchemy.Table) -> bool:
        """Whether a table is."""
        place = self._models.place(table)
        if place is None or f'"{table.name}"' in self._elsewhere or f"'{table.name}'" in self._elsewhere:
            return False
        if is_test_file(place.file_id) and not self._is_of_tests:
            # The tests make it themselves.
            return False
        parts = place.file_id.replace(os.sep, "/").split("/")
        return not {"site-packages", "dist-packages"} & set(parts) and any(
            place.file_id.startswith(folder.rstrip(os.sep) + os.sep) for folder in self._workspace.folders
        )

    def open_parts(self, table: sqlalchemy.Table) -> frozenset[str]:
        """What a table may have more than is seen: columns where an attribute of its class could not be made, anything where
        nobody could read a base."""
        cls = self._models.owners.get(id(table))
        if cls is None:
            return frozenset()
        if any(
            isinstance(one, Opaque) and one.dotted.partition(".")[0] not in _WITHOUT_COLUMNS
            for one in cls.mro
        ):
            return frozenset({COLUMNS, CONSTRAINTS})
        incomplete = {one.name for one in cls.mro if isinstance(one, Class)} & self._incomplete
        return frozenset({COLUMNS}) if incomplete else frozenset()


class _Elsewhere:
    """Which names of tables stand anywhere in the user's files, beside the revisions."""

    def __init__(self, workspace: Workspace, environment: Environment, models: Models) -> None:
        self._workspace = workspace
        self._folders = environment.scripts.version_folders
        # A class that could not be made may be that of any table.
        self._anything = any("." not in one.what for one in models.unknown if one.place is not None) and any(
            one.what[:1].isupper() and "." not in one.what for one in models.unknown
        )

    @cached_property
    def _is_versioned(self) -> bool:
        """Whether SQLAlchemy-Continuum adds a table for each that it keeps the versions of."""
        return bool(self._workspace.naming("make_versioned")[0])

    def may_have(self, name: str) -> bool:
        """Whether a table of that name may be declared in a way that nobody saw."""
        if self._anything or (self._is_versioned and name.endswith(_VERSIONING)):
            return True
        quoted = (f'"{name}"', f"'{name}'")
        return any(
            any(each in file.document.text for each in quoted)
            for file in self._workspace.known_files()
            if os.path.dirname(file.file_id) not in self._folders
        )
