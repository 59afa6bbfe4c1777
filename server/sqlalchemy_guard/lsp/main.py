"""The entry of the language server: which channel it speaks over. This module must never import what only one needs."""

from __future__ import annotations

from sqlalchemy_guard.logs import begin, configure
from sqlalchemy_guard.lsp.analysis import build


def main(channel: str, host: str, port: int, log_level: str) -> int:
    """Serve until the client leaves.

    Args:
        channel: `tcp` or `ws`, which listen, else standard input and output.
        host: The address to listen on.
        port: The port to listen on.
        log_level: What is logged to standard error, and what is worse.

    Returns:
        0 when the client said goodbye properly, else 1; 2 when the port cannot be had.
    """
    configure(log_level)
    if channel != "stdio":
        begin()
    if channel == "ws":
        from sqlalchemy_guard.lsp.network import serve_websocket

        return serve_websocket(host, port, build)
    if channel == "tcp":
        from sqlalchemy_guard.lsp.network import serve_tcp

        return serve_tcp(host, port, build)
    from sqlalchemy_guard.lsp.front import serve
    from sqlalchemy_guard.lsp.transport import protect_stdout

    return serve(*protect_stdout(), build)
