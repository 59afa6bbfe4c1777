"""Edits: disjoint, sorted replacements of a text, applied once.

Offsets count code points. This module must never know what the text means.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Edit(NamedTuple):
    """Replace `text[start:end]` by `new`; `start == end` inserts, an empty `new` deletes."""

    start: int
    end: int
    new: str


class OverlapError(ValueError):
    """Two edits claim the same place; applying both would corrupt the text."""


def sort_edits(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """The edits in order, equal ones once.

    Raises:
        OverlapError: two different edits overlap. Two insertions at one place keep the order in which they
            came.
    """
    ordered = sorted(dict.fromkeys(edits), key=lambda edit: (edit.start, edit.end))
    for before, after in itertools.pairwise(ordered):
        if after.start < before.end:
            raise OverlapError(f"edits overlap at {after.start}: {before!r} and {after!r}")
    return tuple(ordered)


def fit(edits: Iterable[Edit], length: int) -> tuple[Edit, ...]:
    """The edits in order, when they can be made in a text of so many characters.

    Raises:
        OverlapError: two edits overlap.
        IndexError: an edit lies outside the text.
    """
    ordered = sort_edits(edits)
    for edit in ordered:
        if not 0 <= edit.start <= edit.end <= length:
            raise IndexError(f"{edit!r} lies outside a text of {length} characters")
    return ordered


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """The text after all edits.

    Raises:
        OverlapError: two edits overlap.
        IndexError: an edit lies outside the text.
    """
    parts: list[str] = []
    at = 0
    for edit in fit(edits, len(text)):
        parts.append(text[at : edit.start])
        parts.append(edit.new)
        at = edit.end
    parts.append(text[at:])
    return "".join(parts)
