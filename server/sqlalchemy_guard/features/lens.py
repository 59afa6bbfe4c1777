"""A lens: a line of text that an editor shows above a definition, and what a click on it opens.

This module must never know how an editor draws it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from sqlalchemy_guard.text.span import Span


@dataclass(frozen=True, slots=True)
class Lens:
    """A line above a definition.

    Attributes:
        span: The definition's name, or the statement's beginning.
        title: What it says.
        opens: The file that a click opens; None when there is nothing to open.
        previews: Whether a click shows the SQL of the statement there.
    """

    span: Span
    title: str
    opens: str | None = None
    previews: bool = False
