"""Names that fixes invent: table names from class names, the nearest of known names.

This module must never look at a tree.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

# Where a capital begins a word: after something that is not a capital, or before a small letter (`HTTPServer`).
_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?!^)(?=[A-Z][a-z])")


def snake_case(name: str) -> str:
    """The table name that Flask-SQLAlchemy gives to a class of this name: `HTTPServerLog` -> `http_server_log`."""
    return _BOUNDARY.sub("_", name).lower().lstrip("_")


def nearest(name: str, known: Iterable[str], cutoff: float = 0.7) -> str | None:
    """The known name that `name` was probably meant to be, or None when none is near.

    Args:
        name: The name as written.
        known: The names that exist; a name equal to `name` is no answer.
        cutoff: The least likeness, 0 to 1.
    """
    candidates = sorted(set(known) - {name})
    folded = {candidate.casefold(): candidate for candidate in reversed(candidates)}
    found = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=cutoff)
    return folded[found[0]] if found else None


def fresh(name: str, taken: Container[str]) -> str:
    """`name`, or `name_2`, `name_3` … when it is taken."""
    candidate = name
    number = 2
    while candidate in taken:
        candidate = f"{name}_{number}"
        number += 1
    return candidate
