"""When work is done: at once for what the client waits for, after a quiet moment for what follows from it.

Every deferred piece of work has a key, and asking for it again under the same key moves it. Before the loop runs,
everything waits. No thread is ever started here. This module must never know what the work is.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from sqlalchemy_guard.logs import Log

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

log = Log(__name__)

QUIET = 0.15
"""Seconds without a change of the same kind before dependents are looked at again."""
SLICE = 0.005
"""Seconds that background work may take before messages are looked at again."""
IDLE = 1.0
"""Seconds without a message before garbage is collected."""
DEEP_IDLE_COLLECTIONS = 20
"""Every so many collections what was frozen is collected, too."""


class Schedule:
    """Deferred work of one session, run on its loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._waiting: dict[str, tuple[float, Callable[[], None]]] = {}

    @property
    def running(self) -> bool:
        """Whether the loop runs."""
        return self._loop is not None

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop runs: what waited is scheduled now."""
        self._loop = loop
        for key, (delay, work) in self._waiting.items():
            self.later(key, delay, work)
        self._waiting.clear()

    def later(self, key: str, delay: float, work: Callable[[], None]) -> None:
        """Do work after `delay` seconds, instead of what was asked for under the key before."""
        if self._loop is None:
            self._waiting[key] = (delay, work)
            return
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        self._timers[key] = self._loop.call_later(delay, self._run, key, work)

    def cancel(self, key: str) -> None:
        """Forget the work under a key."""
        self._waiting.pop(key, None)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def cancel_all(self) -> None:
        """Forget all work."""
        for key in [*self._timers, *self._waiting]:
            self.cancel(key)

    def _run(self, key: str, work: Callable[[], None]) -> None:
        self._timers.pop(key, None)
        try:
            work()
        except Exception:
            log.exception("the deferred work %r failed", key)


class Garbage:
    """Collects garbage while nobody is typing, and never while somebody is.

    A collection of a large tree takes longer than a hundred keystrokes, so the collector is off; what survives a
    collection is frozen and not looked at again until a long rest.
    """

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._collections = 0
        gc.disable()

    def touched(self) -> None:
        """Something was analysed: collect once it has become quiet."""
        self._schedule.later("garbage", IDLE, self._collect)

    def _collect(self) -> None:
        self._collections += 1
        if self._collections % DEEP_IDLE_COLLECTIONS == 0:
            gc.unfreeze()
        gc.collect()
        gc.freeze()
