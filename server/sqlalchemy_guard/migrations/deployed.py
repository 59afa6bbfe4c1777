"""Which documents migrate when an application is deployed. This module must never run a command, nor judge what it finds."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sqlalchemy_guard.documents.commands import MIGRATES, UPGRADE
from sqlalchemy_guard.documents.kinds import CI_KINDS, PLATFORM_KINDS, kind_of
from sqlalchemy_guard.documents.nodes import BrokenYaml
from sqlalchemy_guard.documents.read import entries_of
from sqlalchemy_guard.migrations.following import Follower
from sqlalchemy_guard.migrations.started import concerns
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.documents.kinds import Kind
    from sqlalchemy_guard.migrations.environment import Scripts
    from sqlalchemy_guard.project.workspace import Workspace

_ONLY_TESTS = lazy_pattern(r"test|bench|e2e|\bci\b|lint", 2)
_BY_HAND = frozenset(
    {"justfile", "package.json", "tasks.py", "Pipfile", "noxfile.py", "dodo.py", ".envrc", "Vagrantfile"}
)
_DEPLOYS = lazy_pattern(r"deploy|release|migrat|prod|staging|publish", 2)


def upgraded_by(workspace: Workspace, scripts: Scripts) -> frozenset[str]:
    """The kinds of documents in which something migrates when the application of an environment is deployed; `all`: something
    that does it for all of them."""
    question = f"what migrates by {scripts.folder}"
    return workspace.resolver.gathered(question, lambda: frozenset(_upgraded_by(workspace, scripts)))


def _upgraded_by(workspace: Workspace, scripts: Scripts) -> Iterator[str]:
    for file_id in workspace.plain_documents():
        if not concerns(workspace, scripts, file_id):
            continue
        kind, name = kind_of(file_id), os.path.basename(file_id)
        text = workspace.text_of(file_id)
        if text is None:
            continue
        if kind == "hint" or kind in PLATFORM_KINDS:
            if (
                name not in _BY_HAND
                and not name.startswith(("Taskfile", "taskfile"))
                and UPGRADE.search(text)
            ):
                yield "all"
            if kind in PLATFORM_KINDS:
                yield from _upgraded_in(workspace, file_id, kind, text)
        elif kind == "shell":
            named = MIGRATES.search(name) or UPGRADE.search(text)
            if named and not _ONLY_TESTS.search(name):
                yield "all"
        elif kind is not None and kind not in ("ini", "make", "tox"):
            yield from _upgraded_in(workspace, file_id, kind, text)


def _upgraded_in(workspace: Workspace, file_id: str, kind: Kind, text: str) -> Iterator[str]:
    try:
        entries = entries_of(kind, text)
    except BrokenYaml:
        if UPGRADE.search(text):
            yield "all"
        return
    for entry in entries:
        is_tests = (
            kind in CI_KINDS
            and entry.has_database
            and not _DEPLOYS.search(entry.name + os.path.basename(file_id))
        )
        if is_tests or (
            not MIGRATES.search(text) and not UPGRADE.search(text) and ".sh" not in text and "/" not in text
        ):
            continue
        if any(
            effect.what == "prepare"
            for effect in Follower(workspace, file_id, entries).effects(entry, only=MIGRATES)
        ):
            yield "all" if kind in CI_KINDS | PLATFORM_KINDS else kind
