"""The language server on pygls: everything that is not answered from raw messages by `session.py`.

Each handler takes typed parameters, delegates, and returns JSON values. pygls' own reader, writer, text documents and
life cycle are not used: see `transport.py`, `session.py` and `lifecycle.py`. This module must never analyse.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, default_converter

from sqlalchemy_guard import __version__
from sqlalchemy_guard.logs import Log
from sqlalchemy_guard.lsp import actions, hover, lenses, pages
from sqlalchemy_guard.lsp.capabilities import OPEN_FILE, SHOW_DOCUMENTATION, SHOW_SQL
from sqlalchemy_guard.lsp.messages import ErrorCode, RequestError, error_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.lsp.session import Session
    from sqlalchemy_guard.lsp.transport import Message

log = Log(__name__)


class GuardProtocol(LanguageServerProtocol):
    """pygls' protocol between our reader and our writer, which know neither its streams nor its loop."""

    _server: GuardServer

    def feed(self, message: Message) -> None:
        """Handle a raw message with the handlers below."""
        method = message["method"]
        if method not in self.fm.features and method not in self.fm.builtin_features:
            self._refuse(message, ErrorCode.METHOD_NOT_FOUND, f"{method} is not supported")
            return
        try:
            structured = self.structure_message(message)
        except JsonRpcException as error:
            self._refuse(message, ErrorCode.INVALID_PARAMS, f"the parameters of {method} are wrong: {error}")
            return
        self.handle_message(structured)

    def _refuse(self, message: Message, code: ErrorCode, why: str) -> None:
        if "id" in message:
            self._server.session.send(error_text(message["id"], code, why))
        elif not message["method"].startswith("$/"):
            log.warning("ignored: %s", why)

    def _send_data(self, data: Any) -> None:
        if not self._server.muted:
            self._server.session.send(json.dumps(data, default=self._serialize_message))


class GuardServer(LanguageServer):
    """The server of one session.

    Attributes:
        session: The state it works on.
        muted: While set, nothing is sent.
    """

    protocol: GuardProtocol

    def __init__(self, session: Session) -> None:
        self.session = session
        self.muted = False
        super().__init__(
            "sqlalchemy-guard", __version__, protocol_cls=GuardProtocol, converter_factory=default_converter
        )

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Errors go to the log; the request was answered with them."""
        log.error("%s: %s", getattr(source, "__name__", source), error)

    def adopt(self) -> None:
        """Let pygls take note of the `initialize` that has been answered; this also compiles its converters."""
        self.muted = True
        try:
            self.protocol.feed(
                {
                    "jsonrpc": "2.0",
                    "id": 0,
                    "method": types.INITIALIZE,
                    "params": self.session.initialize_params,
                }
            )
        finally:
            self.muted = False


def make_server(session: Session) -> GuardServer:
    """The server of a session, ready to be fed."""
    server = GuardServer(session)
    _register(server, session)
    return server


@contextmanager
def _refusals() -> Iterator[None]:
    """Tell pygls of a request that ends with an error of ours, such as one that was cancelled, in its own terms."""
    try:
        yield
    except RequestError as error:
        raise JsonRpcException(str(error), int(error.code), error.data) from error


def _register(server: GuardServer, session: Session) -> None:
    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION)
    def code_action(params: types.CodeActionParams) -> list[dict[str, Any]]:
        only = (
            None
            if params.context.only is None
            else [str(getattr(k, "value", k)) for k in params.context.only]
        )
        start, end = params.range.start, params.range.end
        with _refusals():
            return actions.offer(
                session,
                params.text_document.uri,
                ((start.line, start.character), (end.line, end.character)),
                only,
            )

    @server.feature(types.CODE_ACTION_RESOLVE)
    def resolve(params: types.CodeAction) -> dict[str, Any]:
        with _refusals():
            return actions.resolve(session, server.protocol._converter.unstructure(params))

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hover_(params: types.HoverParams) -> dict[str, Any] | None:
        at = params.position
        with _refusals():
            return hover.hover(session, params.text_document.uri, at.line, at.character)

    @server.feature(types.TEXT_DOCUMENT_CODE_LENS)
    def code_lens(params: types.CodeLensParams) -> list[dict[str, Any]]:
        with _refusals():
            return lenses.lenses(session, params.text_document.uri)

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    def configuration_changed(params: types.DidChangeConfigurationParams) -> None:
        session.configuration.changed(params.settings)

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def files_changed(params: types.DidChangeWatchedFilesParams) -> None:
        session.configuration.watched([change.uri for change in params.changes])

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    def folders_changed(params: types.DidChangeWorkspaceFoldersParams) -> None:
        event = params.event
        session.folders.change(
            [folder.uri for folder in event.added], [folder.uri for folder in event.removed]
        )

    @server.feature(types.WINDOW_WORK_DONE_PROGRESS_CANCEL)
    def progress_cancelled(params: types.WorkDoneProgressCancelParams) -> None:
        session.progress.cancel_by_id(params.token)

    @server.command(SHOW_DOCUMENTATION)
    def show_documentation(code: str) -> None:
        pages.show(session, code)

    @server.command(SHOW_SQL)
    def show_sql(uri: str, line: int) -> None:
        with _refusals():
            lenses.show_sql(session, uri, line)

    @server.command(OPEN_FILE)
    def open_file(uri: str) -> None:
        lenses.open_file(session, uri)
