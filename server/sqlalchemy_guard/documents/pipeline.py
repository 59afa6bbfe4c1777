"""What a pipeline, a manifest or a script runs: entries with their steps, as data. Must never follow what a step calls."""

from __future__ import annotations

from typing import Literal, TypeAlias

from sqlalchemy_guard.documents.shell import Script, Simple, Word, simple_commands
from sqlalchemy_guard.records import dataclass
from sqlalchemy_guard.text.patterns import lazy_pattern

Form: TypeAlias = Literal["step", "lines", "shell", "argv", "item", "key", "none"]
"""How a command is put in front of one: as a step of its own, a line of its own, `a && b`, by giving the argument list to a
shell, as an item of its own in a list, as what a platform runs before a release, or not at all."""

Role: TypeAlias = Literal["job", "container", "process", "release", "target", "script", "image"]

_SERVERS = lazy_pattern(
    r"(?:image|docker|name)\s*:\s*['\"]?[\w./-]*(?:postgres|postgis|timescale|pgvector|mysql|mariadb|mssql|cockroach|oracle)"
    r"|\b(?:postgres(?:ql)?|mysql|mariadb|mssql|oracle|cockroachdb)(?:\+\w+)?://"
    r"|^\s*-\s*['\"]?(?:[\w./-]*/)?(?:postgres|postgis|mysql|mariadb)\b[\w.:-]*['\"]?\s*$"
    r"|services\s*:\s*\[[^\]\n]*(?:postgres|postgis|mysql|mariadb)"
    r"|docker[ -]compose[^\n]*\bup\b|docker run[^\n]*\b(?:postgres|mysql|mariadb)\b",
    2 | 8,
)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of an entry.

    Attributes:
        commands: The simple commands, in order.
        start: Offset where the step begins: a comment anywhere from here to the command counts for it.
        end: Offset where it ends.
        folder: Where it runs, relative to where the entry runs.
        form: How a command is put in front of it.
    """

    commands: tuple[Simple, ...]
    start: int
    end: int
    folder: str = ""
    form: Form = "none"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is started as one: a job, a container, a process, a target, a script.

    Attributes:
        name: The job's, service's or target's.
        role: What it is.
        steps: In order.
        has_database: Whether a database server is at hand.
        needs: The names of the entries of the document that run before.
        folder: Where it runs, relative to the document's folder; None: where the document's reader starts.
    """

    name: str
    role: Role
    steps: tuple[Step, ...]
    has_database: bool = False
    needs: tuple[str, ...] = ()
    folder: str = ""


def has_server(text: str) -> bool:
    """Whether a text names a database server that it starts or reaches."""
    return _SERVERS.search(text) is not None


def script_step(script: Script, start: int, end: int, form: Form, folder: str = "") -> Step:
    """The step that gives a text to a shell."""
    return Step(tuple(simple_commands(script)), start, end, folder, form)


def list_step(words: list[Word], start: int, end: int, form: Form = "argv") -> Step:
    """The step that runs a list of arguments; the offsets are those of the list itself."""
    simple = Simple(tuple(words), start, end, True)
    return Step((simple,) if words else (), start, end, "", form)
