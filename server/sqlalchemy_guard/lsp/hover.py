"""What is shown where somebody points: the documentation of a rule where it is violated, else the SQL of the statement.

This module must never analyse.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.lsp.convert import place, range_of
from sqlalchemy_guard.lsp.diagnostics import moved_span
from sqlalchemy_guard.lsp.pages import page_uri
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from sqlalchemy_guard.lsp.documents import OpenDocument, Part
    from sqlalchemy_guard.lsp.session import Session
    from sqlalchemy_guard.rules.api import Rule, Span

_FENCE = lazy_pattern(r"^```\w*$\n?", re.MULTILINE)
_HEADING = lazy_pattern(r"^#+ ", re.MULTILINE)


def hover(session: Session, uri: str, line: int, character: int) -> dict[str, Any] | None:
    """The hover at a place of the client's, None where nothing is wrong."""
    document = session.document(uri)
    part = document.part(uri) if document is not None else None
    if document is None or part is None or document.read_only:
        return None
    encoding, lines = session.client.encoding, part.document.lines
    at = place(lines, {"line": line, "character": character}, encoding)
    at = (at[0] + part.start, at[1])
    violations = [one for one in session.check(document).violations if _covers(one.span, at)]
    if not violations:
        return _statement(session, document, part, at)
    rules = {violation.rule.code: violation.rule for violation in violations}
    text = "\n\n---\n\n".join(documentation(rule) for rule in rules.values())
    kind = "markdown" if session.client.markdown_hover else "plaintext"
    smallest = min((one.span for one in violations), key=_size)
    return {
        "contents": {"kind": kind, "value": text if kind == "markdown" else _plain(text)},
        "range": range_of(lines, moved_span(smallest, -part.start), encoding),
    }


def _statement(
    session: Session, document: OpenDocument, part: Part, at: tuple[int, int]
) -> dict[str, Any] | None:
    """The SQL of the statement that the name at a place builds or executes, or of the operation of a revision."""
    workspace = session.analysis.workspace
    file = workspace.file(document.file_id)
    # Only for who points at something: it brings SQLAlchemy with it.
    from sqlalchemy_guard.features.operation_hover import operation_at, operation_hover
    from sqlalchemy_guard.features.statement_hover import statement_at, statement_hover

    if file is None:
        return None
    operation, text = operation_at(workspace, file, *at), None
    span = operation[0] if operation is not None else statement_at(workspace, file, *at)
    with session.interruptible(document) as poll:
        if operation is not None:
            text = operation_hover(workspace, file, *operation[1:], poll)
        elif span is not None:
            text = statement_hover(workspace, file, span.line, poll)
    if text is None or span is None:
        return None
    kind = "markdown" if session.client.markdown_hover else "plaintext"
    return {
        "contents": {"kind": kind, "value": text if kind == "markdown" else _plain(text)},
        "range": range_of(part.document.lines, moved_span(span, -part.start), session.client.encoding),
    }


def documentation(rule: Rule) -> str:
    """A rule's documentation in Markdown, with its code, name and address."""
    return f"**[{rule.code}]({page_uri(rule)})** `{rule.name}`\n\n{rule.explanation}"


def _covers(span: Span, at: tuple[int, int]) -> bool:
    return (span.line, span.column) <= at <= (span.end_line, span.end_column)


def _size(span: Span) -> tuple[int, int]:
    return span.end_line - span.line, span.end_column - span.column


def _plain(text: str) -> str:
    return _HEADING.sub("", _FENCE.sub("", text)).replace("**", "").replace("`", "")
