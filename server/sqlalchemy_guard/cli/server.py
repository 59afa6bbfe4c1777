"""`sqlalchemy-guard server`: hands over to the language server. Must never import it unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HOST, PORT, LOG_LEVEL = "127.0.0.1", 8888, "warning"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `server`."""
    channel = parser.add_mutually_exclusive_group()
    channel.add_argument(
        "--stdio", action="store_true", help="speak over standard input and output (the default)"
    )
    channel.add_argument("--tcp", action="store_true", help="listen for one client on a TCP port")
    channel.add_argument(
        "--ws", action="store_true", help="listen on a WebSocket port (needs the extra `websocket`)"
    )
    parser.add_argument("--host", default=HOST, help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=PORT, help="port to listen on (default: %(default)s)")
    parser.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default=LOG_LEVEL,
        help="what is logged to standard error (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Run the server until its client leaves."""
    channel = "ws" if options.ws else "tcp" if options.tcp else "stdio"
    return _serve(channel, options.host, options.port, options.log_level)


def serve_editor() -> int:
    """Run the server as it is without options, until its client leaves."""
    return _serve("stdio", HOST, PORT, LOG_LEVEL)


def _serve(channel: str, host: str, port: int, log_level: str) -> int:
    import gc

    # What is imported stays: looking for garbage in it only makes the client wait for its first diagnostics.
    gc.disable()
    from sqlalchemy_guard.lsp.main import main

    code: int = main(channel, host, port, log_level)
    return code
