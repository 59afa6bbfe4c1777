"""Comments that silence violations, read as ruff and flake8 read them.

`# noqa` silences everything on its line, `# noqa: SAG301, SAG302` those codes; case does not matter, codes
are separated by commas or white space. `# sqlalchemy-guard: noqa` on a line of its own silences a whole file,
with codes only these. A chunk whose text does not hold the word costs one search when it is parsed. This
module must never know a rule.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.syntax.comments import comments
from sqlalchemy_guard.text.patterns import lazy_pattern
from sqlalchemy_guard.text.span import Span

if TYPE_CHECKING:
    from sqlalchemy_guard.syntax.chunk import Chunk
    from sqlalchemy_guard.syntax.syntax import Syntax

CODES = r"[A-Z][A-Z0-9]*[0-9]+(?:[\s,]+[A-Z][A-Z0-9]*[0-9]+)*"
_NOQA = lazy_pattern(rf"#\s*noqa\b(?:\s*:\s*(?P<codes>{CODES})?(?P<rest>\S*))?", re.IGNORECASE)
_FILE = lazy_pattern(
    rf"^#\s*sqlalchemy-guard\s*:\s*noqa\b(?:\s*:\s*(?P<codes>{CODES})?(?P<rest>\S*))?", re.IGNORECASE
)
_SEPARATOR = lazy_pattern(r"[\s,]+")


class Suppression(NamedTuple):
    """A comment that silences: where it stands, and which codes (upper case), None for all."""

    span: Span
    codes: frozenset[str] | None

    def covers(self, code: str) -> bool:
        """Whether a violation of the rule `code` is silenced."""
        return self.codes is None or code in self.codes

    def may_name(self, prefix: str) -> bool:
        """Whether a violation of a rule whose code begins so may be silenced."""
        return self.codes is None or any(code.startswith(prefix) for code in self.codes)


class Suppressions:
    """The suppressions of one syntax; follows its chunks."""

    def __init__(self, syntax: Syntax) -> None:
        self._syntax = syntax
        # Only chunks with such comments; lines are relative to the chunk's start.
        self._lines: dict[Chunk, tuple[Suppression, ...]] = {}
        self._files: dict[Chunk, tuple[Suppression, ...]] = {}
        # By prefix of codes: the chunks with comments that may silence such codes, which are few: a key typed beside a
        # comment for another linter does not look at those of the whole file.
        self._by_prefix: dict[str, dict[Chunk, list[Suppression]]] = {}
        # By prefix: the syntax's moves when they were asked for, and where they stood.
        self._naming: dict[str, tuple[int, tuple[Suppression, ...]]] = {}

    def on_lines(self, start: int, end: int) -> tuple[Suppression, ...]:
        """The suppressions on any of the lines `[start, end)`."""
        if not self._lines:
            return ()
        found = [
            suppression._replace(span=_moved(suppression.span, chunk.start))
            for chunk, suppressions in self._lines.items()
            if chunk.start < end and chunk.end > start
            for suppression in suppressions
            if start <= suppression.span.line + chunk.start < end
        ]
        return tuple(sorted(found, key=lambda suppression: suppression.span))

    def of_file(self) -> tuple[Suppression, ...]:
        """The suppressions that hold for the whole file."""
        return tuple(
            suppression._replace(span=_moved(suppression.span, chunk.start))
            for chunk, suppressions in self._files.items()
            for suppression in suppressions
        )

    def silences(self, code: str, start: int, end: int) -> bool:
        """Whether a violation of `code` in a statement of the lines `[start, end)` is silenced."""
        if not self._lines and not self._files:
            return False
        return any(suppression.covers(code) for suppression in (*self.on_lines(start, end), *self.of_file()))

    def naming(self, prefix: str) -> tuple[Suppression, ...]:
        """The suppressions on lines that may silence codes which begin so, in no particular order; most serve other
        linters. The same tuple while none came, went or moved."""
        kept = self._naming.get(prefix)
        if kept is None or kept[0] != self._syntax.moves:
            by_chunk = self._by_prefix.get(prefix)
            if by_chunk is None:
                by_chunk = self._by_prefix[prefix] = {}
                for chunk in self._lines:
                    self._sort_in(chunk, prefix, by_chunk)
            found = [
                each._replace(span=_moved(each.span, chunk.start))
                for chunk, suppressions in by_chunk.items()
                for each in suppressions
            ]
            kept = self._naming[prefix] = (self._syntax.moves, tuple(found))
        return kept[1]

    def _sort_in(self, chunk: Chunk, prefix: str, by_chunk: dict[Chunk, list[Suppression]]) -> None:
        found = [each for each in self._lines[chunk] if each.may_name(prefix)]
        if found:
            by_chunk[chunk] = found
            self._naming.pop(prefix, None)

    def learn(self, chunk: Chunk) -> None:
        """A chunk came into the tree."""
        lines = self._syntax.document.lines
        end = chunk.end if chunk.children is None else chunk.children[0].start
        if "noqa" not in "".join(lines[chunk.start : end]).lower():
            return
        on_lines: list[Suppression] = []
        of_file: list[Suppression] = []
        for comment in comments(lines, chunk.start, end):
            place = comment.line - chunk.start
            if match := _FILE.match(comment.text):
                if not lines[comment.line][: comment.column].strip():
                    _add(of_file, match, place, comment.column)
            elif match := _NOQA.search(comment.text):
                _add(on_lines, match, place, comment.column)
        if on_lines:
            self._lines[chunk] = tuple(on_lines)
            for prefix, by_chunk in self._by_prefix.items():
                self._sort_in(chunk, prefix, by_chunk)
        if of_file:
            self._files[chunk] = tuple(of_file)

    def forget(self, chunk: Chunk) -> None:
        """A chunk left the tree."""
        if self._lines.pop(chunk, None) is not None:
            for prefix, by_chunk in self._by_prefix.items():
                if by_chunk.pop(chunk, None) is not None:
                    self._naming.pop(prefix, None)
        self._files.pop(chunk, None)


def _add(suppressions: list[Suppression], match: re.Match[str], line: int, column: int) -> None:
    codes = match["codes"]
    if codes is None and match["rest"]:
        # Something is listed that is no code: silencing everything is not what was meant.
        return
    span = Span(line, column + match.start(), line, column + (match.end("codes") if codes else match.end()))
    named = frozenset(_SEPARATOR.split(codes.upper())) if codes else None
    suppressions.append(Suppression(span, named))


def _moved(span: Span, lines: int) -> Span:
    return Span(span.line + lines, span.column, span.end_line + lines, span.end_column)
