"""One client: its open documents, the analysis, and the messages that must not wait for anything.

What is answered here is answered from raw messages, whether or not pygls is loaded yet; everything else is handed to
`server.py`. This module must never import pygls or lsprotocol.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.logs import Log
from sqlalchemy_guard.lsp.capabilities import Client, dig, initialize_result
from sqlalchemy_guard.lsp.configuration import Configuration
from sqlalchemy_guard.lsp.convert import DiagnosticTexts
from sqlalchemy_guard.lsp.diagnostics import Diagnostics
from sqlalchemy_guard.lsp.documents import Documents, OpenDocument, is_checked, opened_document
from sqlalchemy_guard.lsp.drift import DriftWatch
from sqlalchemy_guard.lsp.folders import Folders
from sqlalchemy_guard.lsp.messages import ErrorCode, RequestError, error_text, request_text, response_text
from sqlalchemy_guard.lsp.notebooks import Notebook
from sqlalchemy_guard.lsp.pages import WHEN_IDLE, write_pages
from sqlalchemy_guard.lsp.progress import Progress
from sqlalchemy_guard.lsp.schedule import QUIET, Garbage, Schedule
from sqlalchemy_guard.lsp.transport import Malformed
from sqlalchemy_guard.lsp.uris import to_file_id, to_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy_guard.check import FileReport
    from sqlalchemy_guard.lsp.analysis import Analysis
    from sqlalchemy_guard.lsp.transport import Inbox, Message

log = Log(__name__)

SUPERSEDED = ("superseded by a newer version", {"retriggerRequest": True})
PUMP_SLICE = 0.05
"""Seconds after which what has been received is analysed although more has arrived."""
LOOK_EVERY = 0.002
"""Seconds of analysis after which to look whether somebody still waits for it."""


class Session:
    """The state of one client's connection.

    Args:
        inbox: Where its messages arrive.
        send: Writes one message.
        build: Makes the analysis of some folders.

    Attributes:
        client: What it can do; defaults before `initialize`.
        forward: Takes the messages that are not answered here; None until it is loaded.
        exit_code: Set once the session is over.
        initialize_params: The raw parameters of `initialize`.
    """

    def __init__(
        self, inbox: Inbox, send: Callable[[str], None], build: Callable[[list[str]], Analysis]
    ) -> None:
        self.inbox = inbox
        self.send = send
        self.client = Client()
        self.initialize_params: Any = None
        self.exit_code: int | None = None
        self.forward: Callable[[Message], None] | None = None
        self.when_over: Callable[[], None] = lambda: None
        self.documents = Documents()
        self.schedule = Schedule()
        self.garbage = Garbage(self.schedule)
        self.diagnostics = Diagnostics(self.diagnose, send, lambda: self.client.pulls)
        self.configuration = Configuration(self)
        self.folders = Folders(self)
        self.progress = Progress(self)
        self.drift = DriftWatch(self)
        self._build = build
        self._analysis: Analysis | None = None
        self._shut_down = False
        self._deferred: list[Message] = []
        self._request_id: int | str | None = None
        self._awaited: OpenDocument | None = None
        self._looked = 0.0
        self._dirty: dict[OpenDocument, None] = {}
        self._asked: dict[str, Callable[[Any], None]] = {}
        self._asked_count = 0
        self._notebooks: dict[str, Notebook] = {}
        self._handlers: dict[str, Callable[[Any], str | None]] = {
            "initialize": self._initialize,
            "initialized": self._initialized,
            "shutdown": self._shutdown,
            "exit": self._exit,
            "$/cancelRequest": self._cancel,
            "textDocument/didOpen": self._did_open,
            "textDocument/didChange": self._did_change,
            "textDocument/didSave": self._did_save,
            "textDocument/didClose": self._did_close,
            "textDocument/diagnostic": self._diagnostic,
            "notebookDocument/didOpen": self._notebook_did_open,
            "notebookDocument/didChange": self._notebook_did_change,
            "notebookDocument/didSave": self._notebook_did_save,
            "notebookDocument/didClose": self._notebook_did_close,
        }

    # -- messages --------------------------------------------------------------------------------------------------

    @property
    def waits_for_server(self) -> bool:
        """Whether messages wait for somebody to `forward` them to."""
        return bool(self._deferred)

    def pump(self) -> None:
        """Take what has arrived, then analyse what changed."""
        deadline = time.monotonic() + PUMP_SLICE
        while self.exit_code is None and self.inbox.waiting() and time.monotonic() < deadline:
            self.receive(self.inbox.pop())
        self.flush()

    def connect(self, forward: Callable[[Message], None]) -> None:
        """From now on hand over the messages that are not answered here, and first those that waited."""
        self.forward = forward
        waiting, self._deferred = self._deferred, []
        for message in waiting:
            self.receive(message)

    def receive(self, message: Message | Malformed | None) -> None:
        """Handle one message, or the end of them. Never raises."""
        if message is None:
            self.over(0 if self._shut_down else 1)
        elif isinstance(message, Malformed):
            log.error("received something that is no message: %s", message.reason)
            self.send(error_text(None, ErrorCode.PARSE_ERROR, message.reason))
        elif "method" not in message:
            self._answered(message)
        else:
            self._handle(message)

    def _handle(self, message: Message) -> None:
        method, message_id, is_request = message["method"], message.get("id"), "id" in message
        if is_request and not isinstance(message_id, int | str):
            self.send(
                error_text(None, ErrorCode.INVALID_REQUEST, "the id of a request is a number or a string")
            )
            return
        try:
            self._admit(method, message_id)
            self._request_id = message_id
            handler = self._handlers.get(method)
            if handler is not None:
                result = handler(message.get("params"))
                if is_request:
                    self.send(response_text(message_id, result or "null"))
            elif self.forward is not None:
                self.forward(message)
            else:
                self._deferred.append(message)
                return
        except RequestError as error:
            if is_request:
                self.send(error_text(message_id, error.code, str(error), error.data))
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
            log.exception("%s could not be followed", method)
            if is_request:
                self.send(
                    error_text(message_id, ErrorCode.INVALID_PARAMS, f"{type(error).__name__}: {error}")
                )
        except Exception as error:
            log.exception("%s failed", method)
            if is_request:
                self.send(
                    error_text(message_id, ErrorCode.INTERNAL_ERROR, f"{type(error).__name__}: {error}")
                )
        finally:
            self._request_id = None
        if is_request:
            self.inbox.cancelled.discard(message_id)

    def _admit(self, method: Any, message_id: int | str | None) -> None:
        """Refuse what must not be handled now."""
        if not isinstance(method, str):
            raise RequestError(ErrorCode.INVALID_REQUEST, "the method of a message is a string")
        if self.initialize_params is None and method not in ("initialize", "exit"):
            raise RequestError(ErrorCode.SERVER_NOT_INITIALIZED, "the first request is `initialize`")
        if self._shut_down and method != "exit":
            raise RequestError(ErrorCode.INVALID_REQUEST, "the server was shut down")
        if message_id is not None and message_id in self.inbox.cancelled and method != "shutdown":
            raise RequestError(ErrorCode.REQUEST_CANCELLED, "cancelled")

    def notify(self, method: str, params: Any) -> None:
        """Send a notification."""
        self.send(json.dumps({"jsonrpc": "2.0", "method": method, "params": params}))

    def request(self, method: str, params: Any, then: Callable[[Any], None]) -> None:
        """Send a request; `then` gets the result, None when the client refused."""
        self._asked_count += 1
        message_id = f"guard/{self._asked_count}"
        self._asked[message_id] = then
        self.send(request_text(message_id, method, params))

    def _answered(self, message: Message) -> None:
        then = self._asked.pop(str(message.get("id")), None)
        if then is None:
            log.warning("received an answer to nothing: id %r", message.get("id"))
            return
        if "error" in message:
            log.info("the client refused: %s", message["error"])
        try:
            then(message.get("result"))
        except Exception:
            log.exception("the answer %r could not be used", message.get("id"))

    # -- lifecycle -------------------------------------------------------------------------------------------------

    def over(self, code: int) -> None:
        """End the session."""
        if self.exit_code is None:
            self.exit_code = code
            self.schedule.cancel_all()
            self.when_over()

    def _initialize(self, params: Any) -> str:
        if self.initialize_params is not None:
            raise RequestError(ErrorCode.INVALID_REQUEST, "initialize was sent twice")
        self.initialize_params = params if isinstance(params, dict) else {}
        self.client = Client.of(self.initialize_params)
        self.folders.start(self.initialize_params)
        self.configuration.start(dig(self.initialize_params, "initializationOptions"))
        return json.dumps(initialize_result(self.client))

    def _initialized(self, _: Any) -> None:
        self.configuration.register()
        self.configuration.ask()
        self.schedule.later("index", 0.5, self.progress.start_indexing)
        if self.client.code_description or self.client.markdown_hover:
            self.schedule.later("pages", WHEN_IDLE, lambda: write_pages(self))

    def _shutdown(self, _: Any) -> None:
        self._shut_down = True
        self.progress.cancel()

    def _exit(self, _: Any) -> None:
        self.over(0 if self._shut_down else 1)

    def _cancel(self, params: Any) -> None:
        # The reader noted it long ago. By now the request has been answered, unless it waits for the server.
        cancelled = params["id"]
        self.progress.cancel_by_id(cancelled)
        waiting, self._deferred = self._deferred, []
        for message in waiting:
            if message.get("id", self) == cancelled:
                self.send(error_text(cancelled, ErrorCode.REQUEST_CANCELLED, "cancelled"))
            else:
                self._deferred.append(message)
        self.inbox.cancelled.discard(cancelled)

    # -- analysis --------------------------------------------------------------------------------------------------

    @property
    def analysis(self) -> Analysis:
        """The analysis, made when it is first asked for."""
        if self._analysis is None:
            self._analysis = self._build(self.folders.paths())
            self._analysis.checker.poll = self._poll
            self.configuration.apply(self._analysis)
        return self._analysis

    def rebuild(self) -> None:
        """The folders are others: analyse everything anew."""
        self._analysis = None
        for document in self.all_documents():
            document.edits = None
        self.recheck()

    def all_documents(self) -> list[OpenDocument]:
        """The open documents and notebooks."""
        return [*self.documents, *self._notebooks.values()]

    def document(self, uri: str) -> OpenDocument | None:
        """The open document, or the notebook of the open cell, of a URI."""
        found = self.documents.get(uri)
        if found is None:
            found = next((book for book in self._notebooks.values() if book.part(uri) is not None), None)
        return found

    def open_by_id(self, file_id: str) -> OpenDocument | None:
        """The open document or notebook of a workspace's id."""
        return self.documents.by_id(file_id) or self._notebooks.get(file_id)

    def check(self, document: OpenDocument) -> FileReport:
        """The report of a document's newest version."""
        self.sync(document)
        self.garbage.touched()
        report = self.analysis.checker.check(document.file_id)
        self.drift.soon_if_asked()
        return report

    def diagnose(self, document: OpenDocument) -> FileReport:
        """The report of a document's newest version, as long as that is the newest one.

        Raises:
            RequestError: a newer version has arrived, or the request for it was cancelled.
        """
        self._awaited = document
        try:
            return self.check(document)
        finally:
            self._awaited = None

    @contextmanager
    def interruptible(self, document: OpenDocument) -> Iterator[Callable[[], None]]:
        """Long work for a request about a document: gives what must be called now and then, and ends the work, too, when
        any document changed. Whoever types goes first."""
        outer, self._awaited = self._awaited, document

        def poll() -> None:
            self._poll()
            if self.inbox.has_changes():
                raise RequestError(ErrorCode.SERVER_CANCELLED, *SUPERSEDED)

        try:
            yield poll
        finally:
            self._awaited = outer

    def _poll(self) -> None:
        """Called between small pieces of analysis: end what nobody waits for any more.

        Raises:
            RequestError: the answer to the request in hand.
        """
        now = time.monotonic()
        if now - self._looked > LOOK_EVERY:
            self._looked = now
            self.inbox.look()
        if self._request_id is not None and self._request_id in self.inbox.cancelled:
            raise RequestError(ErrorCode.REQUEST_CANCELLED, "cancelled")
        if self._awaited is not None and self.inbox.has_change_of(self._awaited.uri):
            raise RequestError(ErrorCode.SERVER_CANCELLED, *SUPERSEDED)

    def sync(self, document: OpenDocument) -> None:
        """Tell the workspace of a document's newest version."""
        edits, document.edits = document.edits, []
        workspace = self.analysis.workspace
        if document.is_config:
            workspace.documents[document.file_id] = document.document
            return
        if edits == []:
            return
        changed = True
        if edits is not None:
            try:
                changed = bool(workspace.change(document.file_id, document.document, edits))
            except Exception:
                # An error of ours must not make every later answer wrong: start from the whole text.
                log.exception("%s is analysed anew", document.uri)
                edits = None
        if edits is None:
            workspace.open(document.file_id, document.document)
        shown_elsewhere = any(document.file_id in other.points_at for other in self.all_documents())
        if changed or document.kind or shown_elsewhere:
            self.affected()

    def affected(self) -> None:
        """What others see of a file may have changed: look at all that are open once it is quiet.

        Whoever rests on nothing that changed costs next to nothing; a test rests on fixtures that it never imports.
        """
        self._forget_fixes()
        self.schedule.later("dependents", QUIET, self._check_dependents)

    def _check_dependents(self) -> None:
        if self.inbox.waiting():
            self.schedule.later("dependents", QUIET, self._check_dependents)
            return
        self.check_again(list(self.all_documents()))
        self.drift.soon()

    def check_again(self, documents: Sequence[OpenDocument]) -> None:
        """Check documents that the client did not touch, and tell it of what is new."""
        news = [self._update(document, always=False) for document in documents if not document.read_only]
        if any(news) and self.client.pulls:
            self.request("workspace/diagnostic/refresh", None, lambda _: None)
        if self.client.lens_refresh:
            self.request("workspace/codeLens/refresh", None, lambda _: None)

    def recheck(self) -> None:
        """Settings or folders changed: check every open document."""
        self._forget_fixes()
        self.schedule.later("recheck", 0, lambda: self.check_again(self.all_documents()))

    def flush(self) -> bool:
        """Analyse what the client changed, and push the results to a client that does not ask.

        Returns:
            Whether there was anything.
        """
        any_dirty = bool(self._dirty)
        while self._dirty and self.exit_code is None:
            document = next(iter(self._dirty))
            del self._dirty[document]
            if self.client.pulls:
                self.sync(document)
            elif document.saved or not self._on_save(document):
                self._update(document, always=True)
            if self.inbox.waiting():
                break
        return any_dirty

    def _update(self, document: OpenDocument, *, always: bool) -> bool:
        try:
            return self.diagnostics.update(document, always=always)
        except RequestError:
            # A newer version waits, and is checked instead of this one.
            self._dirty[document] = None
        except Exception:
            log.exception("%s could not be checked", document.uri)
        return False

    def _forget_fixes(self) -> None:
        """What fixes were made from may have changed."""
        for document in self.all_documents():
            document.fixes.clear()

    def _on_save(self, document: OpenDocument) -> bool:
        return self.analysis.workspace.settings_for(document.file_id).run == "onSave"

    def lines(self, file_id: str) -> tuple[str, Sequence[str]] | None:
        """The client's URI and the analysed lines of a file."""
        document = self.analysis.workspace.documents.get(file_id)
        if document is None:
            return None
        opened = self.documents.by_id(file_id)
        return opened.uri if opened is not None else to_uri(file_id), document.lines

    # -- text documents --------------------------------------------------------------------------------------------

    def _texts(self) -> DiagnosticTexts:
        return DiagnosticTexts(self.client, self.lines)

    def _did_open(self, params: Any) -> None:
        item = params["textDocument"]
        document = opened_document(item)
        file_id = to_file_id(document.uri)
        is_config = self.configuration.is_config_path(file_id)
        if not is_checked(document.uri, str(item.get("languageId", "")), is_config):
            return
        opened = OpenDocument(document, file_id, self._texts(), is_config)
        self.documents.add(opened)
        self._dirty[opened] = None

    def _did_change(self, params: Any) -> None:
        identity = params["textDocument"]
        document = self.documents.get(identity["uri"])
        if document is not None:
            self._dirty[document] = None
            document.apply(params["contentChanges"], identity.get("version"), self.client.encoding)

    def _did_save(self, params: Any) -> None:
        document = self.documents.get(params["textDocument"]["uri"])
        file_id = to_file_id(params["textDocument"]["uri"])
        if document is not None and not document.saved:
            document.saved = True
            self._dirty[document] = None
            if self.client.pulls and self._on_save(document):
                self.recheck()
        self.configuration.saved(file_id)

    def _did_close(self, params: Any) -> None:
        document = self.documents.remove(params["textDocument"]["uri"])
        if document is not None:
            self._closed(document, [document.uri])

    def _closed(self, document: OpenDocument, uris: list[str]) -> None:
        self._dirty.pop(document, None)
        if document.edits is not None:
            if document.is_config:
                self.analysis.workspace.documents.pop(document.file_id, None)
            else:
                self.analysis.workspace.close(document.file_id)
                self.affected()
        for uri in uris:
            self.diagnostics.clear(uri)

    def _diagnostic(self, params: Any) -> str:
        uri = params["textDocument"]["uri"]
        document = self.document(uri)
        if document is None:
            return '{"kind":"full","items":[]}'
        if self.inbox.has_change_of(uri):
            # The client will want to know about the newer version, and only about that.
            raise RequestError(ErrorCode.SERVER_CANCELLED, *SUPERSEDED)
        kept = document.part_results is not None and not document.saved and self._on_save(document)
        return self.diagnostics.report(document, uri, params.get("previousResultId"), check=not kept)

    # -- notebooks -------------------------------------------------------------------------------------------------

    def _notebook_did_open(self, params: Any) -> None:
        item = params["notebookDocument"]
        notebook = Notebook(item["uri"], item.get("version"), to_file_id(item["uri"]), self._texts())
        notebook.set_cells(item["cells"], params.get("cellTextDocuments") or [])
        self._notebooks[notebook.file_id] = notebook
        self._dirty[notebook] = None

    def _notebook_did_change(self, params: Any) -> None:
        identity = params["notebookDocument"]
        notebook = self._notebooks.get(to_file_id(identity["uri"]))
        if notebook is not None:
            self._dirty[notebook] = None
            gone = notebook.change(identity.get("version"), params["change"], self.client.encoding)
            for uri in gone:
                self.diagnostics.clear(uri)

    def _notebook_did_save(self, params: Any) -> None:
        notebook = self._notebooks.get(to_file_id(params["notebookDocument"]["uri"]))
        if notebook is not None:
            notebook.saved = True
            self._dirty[notebook] = None

    def _notebook_did_close(self, params: Any) -> None:
        notebook = self._notebooks.pop(to_file_id(params["notebookDocument"]["uri"]), None)
        if notebook is not None:
            self._closed(notebook, [part.uri for part in notebook.parts()])
