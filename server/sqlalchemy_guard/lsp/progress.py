"""Indexing in the background: small steps between messages, with progress, given up when the client says so.

A step never starts while a message waits. This module must never index by itself; the workspace does, step by step.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.lsp.schedule import SLICE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.lsp.session import Session


REPORT_EVERY = 0.2
"""Seconds between two reports of progress."""
PAUSE = 0.001
"""Seconds between two slices, in which messages are taken."""


class Progress:
    """The background work of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._steps: Iterator[tuple[int, int]] | None = None
        self._token: str | None = None
        self._count = 0
        self._reported = 0.0

    def start_indexing(self) -> None:
        """Analyse the files of the workspace, from the beginning."""
        self.cancel()
        if not self._session.folders.paths():
            return
        self._steps = self._session.analysis.workspace.index_steps()
        if not self._session.client.progress:
            self._session.schedule.later("index", 0, self._slice)
            return
        self._count += 1
        token, steps = f"guard/index/{self._count}", self._steps

        def begin(_: Any) -> None:
            if self._steps is steps:
                self._token = token
                self._report({"kind": "begin", "title": "Indexing", "cancellable": True, "percentage": 0})
                self._session.schedule.later("index", 0, self._slice)

        self._session.request("window/workDoneProgress/create", {"token": token}, begin)

    def cancel(self) -> None:
        """Give up; what was indexed stays."""
        self._session.schedule.cancel("index")
        self._steps = None
        self._end("Cancelled")

    def cancel_by_id(self, token: Any) -> None:
        """Give up if this is the token of the work."""
        if token is not None and token == self._token:
            self.cancel()

    def _slice(self) -> None:
        steps = self._steps
        if steps is None:
            return
        deadline = time.monotonic() + SLICE
        while not self._session.inbox.waiting() and time.monotonic() < deadline:
            try:
                done, total = next(steps)
            except StopIteration:
                self._finish()
                return
            if self._token is not None and time.monotonic() - self._reported >= REPORT_EVERY:
                self._reported = time.monotonic()
                percentage = 100 * done // max(1, total)
                self._report({"kind": "report", "message": f"{done}/{total} files", "percentage": percentage})
        self._session.schedule.later("index", PAUSE, self._slice)

    def _finish(self) -> None:
        self._steps = None
        self._end("Done")
        self._session.garbage.touched()
        self._session.check_again(self._session.all_documents())
        self._session.drift.soon()

    def _end(self, message: str) -> None:
        if self._token is not None:
            self._report({"kind": "end", "message": message})
            self._token = None

    def _report(self, value: dict[str, Any]) -> None:
        self._session.notify("$/progress", {"token": self._token, "value": value})
