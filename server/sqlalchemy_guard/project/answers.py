"""How long answers hold: what each rests on, which of that changed since, and cycles among questions.

An answer is kept with the keys that it read and the revision at which it was asked; it holds while none of the keys
changed. This module must never know what is asked.
"""

from __future__ import annotations

from collections import deque
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from collections.abc import Set as AbstractSet

    from sqlalchemy_guard.project.types import Type

T = TypeVar("T")
Key = tuple[str, str]
Rests = tuple[int, frozenset[Key]]
"""The revision at which an answer was given, and the keys that it rests on."""
MODULES = "*modules"
"""`(MODULES, part)`: which files and folders called `part` there are."""
GATHERED = "*gathered"
"""`(GATHERED, question)`: the answer that `Answers.gathered` gave."""
GROUP = "*group"
"""`(GROUP, number)`: many keys that an answer rests on, told as one."""


_FEW = 4
"""So many changes are compared one by one with what an answer rests on."""

_SHARED = 100_000
"""So many sets of keys are remembered, so that answers which rest on the same share one."""

_LOOSE = 64
"""Answers that rest on more keys rest on a group of them: through callers of callers they come to thousands."""

_GROUPS = 100_000
"""So many groups are remembered; then all of them are taken for changed, and forgotten."""

DEEPEST = 150
FINAL = 1_000


NO_KEYS: frozenset[Key] = frozenset()


class Memo:
    """An answer. One that a cycle cut short holds only while the value that the cycle came back to is being reduced."""

    __slots__ = ("keys", "level", "revision", "run", "type")

    def __init__(
        self, type_: Type, keys: frozenset[Key], revision: int, level: int = FINAL, run: object = None
    ) -> None:
        self.type = type_
        self.keys = keys
        self.revision = revision
        self.level = level
        self.run = run


class Running:
    """The mark of a value that is being reduced: how deep in the stack of those."""

    __slots__ = ("level",)

    def __init__(self, level: int) -> None:
        self.level = level


class Answers:
    """What was answered, and what changed since.

    Attributes:
        revision: Counts changes of Summaries; see `changed`.
        keys: What the answers given since the last `collect` rest on.
    """

    def __init__(self) -> None:
        self.revision = 0
        self.keys: set[Key] = set()
        self._changed: dict[Key, int] = {}
        self._recent: deque[set[Key]] = deque(maxlen=64)
        self._remembered: dict[object, tuple[Rests, Any]] = {}
        self._gathered: dict[Key, frozenset[Key]] = {}
        self._shared: dict[frozenset[Key], frozenset[Key]] = {}
        self._groups: dict[frozenset[Key], Key] = {}
        self._grouped: dict[Key, list[Key]] = {}
        self._made = 0
        self._stack: list[Running] = []
        self._cut = FINAL

    def changed(self, keys: set[Key]) -> None:
        """These keys mean something else from now on."""
        if not keys:
            return
        resting = self._resting_on(keys)
        if resting:
            keys = keys | resting
        self.revision += 1
        self._recent.append(keys)
        for key in keys:
            self._changed[key] = self.revision

    def _resting_on(self, keys: set[Key]) -> set[Key]:
        """The groups and the gathered answers that rest on these keys, or on one another."""
        found: set[Key] = set()
        fresh = keys
        while fresh:
            above = {group for key in fresh for group in self._grouped.get(key, ())}
            above.update([key for key, rests_on in self._gathered.items() if not rests_on.isdisjoint(fresh)])
            fresh = above - found - keys
            found |= fresh
        return found

    def changed_since(self, revision: int) -> set[Key] | None:
        """The keys that changed after a revision; None when that is too long ago to tell."""
        count = self.revision - revision
        if count > len(self._recent):
            return None
        return set().union(*[self._recent[-number] for number in range(1, count + 1)])

    def valid(self, keys: frozenset[Key], revision: int) -> bool:
        """Whether an answer that rests on these keys and was given at a revision still holds."""
        behind = self.revision - revision
        if behind <= _FEW:
            recent = self._recent
            return all(keys.isdisjoint(recent[-number]) for number in range(1, behind + 1))
        changed = self._changed
        return all(changed.get(key, 0) <= revision for key in keys)

    def shared(self, keys: AbstractSet[Key]) -> frozenset[Key]:
        """These keys as a set that all who rest on the same ones share: most answers do, and there are very many.

        Of more than a few a group is made, so that no set is large, and whoever rests on the answer rests on one key.
        """
        if not keys:
            return NO_KEYS
        if len(keys) > _LOOSE:
            keys = {self._group(frozenset(keys))}
        if len(self._shared) > _SHARED:
            self._shared.clear()
        frozen = frozenset(keys)
        return self._shared.setdefault(frozen, frozen)

    def _group(self, members: frozenset[Key]) -> Key:
        """The key that changes when any of these does."""
        group = self._groups.get(members)
        if group is not None:
            return group
        if len(self._groups) >= _GROUPS:
            self.changed(set(self._groups.values()))
            self._groups.clear()
            self._grouped.clear()
        self._made += 1
        group = self._groups[members] = (GROUP, str(self._made))
        for key in members:
            self._grouped.setdefault(key, []).append(group)
        # What changed while the answer was looked for changed the group as well, although it was not there yet.
        changed = max([self._changed.get(key, 0) for key in members])
        if changed:
            self._changed[group] = changed
            for recent in self._recent:
                if not recent.isdisjoint(members):
                    recent.add(group)
        return group

    def collect(self) -> set[Key]:
        """Start to collect keys anew; returns the set that will be filled."""
        self.keys = set()
        return self.keys

    def remembered(self, question: Hashable, answer: Callable[[], T]) -> T:
        """The answer to a question about the workspace, found out again when something that it rests on changed."""
        kept = self._remembered.get(question)
        if kept is not None and self.holds(kept[0]):
            found: T = kept[1]
            return found
        result, rests = self.recorded(answer)
        if rests is not None:
            self._remembered[question] = (rests, result)
        return result

    def recorded(self, answer: Callable[[], T]) -> tuple[T, Rests | None]:
        """An answer with what it rests on, for who keeps it; without that where it rests on a question that is open still."""
        outer, self.keys = self.keys, set()
        outer_cut, self._cut = self._cut, FINAL
        revision = self.revision
        rests: Rests | None = None
        try:
            result = answer()
            if self._cut == FINAL:
                rests = (revision, self.shared(self.keys))
        finally:
            outer |= self.shared(self.keys)
            self.keys, self._cut = outer, min(self._cut, outer_cut)
        return result, rests

    def noted(self, answer: Callable[[], T]) -> tuple[T, frozenset[Key]]:
        """An answer with the keys that it rests on, for who keeps it no longer than nothing changes and adds them again."""
        outer, self.keys = self.keys, set()
        try:
            result = answer()
        finally:
            keys = self.shared(self.keys)
            outer |= keys
            self.keys = outer
        return result, keys

    def holds(self, rests: Rests) -> bool:
        """Whether a recorded answer is still right; whoever asks rests on the same then."""
        if not self.valid(rests[1], rests[0]):
            return False
        self.keys |= rests[1]
        return True

    def gathered(self, question: str, answer: Callable[[], T]) -> T:
        """The answer to a question that rests on much of the workspace.

        Who asks keeps one key instead of all that the answer rests on; it changes when any of these does.
        """
        key = (GATHERED, question)
        outer, self.keys = self.keys, set()
        try:
            result = self.remembered(key, answer)
            self._gathered[key] = self.shared(self.keys)
        finally:
            self.keys = outer
        outer.add(key)
        return result


@cache
def module_keys(name: str) -> frozenset[Key]:
    """The keys that an answer rests on which looked for a module, whether it was found or not."""
    parts = [part for part in name.split(".") if part]
    return frozenset([(MODULES, "__init__"), *[(MODULES, part) for part in parts]])
