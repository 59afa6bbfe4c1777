"""Drift between models and migrations, and statements to be built, looked at while nothing else is to do.

Rebuilding models and replaying a history may take seconds. Whatever arrives meanwhile goes first, and the work begins again later.
This module must never compare anything.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy_guard.logs import Log
from sqlalchemy_guard.lsp.schedule import IDLE
from sqlalchemy_guard.migrations.known import refresh

if TYPE_CHECKING:
    from sqlalchemy_guard.lsp.session import Session

log = Log(__name__)

MOST_FAILURES = 3
"""How often an error is met before nothing but a change makes it be tried again."""
LOOK_EVERY = 0.002
"""Seconds between two looks at what has arrived."""


class _Interrupted(BaseException):
    """Something arrived. No error: nothing in between that survives errors may survive this."""


class DriftWatch:
    """Looks again when models or revisions may have changed.

    Args:
        session: Whose workspace it is.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._looked = 0.0
        self._failures = 0

    def soon_if_asked(self) -> None:
        """The same when a check met a statement that is to be built."""
        from sqlalchemy_guard.sql import unlinked

        if unlinked.is_waiting(self._session.analysis.workspace):
            self.soon()

    def soon(self) -> None:
        """Look again once it is quiet."""
        self._session.schedule.later("drift", IDLE, self._look)

    def _look(self) -> None:
        from sqlalchemy_guard.sql import unlinked

        workspace = self._session.analysis.workspace
        if not workspace.is_read:
            # The end of the index asks again.
            return
        try:
            self._poll()
            if refresh(workspace, self._poll):
                self._session.recheck()
            if unlinked.refresh(workspace, self._poll):
                self._session.recheck()
            self._failures = 0
        except _Interrupted:
            self.soon()
        except Exception:
            log.exception("models and migrations could not be compared")
            # What failed by chance is tried again; what fails every time waits for the next change.
            self._failures += 1
            if self._failures % MOST_FAILURES:
                self.soon()
        finally:
            self._session.garbage.touched()

    def _poll(self) -> None:
        now = time.monotonic()
        if now - self._looked > LOOK_EVERY:
            self._looked = now
            self._session.inbox.look()
        if self._session.inbox.waiting():
            raise _Interrupted
