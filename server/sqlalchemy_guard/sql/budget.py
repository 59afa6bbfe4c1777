"""How much the evaluator may do: steps, depth, sizes, time. This module must never know what is computed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_STEPS = 4_000_000
"""Nodes evaluated in all: a project of a thousand tables takes a tenth of it."""
STEPS_OF_ONE = 60_000
"""Nodes evaluated for one name of a module or one call from outside, those of other names not counted."""
DEEPEST = 40
"""Calls of the user's functions inside one another."""
DEEPEST_NODES = 400
"""Everything inside one another: expressions, names of other modules, callbacks."""
MOST_ITEMS = 5_000
LONGEST_TEXT = 20_000
MOST_BITS = 512


class Exhausted(Exception):
    """There was more to do than is allowed."""


class Budget:
    """Counts what is done.

    Args:
        poll: Called every few hundred steps; ends everything by raising.
    """

    def __init__(self, poll: Callable[[], None] | None = None) -> None:
        self._poll = poll
        self._left = MOST_STEPS
        self._limit = 0
        self._depth = 0
        self.interrupted: BaseException | None = None

    def renew(self, poll: Callable[[], None] | None) -> None:
        """All steps once more, for another piece of work with the same evaluator."""
        self._poll, self._left, self._limit, self._depth = poll, MOST_STEPS, 0, 0
        self.interrupted = None

    def spend(self) -> None:
        """One step.

        Raises:
            Exhausted: there is none left.
        """
        self._left -= 1
        if self._left <= self._limit:
            raise Exhausted("too many steps")
        if self._left & 255 == 0 and self._poll is not None:
            self.check()

    def check(self) -> None:
        """Ask whether to go on. What `poll` raises is kept, since libraries between it and us may swallow it."""
        if self.interrupted is not None:
            raise self.interrupted
        if self._poll is not None:
            try:
                self._poll()
            except BaseException as error:
                self.interrupted = error
                raise

    @contextmanager
    def one(self) -> Iterator[None]:
        """A piece of work with steps of its own; what it needs beyond them does not fail what asked for it."""
        before = self._limit
        start = self._left
        self._limit = max(0, start - STEPS_OF_ONE)
        try:
            yield
        finally:
            # The steps of a name are its own, not those of the name that asked for it.
            self._limit = max(0, before - (start - self._left))

    def descend(self, levels: int = 1) -> None:
        """Some levels down; `ascend` by as many must follow, whatever happens in between.

        Every expression goes through this: a `with` would be a quarter of all time.

        Raises:
            Exhausted: it is too deep; nothing has to be taken back then.
        """
        if self._depth + levels > DEEPEST_NODES:
            raise Exhausted("too deep")
        self._depth += levels

    def ascend(self, levels: int = 1) -> None:
        """Back up again."""
        self._depth -= levels


def is_small(value: object) -> bool:
    """Whether a plain value has a size that may be computed with."""
    if isinstance(value, (str, bytes)):
        return len(value) <= LONGEST_TEXT
    if isinstance(value, int):
        return value.bit_length() <= MOST_BITS
    if isinstance(value, (list, tuple, dict, set, frozenset)):
        return len(value) <= MOST_ITEMS
    return True
