"""Jobs of GitHub Actions, GitLab CI, CircleCI, Azure Pipelines and Jenkins, as entries. Must never look at another file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.documents.nodes import (
    bounds,
    elements,
    get,
    is_mapping,
    is_sequence,
    items,
    plain,
    read_nodes,
    script_of,
)
from sqlalchemy_guard.documents.pipeline import Entry, Form, Step, has_server, script_step
from sqlalchemy_guard.documents.shell import Script, Simple, Word
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.documents.nodes import Node

_DEEPEST = 8
_GITLAB_WORDS = frozenset(
    {
        "stages",
        "variables",
        "default",
        "include",
        "workflow",
        "image",
        "services",
        "cache",
        "before_script",
        "after_script",
    }
)
_SH = lazy_pattern(r"\bsh\s*\(?\s*(?:script\s*:\s*)?(?P<quote>'''|\"\"\"|'|\")(?P<text>.*?)(?P=quote)", 16)


def github(text: str) -> list[Entry]:
    """The jobs of a workflow, or the steps of an action.

    Raises:
        BrokenYaml: see `nodes.read_nodes`.
    """
    found: list[Entry] = []
    for top in read_nodes(text):
        shared = _slice(text, get(top, "env"))
        folder = plain(get(top, "defaults", "run", "working-directory"))
        for name, _, job in items(get(top, "jobs")):
            own = plain(get(job, "defaults", "run", "working-directory")) or folder
            steps = tuple(_github_steps(text, get(job, "steps"), own))
            needs = tuple(plain(each) for each in elements(get(job, "needs")))
            found.append(Entry(name, "job", steps, has_server(shared + "\n" + _slice(text, job)), needs))
    return found


def _github_steps(text: str, steps: Node | None, folder: str) -> Iterator[Step]:
    for step in steps.value if steps is not None and is_sequence(steps) else ():
        start, end = bounds(step)
        run, uses = get(step, "run"), get(step, "uses")
        if run is not None:
            block = getattr(run, "style", None) == "|"
            where = plain(get(step, "working-directory")) or folder
            alone = len(script_of(run, text).text.strip().splitlines()) <= 1
            form: Form = "step" if alone or not block else "lines"
            yield script_step(script_of(run, text), start, end, form, where)
        elif uses is not None:
            yield _named(uses, "uses", start, end)


def _named(node: Node, what: str, start: int, end: int) -> Step:
    """The step that runs what stands in another file."""
    at, stop = bounds(node)
    words = (Word(what, at, at), Word(plain(node), at, stop))
    return Step((Simple(words, at, stop, False),), start, end)


def gitlab(text: str) -> list[Entry]:
    """The jobs of GitLab CI.

    Raises:
        BrokenYaml: see `nodes.read_nodes`.
    """
    found: list[Entry] = []
    for top in read_nodes(text):
        jobs = {name: job for name, _, job in items(top) if is_mapping(job)}
        shared = "".join(
            _slice(text, get(top, *path)) for path in (("variables",), ("services",), ("default",))
        )
        for name, job in jobs.items():
            if name in _GITLAB_WORDS or name.startswith("."):
                continue
            chain = _gitlab_chain(job, jobs)
            before = (
                _first(chain, "before_script")
                or get(top, "default", "before_script")
                or get(top, "before_script")
            )
            steps: list[Step] = []
            for part in (before, _first(chain, "script")):
                steps += [_item(text, each) for each in elements(part)]
            # Value by value: what is merged into a job stands elsewhere.
            where = "\n".join(
                (shared, *(_slice(text, value) for each in chain for _, _, value in items(each)))
            )
            needs = tuple(
                plain(get(each, "job")) if is_mapping(each) else plain(each)
                for each in _sequence(get(job, "needs"))
            )
            found.append(Entry(name, "job", tuple(steps), has_server(where), needs))
    return found


def _sequence(node: Node | None) -> list[Node]:
    return list(node.value) if node is not None and is_sequence(node) else []


def _gitlab_chain(job: Node, jobs: dict[str, Node]) -> list[Node]:
    """A job and those that it extends, the nearest first."""
    chain, todo = [job], [job]
    while todo and len(chain) < 20:
        for parent in elements(get(todo.pop(), "extends")):
            found = jobs.get(plain(parent))
            if found is not None and found not in chain:
                chain.append(found)
                todo.append(found)
    return chain


def _first(chain: list[Node], name: str) -> Node | None:
    return next((found for node in chain if (found := get(node, name)) is not None), None)


def _item(text: str, node: Node) -> Step:
    """A command that is an item of a list, which a shell gets."""
    start, end = bounds(node)
    block = getattr(node, "style", None) == "|"
    return script_step(script_of(node, text), start, end, "lines" if block else "item")


def circleci(text: str) -> list[Entry]:
    """The jobs of CircleCI, with the commands that the file defines put in.

    Raises:
        BrokenYaml: see `nodes.read_nodes`.
    """
    found: list[Entry] = []
    for top in read_nodes(text):
        commands, executors = get(top, "commands"), _slice(text, get(top, "executors"))
        for name, _, job in items(get(top, "jobs")):
            folder = plain(get(job, "working_directory"))
            steps = tuple(
                _circle_steps(text, get(job, "steps"), commands, "" if folder.startswith("~") else folder, 0)
            )
            where = _slice(text, job) + ("\n" + executors if get(job, "executor") is not None else "")
            found.append(Entry(name, "job", steps, has_server(where)))
    return found


def _circle_steps(
    text: str, steps: Node | None, commands: Node | None, folder: str, depth: int
) -> Iterator[Step]:
    for step in _sequence(steps) if depth < _DEEPEST else ():
        start, end = bounds(step)
        run = get(step, "run")
        if run is not None:
            command = get(run, "command") if is_mapping(run) else run
            where = plain(get(run, "working_directory")) or folder
            if command is not None:
                block = getattr(command, "style", None) == "|"
                yield script_step(script_of(command, text), start, end, "lines" if block else "shell", where)
            continue
        name = plain(step) or next((key for key, _, _ in items(step)), "")
        if name == "when" or name == "unless":
            yield from _circle_steps(text, get(step, name, "steps"), commands, folder, depth + 1)
        else:
            yield from _circle_steps(text, get(commands, name, "steps"), commands, folder, depth + 1)


def azure(text: str) -> list[Entry]:
    """The jobs of Azure Pipelines.

    Raises:
        BrokenYaml: see `nodes.read_nodes`.
    """
    found: list[Entry] = []
    for top in read_nodes(text):
        shared = "".join(_slice(text, get(top, name)) for name in ("variables", "services", "resources"))
        for name, node in _azure_jobs(top, 0):
            steps = tuple(_azure_steps(text, get(node, "steps")))
            whole = _slice(text, node) + "\n" + shared
            needs = tuple(plain(each) for each in elements(get(node, "dependsOn")))
            found.append(Entry(name, "job", steps, has_server(whole), needs))
    return found


def _azure_jobs(node: Node, depth: int) -> Iterator[tuple[str, Node]]:
    """Everything that has steps, wherever stages, jobs and strategies put it."""
    if depth > _DEEPEST * 2:
        return
    if is_mapping(node):
        if get(node, "steps") is not None:
            yield plain(get(node, "job")) or plain(get(node, "deployment")) or "pipeline", node
        for name, _, value in items(node):
            if name != "steps":
                yield from _azure_jobs(value, depth + 1)
    elif is_sequence(node):
        for each in node.value:
            yield from _azure_jobs(each, depth + 1)


def _azure_steps(text: str, steps: Node | None) -> Iterator[Step]:
    for step in _sequence(steps):
        start, end = bounds(step)
        folder = plain(get(step, "workingDirectory"))
        folder = (
            folder.replace("$(Build.SourcesDirectory)", "")
            .replace("$(System.DefaultWorkingDirectory)", "")
            .lstrip("/")
        )
        script = get(step, "script") or get(step, "bash")
        if script is not None:
            block = getattr(script, "style", None) == "|"
            alone = len(plain(script).strip().splitlines()) <= 1
            yield script_step(
                script_of(script, text), start, end, "step" if alone or not block else "lines", folder
            )
        elif (template := get(step, "template")) is not None:
            yield _named(template, "template", start, end)


def jenkins(text: str) -> list[Entry]:
    """The shell steps of a Jenkinsfile, in the order in which they are written, as one job."""
    steps: list[Step] = []
    for found in _SH.finditer(_without_comments(text)):
        start, end = found.span("text")
        inner = text[start:end]
        form: Form = "lines" if "\n" in inner else "shell"
        steps.append(script_step(Script.of(inner, start), found.start(), found.end(), form))
    return [Entry("Jenkinsfile", "job", tuple(steps), has_server(text))] if steps else []


def _without_comments(text: str) -> str:
    """The text with lines of comment blanked, every other character where it was."""
    return "".join(
        " " * (len(line) - 1) + "\n"
        if line.lstrip().startswith(("//", "* ", "/*")) and line.endswith("\n")
        else line
        for line in text.splitlines(keepends=True)
    )


def _slice(text: str, node: Node | None) -> str:
    """The source of a node."""
    if node is None:
        return ""
    start, end = bounds(node)
    # From the line's beginning, so that a pattern sees keys.
    return text[text.rfind("\n", 0, start) + 1 : end]
