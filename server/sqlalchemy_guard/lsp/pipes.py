"""Pipes and sockets, read and written by the thread that handles the messages.

A thread that reads costs two changes of threads for each key, more than the analysis of most keys. So the loop looks
for itself, also in the middle of long work, and while it writes: a client that reads nothing before it has written all
that it has to say would else wait for us as we wait for it. This module must never wait while there is something to do.
"""

from __future__ import annotations

import os
import select
import stat
import sys
import threading
from typing import TYPE_CHECKING

from sqlalchemy_guard.logs import Log
from sqlalchemy_guard.lsp.transport import Framing, read_some

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.lsp.transport import ByteSink, ByteSource, Inbox

log = Log(__name__)

_ROOMY = 1 << 20
"""Bytes that a pipe is asked to hold: what Linux lets anybody have."""
_MOST_READS = 64
"""Reads of one look, so that a client that never stops writing is answered, too."""


def connect(source: ByteSource, sink: ByteSink, inbox: Inbox) -> ByteSink | None:
    """Read a pair of pipes or sockets into an inbox whenever that is asked for.

    Returns:
        What to write to; None when these streams are something else, or where the system cannot tell what is ready.
    """
    descriptors = [getattr(stream, "fileno", None) for stream in (source, sink)]
    if sys.platform == "win32" or None in descriptors or not hasattr(select, "poll"):
        return None
    read, write = (fileno() for fileno in descriptors if fileno is not None)
    if not all(
        stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
        for mode in (os.fstat(read).st_mode, os.fstat(write).st_mode)
    ):
        return None
    inbox.arrivals = PipeArrivals(source, read, inbox)
    return PipeSink(sink, write, inbox.arrivals)


if sys.platform != "win32":

    class PipeArrivals:
        """The messages that arrive on a pipe or a socket (see `Arrivals`).

        Attributes:
            descriptor: What to wait for on a loop.
            ended: Whether nothing will come any more; the inbox was told.
        """

        def __init__(self, source: ByteSource, descriptor: int, inbox: Inbox) -> None:
            self.descriptor = descriptor
            self.ended = False
            self._source = source
            self._inbox = inbox
            self._framing = Framing()
            self._ready = select.poll()
            self._ready.register(descriptor, select.POLLIN)
            self._reading = threading.Lock()

        def wait(self, timeout: float | None) -> bool:
            """Wait until there is something to read, at most `timeout` seconds."""
            return self.ended or bool(self._ready.poll(None if timeout is None else timeout * 1000))

        def take(self) -> None:
            """Read what there is."""
            # Another thread that finds its pipe full looks, too; what one reads need not be read by the other.
            if not self._reading.acquire(blocking=False):
                return
            try:
                for _ in range(_MOST_READS):
                    if self.ended or not self._ready.poll(0):
                        return
                    self._read()
            finally:
                self._reading.release()

        def _read(self) -> None:
            data = read_some(self._source)
            for message in self._framing.feed(data):
                self._inbox.put(message)
            if not data:
                self.ended = True
                broken = self._framing.end()
                if broken is not None:
                    self._inbox.put(broken)
                self._inbox.put(None)

    class PipeSink:
        """Writes to a pipe or a socket, and takes what arrives while there is no room (see `ByteSink`)."""

        def __init__(self, sink: ByteSink, descriptor: int, arrivals: PipeArrivals) -> None:
            self._sink = sink
            self._arrivals = arrivals
            self._room = select.poll()
            self._room.register(descriptor, select.POLLOUT)
            self._either = select.poll()
            self._either.register(descriptor, select.POLLOUT)
            self._either.register(arrivals.descriptor, select.POLLIN)
            self._descriptor = descriptor
            self._write_much: Callable[[memoryview], int | None] | None = None

        def write(self, data: memoryview, /) -> int | None:
            """Write as much as there is room for, waiting for some.

            Raises:
                OSError: the other side is gone.
            """
            while not self._room.poll(0):
                (self._room if self._arrivals.ended else self._either).poll()
                self._arrivals.take()
            if len(data) > select.PIPE_BUF:
                if self._write_much is None:
                    is_socket = stat.S_ISSOCK(os.fstat(self._descriptor).st_mode)
                    through = _through_socket if is_socket else _through_pipe
                    self._write_much = through(self._sink, self._descriptor)
                return self._write_much(data)
            # So much can be written to a pipe that has room without waiting.
            return self._sink.write(data)

    def _through_socket(_sink: ByteSink, descriptor: int) -> Callable[[memoryview], int | None]:
        """Writes as much as a socket has room for, without waiting. All diagnostics of a large file are some hundred
        kilobytes: piece by piece they would take longer than the analysis of a key."""
        import socket

        link = socket.socket(fileno=os.dup(descriptor))

        def write(data: memoryview) -> int | None:
            try:
                return link.send(data, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return 0

        return write

    def _through_pipe(sink: ByteSink, descriptor: int) -> Callable[[memoryview], int | None]:
        """The same for a pipe: it tells only whether it is empty, and then it takes what it can hold."""
        import fcntl
        import termios

        capacity = select.PIPE_BUF
        if sys.platform == "linux":
            try:
                fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _ROOMY)
            except OSError:
                log.debug("the pipe to the client stays as small as it is")
            capacity = fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ)

        def write(data: memoryview) -> int | None:
            unread = (
                fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)) if capacity > select.PIPE_BUF else b"?"
            )
            return sink.write(data[: select.PIPE_BUF if any(unread) else capacity])

        return write
