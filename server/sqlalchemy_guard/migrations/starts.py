"""Where an application is started without its migrations: every document that does so, and the one in which to act.

A release of a platform comes before all, then what deploys an image, then the image itself, then what composes it for a machine;
what is there for development comes last. This module must never run a command.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sqlalchemy_guard.documents.commands import is_server, reloads
from sqlalchemy_guard.documents.kinds import PLATFORM_KINDS, kind_of
from sqlalchemy_guard.documents.nodes import BrokenYaml
from sqlalchemy_guard.documents.read import entries_of
from sqlalchemy_guard.migrations.deployed import upgraded_by
from sqlalchemy_guard.migrations.following import Follower
from sqlalchemy_guard.migrations.started import (
    concerns,
    environments_of,
    script_environment,
    server_environment,
    upgrades_in_code,
)
from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.documents.commands import Program
    from sqlalchemy_guard.documents.kinds import Kind
    from sqlalchemy_guard.documents.pipeline import Entry, Step
    from sqlalchemy_guard.migrations.environment import Scripts
    from sqlalchemy_guard.migrations.following import Effect
    from sqlalchemy_guard.project.workspace import Workspace

_SILENCED_BY: dict[str, frozenset[str]] = {
    "dockerfile": frozenset({"all", "dockerfile", "compose", "kubernetes", "procfile"}),
    "compose": frozenset({"all", "dockerfile", "compose"}),
    "kubernetes": frozenset({"all", "dockerfile", "kubernetes"}),
    "procfile": frozenset({"all", "procfile"}),
    "shell": frozenset({"all", "dockerfile", "compose", "kubernetes", "procfile"}),
    **dict.fromkeys(PLATFORM_KINDS, frozenset({"all", "dockerfile"})),
}
_RANKS = {
    **dict.fromkeys(PLATFORM_KINDS, 0),
    "procfile": 1,
    "kubernetes": 2,
    "dockerfile": 3,
    "compose": 4,
    "shell": 5,
}
_DEVELOPMENT = 10
_ELSEWHERE = frozenset(
    "docs doc examples example tests test testing benchmarks benchmark load_testing fixtures".split()
)
_ENTRY_NAME = lazy_pattern(r"start|entry|boot|serve|run|web|api|launch|prod|docker|cmd|unicorn", 2)
_NO_ENTRY_NAME = lazy_pattern(r"dev|test|bench|load|local|example|debug|profil|e2e|ci\b|lint|demo|watch", 2)


class Start(NamedTuple):
    """An application that a document starts.

    Attributes:
        rank: What is smallest is where to act.
        file_id: The document.
        kind: Its kind.
        scripts: The folder of the migrations that it needs.
        effect: The command that starts it.
    """

    rank: tuple[int, int, str]
    file_id: str
    kind: Kind
    scripts: str
    effect: Effect


class Image(NamedTuple):
    """A document of a platform that runs the image which another one describes."""

    file_id: str
    kind: Kind
    step: Step


def is_looked_at(workspace: Workspace, file_id: str) -> bool:
    """Whether what a document starts matters: not what documentation and tests do."""
    inner = _inner(workspace, file_id)
    return _ELSEWHERE.isdisjoint(inner.split("/")[:-1])


def unmigrated_starts(workspace: Workspace, scripts: Scripts) -> tuple[list[Start], Image | None]:
    """Where an application is started without its migrations, the place to act first; and the document of a platform in which
    it would be told what to run before, where no command stands in it."""
    question = f"what starts the application of {scripts.folder}"
    return workspace.resolver.gathered(question, lambda: _unmigrated_starts(workspace, scripts))


def _unmigrated_starts(workspace: Workspace, scripts: Scripts) -> tuple[list[Start], Image | None]:
    found: list[Start] = []
    images: list[Image] = []
    silent = upgraded_by(workspace, scripts)
    for file_id in workspace.plain_documents():
        kind = kind_of(file_id)
        if (
            kind not in _SILENCED_BY
            or not is_looked_at(workspace, file_id)
            or not concerns(workspace, scripts, file_id)
        ):
            continue
        if not _SILENCED_BY[kind].isdisjoint(silent):
            continue
        found += [each for each in _starts_in(workspace, file_id, kind) if each.scripts == scripts.folder]
        if kind in PLATFORM_KINDS:
            images += _images_in(workspace, file_id, kind)
    if not found or upgrades_in_code(workspace, scripts, tests=False):
        return [], None
    found.sort(key=lambda start: start.rank)
    image = next((each for each in images if _runs_image(workspace, each, found)), None)
    return found, image if found[0].rank[0] > 0 else None


def _runs_image(workspace: Workspace, image: Image, found: list[Start]) -> bool:
    """Whether what a platform runs is what is started here: the image that is described beside its document."""
    folder = os.path.dirname(image.file_id)
    is_built = any(kind_of(os.path.join(folder, name)) == "dockerfile" for name in workspace.names_in(folder))
    return is_built and any(start.kind in ("dockerfile", "shell") for start in found)


def _images_in(workspace: Workspace, file_id: str, kind: Kind) -> list[Image]:
    entries = _entries(workspace, file_id, kind)
    if any(entry.role == "release" for entry in entries):
        return []
    return [Image(file_id, kind, entry.steps[0]) for entry in entries if entry.role == "image"]


def _entries(workspace: Workspace, file_id: str, kind: Kind) -> list[Entry]:
    try:
        return entries_of(kind, workspace.text_of(file_id) or "")
    except BrokenYaml:
        return []


def _starts_in(workspace: Workspace, file_id: str, kind: Kind) -> list[Start]:
    question = f"what {file_id} starts"
    return workspace.resolver.gathered(question, lambda: list(_starts(workspace, file_id, kind)))


def _starts(workspace: Workspace, file_id: str, kind: Kind) -> Iterator[Start]:
    """The applications that a document starts itself and does not migrate; what a script starts is told of the script."""
    entries = _entries(workspace, file_id, kind)
    path = _inner(workspace, file_id)
    for number, entry in enumerate(entries):
        effects = list(Follower(workspace, file_id, entries).effects(entry))
        if any(effect.what == "prepare" for effect in effects):
            continue
        for effect in effects:
            if effect.what != "start" or effect.program is None or effect.origin is not None:
                continue
            if kind == "shell" and not _is_entry_point(path, effect.program):
                continue
            scripts = started_environment(workspace, effect, os.path.dirname(file_id))
            if scripts is None:
                continue
            is_development = bool(_NO_ENTRY_NAME.search(f"{path} {entry.name}")) or reloads(effect.program)
            rank = _RANKS[kind] + (_DEVELOPMENT if is_development else 0)
            # Of the stages of an image, the last one is what is built.
            order = len(entries) - number if kind == "dockerfile" else number
            yield Start((rank, len(path) * 100 + order, path), file_id, kind, scripts.folder, effect)
            break


def started_environment(workspace: Workspace, effect: Effect, kin: str) -> Scripts | None:
    """The environment of the application that a command starts.

    Args:
        kin: The folder of the document that says so.
    """
    program = effect.program
    if program is None or not environments_of(workspace):
        return None
    if is_server(program):
        return server_environment(workspace, program, effect.folder, kin)
    name = program.name.removeprefix("python:") if ":" in program.name else program.words[0].text
    return script_environment(workspace, name, effect.folder, kin)


def _inner(workspace: Workspace, file_id: str) -> str:
    """A path from its workspace's folder on, with slashes."""
    inner = next((file_id[len(each) :] for each in workspace.folders if file_id.startswith(each)), file_id)
    return inner.replace(os.sep, "/").lstrip("/")


def _is_entry_point(path: str, program: Program) -> bool:
    return bool(_ENTRY_NAME.search(path)) and not _NO_ENTRY_NAME.search(path) and not reloads(program)
