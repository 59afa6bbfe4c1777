"""The checker's notes: which parts of a file break rules, what each rests on, and what therefore must be looked at again.

This module must never run a rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.records import replace
from sqlalchemy_guard.rules.api import Related, Span, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy_guard.facts.file import FileFacts
    from sqlalchemy_guard.facts.units import Contribution
    from sqlalchemy_guard.project.answers import Key


class UnitReport:
    """What the rules said of a unit, on what that rests, and when it was said."""

    __slots__ = ("keys", "places", "revision", "settings", "violations")

    def __init__(
        self, violations: list[Violation], keys: frozenset[tuple[str, str]], revision: int, settings: object
    ) -> None:
        self.violations = violations
        self.keys = keys
        self.revision = revision
        self.settings = settings
        self.places = [related for violation in violations for related in violation.related]

    def is_current(self) -> bool:
        """Whether every place that it points at is still there."""
        return all(place.is_current for place in self.places)


class Notes:
    """What the checker knows of a file: which contributions break rules, and which of them read what.

    Attributes:
        facts: The facts that this is about.
        settings: The settings that held.
        generation: That of the facts.
        revision: That of the resolver.
    """

    __slots__ = ("_found", "_keys", "_pointing", "_readers", "facts", "generation", "revision", "settings")

    def __init__(self, facts: FileFacts, settings: object) -> None:
        self.facts = facts
        self.settings = settings
        self.generation = facts.generation
        self.revision = 0
        self._found: dict[Contribution, list[Violation]] = {}
        self._keys: dict[Contribution, set[Key]] = {}
        self._readers: dict[Key, set[Contribution]] = {}
        self._pointing: dict[Contribution, list[Related]] = {}

    def affected(self, fresh: Iterable[Contribution], changed: set[Key]) -> list[Contribution]:
        """The contributions to be looked at again; those that are gone are forgotten."""
        wanted: set[Contribution] = set()
        for contribution in fresh:
            if contribution.is_alive:
                wanted.add(contribution)
            else:
                self._found.pop(contribution, None)
                self._pointing.pop(contribution, None)
                for key in self._keys.pop(contribution, ()):
                    self._readers[key].discard(contribution)
        for key in changed:
            wanted.update(self._readers.get(key, ()))
        for contribution, places in self._pointing.items():
            if not all(place.is_current for place in places):
                wanted.add(contribution)
        return sorted(wanted, key=_place)

    def put(self, contribution: Contribution, violations: list[Violation], keys: set[Key]) -> None:
        """Note what a contribution breaks and what it read."""
        if violations:
            self._found[contribution] = violations
        else:
            self._found.pop(contribution, None)
        pointing = [related for violation in violations for related in violation.related]
        if pointing:
            self._pointing[contribution] = pointing
        else:
            self._pointing.pop(contribution, None)
        known = self._keys.get(contribution)
        if known != keys:
            for key in (known or set()) - keys:
                self._readers[key].discard(contribution)
            for key in keys if known is None else keys - known:
                self._readers.setdefault(key, set()).add(contribution)
            self._keys[contribution] = keys

    def violations(self) -> list[Violation]:
        """All of them where they stand now, in order."""
        result: list[Violation] = []
        for contribution in sorted(self._found, key=_place):
            found = self._found[contribution]
            if any(_has_moved(violation) for violation in found):
                found = [_moved(violation) for violation in found]
                self._found[contribution] = found
            result.extend(found)
        # Contributions stand in order; what they point at may not.
        result.sort(key=order)
        return result


def _place(contribution: Contribution) -> int:
    return contribution.chunk.start


def order(violation: Violation) -> tuple[Span, str]:
    """The key by which violations are sorted."""
    return violation.span, violation.rule.code


def _has_moved(one: Violation | Related) -> bool:
    """Whether it, or what it points at, stands at other lines than it says."""
    if one.chunk is not None and one.chunk.shift != one.shift:
        return True
    return isinstance(one, Violation) and any(_has_moved(related) for related in one.related)


def _moved(violation: Violation) -> Violation:
    """The violation at the place where its chunk stands now; the same object when nothing of it moved."""
    if not _has_moved(violation):
        return violation
    shift = violation.shift if violation.chunk is None else violation.chunk.shift
    by = shift - violation.shift
    first, end = violation.lines
    return replace(
        violation,
        span=_lower(violation.span, by),
        lines=(first + by, end + by),
        related=tuple(
            related
            if related.chunk is None
            else related._replace(
                span=_lower(related.span, related.chunk.shift - related.shift), shift=related.chunk.shift
            )
            for related in violation.related
        ),
        shift=shift,
    )


def _lower(span: Span, by: int) -> Span:
    """A span some lines further down."""
    return Span(span.line + by, span.column, span.end_line + by, span.end_column)
