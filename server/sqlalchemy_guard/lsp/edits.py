"""Edits of the analysed texts as edits of what the client has: documents, cells of notebooks, files on the disk.

This module must never compute a fix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.lsp.convert import text_edits, workspace_edit
from sqlalchemy_guard.lsp.notebooks import Notebook
from sqlalchemy_guard.lsp.uris import to_uri
from sqlalchemy_guard.text.document import Document
from sqlalchemy_guard.text.edit import Edit
from sqlalchemy_guard.text.lines import split_lines

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy_guard.lsp.session import Session
    from sqlalchemy_guard.text.columns import Encoding

    Changes = dict[str, tuple[int | None, list[dict[str, Any]]]]

_DIFF_LIMIT = 4000
"""Lines of a difference above which it becomes one edit, because finding the small ones would take seconds."""


def client_edit(
    session: Session, edits: Mapping[str, Sequence[Edit]], creates: Collection[str] = ()
) -> dict[str, Any] | None:
    """Edits by file id as a workspace edit; None when the client's texts cannot be edited so.

    Args:
        session: The session.
        edits: The edits.
        creates: The files among these that are not there yet.
    """
    encoding = session.client.encoding
    if creates and not session.client.creates_files:
        return None
    changes: Changes = {}
    for file_id, wanted in edits.items():
        opened = session.open_by_id(file_id)
        if file_id in creates:
            changes[to_uri(file_id)] = (None, text_edits(Document.from_text(file_id, ""), wanted, encoding))
        elif isinstance(opened, Notebook):
            cells = cell_edits(opened, wanted, encoding)
            if cells is None:
                return None
            changes |= cells
        elif opened is not None:
            changes[opened.uri] = (opened.document.version, text_edits(opened.document, wanted, encoding))
        else:
            document = session.analysis.workspace.documents.get(file_id)
            if document is None:
                return None
            changes[to_uri(file_id)] = (None, text_edits(document, wanted, encoding))
    made = [to_uri(file_id) for file_id in edits if file_id in creates]
    return workspace_edit(changes, session.client.document_changes, made) if changes else None


def cell_edits(notebook: Notebook, edits: Sequence[Edit], encoding: Encoding) -> Changes | None:
    """Edits of a notebook's module by cell; None when one touches two cells or a line that is no Python."""
    module = notebook.document
    changes: Changes = {}
    for edit in edits:
        (line, _), (end_line, end_column) = module.position(edit.start), module.position(edit.end)
        new, end = edit.new, edit.end
        part = notebook.part_at(line)
        if (
            part is not None
            and end_column == 0
            and end_line == part.start + len(part.document.lines)
            and end > edit.start
        ):
            # Up to the end of the cell: its last line has no terminator of its own.
            end, end_line = end - 1, end_line - 1
            new = new.removesuffix("\n")
        if part is None or notebook.part_at(end_line) is not part:
            return None
        if not all(notebook.is_verbatim(number) for number in range(line, end_line + 1)):
            return None
        start = module.offset(part.start, 0)
        wanted = changes.setdefault(part.uri, (part.document.version, []))[1]
        wanted += text_edits(part.document, [Edit(edit.start - start, end - start, new)], encoding)
    return changes


def difference(document: Document, text: str) -> tuple[Edit, ...]:
    """Small edits of whole lines that make a document's text another one."""
    old, new = document.lines, split_lines(text)
    shared = min(len(old), len(new))
    head = 0
    while head < shared and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < shared - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    before, after = old[head : len(old) - tail], new[head : len(new) - tail]
    if len(before) + len(after) > _DIFF_LIMIT:
        blocks = [("replace", 0, len(before), 0, len(after))]
    else:
        from difflib import (
            SequenceMatcher,
        )  # only a fix of many violations needs it, not the first diagnostics

        blocks = list(SequenceMatcher(None, before, after, autojunk=False).get_opcodes())
    return tuple(
        Edit(document.offset(head + i1, 0), document.offset(head + i2, 0), "".join(after[j1:j2]))
        if head + i2 < len(old)
        else Edit(document.offset(head + i1, 0), len(document.text), "".join(after[j1:j2]))
        for tag, i1, i2, j1, j2 in blocks
        if tag != "equal"
    )
