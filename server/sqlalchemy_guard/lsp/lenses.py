"""Lenses as the client's, and what a click on one does. This module must never analyse."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.cache.pages import keep_page, page_path
from sqlalchemy_guard.lsp.capabilities import OPEN_FILE, SHOW_SQL
from sqlalchemy_guard.lsp.convert import range_of
from sqlalchemy_guard.lsp.diagnostics import moved_span
from sqlalchemy_guard.lsp.uris import to_uri

if TYPE_CHECKING:
    from sqlalchemy_guard.lsp.session import Session


def lenses(session: Session, uri: str) -> list[dict[str, Any]]:
    """The lenses of a document."""
    document = session.document(uri)
    part = document.part(uri) if document is not None else None
    workspace = session.analysis.workspace
    if document is None or part is None or document.read_only:
        return []
    wanted = workspace.settings_for(document.file_id).code_lens
    if wanted == "off":
        return []
    file = workspace.file(document.file_id)
    if file is None:
        return []
    # Only where somebody looks: what stands behind a lens is much.
    from sqlalchemy_guard.features.model_lens import model_lenses
    from sqlalchemy_guard.features.revision_lens import revision_lenses
    from sqlalchemy_guard.features.statement_lens import statement_lenses

    encoding, lines = session.client.encoding, part.document.lines
    found = []
    statements = statement_lenses(workspace, file) if wanted == "all" else ()
    for lens in (*revision_lenses(workspace, file), *model_lenses(workspace, file), *statements):
        span = moved_span(lens.span, -part.start)
        if 0 <= span.line < len(lines):
            command: dict[str, Any] = {"title": lens.title, "command": ""}
            if lens.opens is not None:
                target = to_uri(lens.opens) if os.path.isabs(lens.opens) else lens.opens
                command = {"title": lens.title, "command": OPEN_FILE, "arguments": [target]}
            elif lens.previews:
                command = {"title": lens.title, "command": SHOW_SQL, "arguments": [uri, span.line]}
            found.append({"range": range_of(lines, span, encoding), "command": command})
    return found


def show_sql(session: Session, uri: str, line: int) -> None:
    """Show the SQL of the statement at a line of a document as a page, or say that nothing is known of it."""
    from sqlalchemy_guard.features.statement_hover import statement_hover

    document = session.document(uri)
    part = document.part(uri) if document is not None else None
    file = session.analysis.workspace.file(document.file_id) if document is not None else None
    text = None
    if document is not None and part is not None and file is not None:
        with session.interruptible(document) as poll:
            text = statement_hover(session.analysis.workspace, file, line + part.start, poll)
    if text is None:
        words = "The tables of this statement are not known, so its SQL cannot be shown"
        session.notify("window/showMessage", {"type": 3, "message": words})
    elif keep_page("statement.md", f"# SQL\n\n{text}\n"):
        open_file(session, to_uri(page_path("statement.md")))
    else:
        session.notify("window/showMessage", {"type": 3, "message": text})


def open_file(session: Session, uri: str) -> None:
    """Open a file in the client, or tell where it is."""
    if session.client.show_document:
        session.request("window/showDocument", {"uri": uri, "takeFocus": True}, lambda _: None)
    else:
        session.notify("window/showMessage", {"type": 3, "message": uri})
