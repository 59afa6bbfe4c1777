"""What containers run: Dockerfiles, Compose files and manifests of Kubernetes, as entries. Must never look at another file."""

from __future__ import annotations

import json
import posixpath
from typing import TYPE_CHECKING

from sqlalchemy_guard.documents.commands import MIGRATES
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
from sqlalchemy_guard.documents.pipeline import Entry, Form, Step, list_step, script_step
from sqlalchemy_guard.documents.shell import Script, Word
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.documents.nodes import Node

_INSTRUCTION = lazy_pattern(
    r"^[ \t]*(?P<name>FROM|CMD|ENTRYPOINT|RUN)\b[ \t]*(?P<rest>(?:[^\n\\]|\\(?:\r?\n(?:[ \t]*#[^\n]*\n)*)?)*)",
    2 | 8,
)
_STRING = lazy_pattern(r'"(?:[^"\\]|\\.)*"')
_DEEPEST = 40
_EXPANSION = lazy_pattern(r"\$\$")


def dockerfile(text: str) -> list[Entry]:
    """What the images of a Dockerfile run, one entry a stage."""
    entries: list[Entry] = []
    stage, current = 0, dict[str, Step]()
    builds: list[Step] = []

    def close() -> None:
        steps = (*builds, *(current[name] for name in ("entrypoint", "cmd") if name in current))
        if steps:
            entries.append(Entry(f"stage {stage}", "container", steps))

    for found in _INSTRUCTION.finditer(text):
        name = found["name"].lower()
        if name == "from":
            close()
            stage, current, builds = stage + 1, {}, []
            continue
        start, end = found.span("rest")
        end = start + len(text[start:end].rstrip())
        rest = text[start:end]
        if name == "run":
            # What builds an image has no database; a migration there is a mistake of another kind, or a tool of its own.
            if not MIGRATES.search(rest):
                continue
            builds.append(script_step(Script.of(rest, start), found.start(), end, "none"))
        elif rest.startswith("[") and rest.endswith("]"):
            words = [_json_word(string.group(), start + string.start()) for string in _STRING.finditer(rest)]
            current[name] = _framed(list_step(words, start, end), found.start(), end)
        else:
            current[name] = script_step(Script.of(rest, start), found.start(), end, "shell")
    close()
    return entries


def _json_word(raw: str, start: int) -> Word:
    try:
        text = str(json.loads(raw))
    except ValueError:
        text = raw[1:-1]
    script = Script.of(text, start + 1) if text == raw[1:-1] else Script(text, (start,) * (len(text) + 1))
    return Word(text, start, start + len(raw), script)


def _framed(step: Step, start: int, end: int) -> Step:
    return Step(step.commands, start, end, step.folder, step.form)


def compose(text: str) -> list[Entry]:
    """The services of a Compose file that say what they run.

    Raises:
        BrokenYaml: see `nodes.read_nodes`.
    """
    found: list[Entry] = []
    for top in read_nodes(text):
        services = get(top, "services")
        for name, _, service in items(services):
            steps = [
                step
                for key in ("entrypoint", "command")
                for step in _argument_steps(text, service, key, is_compose=True)
            ]
            build = get(service, "build")
            folder = plain(get(build, "context")) if is_mapping(build) else plain(build)
            folder = "" if "$" in folder or "://" in folder else folder
            before = get(service, "depends_on")
            needs = tuple(
                [key for key, _, _ in items(before)]
                if is_mapping(before)
                else [plain(each) for each in elements(before)]
            )
            if steps:
                where = posixpath.normpath(folder) if folder else ""
                found.append(
                    Entry(name, "container", tuple(steps), False, needs, "" if where == "." else where)
                )
    return found


def _argument_steps(text: str, mapping: Node, key: str, *, is_compose: bool) -> Iterator[Step]:
    """The step of a `command` that is a list, or a text that is split but given to no shell."""
    found = next(((name, node, value) for name, node, value in items(mapping) if name == key), None)
    if found is None:
        return
    _, key_node, value = found
    start, end = bounds(value)
    if is_sequence(value):
        words = [
            Word(_unescaped(plain(each), is_compose), *bounds(each), script_of(each, text))
            for each in value.value
        ]
        yield _framed(list_step(words, start, end), key_node.start_mark.index, end)
    elif plain(value):
        end = start + len(text[start:end].rstrip())
        step = script_step(script_of(value, text), key_node.start_mark.index, end, "argv")
        yield Step(step.commands[:1], step.start, step.end, "", "argv" if len(step.commands) == 1 else "none")


def _unescaped(text: str, is_compose: bool) -> str:
    return _EXPANSION.sub("$", text) if is_compose else text


def kubernetes(text: str) -> list[Entry]:
    """The pods of manifests with what their containers run, those that run first included.

    Raises:
        BrokenYaml: see `nodes.read_nodes`.
    """
    if "containers" not in text:
        return []
    return [
        Entry(name, "container", steps)
        for top in read_nodes(text)
        for name, steps in _pods(text, top, plain(get(top, "metadata", "name")) or "pod", 0)
        if steps
    ]


def _pods(text: str, node: Node, name: str, depth: int) -> Iterator[tuple[str, tuple[Step, ...]]]:
    if depth > _DEEPEST:
        return
    if is_mapping(node):
        if is_sequence(get(node, "containers")):
            steps: list[Step] = []
            for part in ("initContainers", "containers"):
                group = get(node, part)
                for container in group.value if group is not None and is_sequence(group) else ():
                    steps += _container(text, container)
            yield name, tuple(steps)
            return
        for _, _, value in items(node):
            yield from _pods(text, value, name, depth + 1)
    elif is_sequence(node):
        for value in node.value:
            yield from _pods(text, value, name, depth + 1)


def _container(text: str, container: Node) -> Iterator[Step]:
    """`command` and `args` are one list of arguments."""
    lists = [
        value
        for key in ("command", "args")
        if (value := get(container, key)) is not None and is_sequence(value)
    ]
    if not lists:
        return
    words = [
        Word(plain(each), *bounds(each), script_of(each, text)) for value in lists for each in value.value
    ]
    start, end = bounds(lists[0])
    # Of two lists, the second may be laid over by others: the first one alone is rewritten nowhere.
    form: Form = "argv" if len(lists) == 1 and get(container, "command") is not None else "none"
    yield Step(list_step(words, start, end).commands, start, bounds(lists[-1])[1], "", form)
