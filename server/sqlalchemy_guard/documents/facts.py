"""The facts of documents that are not Python, which rules subscribe to. Light: every start imports it. Must never judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sqlalchemy_guard.records import NamedTuple, dataclass

if TYPE_CHECKING:
    from sqlalchemy_guard.documents.kinds import Kind
    from sqlalchemy_guard.documents.pipeline import Step
    from sqlalchemy_guard.documents.shell import Simple
    from sqlalchemy_guard.text.document import Document


class PlainDocument(NamedTuple):
    """A document that is not Python, at one version."""

    file_id: str
    kind: Kind
    document: Document


class Origin(NamedTuple):
    """Where the command stands that a step leads to."""

    file_id: str
    start: int
    end: int


@dataclass(slots=True, eq=False)
class UnmigratedRun:
    """An application that is started, or tests of its database that are run, without migrations before.

    Attributes:
        document: Where.
        what: Which of the two.
        tool: The program, as it is called.
        step: The step that does it, or leads to it.
        command: The step's command.
        origin: Where the program is called, when that is another file.
        environment: The folder of the migrations, as messages call it.
        upgrade: The command that would run the migrations from there, None when it is not known.
        elsewhere: Where else the same application is started.
    """

    document: PlainDocument
    what: Literal["start", "test"]
    tool: str
    step: Step
    command: Simple
    origin: Origin | None
    environment: str
    upgrade: str | None
    elsewhere: tuple[Origin, ...] = ()


@dataclass(slots=True, eq=False)
class UrlOption:
    """An option of a configuration file that is a database URL.

    Attributes:
        document: The file.
        section: The section it stands in.
        value: The URL as it is written.
        start: Offset of the URL.
        line: Its line, 0-based.
    """

    document: PlainDocument
    section: str
    value: str
    start: int
    line: int
