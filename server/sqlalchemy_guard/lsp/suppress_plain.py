"""Edits that write comments which silence a rule in documents that are not Python. Must never know a rule."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.documents.noqa import ABOVE
from sqlalchemy_guard.text.edit import Edit
from sqlalchemy_guard.text.lines import content_length
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from sqlalchemy_guard.documents.kinds import Kind
    from sqlalchemy_guard.rules.api import Span
    from sqlalchemy_guard.text.document import Document

_NOQA = lazy_pattern(r"noqa\s*:\s*[A-Z]+[0-9]+(?:[\s,]+[A-Z]+[0-9]+)*", re.IGNORECASE)
_HEADER = lazy_pattern(r"#!|#\s*syntax\s*=|#\s*escape\s*=|---|#.*coding[:=]|%YAML", re.IGNORECASE)


def plain_line(document: Document, kind: Kind, span: Span, code: str) -> Edit:
    """The edit that silences a rule for the statement of a line: at the line's end, or above it where that is no comment."""
    line = document.lines[span.line]
    content = line[: content_length(line)]
    start = document.offset(span.line, 0)
    above = document.lines[span.line - 1] if span.line else ""
    for text, offset in ((content, start), (above, document.offset(span.line - 1, 0) if span.line else 0)):
        found = _NOQA.search(text)
        if found and (text is content or above.lstrip().startswith(_marks(kind))):
            return Edit(offset + found.end(), offset + found.end(), f", {code}")
    if kind in ABOVE or content.endswith("\\") or span.end_line > span.line:
        indent = content[: len(content) - len(content.lstrip())]
        return Edit(start, start, f"{indent}{_mark(kind)} noqa: {code}{_newline(document)}")
    stripped = len(content.rstrip())
    return Edit(start + stripped, start + len(content), f"  {_mark(kind)} noqa: {code}")


def plain_file(document: Document, kind: Kind, code: str) -> Edit:
    """The edit that silences a rule for a whole document: on a line of its own below what has to come first."""
    line = 0
    while line < len(document.lines) - 1 and _HEADER.match(document.lines[line]):
        line += 1
    at = document.offset(line, 0)
    return Edit(at, at, f"{_mark(kind)} sqlalchemy-guard: noqa: {code}{_newline(document)}")


def _mark(kind: Kind) -> str:
    return "//" if kind == "jenkins" else "#"


def _marks(kind: Kind) -> tuple[str, ...]:
    return ("//",) if kind == "jenkins" else ("#", ";") if kind in ("ini", "tox") else ("#",)


def _newline(document: Document) -> str:
    return "\r\n" if document.lines[0].endswith("\r\n") else "\n"
