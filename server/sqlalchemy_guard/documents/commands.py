"""What a simple command does, as far as migrations are concerned: wrappers taken off, programs and their arguments told apart.

Whatever may prepare a database counts as preparing it; only what surely starts an application or runs tests counts as that.
This module must never look at a file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.documents.shell import Simple, simple_commands
from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy_guard.documents.shell import Word

_UPGRADE = r"\balembic\b.*\bupgrade\b|\bdb['\",\s]+upgrade\b|\bdatabase['\",\s]+upgrade\b"
UPGRADE = lazy_pattern(_UPGRADE)
"""A command, or a text in which such a command is written out, that runs the migrations."""

_MIGRATES = rf"{_UPGRADE}|migrat|upgrade[_-]?(?:db|database)|(?:db|database)[\s:_./-]*upgrade|prestart|pre[_-]start|init[_-]?db"
MIGRATES = lazy_pattern(_MIGRATES, re.IGNORECASE)
"""A command that may do so, by its words."""

_PREPARES = lazy_pattern(
    rf"{_MIGRATES}|(?:db|database)[\s:_./-]*(?:init|setup|create|sync|prepare|reset|bootstrap|restore|load|push)"
    r"|(?:create|setup|set[_-]up|prepare|reset|init(?:iali[sz]e)?|load|restore|provision|populate)"
    r"[\s:_-]+(?:the[\s_-]+)?(?:tests?[\s_-]+)?(?:db|database|schema|tables|data)"
    r"|bootstrap|\bseed|stamp\s+head|pg_restore|\bschema|fixtures?\b|(?<![-\w])(?:setup|init)\b",
    re.IGNORECASE,
)
_HARMLESS = frozenset(
    {
        "pip", "pip3", "apt", "apt-get", "apk", "yum", "dnf", "echo", "printf", "git", "curl", "wget", "mkdir", "cp", "mv",
        "rm", "ln", "chmod", "chown", "export", "set", "cd", "cat", "grep", "sed", "ruff", "mypy", "flake8", "black",
        "isort", "sleep", "pylint", "bandit", "createdb", "pg_isready", "mysqladmin", "touch", "ls", "test", "[", "[[", "uses",
    }
)  # fmt: skip
_SQL_CLIENTS = frozenset({"psql", "mysql", "mariadb", "sqlcmd", "sqlite3"})
_ASSIGNMENT = lazy_pattern(r"[A-Za-z_]\w*=.*", re.DOTALL)
_PREFIXES = frozenset(
    {
        "exec", "sudo", "nohup", "env", "time", "command", "dumb-init", "tini", "ddtrace-run", "nice", "stdbuf", "xvfb-run",
        "opentelemetry-instrument", "eatmydata", "unbuffer", "/sbin/tini", "catchsegv", "setsid", "ionice", "logfire",
    }
)  # fmt: skip
_RUNNERS = frozenset(
    {"poetry", "pipenv", "pdm", "rye", "hatch", "uv", "conda", "mamba", "micromamba", "pixi"}
)
_VALUED = frozenset(
    {
        "--with", "--extra", "--group", "--package", "--python", "--env-file", "--index", "--env", "--name", "--prefix",
        "--project", "--directory", "--no-group", "--only-group", "--with-requirements", "--user", "--workdir", "--volume",
        "--profile", "--file", "--publish", "--entrypoint", "--project-directory", "--index-url", "--with-editable",
        "-p", "-n", "-e", "-u", "-w", "-v", "-f", "-C", "-i", "-s", "-S",
    }
)  # fmt: skip
_SERVERS = frozenset({"uvicorn", "gunicorn", "hypercorn", "daphne", "granian", "waitress-serve"})
_TARGET = lazy_pattern(r"(?P<module>[A-Za-z_][\w.]*):[A-Za-z_].*", re.DOTALL)
_HELP = frozenset(
    {"--version", "--help", "--check-config", "--collect-only", "--co", "-h", "-V", "--fixtures"}
)


class Program(NamedTuple):
    """A program with its arguments, without what is wrapped around it.

    Attributes:
        name: Its name without a folder; `python:<module>` for a module, `python` for a script.
        words: From the program's own word on; a module's name first for a module.
        folder: Where a wrapper makes it run.
        in_container: Whether it runs in a container that runs already, or is made for it.
    """

    name: str
    words: tuple[Word, ...]
    folder: str = ""
    in_container: bool = False

    @property
    def arguments(self) -> list[str]:
        """The arguments as texts."""
        return [word.text for word in self.words[1:]]


def program_of(words: Sequence[Word]) -> Program | None:
    """The program that a command runs in the end; None where there is none, or it is not known."""
    folder, in_container = "", False
    for _ in range(12):
        words = _without_assignments(words)
        if not words:
            return None
        name = words[0].text.replace("\\", "/").rpartition("/")[2]
        texts = [word.text for word in words]
        if name in _PREFIXES or words[0].text in _PREFIXES:
            words = _after_flags(words[1:])
        elif name in ("gosu", "su-exec") or (
            name in ("newrelic-admin", "ddtrace", "aws-vault") and len(words) > 1 and "--" not in texts
        ):
            words = words[2:]
        elif name in _RUNNERS and "run" in texts[:4] and texts.index("run") > 0:
            at = texts.index("run")
            folder = _folder_flag(texts) or folder
            words = _after_flags(words[at + 1 :])
        elif name == "docker-compose" or (name == "docker" and texts[1:2] == ["compose"]):
            rest = words[1:] if name == "docker-compose" else words[2:]
            rest = _after_flags(rest)
            if not rest or rest[0].text not in ("run", "exec"):
                return Program("docker compose", tuple(rest))
            inner = _after_flags(rest[1:])
            words, in_container = inner[1:], True
            if not words:
                return Program("docker compose", tuple(rest))
        elif name in (
            "kubectl",
            "heroku",
            "fly",
            "flyctl",
            "doppler",
            "dotenv",
            "op",
            "infisical",
            "chamber",
        ) or (name.startswith(("wait-for", "wait_for", "dockerize")) and "--" in texts):
            if "--" not in texts:
                return None
            words = words[texts.index("--") + 1 :]
        elif name == "coverage" and texts[1:2] == ["run"]:
            rest = _after_flags([word for word in words[2:] if word.text != "-m"])
            has_module = "-m" in texts
            return (
                _module(rest, folder, in_container) if has_module else Program("python", tuple(rest), folder)
            )
        elif re.fullmatch(r"python[\d.]*|pypy3?", name):
            return _python(words, folder, in_container)
        else:
            return Program(name, tuple(words), folder, in_container)
    return None


def _without_assignments(words: Sequence[Word]) -> Sequence[Word]:
    at = 0
    while at < len(words) and _ASSIGNMENT.fullmatch(words[at].text):
        at += 1
    return words[at:]


def _after_flags(words: Sequence[Word]) -> Sequence[Word]:
    at = 0
    while at < len(words) and words[at].text.startswith("-"):
        at += 2 if words[at].text in _VALUED else 1
    return words[at:]


def _folder_flag(texts: list[str]) -> str:
    for number, text in enumerate(texts[:-1]):
        if text in ("--directory", "--project", "-C", "-p"):
            return texts[number + 1]
    return ""


def _python(words: Sequence[Word], folder: str, in_container: bool) -> Program | None:
    at = 1
    while at < len(words) and words[at].text.startswith("-"):
        text = words[at].text
        if text == "-m":
            return _module(words[at + 1 :], folder, in_container)
        if text == "-c":
            return Program("python", (), folder, in_container)
        at += 2 if text in ("-W", "-X") else 1
    return Program("python", tuple(words[at:]), folder, in_container)


def _module(words: Sequence[Word], folder: str, in_container: bool) -> Program | None:
    if not words:
        return None
    if words[0].text in ("coverage",) and len(words) > 1 and words[1].text == "run":
        return program_of(words)
    name = words[0].text
    known = {"gunicorn.app.wsgiapp": "gunicorn", "py.test": "pytest"}.get(name, name)
    if known in _SERVERS or known in ("pytest", "flask", "fastapi", "alembic", "tox", "nox"):
        return Program(known, tuple(words), folder, in_container)
    return Program(f"python:{name}", tuple(words), folder, in_container)


def nested(program: Program) -> list[Simple] | None:
    """The commands of `sh -c "..."`; None for every other program."""
    if program.name not in ("sh", "bash", "zsh", "dash", "ash", "busybox"):
        return None
    for number, word in enumerate(program.words[1:-1], 1):
        if word.text.startswith("-") and "c" in word.text and not word.text.startswith("--"):
            inner = program.words[number + 1]
            return simple_commands(inner.script) if inner.script is not None else []
    return None


def script_file(program: Program) -> str | None:
    """The script that a command runs, as it is written there; None when it runs none."""
    if program.name in ("sh", "bash", "zsh", "dash", "ash", "source", "."):
        rest = _after_flags(program.words[1:])
        return rest[0].text if rest else None
    first = program.words[0].text if program.words else ""
    if first.endswith(".sh") or ("/" in first and not first.startswith("-")):
        return first
    return None


def prepares(command: Simple, program: Program | None) -> bool:
    """Whether a command may prepare a database, by its words."""
    text = command.text
    if UPGRADE.search(text):
        return True
    name = program.name if program is not None else command.words[0].text
    if (
        name in _HARMLESS
        or (name == "uv" and "pip" in text)
        or name in _RUNNERS
        or name in ("npm", "yarn", "pnpm")
    ):
        return (
            MIGRATES.search(text) is not None
            and name in ("npm", "yarn", "pnpm", *_RUNNERS)
            and " run" in text
        )
    if name in _SQL_CLIENTS:
        return " -f" in text or "--file" in text or "<" in text
    if name == "docker" or is_test(program) or is_server(program):
        return False
    return _PREPARES.search(text) is not None


def is_server(program: Program | None) -> bool:
    """Whether a program is a server of applications (not whether it starts one of the workspace)."""
    if program is None or not _HELP.isdisjoint(program.arguments):
        return False
    if program.name in ("flask", "fastapi"):
        return "run" in _bare(program)[:1] or (program.name == "fastapi" and _bare(program)[:1] == ["dev"])
    return program.name in _SERVERS


def is_test(program: Program | None) -> bool:
    """Whether a program runs tests."""
    if program is None or program.name not in ("pytest", "py.test"):
        return False
    return _HELP.isdisjoint(program.arguments)


def reloads(program: Program) -> bool:
    """Whether a server is started as developers do."""
    return (
        any(text in ("--reload", "--debug", "--debugger") for text in program.arguments)
        or "dev" in _bare(program)[:1]
    )


def _bare(program: Program) -> list[str]:
    """The arguments without options, as far as those can be told."""
    found: list[str] = []
    skip = False
    for text in program.arguments:
        if skip:
            skip = False
        elif text in ("--app", "-A", "--env-file", "-e"):
            skip = True
        elif not text.startswith("-"):
            found.append(text)
    return found


def application(program: Program) -> str | None:
    """The module of the application that a server is given, or the path of its file; None when it is not said."""
    arguments = program.arguments
    if program.name == "flask":
        given = _option(arguments, "--app", "-A")
        return given.partition(":")[0] if given else None
    if program.name == "fastapi":
        return next((text for text in _bare(program)[1:] if text.endswith(".py") or "/" in text), None)
    for text in arguments:
        found = _TARGET.fullmatch(text)
        if found and not text.startswith(("unix:", "fd:", "http:", "https:", "python:")):
            return found["module"]
    return None


def application_folder(program: Program) -> str:
    """Where a server is told to look for the application."""
    return _option(program.arguments, "--app-dir", "--chdir", "--pythonpath") or ""


def _option(arguments: list[str], *names: str) -> str | None:
    for number, text in enumerate(arguments):
        for name in names:
            if text == name and number + 1 < len(arguments):
                return arguments[number + 1]
            if text.startswith(f"{name}="):
                return text.partition("=")[2]
    return None


def test_paths(program: Program) -> list[str]:
    """The files and folders that a test run is given."""
    return [text for text in _bare(program) if "/" in text or text.endswith(".py") or text.startswith("test")]
