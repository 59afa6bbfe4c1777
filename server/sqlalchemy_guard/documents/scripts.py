"""Shell scripts, Makefiles, Procfiles, tox and nox, as entries. Must never look at another file."""

from __future__ import annotations

import ast

from sqlalchemy_guard.documents.pipeline import Entry, Step, has_server, list_step, script_step
from sqlalchemy_guard.documents.shell import Script, Word
from sqlalchemy_guard.text.patterns import lazy_pattern

_TARGET = lazy_pattern(r"^(?P<names>[\w./%-][\w./% -]*?)\s*::?(?!=)(?P<needs>[^=\n#]*)(?:#.*)?$")
_PROCESS = lazy_pattern(r"^(?P<name>[A-Za-z0-9_-]+):[ \t]*(?P<command>\S.*?)[ \t]*\r?$", 8)
_SECTION = lazy_pattern(r"^\[(?P<name>[^\]\n]+)\]", 8)
_FACTORS = lazy_pattern(r"^(?P<factors>[!\w.{},-]+):[ \t]+")


def shell(text: str) -> list[Entry]:
    """A script as one entry."""
    step = script_step(Script.of(text), 0, len(text), "lines")
    return [Entry("script", "script", (step,), has_server(text))] if step.commands else []


def make(text: str) -> list[Entry]:
    """The targets of a Makefile; what a target needs is run before it."""
    found: list[Entry] = []
    names: list[str] = []
    needs: tuple[str, ...] = ()
    steps: list[Step] = []

    def close() -> None:
        found.extend(Entry(name, "target", tuple(steps), False, needs) for name in names)

    at = 0
    continued = False
    for line in text.splitlines(keepends=True):
        body = line.rstrip("\r\n")
        if body.startswith("\t") or (continued and names):
            cut = len(body) - len(body.lstrip("\t @-+"))
            step = script_step(
                Script.of(body[cut:].rstrip("\\"), at + cut),
                at,
                at + len(body),
                "none" if continued else "lines",
            )
            steps.append(step)
        elif body.strip() and not body.lstrip().startswith("#"):
            target = _TARGET.match(body)
            close()
            names, needs, steps = [], (), []
            if target:
                names = [name for name in target["names"].split() if not name.startswith(".")]
                needs = tuple(name for name in target["needs"].partition(";")[0].split() if name != "|")
        continued = body.endswith("\\")
        at += len(line)
    close()
    return found


def procfile(text: str) -> list[Entry]:
    """The processes of a Procfile."""
    return [
        Entry(
            found["name"],
            "release" if found["name"] == "release" else "process",
            (
                script_step(
                    Script.of(found["command"], found.start("command")),
                    found.start(),
                    found.end("command"),
                    "shell",
                ),
            ),
        )
        for found in _PROCESS.finditer(text)
    ]


def tox(text: str) -> list[Entry]:
    """The environments of tox: their commands, and those of the base environment where they have none."""
    heads = list(_SECTION.finditer(text))
    found: list[Entry] = []
    base: dict[str, list[Step]] = {}
    for number, head in enumerate(heads):
        name = head["name"].strip()
        if name != "testenv" and not name.startswith("testenv:"):
            continue
        end = heads[number + 1].start() if number + 1 < len(heads) else len(text)
        own = _tox_commands(text, head.end(), end)
        if name == "testenv":
            base = own
        steps = [step for key in ("commands_pre", "commands") for step in own.get(key, base.get(key, []))]
        found.append(Entry(name.removeprefix("testenv").removeprefix(":"), "target", tuple(steps)))
    return found


def _tox_commands(text: str, start: int, end: int) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    key = ""
    at = start
    for line in text[start:end].splitlines(keepends=True):
        body = line.rstrip("\r\n")
        begin = 0
        if body[:1].strip() and not body.startswith("#"):
            name, equals, _ = body.partition("=")
            key = name.strip() if equals else ""
            begin = len(name) + 1
        if key in ("commands_pre", "commands") and body[begin:].strip() and not body.lstrip().startswith("#"):
            begin += len(body[begin:]) - len(body[begin:].lstrip(" \t-"))
            factors = _FACTORS.match(body[begin:])
            begin += factors.end() if factors else 0
            step = script_step(Script.of(body[begin:].rstrip("\\"), at + begin), at, at + len(body), "lines")
            found.setdefault(key, []).append(step)
        at += len(line)
    return found


def nox(text: str) -> list[Entry]:
    """The sessions of a noxfile: the commands that they run and that are written out."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found: list[Entry] = []
    for function in tree.body:
        if not isinstance(function, ast.FunctionDef) or not function.decorator_list:
            continue
        calls = [
            node
            for node in ast.walk(function)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("run", "run_always", "run_install")
        ]
        steps = []
        for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
            words = [
                Word(a.value, 0, 0)
                for a in call.args
                if isinstance(a, ast.Constant) and isinstance(a.value, str)
            ]
            if words:
                steps.append(list_step(words, 0, 0, "none"))
        found.append(Entry(function.name, "target", tuple(steps)))
    return found
