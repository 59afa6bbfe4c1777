"""The documents that the client has open, always at its newest version, whatever has been analysed yet.

This module must never analyse; it only keeps texts and what the workspace has not been told of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.documents.kinds import checked_kind
from sqlalchemy_guard.lsp.uris import READ_ONLY_SCHEMES, scheme, to_file_id
from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.text.document import Document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.lsp.convert import DiagnosticTexts
    from sqlalchemy_guard.rules.api import Fix, Violation
    from sqlalchemy_guard.text.columns import Encoding
    from sqlalchemy_guard.text.document import LineEdit


class Part(NamedTuple):
    """What the client calls a document: the whole of an open document, or a cell of a notebook.

    Attributes:
        uri: As the client spells it.
        document: The text as the client has it.
        start: The line of the analysed document at which it starts.
    """

    uri: str
    document: Document
    start: int


class OpenDocument:
    """An open document.

    Attributes:
        uri: As the client spells it.
        file_id: Its id in the workspace.
        document: The newest version.
        edits: What changed since the workspace was told; None when the workspace has never been told.
        result: The newest diagnostics as JSON text, None before the first check.
        part_results: The same by the parts' URIs.
        texts: Keeps the JSON of single diagnostics.
        is_config: Whether it is a configuration file, not Python.
        kind: Of another document that is not Python, such as a pipeline or a script.
        fixes: The fixes that were computed for this version, with and without the contract, by the violation's identity.
        points_at: The ids of other files that its newest diagnostics point at.
        saved: Whether nothing was typed since the document was opened or saved.
    """

    def __init__(
        self, document: Document, file_id: str, texts: DiagnosticTexts, is_config: bool = False
    ) -> None:
        self.uri = document.uri
        self.file_id = file_id
        self.is_config = is_config
        self.kind = None if is_config else checked_kind(file_id)
        self.document = document
        self.edits: list[LineEdit] | None = None
        self.result: str | None = None
        self.part_results: dict[str, str] | None = None
        self.texts = texts
        self.fixes: dict[tuple[int, bool], tuple[Violation, Fix | None]] = {}
        self.points_at: frozenset[str] = frozenset()
        self.saved = True

    @property
    def read_only(self) -> bool:
        """Whether it is shown to be read, such as an old version in a comparison."""
        return scheme(self.uri) in READ_ONLY_SCHEMES

    def parts(self) -> list[Part]:
        """What the client has of it."""
        return [Part(self.uri, self.document, 0)]

    def part(self, uri: str) -> Part | None:
        """The part of a URI."""
        return next((part for part in self.parts() if part.uri == uri), None)

    def replace(self, document: Document, edit: LineEdit) -> None:
        """Take the next version."""
        self.document = document
        self.fixes.clear()
        self.saved = False
        if self.edits is not None:
            self.edits.append(edit)

    def apply(self, changes: list[Any], version: int | None, encoding: Encoding) -> None:
        """Follow the client's changes, the raw ones of `textDocument/didChange`.

        Raises:
            KeyError, TypeError: they are not of the protocol's form; the changes before the wrong one are applied.
        """
        document = self.document
        for change in changes:
            given = change.get("range")
            if given is None:
                document, edit = document.replace_all(change["text"], version)
            else:
                start, end = given["start"], given["end"]
                document, edit = document.replace(
                    start["line"],
                    start["character"],
                    end["line"],
                    end["character"],
                    change["text"],
                    encoding,
                    version,
                )
            self.replace(document, edit)


class Documents:
    """The open documents by the client's URI and by the workspace's id."""

    def __init__(self) -> None:
        self._by_uri: dict[str, OpenDocument] = {}
        self._by_id: dict[str, OpenDocument] = {}

    def __iter__(self) -> Iterator[OpenDocument]:
        return iter(list(self._by_uri.values()))

    def add(self, opened: OpenDocument) -> None:
        """A document was opened; one of the same URI is replaced."""
        self._by_uri[opened.uri] = opened
        self._by_id[opened.file_id] = opened

    def remove(self, uri: str) -> OpenDocument | None:
        """A document was closed; None when it was not open."""
        closed = self.get(uri)
        if closed is not None:
            self._by_uri.pop(closed.uri, None)
            self._by_id.pop(closed.file_id, None)
        return closed

    def get(self, uri: str) -> OpenDocument | None:
        """The document of a URI, in whatever spelling."""
        found = self._by_uri.get(uri)
        return found if found is not None else self._by_id.get(to_file_id(uri))

    def by_id(self, file_id: str) -> OpenDocument | None:
        """The document of a workspace's id."""
        return self._by_id.get(file_id)


def is_checked(uri: str, language: str, is_config: bool) -> bool:
    """Whether a document is ours to look at: Python by its language or name, a configuration file, or a document of another
    kind that is checked."""
    path = uri.partition("?")[0]
    is_python = "python" in language.lower() or path.lower().endswith((".py", ".pyi", ".pyw"))
    return is_config or is_python or checked_kind(path) is not None


def opened_document(item: dict[str, Any]) -> Document:
    """The document of a raw `TextDocumentItem`.

    Raises:
        KeyError, TypeError: it is none.
    """
    uri, text, version = item["uri"], item["text"], item.get("version")
    if not isinstance(uri, str) or not isinstance(text, str):
        raise TypeError("a document needs a uri and a text")
    return Document.from_text(uri, text, version if isinstance(version, int) else None)
