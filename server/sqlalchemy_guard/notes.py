"""The checker's notes: which parts of a file break rules, what each rests on, and what therefore must be looked at again.

This module must never run a rule.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import is_not
from typing import TYPE_CHECKING

from sqlalchemy_guard.project.answers import NO_KEYS
from sqlalchemy_guard.records import replace
from sqlalchemy_guard.rules.api import Related, Span, Violation
from sqlalchemy_guard.syntax.tree import start_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy_guard.facts.file import FileFacts
    from sqlalchemy_guard.facts.units import Contribution
    from sqlalchemy_guard.project.answers import Key
    from sqlalchemy_guard.rules.api import Check, Rule
    from sqlalchemy_guard.syntax.chunk import Chunk


class Apart:
    """What one check said of one fact of a unit, when it looked at the whole file for it.

    Whenever anything in the file changes, this alone is looked at again instead of the whole unit.
    """

    __slots__ = ("check", "fact", "rule", "violations")

    def __init__(self, rule: Rule, check: Check, fact: object, violations: list[Violation]) -> None:
        self.rule = rule
        self.check = check
        self.fact = fact
        self.violations = violations


class Part:
    """What was said of one call or one kind of facts of a unit, on what that rests, and when it was said."""

    __slots__ = ("apart", "keys", "own", "revision")

    def __init__(self, own: list[Violation], apart: list[Apart], keys: frozenset[Key], revision: int) -> None:
        self.own = own
        self.apart = apart
        self.keys = keys
        self.revision = revision

    def is_current(self) -> bool:
        """Whether every place that it points at is still there."""
        return all(
            related.is_current
            for violations in (self.own, *[each.violations for each in self.apart])
            for violation in violations
            for related in violation.related
        )


class UnitReport:
    """What the rules said of a unit, on what that rests, and when it was said.

    Attributes:
        own: What rests on `keys` alone.
        apart: What rests on the whole file besides.
        keys: The keys.
        revision: That of the resolver when it was said.
        settings: The settings that held.
        parts: The same part by part; None for a unit that was not looked at twice: most are edited before.
    """

    __slots__ = ("apart", "keys", "own", "parts", "places", "revision", "settings")

    def __init__(
        self,
        own: list[Violation],
        apart: list[Apart],
        keys: frozenset[Key],
        revision: int,
        settings: object,
        parts: list[Part] | None = None,
    ) -> None:
        self.own = own
        self.parts = parts
        self.apart = apart
        self.keys = keys
        self.revision = revision
        self.settings = settings
        self.places = [related for violation in self.violations() for related in violation.related]

    def violations(self) -> list[Violation]:
        """All that was said."""
        return [*self.own, *(violation for each in self.apart for violation in each.violations)]

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

    __slots__ = (
        "_all",
        "_found",
        "_keys",
        "_moves",
        "_pointing",
        "_put",
        "_readers",
        "_replaced",
        "_standing",
        "facts",
        "generation",
        "revision",
        "settings",
    )

    def __init__(self, facts: FileFacts, settings: object) -> None:
        self.facts = facts
        self.settings = settings
        self.generation = facts.generation
        self.revision = 0
        # By chunk: what takes the place of a contribution mostly says and reads the same.
        self._standing: dict[Chunk, Contribution] = {}
        self._found: dict[Chunk, list[Violation]] = {}
        # All of them in order, and the syntax's moves at that time.
        self._all: tuple[int, list[Violation]] | None = None
        # By chunk in which something else is found since: what of it stands in that list.
        self._replaced: dict[Chunk, list[Violation]] = {}
        # When they were last seen to stand where they say, and the chunks about which something was said since.
        self._moves = -1
        self._put: set[Chunk] = set()
        self._keys: dict[Chunk, frozenset[Key]] = {}
        # Made when it is first asked for: many files are checked only once.
        self._readers: dict[Key, set[Chunk]] | None = None
        self._pointing: dict[Chunk, list[Related]] = {}

    def affected(self, fresh: Iterable[Contribution], changed: set[Key]) -> list[Contribution]:
        """The contributions to be looked at again; those that are gone are forgotten."""
        wanted: dict[Chunk, Contribution] = {}
        gone: set[Chunk] = set()
        for contribution in fresh:
            if contribution.is_alive:
                wanted[contribution.chunk] = contribution
            else:
                gone.add(contribution.chunk)
        for chunk in gone.difference(wanted):
            self._read(chunk, NO_KEYS)
            if chunk in self._found:
                self._replaced.setdefault(chunk, self._found[chunk])
            for table in (self._standing, self._found, self._pointing, self._keys):
                table.pop(chunk, None)
        for chunk in self._unsettled(changed):
            wanted.setdefault(chunk, self._standing[chunk])
        return sorted(wanted.values(), key=_place)

    def _unsettled(self, changed: set[Key]) -> Iterator[Chunk]:
        """The chunks that read any of these keys, or point at what is not there any more."""
        if changed:
            if self._readers is None:
                self._readers = {}
                for chunk, keys in self._keys.items():
                    for key in keys:
                        self._readers.setdefault(key, set()).add(chunk)
            for key in changed:
                yield from self._readers.get(key, ())
        for chunk, places in self._pointing.items():
            if not all(place.is_current for place in places):
                yield chunk

    def put(self, contribution: Contribution, violations: list[Violation], keys: frozenset[Key]) -> None:
        """Note what a contribution breaks and what it read."""
        chunk = contribution.chunk
        self._standing[chunk] = contribution
        self._put.add(chunk)
        violations = sorted(violations, key=order)
        before = self._found.get(chunk, [])
        if len(before) != len(violations) or any(map(is_not, before, violations)):
            self._replaced.setdefault(chunk, before)
        if violations:
            self._found[chunk] = violations
        else:
            self._found.pop(chunk, None)
        self._point(chunk, violations)
        self._read(chunk, keys)
        self._keys[chunk] = keys

    def _point(self, chunk: Chunk, violations: list[Violation]) -> None:
        """Note the places that what was found in a chunk points at."""
        pointing = [related for violation in violations for related in violation.related]
        if pointing:
            self._pointing[chunk] = pointing
        else:
            self._pointing.pop(chunk, None)

    def _read(self, chunk: Chunk, keys: frozenset[Key]) -> None:
        """From now on a chunk rests on these keys."""
        known = self._keys.get(chunk, NO_KEYS)
        if self._readers is not None and known is not keys:
            for key in known - keys:
                self._readers[key].discard(chunk)
            for key in keys - known:
                self._readers.setdefault(key, set()).add(chunk)

    def violations(self, moves: int) -> list[Violation]:
        """All of them where they stand now, in order: the same list, which nobody may change, while they are the same.

        Args:
            moves: The moves of the file's syntax.
        """
        elsewhere = self._is_pointing_elsewhere()
        known = self._all[1] if self._all is not None and self._all[0] == moves and not elsewhere else None
        if known is not None and not self._replaced:
            return known
        for chunk in self._put if self._moves == moves and not elsewhere else [*self._found]:
            found = self._found.get(chunk, [])
            if any(map(_has_moved, found)):
                # Those that were said before the move were put in order by where they stood then.
                self._found[chunk] = sorted([_moved(each) for each in found], key=order)
                self._point(chunk, self._found[chunk])
        self._put.clear()
        self._moves = moves
        result = self._spliced(known) if known is not None else None
        if result is None:
            result = self._in_order()
        self._replaced.clear()
        self._all = (moves, result)
        return result

    def _spliced(self, result: list[Violation]) -> list[Violation] | None:
        """The list as it was with what a key changed in it; None when what is found in a chunk is not side by side."""
        for chunk, old in self._replaced.items():
            new = self._found.get(chunk, [])
            if not old and not new:
                continue
            start = bisect_left(result, order((old or new)[0]), key=order)
            end = start + len(old)
            if any(map(is_not, old, result[start:end])):
                return None
            if new and start and order(result[start - 1]) >= order(new[0]):
                return None
            if new and end < len(result) and order(new[-1]) >= order(result[end]):
                return None
            result = [*result[:start], *new, *result[end:]]
        return result

    def _in_order(self) -> list[Violation]:
        result: list[Violation] = []
        in_order = True
        for chunk in sorted(self._found, key=start_of):
            found = self._found[chunk]
            in_order = in_order and (not result or order(result[-1]) <= order(found[0]))
            result.extend(found)
        if not in_order:
            # Chunks stand in order; what is wrong in them may not.
            result.sort(key=order)
        return result

    def _is_pointing_elsewhere(self) -> bool:
        """Whether a place that is pointed at, perhaps in another file, moved."""
        return any(_has_moved(place) for places in self._pointing.values() for place in places)


def _place(contribution: Contribution) -> int:
    return contribution.chunk.start


def order(violation: Violation) -> tuple[Span, str]:
    """The key by which violations are sorted."""
    return violation.span, violation.rule.code


def _has_moved(one: Violation | Related) -> bool:
    """Whether it, or what it points at, stands at other lines than it says."""
    if one.chunk is not None and one.chunk.shift != one.shift:
        return True
    if isinstance(one, Violation):
        for related in one.related:
            if _has_moved(related):
                return True
    return False


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
