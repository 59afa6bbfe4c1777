"""Pipelines that start an application, or test its database, and never migrate: through the scripts that they call.

For a start it is enough that anything which deploys the application migrates: which of two documents runs first cannot be
known. A run of tests needs it in its own job, where the database is. This module must never run a command.
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
    reloads,
    script_file,
)
from sqlalchemy_guard.documents.facts import Origin, UnmigratedRun
from sqlalchemy_guard.documents.kinds import checked_kind, kind_of
from sqlalchemy_guard.documents.nodes import BrokenYaml
from sqlalchemy_guard.documents.read import entries_of
from sqlalchemy_guard.documents.scripts import nox
from sqlalchemy_guard.migrations.started import (
    concerns,
    environments_of,
    root_of,
    script_environment,
    server_environment,
    tested_environment,
    upgrades_in_code,
)
from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy_guard.documents.commands import Program
    from sqlalchemy_guard.documents.facts import PlainDocument
    from sqlalchemy_guard.documents.kinds import Kind
    from sqlalchemy_guard.documents.pipeline import Entry, Step
    from sqlalchemy_guard.documents.shell import Simple
    from sqlalchemy_guard.migrations.environment import Scripts
    from sqlalchemy_guard.project.workspace import Workspace

_CI = frozenset({"github", "gitlab", "circleci", "azure", "jenkins"})
_CONTAINERS = frozenset({"dockerfile", "compose", "kubernetes"})
_SILENCED_BY = {
    "dockerfile": frozenset({"all", "dockerfile", "compose", "kubernetes", "procfile"}),
    "compose": frozenset({"all", "dockerfile", "compose"}),
    "kubernetes": frozenset({"all", "dockerfile", "kubernetes"}),
    "procfile": frozenset({"all", "procfile"}),
    "shell": frozenset({"all", "dockerfile", "compose", "kubernetes", "procfile"}),
}
_ELSEWHERE = frozenset(
    {
        "docs",
        "doc",
        "examples",
        "example",
        "tests",
        "test",
        "testing",
        "benchmarks",
        "benchmark",
        "load_testing",
        "fixtures",
    }
)
_ENTRY_NAME = lazy_pattern(r"start|entry|boot|serve|run|web|api|launch|prod|docker|cmd|unicorn", 2)
_NO_ENTRY_NAME = lazy_pattern(r"dev|test|bench|load|local|example|debug|profil|e2e|ci\b|lint|demo|watch", 2)
_ONLY_TESTS = lazy_pattern(r"test|bench|e2e|\bci\b|lint", 2)
_BY_HAND = frozenset(
    {"justfile", "package.json", "tasks.py", "Pipfile", "noxfile.py", "dodo.py", ".envrc", "Vagrantfile"}
)
_DEPLOYS = lazy_pattern(r"deploy|release|migrat|prod|staging|publish", 2)
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


def unmigrated_runs(plain: PlainDocument, workspace: Workspace) -> Iterator[UnmigratedRun]:
    """What a document starts or tests without migrating.

    Raises:
        BrokenYaml: the document should be YAML and is none.
    """
    if plain.kind in ("ini",) or not workspace.is_read:
        workspace.resolver.keys.add(workspace.READ)
        return
    inner = next(
        (plain.file_id[len(each) :] for each in workspace.folders if plain.file_id.startswith(each)), ""
    )
    if not _ELSEWHERE.isdisjoint(inner.replace("\\", "/").split("/")[:-1]) or not environments_of(workspace):
        return
    entries = entries_of(plain.kind, plain.document.text)
    for entry in entries:
        followed = _Follower(workspace, plain.file_id, entries)
        effects = list(followed.effects(entry))
        if plain.kind in _CI or entry.role == "target":
            yield from _of_job(plain, workspace, entry, entries, effects)
        else:
            yield from _of_start(plain, workspace, entry, effects)


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
        for effect in _Follower(workspace, plain.file_id, entries).effects(other)
    ):
        return
    for effect in effects:
        if effect.what == "prepare":
            return
        assert effect.program is not None
        if effect.what == "test":
            scripts = tested_environment(workspace, effect.program, effect.folder)
        else:
            scripts = _started(workspace, effect, os.path.dirname(plain.file_id))
        if scripts is None or (entry.role == "target" and upgraded_by(workspace, scripts)):
            continue
        if not upgrades_in_code(workspace, scripts, tests=True):
            yield _run(plain, workspace, effect, scripts)
            return


def _of_start(
    plain: PlainDocument, workspace: Workspace, entry: Entry, effects: list[Effect]
) -> Iterator[UnmigratedRun]:
    """A start is fine when anything that deploys the application migrates."""
    if any(effect.what == "prepare" for effect in effects):
        return
    for effect in effects:
        if effect.what != "start" or effect.program is None or effect.origin is not None:
            # What a script of the repository starts is reported in the script.
            continue
        if plain.kind == "shell" and not _is_entry_point(_inner(workspace, plain.file_id), effect.program):
            continue
        scripts = _started(workspace, effect, os.path.dirname(plain.file_id))
        if scripts is None or not _SILENCED_BY[plain.kind].isdisjoint(upgraded_by(workspace, scripts)):
            continue
        if not upgrades_in_code(workspace, scripts, tests=False):
            yield _run(plain, workspace, effect, scripts)
            return


def _inner(workspace: Workspace, file_id: str) -> str:
    """A path from its workspace's folder on, with slashes."""
    inner = next((file_id[len(each) :] for each in workspace.folders if file_id.startswith(each)), file_id)
    return inner.replace(os.sep, "/").lstrip("/")


def _is_entry_point(path: str, program: Program) -> bool:
    return bool(_ENTRY_NAME.search(path)) and not _NO_ENTRY_NAME.search(path) and not reloads(program)


def _started(workspace: Workspace, effect: Effect, kin: str) -> Scripts | None:
    program = effect.program
    if program is None:
        return None
    if is_server(program):
        return server_environment(workspace, program, effect.folder, kin)
    name = program.name.removeprefix("python:") if ":" in program.name else program.words[0].text
    return script_environment(workspace, name, effect.folder, kin)


def _run(plain: PlainDocument, workspace: Workspace, effect: Effect, scripts: Scripts) -> UnmigratedRun:
    program = effect.program
    assert program is not None
    tool = "python" if program.name.startswith("python") else program.name
    what: Literal["start", "test"] = "test" if effect.what == "test" else "start"
    upgrade = _upgrade_command(workspace, effect, scripts, plain.kind)
    name = os.path.basename(scripts.folder)
    return UnmigratedRun(plain, what, tool, effect.step, effect.command, effect.origin, name, upgrade)


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
    if effect.folder not in (here, root) and effect.step.form not in ("argv", "shell", "lines"):
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


# -- what deploys ----------------------------------------------------------------------------------------------------


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
        if kind == "hint":
            if (
                name not in _BY_HAND
                and not name.startswith(("Taskfile", "taskfile"))
                and UPGRADE.search(text)
            ):
                yield "all"
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
            kind in _CI and entry.has_database and not _DEPLOYS.search(entry.name + os.path.basename(file_id))
        )
        if is_tests or (
            not MIGRATES.search(text) and not UPGRADE.search(text) and ".sh" not in text and "/" not in text
        ):
            continue
        if any(
            effect.what == "prepare"
            for effect in _Follower(workspace, file_id, entries).effects(entry, only=MIGRATES)
        ):
            yield "all" if kind in _CI else kind


# -- following -------------------------------------------------------------------------------------------------------


class _Follower:
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
        self._only = lazy_pattern("")

    def effects(self, entry: Entry, only: object = None) -> Iterator[Effect]:
        """What an entry comes to, in order.

        Args:
            only: MIGRATES, where what merely may prepare a database does not count.
        """
        self._strict = only is not None
        start = self._top if self._kind in _CI else os.path.dirname(self._root)
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
            for other in entries if depth < _DEEPEST and other_is_new(self._seen, file_id, name) else ():
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
        if file_id is None or (file_id, "") in self._seen:
            return
        self._seen.add((file_id, ""))
        text = self._workspace.text_of(file_id) or ""
        if kind_of(file_id) != "shell":
            if UPGRADE.search(text):
                yield Effect("prepare", program, folder, None, step, root)
            return
        for entry in entries_of("shell", text):
            at = folder
            for each in entry.steps:
                for command in each.commands:
                    at = _changed(at, command)
                    origin = Origin(file_id, command.start, command.end)
                    yield from self._command(command, at, step, root, origin, depth + 1)

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
        if depth > _DEEPEST or not other_is_new(self._seen, file_id, name):
            return
        for entry in entries:
            if entry.name != name:
                continue
            for needed in entry.needs:
                yield from self._entries_called(file_id, entries, needed, folder, step, root, depth + 1)
            at = folder
            for each in entry.steps:
                for command in each.commands:
                    at = _changed(at, command)
                    origin = Origin(file_id, command.start, command.end)
                    yield from self._command(command, at, step, root, origin, depth + 1)
                at = folder if os.path.basename(file_id).lower().endswith("makefile") else at

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
            if kind_of(file_id) != "compose" or not other_is_new(self._seen, file_id, "up"):
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


def other_is_new(seen: set[tuple[str, str]], file_id: str, name: str) -> bool:
    """Whether a target was not followed yet; it is from now on."""
    new = (file_id, name) not in seen
    seen.add((file_id, name))
    return new


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
