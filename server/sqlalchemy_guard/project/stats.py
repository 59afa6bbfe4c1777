"""How much of a code base's use of SQLAlchemy was understood: the measure of the analysis itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sqlalchemy_guard.text.span import Span


class Unresolved(NamedTuple):
    """A call that looks like SQLAlchemy but whose receiver is unknown.

    Attributes:
        path: The file's id.
        span: Where the call stands.
        text: Its source, perhaps over several lines.
        why: Where resolution ended, in words for the user.
    """

    path: str
    span: Span
    text: str
    why: str


@dataclass
class Stats:
    """What was found and how sure it is.

    Attributes:
        session_expressions: Expressions that were resolved to a session.
        calls_total: Calls that look like calls of a session or a query.
        proven: Those whose receiver was resolved to SQLAlchemy's object.
        likely: Those whose receiver is one by all signs.
        unknown: The rest; listed in `unresolved`.
    """

    files: int = 0
    models: int = 0
    columns: int = 0
    relationships: int = 0
    engines: int = 0
    factories: int = 0
    session_expressions: int = 0
    calls_total: int = 0
    proven: int = 0
    likely: int = 0
    unknown: int = 0
    unresolved: list[Unresolved] = field(default_factory=list)
