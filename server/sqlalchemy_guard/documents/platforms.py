"""What platforms are told to run: Fly, Render, Heroku and Railway, as entries. Must never look at another file.

Where a document only names an image, its entry says so: what that image starts stands elsewhere, what the platform runs before
stands here.
"""

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
from sqlalchemy_guard.documents.pipeline import Entry, Step, script_step
from sqlalchemy_guard.documents.shell import Script
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.documents.nodes import Node
    from sqlalchemy_guard.documents.pipeline import Role

_SECTION = lazy_pattern(r"^[ \t]*\[+[ \t]*(?P<name>[\w.\"-]+)[ \t]*\]+", 8)
_OPTION = lazy_pattern(
    r"^[ \t]*(?P<name>[\w-]+)[ \t]*=[ \t]*\[?[ \t]*(?P<quote>['\"])(?P<value>(?:(?!(?P=quote))[^\n\\])*)(?P=quote)",
    8,
)
_BEFORE = frozenset({"release_command", "preDeployCommand"})
_STARTED = frozenset({"web", "pserv", "worker", "cron"})


def fly(text: str) -> list[Entry]:
    """What `fly.toml` runs before a release, and in which processes; of an image, its first line."""
    found: list[Entry] = []
    for section, name, start, end in _options(text):
        if section == "processes":
            found.append(_entry(text, name, "process", start, end))
        elif section == "deploy" and name in _BEFORE:
            found.append(_entry(text, name, "release", start, end))
    if not any(entry.role == "process" for entry in found) and "[processes]" not in text:
        found.append(_image(text))
    return found


def railway(text: str) -> list[Entry]:
    """What Railway is told to start, and to run before; its configuration is TOML or JSON.

    Raises:
        BrokenYaml: see `nodes.read_nodes`.
    """
    if text.lstrip().startswith("{"):
        deploys = [get(top, "deploy") for top in read_nodes(text)]
        return [entry for deploy in deploys for entry in _commands(text, deploy, "web")]
    return [
        _entry(text, "web", "release" if name in _BEFORE else "process", start, end)
        for section, name, start, end in _options(text)
        if section == "deploy" and (name in _BEFORE or name == "startCommand")
    ]


def render(text: str) -> list[Entry]:
    """The services of a blueprint of Render.

    Raises:
        BrokenYaml: see `nodes.read_nodes`.
    """
    found: list[Entry] = []
    for top in read_nodes(text):
        services = get(top, "services")
        for service in elements_of(services):
            if plain(get(service, "type")) in _STARTED:
                name = plain(get(service, "name")) or "service"
                entries = list(_commands(text, service, name))
                kind = get(service, "runtime") or get(service, "env")
                if (
                    kind is not None
                    and plain(kind) == "docker"
                    and plain(get(service, "type")) == "web"
                    and not entries
                ):
                    place = next(key for key in _keys(service) if key.value in ("runtime", "env"))
                    entries = [Entry(name, "image", (Step((), *bounds(place), "", "key"),))]
                found += entries
    return found


def heroku(text: str) -> list[Entry]:
    """What `heroku.yml` runs; where it builds images only, what they start.

    Raises:
        BrokenYaml: see `nodes.read_nodes`.
    """
    found: list[Entry] = []
    for top in read_nodes(text):
        runs = get(top, "run")
        for name, key, value in items(runs):
            command = get(value, "command") if is_mapping(value) else value
            found += [Entry(name, "process", (_step(text, key, node),)) for node in elements(command)]
        before = get(top, "release", "command")
        found += [Entry("release", "release", (_step(text, node, node),)) for node in elements(before)]
        if runs is None and get(top, "build", "docker", "web") is not None:
            found.append(_image(text))
    return found


def elements_of(node: Node | None) -> list[Node]:
    """The mappings of a sequence."""
    return [each for each in node.value if is_mapping(each)] if node is not None and is_sequence(node) else []


def _keys(node: Node) -> Iterator[Node]:
    for _, key, _ in items(node):
        yield key


def _commands(text: str, node: Node | None, name: str) -> Iterator[Entry]:
    """The commands of a service that are keys of a mapping."""
    for key, place, value in items(node):
        if key in ("startCommand", "dockerCommand", "preDeployCommand"):
            role: Role = "release" if key in _BEFORE else "process"
            for each in elements(value):
                yield Entry(name, role, (_step(text, place, each),))


def _step(text: str, place: Node, node: Node) -> Step:
    start, end = bounds(place)[0], bounds(node)[1]
    step = script_step(script_of(node, text), start, end, "key")
    return Step(step.commands, start, end, "", "key")


def _entry(text: str, name: str, role: Role, start: int, end: int) -> Entry:
    line = text.rfind("\n", 0, start) + 1
    return Entry(name, role, (script_step(Script.of(text[start:end], start), line, end, "key"),))


def _image(text: str) -> Entry:
    """What stands for the image that a document names: its first line that says something."""
    at = 0
    for line in text.splitlines(keepends=True):
        if line.strip() and not line.lstrip().startswith("#"):
            break
        at += len(line)
    else:
        at, line = 0, ""
    return Entry("image", "image", (Step((), at, at + len(line.rstrip()), "", "key"),))


def _options(text: str) -> Iterator[tuple[str, str, int, int]]:
    """Section, name and bounds of the value of each option of a TOML file that is a text on one line."""
    heads = [(0, ""), *((found.start(), found["name"]) for found in _SECTION.finditer(text))]
    for number, (start, section) in enumerate(heads):
        end = heads[number + 1][0] if number + 1 < len(heads) else len(text)
        for found in _OPTION.finditer(text, start, end):
            yield section, found["name"], found.start("value"), found.end("value")
