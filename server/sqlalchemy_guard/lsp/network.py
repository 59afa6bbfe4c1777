"""The server over a TCP or a WebSocket port, for one client. This module must never know a message."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.lsp.front import attach, serve, watch_client
from sqlalchemy_guard.lsp.transport import Inbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.lsp.analysis import Analysis

log = logging.getLogger(__name__)

CANNOT_LISTEN = 2


def serve_tcp(host: str, port: int, build: Callable[[list[str]], Analysis]) -> int:
    """Wait for one client on a TCP port and serve it; port 0 takes any free one, which is told on standard error."""
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        print(f"error: cannot listen on {host}:{port}: {error}", file=sys.stderr)
        return CANNOT_LISTEN
    with listener:
        print(f"Listening on {host}:{listener.getsockname()[1]}", file=sys.stderr, flush=True)
        connection, _ = listener.accept()
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = socket.SocketIO(connection, "rw")
        return serve(stream, stream, build)


def serve_websocket(host: str, port: int, build: Callable[[list[str]], Analysis]) -> int:
    """Serve one client on a WebSocket port, with pygls' transport."""
    try:
        import websockets  # noqa: F401 (asked for by pygls later, where its absence could not be told)
    except ImportError:
        print(
            "error: --ws needs the package websockets: pip install 'sqlalchemy-guard[websocket]'",
            file=sys.stderr,
        )
        return CANNOT_LISTEN
    from sqlalchemy_guard.lsp.server import make_server
    from sqlalchemy_guard.lsp.session import Session

    inbox = Inbox()
    waiting: list[str] = []
    session = Session(inbox, waiting.append, build)
    server = make_server(session)

    class Opening:
        """Attaches the session to the loop of the first connection, before its first message."""

        def __call__(self, writer: Any, include_headers: bool = True) -> None:
            del include_headers
            loop = asyncio.get_running_loop()
            tail: asyncio.Task[Any] | None = None

            def send(body: str) -> None:
                nonlocal tail
                before = tail

                async def write() -> None:
                    if before is not None:
                        await asyncio.wait([before])
                    await writer.write(body)

                tail = loop.create_task(write())

            def over() -> None:
                server.shutdown()

            session.send = session.diagnostics._send = send
            session.when_over = over
            session.when_initialized = lambda: (server.adopt(), watch_client(session))
            session.connect(server.protocol.feed)
            attach(session, loop)

    server.protocol.set_writer = Opening()  # type: ignore[method-assign]
    try:
        server.start_ws(host, port)
    except OSError as error:
        print(f"error: cannot listen on {host}:{port}: {error}", file=sys.stderr)
        return CANNOT_LISTEN
    return session.exit_code if session.exit_code is not None else 1
