"""The beginning: answers the first messages while the rest of the server is still being loaded.

`initialize`, the first document and the first keystrokes are served from a plain loop that needs neither asyncio nor
pygls; both are imported by another thread once the first diagnostics are out. Then the same session goes on on an
asyncio loop. This module must never know a method.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from sqlalchemy_guard.logs import Log, begin
from sqlalchemy_guard.lsp.lifecycle import watch_process
from sqlalchemy_guard.lsp.pipes import connect
from sqlalchemy_guard.lsp.session import Session
from sqlalchemy_guard.lsp.transport import Inbox, Writer, start_reader

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from sqlalchemy_guard.lsp.analysis import Analysis
    from sqlalchemy_guard.lsp.server import GuardServer
    from sqlalchemy_guard.lsp.transport import ByteSink, ByteSource

log = Log(__name__)

SWITCH_INTERVAL = 0.0005
"""Seconds after which the importing thread must let a keystroke through."""
LOOK = 0.02
"""Seconds between two looks whether loading has ended."""
UNHURRIED = 0.1
"""Seconds after `initialize` without a message before loading begins although no document was opened."""


class Loading:
    """Imports and makes the server in a thread of its own."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._thread: threading.Thread | None = None
        self._interval = sys.getswitchinterval()
        self.error: BaseException | None = None
        self.server: GuardServer | None = None

    @property
    def started(self) -> bool:
        """Whether it was begun."""
        return self._thread is not None

    @property
    def ended(self) -> bool:
        """Whether it has ended, one way or the other."""
        return self.server is not None or self.error is not None

    def start(self) -> None:
        """Begin."""
        sys.setswitchinterval(SWITCH_INTERVAL)
        self._thread = threading.Thread(target=self._load, name="loading", daemon=True)
        self._thread.start()

    def finish(self) -> GuardServer:
        """The server; waits for it.

        Raises:
            BaseException: whatever prevented it.
        """
        if self._thread is None:
            self.start()
        if self._thread is not None:
            self._thread.join()
        sys.setswitchinterval(self._interval)
        if self.server is None:
            raise self.error or RuntimeError("the server was not made")
        return self.server

    def _load(self) -> None:
        try:
            begin()
            import asyncio  # noqa: F401 (loaded here so that the loop starts at once)

            from sqlalchemy_guard.lsp.server import make_server

            server = make_server(self._session)
            server.adopt()
            self.server = server
        except BaseException as error:
            self.error = error


def serve(source: ByteSource, sink: ByteSink, build: Callable[[list[str]], Analysis]) -> int:
    """Serve one client over a pair of streams until it leaves.

    Returns:
        0 when it said goodbye properly, else 1.
    """
    inbox = Inbox()
    pipe = connect(source, sink, inbox)
    writer = Writer(sink if pipe is None else pipe, lambda: inbox.put(None))
    session = Session(inbox, writer.send, build)
    if pipe is None:
        start_reader(source, inbox)
    loading = Loading(session)
    _begin(session, loading)
    if session.exit_code is None:
        server = loading.finish()
        session.connect(server.protocol.feed)
        _go_on(session)
    return session.exit_code if session.exit_code is not None else 1


def _begin(session: Session, loading: Loading) -> None:
    """Serve until the server is loaded or the session is over."""
    watched = False
    while session.exit_code is None and not loading.ended:
        initialized = session.initialize_params is not None
        if initialized and not watched:
            watched = True
            watch_client(session)
            session.analysis  # noqa: B018 (made while the client prepares its next message)
        try:
            message = session.inbox.get((LOOK if loading.started else UNHURRIED) if initialized else None)
        except TimeoutError:
            if not loading.started:
                loading.start()
            continue
        session.receive(message)
        if session.inbox.waiting():
            continue
        checked = session.flush()
        if (checked or session.waits_for_server) and not loading.started:
            loading.start()


def watch_client(session: Session) -> None:
    """End the session when the client's process ends."""
    process_id = session.initialize_params.get("processId")
    if isinstance(process_id, int):
        watch_process(process_id, lambda: session.inbox.put(None))


def _go_on(session: Session) -> None:
    """Serve on an asyncio loop until the session is over."""
    import asyncio

    async def run() -> None:
        loop = asyncio.get_running_loop()
        over = loop.create_future()
        session.when_over = lambda: None if over.done() else over.set_result(None)
        attach(session, loop)
        await over

    asyncio.run(run())


def attach(session: Session, loop: asyncio.AbstractEventLoop) -> None:
    """From now on take messages and run deferred work on a loop."""

    pumping = False

    def pump() -> None:
        nonlocal pumping
        pumping = True
        session.pump()
        pumping = False
        if len(session.inbox) and session.exit_code is None:
            loop.call_soon(pump)

    def wake() -> None:
        # What comes while messages are being taken is seen at the end of that.
        if pumping:
            return
        try:
            loop.call_soon_threadsafe(pump)
        except RuntimeError:
            log.debug("a message came after the end of the session")

    def look() -> None:
        pump()
        if arrivals is not None and arrivals.ended:
            loop.remove_reader(arrivals.descriptor)

    session.schedule.attach(loop)
    session.inbox.attach(wake)
    arrivals = session.inbox.arrivals
    if arrivals is not None:
        loop.add_reader(arrivals.descriptor, look)
