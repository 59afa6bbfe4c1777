"""The text a fix is made for, with the arithmetic between nodes, offsets and tokens.

Nodes may come from a chunk whose lines moved, so every function takes the chunk's `shift` (0 for a whole parse).
This module must never change a text: it answers questions only.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from sqlalchemy_guard.fixes.scan import Token, tokens
from sqlalchemy_guard.text.columns import from_utf8
from sqlalchemy_guard.text.document import Document
from sqlalchemy_guard.text.lines import content_length
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    import ast
    from collections.abc import Container, Iterator

_INDENTED = lazy_pattern(r":[ \t]*(?:#[^\r\n]*)?(?:\r\n|\n|\r)([ \t]+)\S")
_COMMENT_OR_STRING = lazy_pattern(
    r"""\#[^\r\n]*
      | \"{3}(?:\\.|[^\\])*?\"{3} | '{3}(?:\\.|[^\\])*?'{3}
      | (?P<mark>["'])(?:\\.|[^\\"'\r\n])*(?P=mark)
      | "(?:\\.|[^\\"\r\n])*" | '(?:\\.|[^\\'\r\n])*'
    """,
    re.VERBOSE | re.DOTALL,
)
"""With `mark` for short strings that hold no quotation mark; those nested in f-strings count for themselves or not at all."""


class Located(Protocol):
    """A node that `ast` gives a place: expressions, statements, keywords, aliases, handlers, arguments."""

    lineno: int
    col_offset: int
    end_lineno: int | None
    end_col_offset: int | None


class Source:
    """A text and its conventions.

    Args:
        text: The whole text.
        line_length: How many columns a line may have, as the project's formatter is configured.
        first_party: The top-level packages of the project, which its imports keep behind those of others.
    """

    def __init__(
        self,
        text: str,
        line_length: int = 88,
        first_party: Container[str] = (),
    ) -> None:
        self.line_length = line_length
        self.first_party = first_party
        self._document = Document.from_text("", text)

    @classmethod
    def of(cls, document: Document, line_length: int = 88, first_party: Container[str] = ()) -> Source:
        """The text of a document that is there: at a keystroke nothing may be done for all of its lines."""
        made = cls("", line_length, first_party)
        made._document = document
        return made

    @property
    def lines(self) -> list[str]:
        """Its lines with their terminators. Nobody may keep the list: it becomes that of the document's next version."""
        return self._document.lines

    @property
    def text(self) -> str:
        """The whole text."""
        return self._document.text

    def with_text(self, text: str) -> Source:
        """Another text with the same conventions."""
        return Source(text, self.line_length, self.first_party)

    def offset(self, line: int, column: int = 0) -> int:
        """The offset of an absolute 0-based line and a column in code points."""
        return self._document.offset(line, column)

    def position(self, offset: int) -> tuple[int, int]:
        """The absolute 0-based line and the column in code points of an offset."""
        return self._document.position(offset)

    def start(self, node: Located, shift: int = 0) -> int:
        """The offset where a node starts, without parentheses around it and without decorators."""
        return self._offset(node.lineno - 1 + shift, node.col_offset)

    def end(self, node: Located, shift: int = 0) -> int:
        """The offset one past a node's last character, without parentheses around it."""
        line = node.lineno if node.end_lineno is None else node.end_lineno
        column = node.col_offset if node.end_col_offset is None else node.end_col_offset
        return self._offset(line - 1 + shift, column)

    def _offset(self, line: int, column: int) -> int:
        text = self.lines[line] if 0 <= line < len(self.lines) else ""
        return self._document.offset(line, from_utf8(text, column))

    def segment(self, node: Located, shift: int = 0) -> str:
        """The text of a node."""
        first = node.lineno - 1 + shift
        last = first if node.end_lineno is None else node.end_lineno - 1 + shift
        end = node.col_offset if node.end_col_offset is None else node.end_col_offset
        lines = self.lines[max(0, first) : last + 1]
        if first < 0 or len(lines) != last - first + 1:
            return self.text[self.start(node, shift) : self.end(node, shift)]
        # The end first: it may stand in the same line.
        lines[-1] = lines[-1][: from_utf8(lines[-1], end)]
        lines[0] = lines[0][from_utf8(lines[0], node.col_offset) :]
        return "".join(lines)

    def first_line(self, statement: ast.stmt, shift: int = 0) -> int:
        """The absolute line where a statement starts, decorators included."""
        decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
        return min([statement.lineno, *(decorator.lineno for decorator in decorators)]) - 1 + shift

    def line_start(self, offset: int) -> int:
        """The offset of the first character of the line that holds `offset`."""
        return offset - self.position(offset)[1]

    def line_end(self, offset: int) -> int:
        """The offset one past the last character of the line that holds `offset`, before its terminator."""
        line = self.position(offset)[0]
        return self.offset(line) + content_length(self.lines[line])

    def next_line(self, offset: int) -> int:
        """The offset where the line after the one that holds `offset` starts, or the text's end."""
        return self.offset(self.position(offset)[0] + 1)

    def margin(self, offset: int) -> str:
        """The white space at the beginning of the line that holds `offset`."""
        line = self.lines[self.position(offset)[0]]
        return line[: len(line) - len(line.lstrip(" \t\f"))]

    def tokens(self, start: int, end: int) -> Iterator[Token]:
        """The tokens of `text[start:end]`; `start` must not lie inside a token."""
        return tokens(self.text, start, end)

    def comments(self, start: int, end: int) -> list[Token]:
        """The comments in `text[start:end]`; `start` must not lie inside a token."""
        return [token for token in tokens(self.text, start, end) if token.kind == "comment"]

    def opening(self, call: ast.Call, shift: int = 0) -> int:
        """The offset of the parenthesis that opens a call's arguments."""
        after = self.end(call.func, shift)
        for token in tokens(self.text, after, self.end(call, shift)):
            # Only parentheses around the function itself can come before.
            if token.kind == "open":
                return token.start
        raise ValueError(f"no parenthesis after offset {after}: the node is not of this text")

    @cached_property
    def newline(self) -> str:
        """The terminator that most lines have."""
        counts = Counter(line[content_length(line) :] for line in self.lines)
        del counts[""]
        return counts.most_common(1)[0][0] if counts else "\n"

    @cached_property
    def indentation(self) -> str:
        """One level of indentation: what the first indented block of the file has."""
        match = _INDENTED.search(self.text)
        if match is None:
            return "    "
        before = self.margin(match.start())
        inner = match[1]
        return inner[len(before) :] if inner.startswith(before) and inner != before else "    "

    @cached_property
    def quote(self) -> str:
        """The quotation mark that the file prefers for short strings; double when it has none."""
        # One search of the whole text: reading all tokens of a large file takes as long as a person notices.
        marks = Counter(match["mark"] for match in _COMMENT_OR_STRING.finditer(self.text))
        return "'" if marks["'"] > marks['"'] else '"'
