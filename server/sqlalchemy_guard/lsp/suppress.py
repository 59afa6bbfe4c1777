"""Edits that write the comments which silence a rule. This module must never know a rule or a protocol's objects."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.syntax.comments import comments
from sqlalchemy_guard.text.edit import Edit
from sqlalchemy_guard.text.lines import content_length
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from sqlalchemy_guard.rules.api import Span
    from sqlalchemy_guard.text.document import Document

_CODES = lazy_pattern(r"#\s*noqa\s*:\s*[A-Z][A-Z0-9]*[0-9]+(?:[\s,]+[A-Z][A-Z0-9]*[0-9]+)*", re.IGNORECASE)
_BARE = lazy_pattern(r"#\s*noqa\b(?!\s*:)", re.IGNORECASE)
_FILE = lazy_pattern(
    r"#\s*sqlalchemy-guard\s*:\s*noqa\s*:\s*[A-Z][A-Z0-9]*[0-9]+(?:[\s,]+[A-Z][A-Z0-9]*[0-9]+)*",
    re.IGNORECASE,
)
_HEADER = lazy_pattern(r"#!|#.*?coding[:=]")


def disable_line(document: Document, span: Span, statement: tuple[int, int], code: str) -> Edit | None:
    """The edit that silences a rule for a statement.

    Args:
        span: Of the violation.
        statement: The lines `[first, end)` of its statement, on any of which the comment counts.

    Returns:
        None when no line of the statement can carry a comment.
    """
    first, end = statement
    places = (span.line, span.end_line, end - 1)
    for line in dict.fromkeys(place for place in places if first <= place < end):
        edit = _comment_on(document, first, end, line, code)
        if edit is not None:
            return edit
    return None


def _comment_on(document: Document, first: int, end: int, line: int, code: str) -> Edit | None:
    text = document.lines[line]
    content = text[: content_length(text)]
    start = document.offset(line, 0)
    for comment in comments(document.lines, first, end):
        if comment.line != line:
            continue
        found = _CODES.search(comment.text)
        if found:
            at = start + comment.column + found.end()
            return Edit(at, at, f", {code}")
        if _BARE.search(comment.text):
            return None
    added = f"  # noqa: {code}"
    stripped = len(content.rstrip())
    changed = [*document.lines[first:end]]
    changed[line - first] = content[:stripped] + added + text[len(content) :]
    # Inside of a string, or behind a backslash, it would be no comment.
    if content.endswith("\\") or not any(
        comment.line == line - first and comment.text.endswith(added[2:])
        for comment in comments(changed, 0, len(changed))
    ):
        return None
    return Edit(start + stripped, start + len(content), added)


def disable_file(document: Document, code: str) -> Edit:
    """The edit that silences a rule for a whole file: on a line of its own below `#!` and the encoding."""
    for number, text in enumerate(document.lines[:50]):
        found = _FILE.match(text)
        if found:
            at = document.offset(number, found.end())
            return Edit(at, at, f", {code}")
    line = 0
    while line < min(2, len(document.lines) - 1) and _HEADER.match(document.lines[line]):
        line += 1
    newline = "\r\n" if document.lines[0].endswith("\r\n") else "\n"
    at = document.offset(line, 0)
    return Edit(at, at, f"# sqlalchemy-guard: noqa: {code}{newline}")
