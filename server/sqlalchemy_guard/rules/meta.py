"""Facts about the checking itself, which the rules of the section `tool` subscribe to.

Every other fact says what the user's code does; these say what a suppression comment or a configuration file did. This
module must never check anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from sqlalchemy_guard.config import ConfigProblem
    from sqlalchemy_guard.syntax.suppressions import Suppression


@dataclass(slots=True, eq=False)
class UnusedSuppression:
    """A fact about a finished check: a suppression comment that silenced less than it says.

    Attributes:
        suppression: The comment.
        unused: Codes of rules that it names and that it silenced nothing of.
        unknown: Codes in our form that no rule has.
    """

    suppression: Suppression
    unused: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(slots=True, eq=False)
class ConfigFact:
    """A fact about a configuration file: something in it that was skipped.

    Attributes:
        problem: What, and why.
        text: The whole text of the file.
    """

    problem: ConfigProblem
    text: str
