"""The entry of the language server: which channel it speaks over. This module must never import what only one needs."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from sqlalchemy_guard.lsp.analysis import build

if TYPE_CHECKING:
    import argparse


def main(options: argparse.Namespace) -> int:
    """Serve until the client leaves.

    Args:
        options: `tcp` or `ws` with `host` and `port`, else standard input and output; `log_level`.

    Returns:
        0 when the client said goodbye properly, else 1; 2 when the port cannot be had.
    """
    logging.basicConfig(
        stream=sys.stderr,
        level=getattr(logging, options.log_level.upper()),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    if options.ws:
        from sqlalchemy_guard.lsp.network import serve_websocket

        return serve_websocket(options.host, options.port, build)
    if options.tcp:
        from sqlalchemy_guard.lsp.network import serve_tcp

        return serve_tcp(options.host, options.port, build)
    from sqlalchemy_guard.lsp.front import serve
    from sqlalchemy_guard.lsp.transport import protect_stdout

    return serve(*protect_stdout(), build)
