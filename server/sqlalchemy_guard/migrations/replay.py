"""A history replayed: what schema its revisions build, on one dialect, without a database.

Every `upgrade` runs in the closed evaluator over the emulated operations, in the order of the history; what could not be followed
is remembered with its place. The schema after each revision is kept with what it rests on, so that an edit of the newest revision
replays that one alone. This module must never run a revision.
"""

from __future__ import annotations

import ast
import os
import weakref
from typing import TYPE_CHECKING, Any

from sqlalchemy import dialects

from sqlalchemy_guard.migrations.emulation import Emulation
from sqlalchemy_guard.migrations.recorder import Recorder
from sqlalchemy_guard.migrations.state import EXISTENCE, Schema
from sqlalchemy_guard.records import NamedTuple, dataclass
from sqlalchemy_guard.sql import declarative, flask, sqlmodels
from sqlalchemy_guard.sql.evaluator import Evaluator
from sqlalchemy_guard.sql.values import Function, Opaque

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy_guard.migrations.history import Environment
    from sqlalchemy_guard.migrations.revision import Revision
    from sqlalchemy_guard.migrations.state import Key
    from sqlalchemy_guard.project.workspace import Workspace
    from sqlalchemy_guard.sql.values import Value

DIALECTS = ("postgresql", "mysql", "sqlite", "mssql", "oracle")


class Limit(NamedTuple):
    """Something that could not be followed.

    Attributes:
        reason: What, in words that follow the revision's id.
        revision: The id of the revision.
        file_id: Where.
        line: 0-based.
    """

    reason: str
    revision: str
    file_id: str
    line: int


@dataclass(slots=True, eq=False)
class Replay:
    """What a history builds.

    Attributes:
        schema: The tables after the last revision.
        dialect: The real dialect that it was replayed for.
        limits: What could not be followed.
        missing: Why the history does not hold all that it builds upon; empty when it does.
        absent: The tables that revisions change and none created.
        revisions: How many revisions ran.
        replayed: How many of them ran now; the others were kept.
        files: The files that it rests on.
    """

    schema: Schema
    dialect: Any
    limits: list[Limit]
    missing: str
    revisions: int
    replayed: int
    files: frozenset[str]
    absent: frozenset[Key]


@dataclass(slots=True, eq=False)
class _Step:
    """The state after one revision."""

    revision: Revision
    texts: dict[str, int]
    schema: Schema
    limits: tuple[Limit, ...]
    absent: tuple[Key, ...]


_KEPT: weakref.WeakKeyDictionary[Workspace, dict[tuple[str, ...], list[_Step]]] = weakref.WeakKeyDictionary()
"""The steps of the last replay by environment, dialect and naming convention."""


def dialect_of(name: str) -> Any:
    """A dialect of SQLAlchemy that is connected to nothing."""
    dialect = dialects.registry.load("mysql" if name == "mariadb" else name)()
    dialect.default_schema_name = {"postgresql": "public", "mssql": "dbo"}.get(name)
    return dialect


def replay(
    workspace: Workspace,
    environment: Environment,
    dialect: str,
    metadata: Any = None,
    poll: Callable[[], None] | None = None,
    most: int | None = None,
) -> Replay:
    """The schema that a history builds.

    Args:
        workspace: All files.
        environment: An environment with its revisions.
        dialect: One of `DIALECTS`.
        metadata: What the environment compares with, as far as it is known: its naming convention names constraints.
        poll: Called now and then; ends everything by raising.
        most: How many revisions of it; all when not given.
    """
    key = _key(environment, dialect, metadata)
    kept = _KEPT.setdefault(workspace, {}).get(key, ())
    order = environment.revisions
    steps = _still_valid(workspace, kept, order)
    real = dialect_of(dialect)
    runner = _Runner(workspace, environment, real, metadata, steps[-1] if steps else None, poll)
    reused = len(steps)
    # Kept at once: who is interrupted goes on where it was.
    _KEPT[workspace][key] = steps
    for revision in order[reused:most]:
        steps.append(runner.run(revision))
    limits = [limit for step in steps for limit in step.limits]
    absent = {key for step in steps for key in step.absent}
    missing = ""
    first = next((step for step in steps if step.absent), None)
    if first is not None:
        shown = ".".join(part for part in first.absent[0] if part)
        missing = (
            f"revision {first.revision.id} changes the table {shown}, which no revision before it created"
        )
    schema = steps[-1].schema if steps else Schema()
    files = frozenset(file_id for step in steps for file_id in step.texts)
    return Replay(schema, real, limits, missing, len(order), len(order) - reused, files, frozenset(absent))


def schema_after(
    workspace: Workspace,
    environment: Environment,
    dialect: str,
    revision: Revision,
    poll: Callable[[], None] | None = None,
) -> Schema | None:
    """The schema after a revision, as `replay` builds it; None when the history does not have it."""
    return next(
        (
            step.schema
            for step in _steps_of(workspace, environment, dialect, poll)
            if step.revision == revision
        ),
        None,
    )


def follow(
    workspace: Workspace,
    environment: Environment,
    dialect: str,
    revision: Revision,
    direction: str,
    told: Callable[[int, str, list[Any], dict[str, Any], str | None], None],
    poll: Callable[[], None] | None = None,
) -> Any:
    """Run one direction of a revision on the schema that it finds, and tell of its operations.

    Args:
        workspace: All files.
        environment: The revision's environment.
        dialect: One of `DIALECTS`.
        revision: The revision.
        direction: `upgrade` or `downgrade`.
        told: Gets each operation: its line (0-based), name, arguments, and the table of its batch.
        poll: Called now and then; ends everything by raising.

    Returns:
        The dialect.
    """
    steps = _steps_of(workspace, environment, dialect, poll)
    at = next((index for index, step in enumerate(steps) if step.revision == revision), len(steps))
    before = at if direction == "downgrade" else at - 1
    real = dialect_of(dialect)
    runner = _Runner(
        workspace, environment, real, None, steps[before] if 0 <= before < len(steps) else None, poll
    )
    runner.tell(revision, told)
    runner.run(revision, direction)
    return real


def _steps_of(
    workspace: Workspace, environment: Environment, dialect: str, poll: Callable[[], None] | None
) -> list[_Step]:
    replay(workspace, environment, dialect, None, poll)
    return _KEPT[workspace][_key(environment, dialect, None)]


def _key(environment: Environment, dialect: str, metadata: Any) -> tuple[str, ...]:
    """What the steps of a replay are kept under: other conventions give other names."""
    folders = environment.scripts.version_folders
    options = repr(sorted(environment.options.items()))
    return (environment.scripts.folder, *folders, dialect, repr(_convention(metadata)), options)


def _convention(metadata: Any) -> Any:
    found = getattr(metadata, "naming_convention", None)
    return (
        sorted((key, str(value)) for key, value in found.items() if isinstance(key, str)) if found else None
    )


def _text(workspace: Workspace, file_id: str) -> int:
    file = workspace.file(file_id)
    return hash(file.document.text) if file is not None else 0


def _still_valid(workspace: Workspace, steps: Sequence[_Step], order: Sequence[Revision]) -> list[_Step]:
    """The first steps, as many as rest on what has not changed."""
    texts: dict[str, int] = {}
    valid: list[_Step] = []
    for step, revision in zip(steps, order, strict=False):
        for file_id in step.texts:
            if file_id not in texts:
                texts[file_id] = _text(workspace, file_id)
        if step.revision != revision or any(texts[file_id] != text for file_id, text in step.texts.items()):
            break
        valid.append(step)
    return valid


class _Runner:
    """Runs revisions one behind the other."""

    def __init__(
        self,
        workspace: Workspace,
        environment: Environment,
        dialect: Any,
        metadata: Any,
        start: _Step | None,
        poll: Callable[[], None] | None,
    ) -> None:
        self._workspace = workspace
        self._evaluator = Evaluator(workspace, poll)
        # A revision may declare models of its own and create their tables.
        maker = declarative.Declarative(self._evaluator)
        for library in (declarative, flask, sqlmodels):
            library.install(maker)
        self._limits: list[Limit] = []
        self._revision: Revision | None = None
        schema = start.schema.copy() if start is not None else Schema()
        self._recorder = Recorder(dialect, schema, lambda: bool(self._evaluator.uncertain), self._limit)
        self._emulation = Emulation(
            self._evaluator, self._recorder, metadata, self._limit, environment.options
        )

    def _limit(self, reason: str) -> None:
        revision = self._revision
        assert revision is not None
        place = self._evaluator.place
        file_id, line = revision.file_id, 0
        if place is not None:
            frame, node = place
            file_id = frame.module.file_id
            line = getattr(node, "lineno", 1) - 1 + (frame.chunk.shift if frame.chunk is not None else 0)
        found = Limit(reason, revision.id, file_id, line)
        if found not in self._limits:
            self._limits.append(found)

    def tell(
        self, revision: Revision, told: Callable[[int, str, list[Any], dict[str, Any], str | None], None]
    ) -> None:
        """From now on tell of the operations that stand in a revision's own file."""

        def applied(name: str, args: list[Any], given: dict[str, Any], batch: str | None) -> None:
            place = self._evaluator.place
            if place is not None and place[0].module.file_id == revision.file_id:
                frame, node = place
                shift = frame.chunk.shift if frame.chunk is not None else 0
                told(getattr(node, "lineno", 1) - 1 + shift, name, args, given, batch)

        self._emulation.applied = applied

    def run(self, revision: Revision, direction: str = "upgrade") -> _Step:
        """The state after one more revision, or after one that is taken back."""
        self._revision = revision
        self._limits = []
        recorder, evaluator = self._recorder, self._evaluator
        recorder.revision = revision.id
        evaluator.program.read = set()
        module = evaluator.program.module(revision.file_id)
        upgrade: Value = module.get(direction) if module is not None else None
        if isinstance(upgrade, Function):
            self._upgrade(upgrade, module)
        else:
            self._limit("its `upgrade` could not be found")
            self._doubt_mentioned(module)
        absent = tuple(recorder.absent)
        recorder.absent.clear()
        files = {file_id for file_id, _ in evaluator.program.read} | {revision.file_id}
        texts = {file_id: _text(self._workspace, file_id) for file_id in files if os.path.isabs(file_id)}
        step = _Step(revision, texts, recorder.schema, tuple(self._limits), absent)
        recorder.schema = recorder.schema.copy()
        return step

    def _upgrade(self, upgrade: Function, module: Any) -> None:
        notes = len(self._evaluator.notes)
        needed = [arg.arg for arg in upgrade.node.args.args if arg.arg not in upgrade.defaults]
        if needed:
            # Several databases with one history: which of them is meant, only the run would tell.
            self._limit("its `upgrade` asks for a parameter, which happens with several databases")
            self._doubt_mentioned(module)
            return
        before = self._recorder.schema.copy()
        result = self._evaluator.run(upgrade)
        if isinstance(result, Opaque) and result.name == "" and self._evaluator.notes[notes:]:
            # A revision that was released ran to its end: what raises here stands on something that only the run knows.
            self._recorder.schema, self._limits = before, []
            self._recorder.absent.clear()
            self._evaluator.is_lenient = True
            try:
                result = self._evaluator.run(upgrade)
            finally:
                self._evaluator.is_lenient = False
        if isinstance(result, Opaque) and result.name == "":
            reason = self._evaluator.notes[-1].reason if len(self._evaluator.notes) > notes else "it stopped"
            self._limit(f"could not be followed to its end ({reason})")
            self._doubt_mentioned(module)

    def _doubt_mentioned(self, module: Any) -> None:
        """Of the tables that a revision names, nothing is sure any more; it may have made others."""
        schema = self._recorder.schema
        schema.has_unknown_tables = True
        if module is None:
            return
        words = set(_strings(module.file.syntax))
        for key in list(schema.tables):
            if key[1] in words or any(key[1] in word for word in words if " " in word):
                self._recorder.doubt(key, EXISTENCE)


def _strings(syntax: Any) -> Iterator[str]:
    for chunk in syntax.iter_chunks():
        for statement in chunk.body:
            for node in ast.walk(statement):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value
