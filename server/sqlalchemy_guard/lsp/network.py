"""The server over a TCP or a WebSocket port, for one client. This module must never know a message."""

from __future__ import annotations

import socket
import sys
import threading
from typing import TYPE_CHECKING

from sqlalchemy_guard.lsp.front import serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.sync.server import ServerConnection

    from sqlalchemy_guard.lsp.analysis import Analysis

CANNOT_LISTEN = 2
TRY_AGAIN_LATER = 1013


def serve_tcp(host: str, port: int, build: Callable[[list[str]], Analysis]) -> int:
    """Wait for one client on a TCP port and serve it; port 0 takes any free one, which is told on standard error."""
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        return _cannot_listen(host, port, error)
    with listener:
        _tell(host, listener)
        connection, _ = listener.accept()
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = socket.SocketIO(connection, "rw")
        return serve(stream, stream, build)


class WebSocketStream:
    """A WebSocket connection as a stream of bytes: each of its messages gets, or loses, a header."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    def read(self, size: int, /) -> bytes:
        """The next message with its header, whatever its size; nothing at the end."""
        from websockets.exceptions import ConnectionClosed

        del size
        try:
            body = self._connection.recv()
        except ConnectionClosed:
            return b""
        data = body.encode() if isinstance(body, str) else body
        return b"Content-Length: %d\r\n\r\n%s" % (len(data), data)

    def write(self, data: memoryview, /) -> int:
        """Send a message without its header.

        Raises:
            OSError: the connection is closed.
        """
        from websockets.exceptions import ConnectionClosed

        _, _, body = bytes(data).partition(b"\r\n\r\n")
        try:
            self._connection.send(body.decode())
        except ConnectionClosed as error:
            raise OSError(str(error)) from error
        return len(data)


def serve_websocket(host: str, port: int, build: Callable[[list[str]], Analysis]) -> int:
    """Wait for one client on a WebSocket port and serve it; others are turned away."""
    try:
        from websockets.sync.server import serve as listen
    except ImportError:
        print(
            "error: --ws needs the package websockets: pip install 'sqlalchemy-guard[websocket]'",
            file=sys.stderr,
        )
        return CANNOT_LISTEN
    codes: list[int] = []
    taken = threading.Lock()
    done = threading.Event()

    def one(connection: ServerConnection) -> None:
        if not taken.acquire(blocking=False):
            connection.close(TRY_AGAIN_LATER, "this server serves one client")
            return
        try:
            stream = WebSocketStream(connection)
            codes.append(serve(stream, stream, build))
        finally:
            connection.close()
            done.set()

    try:
        server = listen(one, host, port, max_size=None)
    except OSError as error:
        return _cannot_listen(host, port, error)
    with server:
        _tell(host, server.socket)
        threading.Thread(target=server.serve_forever, name="listener", daemon=True).start()
        done.wait()
    return codes[0] if codes else 1


def _tell(host: str, listener: socket.socket) -> None:
    print(f"Listening on {host}:{listener.getsockname()[1]}", file=sys.stderr, flush=True)


def _cannot_listen(host: str, port: int, error: OSError) -> int:
    print(f"error: cannot listen on {host}:{port}: {error}", file=sys.stderr)
    return CANNOT_LISTEN
