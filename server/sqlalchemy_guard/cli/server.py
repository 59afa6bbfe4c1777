"""`sqlalchemy-guard server`: hands over to the language server. Must never import it unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


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
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8888, help="port to listen on (default: %(default)s)")
    parser.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="warning",
        help="what is logged to standard error (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Run the server until its client leaves."""
    import gc

    # What is imported stays: looking for garbage in it only makes the client wait for its first diagnostics.
    gc.disable()
    from sqlalchemy_guard.lsp.main import main

    code: int = main(options)
    return code
