"""Between what the analysis says and what the protocol says: the only place that knows the client's columns.

Everything here is JSON values or JSON text; a diagnostic's text is kept for as long as the checker keeps the violation,
so that a keystroke writes only what is new. This module must never analyse.
"""

from __future__ import annotations

import json
from itertools import compress, count
from operator import is_not
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy_guard.lsp.pages import page_uri
from sqlalchemy_guard.rules.api import Applicability, Severity, Span
from sqlalchemy_guard.text.columns import Encoding, from_code_points, to_code_points
from sqlalchemy_guard.text.lines import content_length

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy_guard.lsp.capabilities import Client
    from sqlalchemy_guard.rules.api import Violation
    from sqlalchemy_guard.text.document import Document
    from sqlalchemy_guard.text.edit import Edit

Json: TypeAlias = dict[str, Any]

SOURCE = "sqlalchemy-guard"
_Kept: TypeAlias = "tuple[Violation, str, tuple[tuple[str, str, str] | None, ...]]"
"""A violation, its text, and the texts that it points at."""
SEVERITIES = {Severity.ERROR: 1, Severity.WARNING: 2, Severity.INFORMATION: 3, Severity.HINT: 4}
_APPLICABILITY = {
    Applicability.SAFE: "safe",
    Applicability.UNSAFE: "unsafe",
    Applicability.DISPLAY: "display",
}


def position(lines: Sequence[str], line: int, column: int, encoding: Encoding) -> Json:
    """A place in the client's unit, clamped to the text."""
    line = max(0, min(line, len(lines) - 1))
    return {"line": line, "character": from_code_points(lines[line], column, encoding)}


def range_of(lines: Sequence[str], span: Span, encoding: Encoding) -> Json:
    """A span as the client's range."""
    return {
        "start": position(lines, span.line, span.column, encoding),
        "end": position(lines, span.end_line, span.end_column, encoding),
    }


def place(lines: Sequence[str], given: Any, encoding: Encoding) -> tuple[int, int]:
    """A client's position as line and column in code points, clamped to the text.

    Raises:
        KeyError, TypeError: it is no position.
    """
    line, column = given["line"], given["character"]
    if line >= len(lines):
        return len(lines) - 1, len(lines[-1])
    text = lines[max(0, line)]
    return max(0, line), min(to_code_points(text, column, encoding), content_length(text))


def text_edits(document: Document, edits: Iterable[Edit], encoding: Encoding) -> list[Json]:
    """Edits of a document as the client's."""
    lines = document.lines
    return [
        {
            "range": range_of(lines, Span(*document.position(e.start), *document.position(e.end)), encoding),
            "newText": e.new,
        }
        for e in edits
    ]


class DiagnosticTexts:
    """Violations of one document as JSON text, kept while the violation and its place stay the same.

    Args:
        features: The client's capabilities.
        locate: The URI and the lines of a file's id, for places in other files; None when its text is not known.
    """

    def __init__(self, features: Client, locate: Callable[[str], tuple[str, Sequence[str]] | None]) -> None:
        self._features = features
        self._locate = locate
        self._tails: dict[tuple[object, ...], str] = {}
        # The list that was asked for last, which nobody changes, what is kept of each in it, and the text of all.
        self._last: tuple[Sequence[Violation], list[_Kept], str] = ((), [], "[]")
        self._texts: list[str] = []
        # By path the URI and the lines that decide the columns of places there; None when its text was not known.
        self._read: dict[str, tuple[str, dict[int, str]] | None] = {}

    @property
    def points_at(self) -> frozenset[str]:
        """The files that the violations of the last list point at."""
        return frozenset(self._read)

    def text(self, violations: Sequence[Violation], lines: Sequence[str]) -> str:
        """The JSON text of a list of violations, in order."""
        before, kept, text = self._last
        if not self._reads_as_before():
            kept = [self._again(each, lines) for each in kept]
            self._texts = [each[1] for each in kept]
            self._watch(kept)
        elif before is violations:
            return text
        # A key changes few of them, side by side.
        head = _shared(before, violations)
        tail = _shared(before[head:][::-1], violations[head:][::-1])
        gone = kept[head : len(kept) - tail]
        known = {id(each[0]): each for each in gone}
        fresh = [
            known.get(id(violation)) or self._made(violation, lines)
            for violation in violations[head : len(violations) - tail]
        ]
        kept = [*kept[:head], *fresh, *kept[len(kept) - tail :]]
        self._texts[head : len(self._texts) - tail] = [each[1] for each in fresh]
        if any(each[0].related for each in (*gone, *fresh)):
            self._watch(kept)
        text = f"[{','.join(self._texts)}]"
        self._last = (violations, kept, text)
        return text

    def _made(self, violation: Violation, lines: Sequence[str]) -> _Kept:
        return violation, self._item(violation, lines), self._pointed_at(violation)

    def _again(self, kept: _Kept, lines: Sequence[str]) -> _Kept:
        holds = not kept[0].related or kept[2] == self._pointed_at(kept[0])
        return kept if holds else self._made(kept[0], lines)

    def _watch(self, kept: Iterable[_Kept]) -> None:
        """Note what the places that violations point at were read from."""
        self._read.clear()
        for violation, _, pointed_at in kept:
            for related, where in zip(violation.related, pointed_at, strict=True):
                if where is None:
                    self._read[related.path] = None
                    continue
                known = self._read.setdefault(related.path, (where[0], {}))
                if known is not None:
                    known[1][related.span.line] = where[1]
                    known[1][related.span.end_line] = where[2]

    def _reads_as_before(self) -> bool:
        """Whether all places that are pointed at read as they did: other files change without a word."""
        for path, known in self._read.items():
            where = self._locate(path)
            if where is None and known is None:
                continue
            if where is None or known is None or where[0] != known[0]:
                return False
            last = len(where[1]) - 1
            for number, text in known[1].items():
                if where[1][min(number, last)] != text:
                    return False
        return True

    def _pointed_at(self, violation: Violation) -> tuple[tuple[str, str, str] | None, ...]:
        """For each place that a violation points at the URI and the lines where it begins and ends, which decide its
        columns: other files change without a word."""
        found = []
        for related in violation.related:
            where = self._locate(related.path)
            last = len(where[1]) - 1 if where is not None else 0
            span = related.span
            found.append(
                (where[0], where[1][min(span.line, last)], where[1][min(span.end_line, last)])
                if where is not None
                else None
            )
        return tuple(found)

    def _item(self, violation: Violation, lines: Sequence[str]) -> str:
        span, encoding = violation.span, self._features.encoding
        start = position(lines, span.line, span.column, encoding)
        end = position(lines, span.end_line, span.end_column, encoding)
        return (
            f'{{"range":{{"start":{{"line":{start["line"]},"character":{start["character"]}}},'
            f'"end":{{"line":{end["line"]},"character":{end["character"]}}}}}{self._tail(violation)}'
        )

    def _tail(self, violation: Violation) -> str:
        key = (violation.rule.code, violation.message, violation.severity, violation.applicability)
        tail = None if violation.related else self._tails.get(key)
        if tail is None:
            if len(self._tails) > 4096:
                self._tails.clear()
            rest = diagnostic_fields(violation, self._features)
            if violation.related and self._features.related_information:
                rest["relatedInformation"] = self._related(violation)
            tail = "," + json.dumps(rest, separators=(",", ":"))[1:]
            if not violation.related:
                self._tails[key] = tail
        return tail

    def _related(self, violation: Violation) -> list[Json]:
        found = []
        for related in violation.related:
            where = self._locate(related.path)
            if where is not None:
                uri, lines = where
                place_ = {"uri": uri, "range": range_of(lines, related.span, self._features.encoding)}
                found.append({"location": place_, "message": related.message})
        return found


def _shared(one: Sequence[Violation], other: Sequence[Violation]) -> int:
    """How many violations two lists have in common from their beginning on."""
    return next(compress(count(), map(is_not, one, other)), min(len(one), len(other)))


def diagnostic_fields(violation: Violation, features: Client) -> Json:
    """Everything of a diagnostic but its range and related places."""
    rule = violation.rule
    fields: Json = {"severity": SEVERITIES[violation.severity], "code": rule.code, "source": SOURCE}
    if features.code_description:
        fields["codeDescription"] = {"href": page_uri(rule)}
    fields["message"] = violation.message
    if features.diagnostic_data and violation.applicability is not None:
        fields["data"] = {"fix": _APPLICABILITY[violation.applicability]}
    return fields


def diagnostic(violation: Violation, lines: Sequence[str], features: Client) -> Json:
    """A violation as a diagnostic, to be named by a code action."""
    return {
        "range": range_of(lines, violation.span, features.encoding),
        **diagnostic_fields(violation, features),
    }


def workspace_edit(
    changes: Mapping[str, tuple[int | None, list[Json]]], document_changes: bool, creates: Sequence[str] = ()
) -> Json:
    """A workspace edit.

    Args:
        changes: By URI the version that the edits are made for (None: the file on the disk) and the edits.
        document_changes: Whether the client understands versions.
        creates: The URIs of files that are made first; the client must understand that.
    """
    if not document_changes:
        return {"changes": {uri: edits for uri, (_, edits) in changes.items()}}
    return {
        "documentChanges": [
            *({"kind": "create", "uri": uri} for uri in creates),
            *(
                {"textDocument": {"uri": uri, "version": version}, "edits": edits}
                for uri, (version, edits) in changes.items()
            ),
        ]
    }
