"""Whole messages in, whole messages out, over any pair of byte streams.

Everything that has arrived is seen at once: changes that queued up are joined before anything is analysed, and a
cancellation overtakes the request that it cancels. Pipes are read by the loop itself (`pipes.py`), whatever else there
is by a thread of its own. This module must never know what a message means beyond its framing, its id and
`$/cancelRequest`.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from sqlalchemy_guard.logs import Log
from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator

log = Log(__name__)

Message: TypeAlias = dict[str, Any]

_LENGTH = lazy_pattern(rb"Content-Length:\s*(\d+)\s*$", re.IGNORECASE)
_HEADER_LIMIT = 64 * 1024
_BODY_LIMIT = 512 * 1024 * 1024


class Malformed(NamedTuple):
    """Bytes that are no message, and why."""

    reason: str


class ByteSource(Protocol):
    """What is needed of a stream that is read. It must not be buffered: the interpreter cannot end while a thread waits
    in a buffered one."""

    def read(self, size: int, /) -> bytes | None:
        """Up to `size` bytes as soon as there are any; none at the end."""
        ...


class ByteSink(Protocol):
    """What is needed of a stream that is written; it writes at once and tells how much."""

    def write(self, data: memoryview, /) -> int | None:
        """Write some of the data; how many bytes."""
        ...


def protect_stdout() -> tuple[io.FileIO, io.FileIO]:
    """Take standard input and output for the protocol alone.

    Afterwards whatever prints, in Python or below it, goes to standard error, and whatever reads standard input finds
    its end.

    Returns:
        The private streams to read from and to write to.
    """
    sys.stdout.flush()
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(source, os.O_BINARY)
        msvcrt.setmode(sink, os.O_BINARY)
    return open(source, "rb", buffering=0), open(sink, "wb", buffering=0)


class Writer:
    """Frames and writes messages; any thread may use it.

    Args:
        stream: Where to; a stream that writes at once.
        lost: Called once when the other side is gone.
    """

    def __init__(self, stream: ByteSink, lost: Callable[[], None]) -> None:
        self._stream = stream
        self._lost = lost
        self._lock = threading.Lock()
        self._closed = False

    def send(self, body: str) -> None:
        """Write one message. Nothing happens once the other side is gone."""
        data = body.encode("utf-8", "surrogatepass")
        frame = memoryview(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
        with self._lock:
            if self._closed:
                return
            try:
                while frame:
                    frame = frame[self._stream.write(frame) or 0 :]
            except (OSError, ValueError) as error:
                log.info("the client does not read any more: %s", error)
                self._closed = True
        if self._closed:
            self._lost()


class Framing:
    """Cuts bytes, as they come, into messages. Bytes that are no message are told once; then the next header counts."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._length: int | None = None

    def feed(self, data: bytes) -> Iterator[Message | Malformed]:
        """The messages that end in the bytes that have come; all of them must be taken before the next call."""
        buffer = self._buffer
        buffer += data
        while True:
            if self._length is None:
                end = buffer.find(b"\r\n\r\n")
                if end < 0:
                    if len(buffer) > _HEADER_LIMIT:
                        del buffer[: -_HEADER_LIMIT // 2]
                        yield Malformed("a header without an end")
                    return
                header = bytes(buffer[:end])
                del buffer[: end + 4]
                self._length = _length(header)
                if self._length is None:
                    yield Malformed(f"a header without a usable Content-Length: {header[:200]!r}")
                continue
            if len(buffer) < self._length:
                return
            body = bytes(buffer[: self._length])
            message = _decode(body)
            follows = -1
            if isinstance(message, Malformed):
                # A wrong length: whatever looks like the next header inside of the body starts the next message.
                follows = body.find(b"Content-Length:", 1)
            del buffer[: follows if follows > 0 else self._length]
            self._length = None
            yield message

    def end(self) -> Malformed | None:
        """What is wrong with the end of the stream, if it is the end."""
        if self._length is None:
            return None
        return Malformed(
            f"the stream ended {self._length - len(self._buffer)} bytes before its last message did"
        )


def read_some(stream: ByteSource) -> bytes:
    """What has arrived, none at the end and when the client cannot be read any more; waits for it."""
    try:
        return stream.read(1 << 16) or b""
    except (OSError, ValueError) as error:
        log.info("the client cannot be read any more: %s", error)
        return b""


def _length(header: bytes) -> int | None:
    for line in header.split(b"\r\n"):
        match = _LENGTH.search(line)
        if match and len(match[1]) < 12 and int(match[1]) <= _BODY_LIMIT:
            return int(match[1])
    return None


def _decode(body: bytes) -> Message | Malformed:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        return Malformed(f"not JSON: {error}")
    if not isinstance(message, dict):
        # Batches were never part of the language server protocol.
        return Malformed("not a JSON object")
    return message


class Arrivals(Protocol):
    """Where messages come from when no thread of its own reads them.

    Attributes:
        descriptor: What a loop waits for.
        ended: Whether nothing will come any more.
    """

    descriptor: int
    ended: bool

    def wait(self, timeout: float | None) -> bool:
        """Wait until something has arrived; False when nothing did within `timeout` seconds."""
        ...

    def take(self) -> None:
        """Put what has arrived into the inbox, without waiting."""
        ...


class Inbox:
    """Where messages are left for the loop to find them.

    Before a loop is attached, `get` blocks; afterwards `pop` takes what is there.

    Attributes:
        arrivals: Whom to ask for more; None when a thread of its own puts the messages here.
        cancelled: Ids of requests that the client has cancelled and that were not answered yet.
    """

    def __init__(self) -> None:
        self.arrivals: Arrivals | None = None
        self._queue: deque[Message | Malformed | None] = deque()
        self._ready = threading.Condition()
        self._wake: Callable[[], None] | None = None
        self.cancelled: set[int | str] = set()
        self._waiting_changes: dict[str, int] = {}

    def put(self, message: Message | Malformed | None) -> None:
        """Add a message; None says that none will follow."""
        with self._ready:
            if isinstance(message, dict):
                self._look_ahead(message)
            # Whoever was called for the first of them takes the others, too.
            wake = None if self._queue else self._wake
            self._queue.append(message)
            self._ready.notify()
        if wake is not None:
            wake()

    def attach(self, wake: Callable[[], None] | None) -> None:
        """From now on call `wake`, from any thread, when something has arrived and nothing else is waiting."""
        with self._ready:
            self._wake = wake
            waiting = bool(self._queue)
        if waiting and wake is not None:
            wake()

    def get(self, timeout: float | None = None) -> Message | Malformed | None:
        """The next message; waits for it.

        Raises:
            TimeoutError: nothing came within `timeout` seconds.
        """
        if self.arrivals is not None:
            while not self._queue:
                if not self.arrivals.wait(timeout):
                    raise TimeoutError
                self.arrivals.take()
        with self._ready:
            if not self._ready.wait_for(lambda: self._queue, timeout):
                raise TimeoutError
            return self._take()

    def pop(self) -> Message | Malformed | None:
        """The next message.

        Raises:
            IndexError: there is none.
        """
        with self._ready:
            return self._take()

    def __len__(self) -> int:
        return len(self._queue)

    def waiting(self) -> bool:
        """Whether a message waits, also one that nobody has read yet."""
        if not self._queue:
            self.look()
        return bool(self._queue)

    def look(self) -> None:
        """Take in what has arrived, if nobody else does."""
        if self.arrivals is not None:
            self.arrivals.take()

    def has_change_of(self, uri: str) -> bool:
        """Whether a newer version of a document is already waiting, so that answers about this one are stale."""
        return self._waiting_changes.get(uri, 0) > 0

    def has_changes(self) -> bool:
        """Whether a newer version of any document is waiting."""
        return bool(self._waiting_changes)

    def _take(self) -> Message | Malformed | None:
        message = self._queue.popleft()
        uri = _changed_uri(message)
        if uri is not None:
            left = self._waiting_changes.get(uri, 1) - 1
            if left:
                self._waiting_changes[uri] = left
            else:
                self._waiting_changes.pop(uri, None)
        return message

    def _look_ahead(self, message: Message) -> None:
        uri = _changed_uri(message)
        if uri is not None:
            self._waiting_changes[uri] = self._waiting_changes.get(uri, 0) + 1
        elif message.get("method") == "$/cancelRequest":
            params = message.get("params")
            cancelled = params.get("id") if isinstance(params, dict) else None
            if isinstance(cancelled, int | str):
                self.cancelled.add(cancelled)


def _changed_uri(message: Message | Malformed | None) -> str | None:
    if not isinstance(message, dict) or message.get("method") != "textDocument/didChange":
        return None
    params = message.get("params")
    document = params.get("textDocument") if isinstance(params, dict) else None
    uri = document.get("uri") if isinstance(document, dict) else None
    return uri if isinstance(uri, str) else None


def start_reader(stream: ByteSource, inbox: Inbox) -> None:
    """Read a stream into an inbox from a thread of its own, until it ends."""

    def read() -> None:
        framing = Framing()
        try:
            while data := read_some(stream):
                for message in framing.feed(data):
                    inbox.put(message)
            broken = framing.end()
            if broken is not None:
                inbox.put(broken)
        finally:
            inbox.put(None)

    threading.Thread(target=read, name="reader", daemon=True).start()
