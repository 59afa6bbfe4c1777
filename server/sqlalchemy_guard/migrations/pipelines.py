"""Pipelines that start an application, or test its database, and never migrate: through the scripts that they call.

For a start it is enough that anything which deploys the application migrates: which of two documents runs first cannot be
known; and it is told once, where to act. A run of tests needs it in its own job, where the database is. This module must never run
a command.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from sqlalchemy_guard.documents.facts import Origin, UnmigratedRun
from sqlalchemy_guard.documents.kinds import CI_KINDS
from sqlalchemy_guard.documents.read import entries_of
from sqlalchemy_guard.documents.shell import Simple
from sqlalchemy_guard.migrations.deployed import upgraded_by
from sqlalchemy_guard.migrations.following import Follower
from sqlalchemy_guard.migrations.started import environments_of, root_of, tested_environment, upgrades_in_code
from sqlalchemy_guard.migrations.starts import is_looked_at, started_environment, unmigrated_starts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy_guard.documents.facts import PlainDocument
    from sqlalchemy_guard.documents.kinds import Kind
    from sqlalchemy_guard.documents.pipeline import Entry
    from sqlalchemy_guard.migrations.environment import Scripts
    from sqlalchemy_guard.migrations.following import Effect
    from sqlalchemy_guard.migrations.starts import Start
    from sqlalchemy_guard.project.workspace import Workspace

_CONTAINERS = frozenset({"dockerfile", "compose", "kubernetes"})


def unmigrated_runs(plain: PlainDocument, workspace: Workspace) -> Iterator[UnmigratedRun]:
    """What a document starts or tests without migrating.

    Raises:
        BrokenYaml: the document should be YAML and is none.
    """
    if plain.kind in ("ini",) or not workspace.is_read:
        workspace.resolver.keys.add(workspace.READ)
        return
    if not is_looked_at(workspace, plain.file_id) or not environments_of(workspace):
        return
    entries = entries_of(plain.kind, plain.document.text)
    if plain.kind not in CI_KINDS and plain.kind not in ("make", "tox"):
        yield from _of_starts(plain, workspace)
        return
    for entry in entries:
        effects = list(Follower(workspace, plain.file_id, entries).effects(entry))
        yield from _of_job(plain, workspace, entry, entries, effects)


def _of_job(
    plain: PlainDocument, workspace: Workspace, entry: Entry, entries: Sequence[Entry], effects: list[Effect]
) -> Iterator[UnmigratedRun]:
    """In a job with a database of its own, what runs before what counts."""
    if not entry.has_database:
        return
    needed = [other for other in entries if other.name in entry.needs]
    if any(
        effect.what == "prepare"
        for other in needed
        for effect in Follower(workspace, plain.file_id, entries).effects(other)
    ):
        return
    for effect in effects:
        if effect.what == "prepare":
            return
        assert effect.program is not None
        if effect.what == "test":
            scripts = tested_environment(workspace, effect.program, effect.folder)
        else:
            scripts = started_environment(workspace, effect, os.path.dirname(plain.file_id))
        if scripts is None or (entry.role == "target" and upgraded_by(workspace, scripts)):
            continue
        if not upgrades_in_code(workspace, scripts, tests=True):
            yield _run(plain, workspace, effect, scripts, effect.command)
            return


def _of_starts(plain: PlainDocument, workspace: Workspace) -> Iterator[UnmigratedRun]:
    """What is started without its migrations is told in one document, whichever others start it, too."""
    for scripts in environments_of(workspace):
        found, image = unmigrated_starts(workspace, scripts)
        if image is not None and image.file_id == plain.file_id:
            effect = found[0].effect._replace(step=image.step)
            command = Simple((), image.step.start, image.step.end, True)
            yield _run(plain, workspace, effect, scripts, command, found)
        elif image is None and found and found[0].file_id == plain.file_id:
            yield _run(plain, workspace, found[0].effect, scripts, found[0].effect.command, found[1:])


def _run(
    plain: PlainDocument,
    workspace: Workspace,
    effect: Effect,
    scripts: Scripts,
    command: Simple,
    others: Sequence[Start] = (),
) -> UnmigratedRun:
    program = effect.program
    assert program is not None
    tool = "python" if program.name.startswith("python") else program.name
    what: Literal["start", "test"] = "test" if effect.what == "test" else "start"
    upgrade = _upgrade_command(workspace, effect, scripts, plain.kind)
    name = os.path.basename(scripts.folder)
    elsewhere = tuple(
        Origin(start.file_id, start.effect.command.start, start.effect.command.end) for start in others
    )
    return UnmigratedRun(plain, what, tool, effect.step, command, effect.origin, name, upgrade, elsewhere)


def _upgrade_command(workspace: Workspace, effect: Effect, scripts: Scripts, kind: Kind) -> str | None:
    """The command that migrates from where the step runs; None where the configuration is not to be found from there."""
    words = [word.text for word in effect.command.words]
    runner = ""
    if words[:2] in (["uv", "run"], ["poetry", "run"], ["pipenv", "run"], ["pdm", "run"], ["rye", "run"]):
        runner = f"{words[0]} run "
    env = workspace.file(scripts.env)
    if env is not None and "current_app" in env.document.text:
        return f"{runner}flask db upgrade"
    if not scripts.configurations:
        return None
    here, name = os.path.split(scripts.configurations[0].file_id)
    root = root_of(workspace, scripts)
    if effect.folder not in (here, root) and effect.step.form not in ("argv", "shell", "lines", "key"):
        return None
    base = here if effect.folder not in (here, root) else effect.folder
    inside = os.path.join(base, "")
    if not os.path.join(here, name).startswith(inside):
        return None
    path = os.path.join(here, name)[len(inside) :].replace(os.sep, "/")
    option = "" if path in ("alembic.ini", "pyproject.toml") else f"-c {path} "
    if option and kind in _CONTAINERS:
        # What is where in an image, nobody says.
        return None
    several = "heads" if len(scripts.version_folders) > 1 else "head"
    return f"{runner}alembic {option}upgrade {several}"
