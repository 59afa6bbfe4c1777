"""The graph of revisions: heads, bases, parents that are nowhere, duplicates, cycles, and an order to run them in.

Ids may be written short, as Alembic reads them. This module must never read a file.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy_guard.migrations.revision import Revision

_SHORTEST = 4
"""A reference of fewer characters is not taken for the beginning of an id."""


class Graph:
    """The revisions of one environment.

    Args:
        revisions: All of them, in order of their files.

    Attributes:
        revisions: The same.
        by_id: The first of each id.
    """

    def __init__(self, revisions: Iterable[Revision]) -> None:
        self.revisions = tuple(revisions)
        self.by_id: dict[str, Revision] = {}
        for revision in self.revisions:
            self.by_id.setdefault(revision.id, revision)
        self._labels = {label: revision for revision in self.revisions for label in revision.labels}

    def find(self, reference: str) -> Revision | None:
        """The revision that an id, the beginning of one, or a label means (`label@id` as well)."""
        reference = reference.rpartition("@")[2] or reference.rstrip("@")
        found = self.by_id.get(reference) or self._labels.get(reference)
        if found is None and len(reference) >= _SHORTEST:
            short = [revision for id_, revision in self.by_id.items() if id_.startswith(reference)]
            found = short[0] if len(short) == 1 else None
        return found

    def parents(self, revision: Revision) -> tuple[Revision, ...]:
        """The revisions that one follows, as far as they are there."""
        return tuple(found for reference in revision.down if (found := self.find(reference)) is not None)

    def required(self, revision: Revision) -> tuple[Revision, ...]:
        """Its parents, and what it depends on."""
        depends = (self.find(reference) for reference in revision.depends_on)
        return (*self.parents(revision), *(found for found in depends if found is not None))

    def missing(self, revision: Revision) -> tuple[str, ...]:
        """The references of a revision that mean no revision of the environment."""
        return tuple(ref for ref in (*revision.down, *revision.depends_on) if self.find(ref) is None)

    @cached_property
    def children(self) -> dict[str, tuple[Revision, ...]]:
        """By id, the revisions that follow one."""
        found: dict[str, list[Revision]] = {}
        for revision in self.revisions:
            for parent in self.parents(revision):
                found.setdefault(parent.id, []).append(revision)
        return {id_: tuple(children) for id_, children in found.items()}

    @cached_property
    def heads(self) -> tuple[Revision, ...]:
        """The revisions that nothing follows."""
        return tuple(each for each in self.by_id.values() if each.id not in self.children)

    @cached_property
    def bases(self) -> tuple[Revision, ...]:
        """The revisions that follow none."""
        return tuple(each for each in self.by_id.values() if not each.down)

    @cached_property
    def duplicates(self) -> dict[str, tuple[Revision, ...]]:
        """The revisions that share an id."""
        found: dict[str, list[Revision]] = {}
        for revision in self.revisions:
            found.setdefault(revision.id, []).append(revision)
        return {id_: tuple(same) for id_, same in found.items() if len(same) > 1}

    @cached_property
    def order(self) -> tuple[Revision, ...]:
        """The revisions in an order in which they can run: each behind those that it requires, otherwise in the order of
        their files. Those on a cycle, and what comes behind them, are left out.
        """
        waiting = {each.id: {one.id for one in self.required(each)} for each in self.by_id.values()}
        behind: dict[str, list[str]] = {}
        for id_, required in waiting.items():
            for one in required:
                behind.setdefault(one, []).append(id_)
        ready = [id_ for id_, required in waiting.items() if not required]
        found: list[Revision] = []
        # The newest branch is followed to its end before another one begins, so that a branch stays in one piece.
        ready.reverse()
        while ready:
            id_ = ready.pop()
            found.append(self.by_id[id_])
            for follower in reversed(behind.get(id_, ())):
                waiting[follower].discard(id_)
                if not waiting[follower]:
                    ready.append(follower)
        return tuple(found)

    @cached_property
    def cyclic(self) -> tuple[Revision, ...]:
        """The revisions that require themselves, through others or directly."""
        done = {each.id for each in self.order}
        left = {each.id: each for each in self.by_id.values() if each.id not in done}
        found = []
        for revision in left.values():
            seen: set[str] = set()
            todo = [one.id for one in self.required(revision)]
            while todo:
                id_ = todo.pop()
                if id_ in left and id_ not in seen:
                    seen.add(id_)
                    todo.extend(one.id for one in self.required(left[id_]))
            if revision.id in seen:
                found.append(revision)
        return tuple(found)

    def ancestors(self, revision: Revision) -> frozenset[str]:
        """The ids of all that a revision requires, directly or through others."""
        seen: set[str] = set()
        todo = list(self.required(revision))
        while todo:
            each = todo.pop()
            if each.id not in seen:
                seen.add(each.id)
                todo.extend(self.required(each))
        return frozenset(seen)
