"""What the client is told to be wrong: pushed with its version, or handed out when the client asks.

A client that asks (and can be told to ask again) is never pushed to. This module must never decide when to check; the
session asks it to.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.lsp.notebooks import Notebook
from sqlalchemy_guard.records import replace
from sqlalchemy_guard.rules.api import Span

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.check import FileReport
    from sqlalchemy_guard.lsp.documents import OpenDocument, Part
    from sqlalchemy_guard.rules.api import Violation


EMPTY = "[]"


class Diagnostics:
    """The diagnostics of open documents.

    Args:
        check: The report of a document at its newest version.
        send: Writes one message.
        pulls: Whether the client asks for diagnostics, as far as it is known by now.
    """

    def __init__(
        self,
        check: Callable[[OpenDocument], FileReport],
        send: Callable[[str], None],
        pulls: Callable[[], bool],
    ) -> None:
        self._check = check
        self._send = send
        self._pulls = pulls
        self._told: dict[str, str] = {}
        self._results: dict[str, tuple[str, str]] = {}
        self._run = f"{time.time_ns():x}"
        self._count = 0

    def update(self, document: OpenDocument, *, always: bool) -> bool:
        """Check a document and push the result to a client that does not ask.

        Args:
            always: Whether a result that is as before is pushed, too: it tells the client that it still holds.

        Returns:
            Whether the result differs from the one before.
        """
        before, document.result = document.result, self._text(document)
        changed = before != document.result
        if (changed or always) and not self._pulls():
            for part in document.parts():
                self._push(part, document, always)
        return changed

    def _push(self, part: Part, document: OpenDocument, always: bool) -> None:
        text = (document.part_results or {}).get(part.uri, EMPTY)
        if not always and self._told.get(part.uri) == text:
            return
        self._told[part.uri] = text
        version = "" if part.document.version is None else f',"version":{part.document.version}'
        self._publish(part.uri, version, text)

    def clear(self, uri: str) -> None:
        """Nothing is wrong with a document any more, because nobody looks at it."""
        told = self._told.pop(uri, None)
        self._results.pop(uri, None)
        if not self._pulls() and told not in (None, EMPTY):
            self._publish(uri, "", EMPTY)

    def _publish(self, uri: str, version: str, text: str) -> None:
        self._send(
            '{"jsonrpc":"2.0","method":"textDocument/publishDiagnostics","params":{"uri":'
            f'{json.dumps(uri)}{version},"diagnostics":{text}}}}}'
        )

    def report(self, document: OpenDocument, uri: str, previous: Any, *, check: bool = True) -> str:
        """The JSON text of a document diagnostic report.

        Args:
            uri: The document, or one cell of it.
            previous: The `resultId` that the client has.
            check: Whether to check; else the newest result is given once more.
        """
        if check:
            document.result = self._text(document)
        text = (document.part_results or {}).get(uri, EMPTY)
        result_id = self._result_id(uri, text)
        if previous == result_id:
            return f'{{"kind":"unchanged","resultId":"{result_id}"}}'
        return f'{{"kind":"full","resultId":"{result_id}","items":{text}}}'

    def _result_id(self, uri: str, text: str) -> str:
        """The name of a document's result, a new one when it differs from the one before.

        Comparing is much cheaper than hashing what may be hundreds of kilobytes at each key. The names of another run
        of the server, which a client may still hold, are others.
        """
        kept = self._results.get(uri)
        if kept is None or kept[0] != text:
            self._count += 1
            kept = self._results[uri] = (text, f"{self._run}/{self._count}")
        return kept[1]

    def _text(self, document: OpenDocument) -> str:
        """The result of a document as JSON text; sets the results of its parts."""
        if document.read_only:
            return EMPTY
        report = self._check(document)
        if isinstance(document, Notebook):
            places = {related.path for violation in report.violations for related in violation.related}
            document.points_at = frozenset(places - {document.file_id})
            document.part_results = {
                part.uri: self._part(part, document, report.violations) for part in document.parts()
            }
            return json.dumps(document.part_results)
        text = document.texts.text(report.violations, document.document.lines)
        document.points_at = document.texts.points_at - {document.file_id}
        document.part_results = {document.uri: text}
        return text

    def _part(self, part: Part, document: OpenDocument, violations: list[Violation]) -> str:
        lines = part.document.lines
        moved = [
            replace(violation, span=moved_span(violation.span, -part.start))
            for violation in violations
            if part.start <= violation.span.line < part.start + len(lines)
        ]
        return document.texts.text(moved, lines)


def moved_span(span: Span, by: int) -> Span:
    """A span some lines further down."""
    return Span(span.line + by, span.column, span.end_line + by, span.end_column)
