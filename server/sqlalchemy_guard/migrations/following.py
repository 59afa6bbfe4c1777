"""What the commands of a document come to: through the scripts, targets, sessions and services that they call.

Whatever may prepare a database counts as preparing it. This module must never run a command, nor judge what it finds.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from sqlalchemy_guard.documents.commands import (
    MIGRATES,
    UPGRADE,
    is_server,
    is_test,
    nested,
    prepares,
    program_of,
    script_file,
)
from sqlalchemy_guard.documents.facts import Origin
from sqlalchemy_guard.documents.kinds import CI_KINDS, checked_kind, kind_of
from sqlalchemy_guard.documents.nodes import BrokenYaml
from sqlalchemy_guard.documents.read import entries_of
from sqlalchemy_guard.documents.scripts import nox
from sqlalchemy_guard.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy_guard.documents.commands import Program
    from sqlalchemy_guard.documents.pipeline import Entry, Step
    from sqlalchemy_guard.documents.shell import Simple
    from sqlalchemy_guard.project.workspace import Workspace

_TASK_FILES = {
    "just": "justfile", "task": "Taskfile.yml", "invoke": "tasks.py", "inv": "tasks.py", "npm": "package.json",
    "yarn": "package.json", "pnpm": "package.json", "poe": "pyproject.toml", "hatch": "pyproject.toml",
    "taskipy": "pyproject.toml", "pdm": "pyproject.toml", "nox": "noxfile.py", "pipenv": "Pipfile", "doit": "dodo.py",
}  # fmt: skip
_DEEPEST = 6


class Effect(NamedTuple):
    """What a command comes to, wherever it is written.

    Attributes:
        what: `prepare` may make or migrate the tables.
        program: What is started.
        folder: Where it runs.
        origin: Where it is written, when that is another file.
        step: The step of the root document that leads to it.
        command: That step's command.
    """

    what: Literal["prepare", "start", "test"]
    program: Program | None
    folder: str
    origin: Origin | None
    step: Step
    command: Simple


class Follower:
    """Follows the commands of one root document into scripts, targets and services."""

    def __init__(self, workspace: Workspace, file_id: str, entries: Sequence[Entry]) -> None:
        self._workspace = workspace
        self._root = file_id
        self._entries = entries
        self._kind = checked_kind(file_id)
        self._top = next(
            (each for each in workspace.folders if file_id.startswith(os.path.join(each, ""))),
            os.path.dirname(file_id),
        )
        self._seen: set[tuple[str, str]] = set()
        self._strict = False

    def effects(self, entry: Entry, only: object = None) -> Iterator[Effect]:
        """What an entry comes to, in order.

        Args:
            only: MIGRATES, where what merely may prepare a database does not count.
        """
        self._strict = only is not None
        start = self._top if self._kind in CI_KINDS else os.path.dirname(self._root)
        folder = os.path.normpath(os.path.join(start, entry.folder))
        if entry.role == "target":
            yield from self._needed(self._root, self._entries, entry, folder, 0)
        for step in entry.steps:
            at = os.path.normpath(os.path.join(folder, _inside_folder(step.folder)))
            for command in step.commands:
                at = _changed(at, command)
                yield from self._command(command, at, step, command, None, 0)

    def _needed(
        self, file_id: str, entries: Sequence[Entry], entry: Entry, folder: str, depth: int
    ) -> Iterator[Effect]:
        """What the targets come to that a target needs."""
        for name in entry.needs:
            for other in entries if depth < _DEEPEST and self._is_new(file_id, name) else ():
                if other.name == name:
                    yield from self._needed(file_id, entries, other, folder, depth + 1)
                    for step in other.steps:
                        for command in step.commands:
                            yield from self._command(
                                command,
                                folder,
                                step,
                                command,
                                Origin(file_id, command.start, command.end),
                                depth + 1,
                            )

    def _command(
        self, command: Simple, folder: str, step: Step, root: Simple, origin: Origin | None, depth: int
    ) -> Iterator[Effect]:
        if depth > _DEEPEST:
            return
        program = program_of(command.words)
        if self._prepares(command, program):
            yield Effect("prepare", program, folder, origin, step, root)
            return
        if command.words[0].text in ("uses", "template"):
            if self._named_migrates(command.words[-1].text, folder):
                yield Effect("prepare", None, folder, origin, step, root)
            return
        if program is None:
            return
        if program.folder:
            folder = os.path.normpath(os.path.join(folder, _inside_folder(program.folder)))
        inner = nested(program)
        if inner is not None:
            for each in inner:
                folder = _changed(folder, each)
                yield from self._command(
                    each, folder, step, each if root is command else root, origin, depth + 1
                )
        elif is_server(program) or (program.name.startswith("python") and program.words):
            yield Effect("start", program, folder, origin, step, root)
        elif is_test(program):
            yield Effect("test", program, folder, origin, step, root)
        elif program.name == "docker compose":
            yield from self._services(folder, step, root, depth)
        else:
            yield from self._called(program, folder, step, root, depth)

    def _prepares(self, command: Simple, program: Program | None) -> bool:
        if self._strict:
            name = program.name if program is not None else ""
            is_text = UPGRADE.search(command.text) or (
                MIGRATES.search(command.text) and prepares(command, program)
            )
            return bool(is_text) and name not in ("pip", "echo", "git")
        return prepares(command, program)

    def _named_migrates(self, name: str, folder: str) -> bool:
        """Whether an action or template of the repository migrates."""
        if not name.startswith((".", "/")) and not name.endswith((".yml", ".yaml")):
            return False
        for base in (self._top, folder, os.path.dirname(self._root)):
            path = os.path.normpath(os.path.join(base, name.lstrip("/")))
            for each in (path, os.path.join(path, "action.yml"), os.path.join(path, "action.yaml")):
                text = self._workspace.text_of(each)
                if text is not None and MIGRATES.search(text):
                    return True
        return False

    def _called(
        self, program: Program, folder: str, step: Step, root: Simple, depth: int
    ) -> Iterator[Effect]:
        """What a script, a target or a session comes to."""
        texts = [word.text for word in program.words]
        if program.name in ("make", "gmake"):
            yield from self._targets(texts[1:], folder, step, root, depth)
            return
        if program.name in ("tox", "nox"):
            yield from self._sessions(program.name, texts, folder, step, root, depth)
            return
        if program.name in _TASK_FILES or program.name == "task":
            text = self._workspace.text_of(os.path.join(folder, _TASK_FILES[program.name])) or ""
            names = [word for word in texts[1:] if not word.startswith("-") and word not in ("run", "exec")]
            if UPGRADE.search(text) and (not self._strict or any(MIGRATES.search(name) for name in names)):
                yield Effect("prepare", program, folder, None, step, root)
            return
        path = script_file(program)
        file_id = self._find_script(path, folder) if path is not None else None
        if file_id is None or not self._is_new(file_id, ""):
            return
        text = self._workspace.text_of(file_id) or ""
        if kind_of(file_id) != "shell":
            if UPGRADE.search(text):
                yield Effect("prepare", program, folder, None, step, root)
            return
        for entry in entries_of("shell", text):
            yield from self._written(file_id, entry, folder, step, root, depth)

    def _is_new(self, file_id: str, name: str) -> bool:
        """Whether a target of a file was not followed yet; it is from now on."""
        new = (file_id, name) not in self._seen
        self._seen.add((file_id, name))
        return new

    def _find_script(self, path: str, folder: str) -> str | None:
        """The file of the repository that a path means; in an image it has another folder, and often another name before it."""
        parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]
        if not parts or "$" in parts[-1]:
            return None
        direct = os.path.normpath(os.path.join(folder, path))
        known = set(self._workspace.plain_documents())
        if direct in known:
            return direct
        near = [each for each in known if os.path.basename(each) == parts[-1]]
        base = os.path.dirname(self._root)
        ranked = sorted(near, key=lambda each: (-_shared(each, base), len(each), each))
        return ranked[0] if ranked else None

    def _targets(
        self, words: list[str], folder: str, step: Step, root: Simple, depth: int
    ) -> Iterator[Effect]:
        if "-C" in words[:-1]:
            folder = os.path.normpath(os.path.join(folder, _inside_folder(words[words.index("-C") + 1])))
        known = self._workspace.names_in(folder)
        name = next((name for name in ("GNUmakefile", "makefile", "Makefile") if name in known), None)
        if name is None:
            return
        file_id = os.path.join(folder, name)
        entries = entries_of("make", self._workspace.text_of(file_id) or "")
        wanted = [word for word in words if not word.startswith("-") and "=" not in word] or [
            entry.name for entry in entries[:1]
        ]
        for target in wanted:
            yield from self._entries_called(file_id, entries, target, folder, step, root, depth)

    def _entries_called(
        self,
        file_id: str,
        entries: Sequence[Entry],
        name: str,
        folder: str,
        step: Step,
        root: Simple,
        depth: int,
    ) -> Iterator[Effect]:
        if depth > _DEEPEST or not self._is_new(file_id, name):
            return
        for entry in entries:
            if entry.name != name:
                continue
            for needed in entry.needs:
                yield from self._entries_called(file_id, entries, needed, folder, step, root, depth + 1)
            yield from self._written(file_id, entry, folder, step, root, depth)

    def _written(
        self, file_id: str, entry: Entry, folder: str, step: Step, root: Simple, depth: int
    ) -> Iterator[Effect]:
        """What the commands of an entry of another file come to; `make` begins each line in its folder anew."""
        starts_anew = os.path.basename(file_id).lower().endswith("makefile")
        at = folder
        for each in entry.steps:
            for command in each.commands:
                at = _changed(at, command)
                origin = Origin(file_id, command.start, command.end)
                yield from self._command(command, at, step, root, origin, depth + 1)
            at = folder if starts_anew else at

    def _sessions(
        self, tool: str, words: list[str], folder: str, step: Step, root: Simple, depth: int
    ) -> Iterator[Effect]:
        file_id = os.path.join(folder, "tox.ini" if tool == "tox" else "noxfile.py")
        text = self._workspace.text_of(file_id)
        if text is None:
            return
        entries = entries_of("tox", text) if tool == "tox" else nox(text)
        asked = {
            name
            for number, word in enumerate(words[1:], 1)
            if words[number - 1] in ("-e", "-s")
            for name in word.split(",")
        }
        chosen = [entry for entry in entries if entry.name in asked] or [
            entry for entry in entries if entry.name == "" or tool == "nox"
        ]
        for entry in chosen:
            yield from self._entries_called(file_id, entries, entry.name, folder, step, root, depth)

    def _services(self, folder: str, step: Step, root: Simple, depth: int) -> Iterator[Effect]:
        """What the services of a Compose file come to that prepare a database; what they start is reported there."""
        for name in sorted(self._workspace.names_in(folder)):
            file_id = os.path.join(folder, name)
            if kind_of(file_id) != "compose" or not self._is_new(file_id, "up"):
                continue
            try:
                entries = entries_of("compose", self._workspace.text_of(file_id) or "")
            except BrokenYaml:
                continue
            for entry in entries:
                for each in entry.steps:
                    for command in each.commands:
                        for effect in self._command(
                            command, folder, step, root, Origin(file_id, 0, 0), depth + 1
                        ):
                            if effect.what == "prepare":
                                yield effect


def _inside_folder(folder: str) -> str:
    """A folder as it is called from the repository's top; what an environment variable says is not known."""
    folder = (
        folder.replace("${{ github.workspace }}", ".")
        .replace("$GITHUB_WORKSPACE", ".")
        .replace("$CI_PROJECT_DIR", ".")
    )
    return (
        folder
        if not folder.startswith("/") and "$" not in folder
        else folder.lstrip("/")
        if "$" not in folder
        else ""
    )


def _changed(folder: str, command: Simple) -> str:
    """The folder after a command."""
    words = [word.text for word in command.words]
    if words[0] not in ("cd", "pushd") or len(words) < 2 or "$" in words[1] or words[1] == "-":
        return folder
    if os.path.isabs(words[1]):
        return folder
    return os.path.normpath(os.path.join(folder, words[1]))


def _shared(path: str, folder: str) -> int:
    """How many folders two paths begin with together."""
    pairs = zip(path.split(os.sep), folder.split(os.sep), strict=False)
    return next((number for number, (one, other) in enumerate(pairs) if one != other), len(folder))
