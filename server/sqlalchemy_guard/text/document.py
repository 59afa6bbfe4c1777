"""A document: one version of a text, immutable, kept as lines so that a keystroke costs what it touches.

The versions of a text share one list of lines, which the newest one has: an older one that is asked again makes itself a list of
its own. The text is joined only when somebody asks for it. Columns of an edit come in the unit that the client speaks;
everything else counts code points. This module must never know a protocol's objects or what the text means.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.text.columns import Encoding, to_code_points
from sqlalchemy_guard.text.lines import LineIndex, content_length, split_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy_guard.text.edit import Edit


class LineEdit(NamedTuple):
    """`removed` lines from line `start` on were replaced by `added` lines."""

    start: int
    removed: int
    added: int


class Document:
    """One version of a text.

    Attributes:
        uri: What the owner calls it; not interpreted.
        version: The client's number of this version, None when it has none (a file on the disk).

    Args:
        lines: The lines with their terminators, at least one, the last without a terminator. The document's own from now on.
    """

    def __init__(self, uri: str, lines: list[str], version: int | None = None) -> None:
        self.uri = uri
        self.version = version
        self._lines: list[str] | _Older = lines

    @classmethod
    def from_text(cls, uri: str, text: str, version: int | None = None) -> Document:
        """The document of a whole text."""
        document = cls(uri, split_lines(text), version)
        document.__dict__["text"] = text
        return document

    def __repr__(self) -> str:
        return f"<Document {self.uri} version {self.version}, {len(self.lines)} lines>"

    @property
    def lines(self) -> list[str]:
        """The lines. Must not be changed, nor be kept when the next version is made: they become that one's."""
        if isinstance(self._lines, _Older):
            self._lines = self._lines.restored()
        return self._lines

    @cached_property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.lines)

    @cached_property
    def index(self) -> LineIndex:
        """Where the lines start."""
        return LineIndex(self.lines)

    def offset(self, line: int, column: int) -> int:
        """The offset in code points of a place, clamped to the text."""
        return self.index.offset(line, column)

    def position(self, offset: int) -> tuple[int, int]:
        """The line and column in code points of an offset, clamped to the text."""
        return self.index.position(offset)

    def replace(
        self,
        start_line: int,
        start_column: int,
        end_line: int,
        end_column: int,
        new: str,
        encoding: Encoding = "utf-32",
        version: int | None = None,
    ) -> tuple[Document, LineEdit]:
        """The document after one edit of a client.

        Args:
            start_line: 0-based; a place outside the text is clamped to it, a column to its line's end.
            start_column: In units of `encoding`, not counting beyond the line's terminator.
            end_line: 0-based; a range whose end lies before its start is turned around.
            end_column: In units of `encoding`.
            new: The text that takes the range's place.
            encoding: The unit of the columns.
            version: Of the new document; None keeps the old number.

        Returns:
            The new document and which lines differ.
        """
        if version is None:
            version = self.version
        lines = self.lines
        start_line, start = self._clamp(start_line, start_column, encoding)
        end_line, end = self._clamp(end_line, end_column, encoding)
        if (end_line, end) < (start_line, start):
            start_line, start, end_line, end = end_line, end, start_line, start
        fresh = lines[start_line][:start] + new + lines[end_line][end:]
        # A \r and a \n that become neighbours are one terminator; both sides of the edit may join so.
        if start == 0 and start_line > 0 and fresh.startswith("\n") and lines[start_line - 1].endswith("\r"):
            start_line -= 1
            fresh = lines[start_line] + fresh
        after = end_line + 1
        added = split_lines(fresh)
        if after < len(lines) and added[-1] == "":
            added.pop()
        edit = LineEdit(start_line, after - start_line, len(added))
        newer = Document(self.uri, lines, version)
        self._lines = _Older(newer, start_line, lines[start_line:after], added)
        lines[start_line:after] = added
        return newer, edit

    def turned(self, newer: Document) -> list[list[str]] | None:
        """The lines that the edits between this version and a newer one took away, and those that they brought.

        None where that is not known: the newer one does not follow from this one, or this one has been asked for its lines since.
        """
        found: list[list[str]] = []
        document = self
        while document is not newer:
            step = document._lines
            if not isinstance(step, _Older):
                return None
            found += (step.removed, step.added)
            document = step.newer
        return found

    def steps(self, edits: Sequence[Edit], size: int) -> Iterator[tuple[Document, list[LineEdit]]]:
        """Make many edits a few at a time, from the end of the text to its beginning.

        Args:
            edits: In order, disjoint, inside the text.
            size: How many are made in one step.

        Yields:
            The document after each step, and the lines that differ from the one before.
        """
        document = self
        for end in range(len(edits), 0, -size):
            changed: list[LineEdit] = []
            for edit in reversed(edits[max(0, end - size) : end]):
                # What stands in front of an edit is where it was: the later ones were made first.
                start, stop = self.position(edit.start), self.position(edit.end)
                document, lines = document.replace(*start, *stop, edit.new)
                changed.append(lines)
            yield document, changed

    def replace_all(self, text: str, version: int | None = None) -> tuple[Document, LineEdit]:
        """The document with another text; the edit covers the lines that differ."""
        document = Document.from_text(self.uri, text, self.version if version is None else version)
        old, new = self.lines, document.lines
        shared = min(len(old), len(new))
        head = 0
        while head < shared and old[head] == new[head]:
            head += 1
        tail = 0
        while tail < shared - head and old[-1 - tail] == new[-1 - tail]:
            tail += 1
        return document, LineEdit(head, len(old) - head - tail, len(new) - head - tail)

    def _clamp(self, line: int, column: int, encoding: Encoding) -> tuple[int, int]:
        """A place of a client as line and column in code points within the text."""
        if line < 0:
            return 0, 0
        if line >= len(self.lines):
            return len(self.lines) - 1, len(self.lines[-1])
        text = self.lines[line]
        return line, min(to_code_points(text, column, encoding), content_length(text))


class _Older(NamedTuple):
    """The lines of a version that gave its list away: at `start` the next one has `added` instead of `removed`."""

    newer: Document
    start: int
    removed: list[str]
    added: list[str]

    def restored(self) -> list[str]:
        """A list of its own."""
        steps = [self]
        while isinstance(lines := steps[-1].newer._lines, _Older):
            steps.append(lines)
        lines = lines.copy()
        for _, start, removed, added in reversed(steps):
            lines[start : start + len(added)] = removed
        return lines
