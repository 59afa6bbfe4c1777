"""Notebooks: the code cells of one are analysed as one module, and what is found goes back to the cells.

Lines that are no Python (`%magic`, `!command`, `?help`) are replaced, line by line, by something that is; an edit that
would touch such a line is refused. This module must never analyse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.lsp.documents import OpenDocument, Part, opened_document
from sqlalchemy_guard.text.document import Document
from sqlalchemy_guard.text.lines import content_length
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from sqlalchemy_guard.lsp.convert import DiagnosticTexts
    from sqlalchemy_guard.text.columns import Encoding

CODE_CELL = 2
_ASSIGNED_MAGIC = lazy_pattern(r"(\s*[A-Za-z_][\w., ]*=\s*)[%!]")
_HELP = lazy_pattern(r"\s*[\w.]+\?{1,2}\s*$")


def python_line(line: str) -> str:
    """A line of a cell as Python, with its terminator."""
    end = line[content_length(line) :]
    content = line[: content_length(line)]
    stripped = content.lstrip()
    if stripped.startswith(("%", "!", "?")) or _HELP.match(content):
        return content[: len(content) - len(stripped)] + "pass" + end
    assigned = _ASSIGNED_MAGIC.match(content)
    return assigned[1] + "None" + end if assigned else line


def python_lines(document: Document) -> list[str]:
    """The lines of a cell as Python; all but its terminators are dropped from a cell of another language."""
    lines = document.lines
    first = next((line.lstrip() for line in lines if line.strip()), "")
    if first.startswith("%%"):
        return [line[content_length(line) :] for line in lines]
    return [python_line(line) if any(mark in line for mark in "%!?") else line for line in lines]


class Notebook(OpenDocument):
    """An open notebook.

    Args:
        uri: The notebook's.
        version: Of the notebook.
        file_id: Its id in the workspace.
        texts: Keeps the JSON of single diagnostics.
    """

    def __init__(self, uri: str, version: int | None, file_id: str, texts: DiagnosticTexts) -> None:
        super().__init__(Document.from_text(uri, "", version), file_id, texts)
        self._order: list[tuple[str, bool]] = []
        self._cells: dict[str, Document] = {}
        self._parts: list[Part] = []

    def parts(self) -> list[Part]:
        """The code cells, in order."""
        return self._parts

    def set_cells(self, cells: list[Any], texts: list[Any]) -> None:
        """Take the cells of a raw `NotebookDocument` and their texts.

        Raises:
            KeyError, TypeError: they are not of the protocol's form.
        """
        self._order = [_cell(cell) for cell in cells]
        for item in texts:
            self._open_text(item)
        self._join(self.document.version)
        self.saved = True

    def change(self, version: int | None, change: dict[str, Any], encoding: Encoding) -> list[str]:
        """Follow a raw `NotebookDocumentChangeEvent`.

        Returns:
            The cells that are gone.

        Raises:
            KeyError, TypeError: it is not of the protocol's form.
        """
        closed: list[str] = []
        cells = change.get("cells") or {}
        structure = cells.get("structure")
        if structure is not None:
            array = structure["array"]
            start = array["start"]
            self._order[start : start + array["deleteCount"]] = [
                _cell(cell) for cell in array.get("cells") or ()
            ]
            for item in structure.get("didOpen") or ():
                self._open_text(item)
            for item in structure.get("didClose") or ():
                closed.append(item["uri"])
                self._cells.pop(item["uri"], None)
        kinds = {cell["document"]: _cell(cell)[1] for cell in cells.get("data") or ()}
        self._order = [(uri, kinds.get(uri, code)) for uri, code in self._order]
        for content in cells.get("textContent") or ():
            identity = content["document"]
            self._change_text(identity["uri"], identity.get("version"), content["changes"], encoding)
        self._join(version)
        return closed

    def _change_text(self, uri: str, version: int | None, changes: list[Any], encoding: Encoding) -> None:
        known = self._cells.get(uri)
        if known is not None:
            cell = OpenDocument(known, uri, self.texts)
            cell.apply(changes, version, encoding)
            self._cells[uri] = cell.document

    def _open_text(self, item: dict[str, Any]) -> None:
        document = opened_document(item)
        self._cells[document.uri] = document

    def _join(self, version: int | None) -> None:
        lines: list[str] = []
        self._parts = []
        for uri, code in self._order:
            cell = self._cells.get(uri)
            if cell is None or not code:
                continue
            self._parts.append(Part(uri, cell, len(lines)))
            added = python_lines(cell)
            # The last line of a cell has no terminator; in the module it needs one.
            lines += [*added[:-1], added[-1] + "\n"]
        self.replace(*self.document.replace_all("".join(lines), version))

    def part_at(self, line: int) -> Part | None:
        """The cell that holds a line of the module."""
        for part in self._parts:
            if part.start <= line < part.start + len(part.document.lines):
                return part
        return None

    def is_verbatim(self, line: int) -> bool:
        """Whether a line of the module is the cell's own, not a replacement."""
        part = self.part_at(line)
        if part is None:
            return line >= len(self.document.lines) - 1
        own = part.document.lines[line - part.start]
        ours = self.document.lines[line]
        return ours[: content_length(ours)] == own[: content_length(own)]


def _cell(cell: dict[str, Any]) -> tuple[str, bool]:
    uri = cell["document"]
    if not isinstance(uri, str):
        raise TypeError("a cell needs a document")
    return uri, cell.get("kind", CODE_CELL) == CODE_CELL
