"""Names that fixes invent: the nearest of known names, a name that is not taken.

This module must never look at a tree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.text.words import snake_case as snake_case

if TYPE_CHECKING:
    from collections.abc import Container, Iterable


def nearest(name: str, known: Iterable[str], cutoff: float = 0.7) -> str | None:
    """The known name that `name` was probably meant to be, or None when none is near.

    Args:
        name: The name as written.
        known: The names that exist; a name equal to `name` is no answer.
        cutoff: The least likeness, 0 to 1.
    """
    # Loaded with the first misspelt name.
    import difflib

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
