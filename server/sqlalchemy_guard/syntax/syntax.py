"""The syntax of one document: a tree of chunks that follows the document's edits. Never raises on any text.

Two sentences carry the whole module. A chunk that is not broken was parsed from exactly its own lines, which
are complete and begin at the indentation of their block: so when no chunk is broken, the document is valid
and the tree is the one of a parse from scratch. And a parser reads from left to right: when it gives up
inside the first broken chunk, nothing that follows can make the document valid; so only an edit within the
lines that it has read, kept in `_Verdict`, can.

This module must never know what a statement means.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.syntax.chunk import Chunk
from sqlalchemy_guard.syntax.cut import DEFINITIONS, body_lines, cut, first_line, is_filler
from sqlalchemy_guard.syntax.garbage import gc_guard
from sqlalchemy_guard.syntax.graft import graft
from sqlalchemy_guard.syntax.parents import hand_on
from sqlalchemy_guard.syntax.parse import Block, Failure, indentation, parse_block
from sqlalchemy_guard.syntax.recover import recover, still_patched, still_refused
from sqlalchemy_guard.syntax.respell import respelled
from sqlalchemy_guard.syntax.suppressions import Suppressions
from sqlalchemy_guard.syntax.tree import indents_of, is_broken, move, start_of, walk, walk_new
from sqlalchemy_guard.text.columns import from_utf8
from sqlalchemy_guard.text.span import Span

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy_guard.text.document import Document, LineEdit

_CLAUSES = ("else", "elif", "except", "finally")
# How many lines beyond a broken chunk are read at first to see whether they complete it; each further look
# reads four times as many.
_LOOK_AHEAD = 12
# A document that is healed step by step is parsed anew after so many steps.
_STEPS = 20


class Problem(NamedTuple):
    """A place that could not be parsed: 0-based line, column in code points."""

    line: int
    column: int
    message: str


class Change(NamedTuple):
    """What an update did: leaf or cut chunks that are no longer in the tree, and those that came."""

    removed: list[Chunk]
    added: list[Chunk]


class _Verdict:
    """That the lines `[start, end)`, which begin at the first broken chunk, cannot be the beginning of
    anything valid."""

    __slots__ = ("chunk", "end", "start")

    def __init__(self, chunk: Chunk, start: int, end: int) -> None:
        self.chunk = chunk
        self.start = start
        self.end = end


class Syntax:
    """The tree of one document.

    Attributes:
        document: The version that the tree describes.
        chunks: The chunks of the module's own level; they tile the document's lines.
        suppressions: The `# noqa` comments.
        moves: Counts the updates that may have moved chunks to other lines.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        # Asked of the older version, this would make its lines anew.
        self._line_count = len(document.lines)
        self.chunks: list[Chunk] = []
        self.moves = 0
        self.suppressions = Suppressions(self)
        # Whether lines moved in the update at hand.
        self._has_moved = False
        self._was: dict[int, str] = {}
        self._broken: set[Chunk] = set()
        self._verdict: _Verdict | None = None
        # Broken chunks that proved themselves hopeless during this update: one past the last line read.
        self._proofs: dict[Chunk, int] = {}
        self._removed: list[Chunk] = []
        self._added: list[Chunk] = []
        self._parse_whole()

    @property
    def problems(self) -> list[Problem]:
        """What could not be parsed, in order of the lines."""
        return sorted(
            Problem(max(0, chunk.problem[0] + chunk.shift), chunk.problem[1], chunk.problem[2])
            for chunk in self._broken
            if chunk.problem is not None
        )

    def update(self, document: Document, line_edits: Sequence[LineEdit]) -> Change:
        """Follow the document to its next version.

        Args:
            document: The new version.
            line_edits: The edits that lead to it, in the order in which they were made, each in lines of the
                text before it.

        Returns:
            Which chunks went and came. All others are the same objects, at their new lines.
        """
        self._removed, self._added = [], []
        self._proofs.clear()
        touched: list[Chunk] = []
        dirty: set[int] = set()
        count, moves = self._line_count, self.moves
        self._was = _turned(self.document, document, line_edits)
        self.document = document
        self._line_count = len(document.lines)
        with gc_guard():
            for start, removed, added in line_edits:
                if removed == 0:
                    # An insertion belongs to the chunk of the line above it.
                    start, removed, added = max(0, start - 1), 1, added + 1
                start = max(0, min(start, count - 1))
                removed = min(removed, count - start)
                delta = added - removed
                count += delta
                self.moves += delta != 0
                end = start + removed
                dirty = {line + delta if line >= end else line for line in dirty if not start <= line < end}
                dirty.update(range(start, start + added))
                self._move_verdict(start, end, delta)
                move(self.chunks, start, end, added, touched)
            if count != self._line_count:
                # The edits do not lead to this document; only a parse from scratch can be right.
                self._parse_whole()
            else:
                self._has_moved = self.moves != moves
                self._reparse_touched(touched, dirty)
                self._settle()
        added_now = set(self._added)
        ephemeral = added_now.intersection(self._removed)
        change = Change(
            [chunk for chunk in self._removed if chunk not in ephemeral],
            [chunk for chunk in self._added if chunk not in ephemeral],
        )
        self._removed, self._added = [], []
        return change

    def retire(self) -> None:
        """Another syntax takes the place of this one: none of its chunks is part of a tree any more."""
        for chunk in walk(self.chunks):
            chunk.is_alive = False

    def iter_chunks(self) -> Iterator[Chunk]:
        """All chunks, a cut one before its children."""
        return walk(self.chunks)

    def iter_leaves(self) -> Iterator[Chunk]:
        """All chunks that were not cut, in order."""
        return (chunk for chunk in walk(self.chunks) if chunk.children is None)

    def chunk_at(self, line: int) -> Chunk | None:
        """The innermost chunk that holds a line; for a header's line the cut chunk. None outside the
        document."""
        found: Chunk | None = None
        chunks: list[Chunk] | None = self.chunks
        while chunks:
            inner = chunks[max(0, bisect_right(chunks, line, key=start_of) - 1)]
            if not inner.start <= line < inner.end:
                break
            found, chunks = inner, inner.children
        return found

    def node_span(self, chunk: Chunk, node: ast.expr | ast.stmt | ast.AST) -> Span:
        """Where a node of a chunk stands now. The node must have a position; that of a cut definition ends
        with its last child."""
        lines = self.document.lines
        line, column, end_line, end = (
            getattr(node, name) or 0 for name in ("lineno", "col_offset", "end_lineno", "end_col_offset")
        )
        last = len(lines) - 1
        line = min(line + chunk.shift - 1, last)
        start = from_utf8(lines[line], column)
        if chunk.children is not None and chunk.body and node is chunk.body[0]:
            return self._definition_span(chunk, line, start)
        end_line = min(end_line + chunk.shift - 1, last)
        return Span(line, start, end_line, from_utf8(lines[end_line], end))

    def _definition_span(self, chunk: Chunk, line: int, column: int) -> Span:
        """From a cut definition's name to the last code of its body."""
        for leaf in reversed(list(walk(chunk.children or []))):
            if leaf.children is None and leaf.body:
                end = self.node_span(leaf, leaf.body[-1])
                return Span(line, column, end.end_line, end.end_column)
        return Span(line, column, chunk.end - 1, len(self.document.lines[chunk.end - 1].rstrip("\r\n")))

    # Parsing

    def _parse_whole(self) -> None:
        """Parse from scratch."""
        lines = self.document.lines
        with gc_guard():
            outcome = parse_block(lines, 0, len(lines), ())
            if isinstance(outcome, Block):
                chunks = cut(outcome.body, 0, len(lines), outcome.shift, lines)
            else:
                chunks = recover(lines, 0, len(lines), (), outcome)
        self._verdict = None
        self.moves += 1
        self._splice(None, 0, len(self.chunks), chunks)

    def _parse(self, parent: Chunk | None, start: int, end: int) -> Block | Failure:
        outcome = parse_block(self.document.lines, start, end, indents_of(parent))
        if isinstance(outcome, Block) and parent is not None and not outcome.body and not outcome.escaped:
            siblings = parent.children or []
            if not siblings or siblings[0].start >= start:
                # A definition needs a statement, and its first must be what sets the block's indentation.
                return Failure(True, start, 0, "expected an indented block after the definition")
        return outcome

    def _reparse_touched(self, touched: Iterable[Chunk], dirty: set[int]) -> None:
        headers = [chunk for chunk in touched if chunk.children is not None]
        leaves = [chunk for chunk in touched if chunk.children is None]
        for chunk in headers:
            if self._is_alive(chunk):
                leaves += self._reparse_header(chunk)
        # Those that lost all their lines go first: what a chunk follows decides how it is to be read.
        for chunk in sorted(leaves, key=lambda leaf: leaf.end > leaf.start):
            if self._is_alive(chunk):
                self._reparse_leaf(chunk, dirty)

    def _is_alive(self, chunk: Chunk) -> bool:
        """Whether the chunk is still part of the tree."""
        outermost = chunk
        while True:
            siblings = self._siblings(outermost.parent)
            index = self._index(siblings, outermost)
            if index is None:
                return False
            if outermost.parent is None:
                return True
            outermost = outermost.parent

    def _reparse_header(self, chunk: Chunk) -> list[Chunk]:
        """Parse the header of a cut definition; gives the leaves that take its place where it is none any
        more."""
        children = chunk.children or []
        while children and children[0].start >= children[0].end:
            self._splice(chunk, 0, 1, [])
        parent = chunk.parent
        siblings = self._siblings(parent)
        index = self._index(siblings, chunk)
        if index is None:
            return []
        body_start = children[0].start if children else chunk.start
        if body_start > chunk.start:
            lines = self.document.lines
            outcome = parse_block(
                lines, chunk.start, body_start, indents_of(parent), tail=f"{chunk.indent}pass\n"
            )
            if isinstance(outcome, Block):
                fresh = self._split_header(chunk, outcome, body_start)
                if fresh:
                    self._splice(parent, index, index + 1, fresh, keep=children)
                    return []
            elif isinstance(outcome, Failure) and chunk.body and self._has_code(chunk.start, body_start):
                # The definition that stood here is the best guess of the one being typed.
                node = chunk.body[0]
                shift = self._likely_line(chunk.start, body_start) - (node.lineno - 1)
                header = self._with_header(chunk, chunk.start, shift, node)
                header.broken = tuple(
                    line - header.shift
                    for line in range(chunk.start, body_start)
                    if not is_filler(lines[line])
                )
                header.problem = (outcome.line - header.shift, outcome.column, outcome.message)
                self._splice(parent, index, index + 1, [header], keep=children)
                return []
        leaf = Chunk(chunk.start, chunk.end, chunk.start, [])
        self._splice(parent, index, index + 1, [leaf])
        return [leaf]

    def _split_header(self, chunk: Chunk, outcome: Block, body_start: int) -> list[Chunk]:
        """The chunks of a header that was parsed with a `pass` behind it: statements in front of the
        definition, the definition, and the statements that its body gained at the top. Empty where it is no
        such header."""
        lines = self.document.lines
        shift = outcome.shift
        node = outcome.body[-1] if outcome.body else None
        if not isinstance(node, DEFINITIONS) or node.body[-1].lineno + shift != body_start + 1:
            return []
        *in_front, _ = outcome.body
        *gained, _ = node.body
        start, end = chunk.start, body_start
        if in_front:
            start = (in_front[-1].end_lineno or 0) + shift
        if gained:
            top = body_lines(node, start, shift, lines)
            if top is None or (gained[-1].end_lineno or 0) + shift > body_start:
                return []
            end = top
        if start >= end or first_line(node) - 1 + shift < start:
            return []
        node.body = []
        header = Chunk(start, chunk.end, shift, [node])
        header.indent = chunk.indent
        header.children = chunk.children or []
        if gained:
            header.children = [*cut(gained, end, body_start, shift, lines), *header.children]
            for child in header.children:
                child.parent = header
        return [*(cut(in_front, chunk.start, start, shift, lines) if in_front else ()), header]

    def _with_header(self, old: Chunk, start: int, shift: int, node: ast.stmt) -> Chunk:
        """A new chunk with another header and the same children."""
        header = Chunk(start, old.end, shift, [node])
        header.children = old.children
        header.indent = old.indent
        return header

    def _likely_line(self, start: int, end: int) -> int:
        """The line of a broken header on which the definition's keyword stands, else its first line of
        code."""
        lines = self.document.lines
        code = [line for line in range(start, end) if not is_filler(lines[line])]
        keyword = (line for line in code if lines[line].lstrip().startswith(("def", "class", "async")))
        return next(keyword, code[0])

    def _has_code(self, start: int, end: int) -> bool:
        return any(not is_filler(line) for line in self.document.lines[start:end])

    def _reparse_leaf(self, chunk: Chunk, dirty: set[int]) -> None:
        parent = chunk.parent
        siblings = self._siblings(parent)
        index = self._index(siblings, chunk)
        if index is None:
            return
        if chunk.start >= chunk.end:
            if len(siblings) > 1 or parent is None:
                self._splice(parent, index, index + 1, [])
                if parent is not None and index == 0 and not siblings[0].body and not siblings[0].broken:
                    self._break(parent, 0, dirty)
            else:
                self._collapse(parent, dirty)
            return
        if self._was and chunk.start <= min(self._was) and max(self._was) < chunk.end:
            body = respelled(chunk, self.document.lines, self._was)
            if body is not None:
                leaf = Chunk(chunk.start, chunk.end, chunk.shift, body)
                hand_on(chunk, leaf)
                self._splice(parent, index, index + 1, [leaf])
                return
        is_patched = still_patched(self.document.lines, chunk, dirty)
        outcome: Block | Failure | None = still_refused(self.document.lines, chunk) if is_patched else None
        if outcome is None:
            outcome = self._parse(parent, chunk.start, chunk.end)
        if isinstance(outcome, Block) and not outcome.escaped:
            if not self._has_moved:
                graft(chunk, outcome.body, outcome.shift, dirty)
            fresh = cut(outcome.body, chunk.start, chunk.end, outcome.shift, self.document.lines)
            if len(fresh) == 1 and fresh[0].children is None:
                hand_on(chunk, fresh[0])
            self._splice(parent, index, index + 1, fresh)
            return
        if isinstance(outcome, Failure) and is_patched:
            chunk.problem = (outcome.line - chunk.shift, outcome.column, outcome.message)
            self._prove(chunk, *self._context(chunk), chunk.end, outcome)
            return
        known = {line + chunk.shift for line in chunk.broken}
        self._repair(parent, index, outcome, dirty | known)

    def _collapse(self, chunk: Chunk, dirty: set[int]) -> None:
        """Parse a cut definition anew as one run of lines."""
        siblings = self._siblings(chunk.parent)
        index = self._index(siblings, chunk)
        if index is not None:
            leaf = Chunk(chunk.start, chunk.end, chunk.start, [])
            self._splice(chunk.parent, index, index + 1, [leaf])
            self._reparse_leaf(leaf, dirty)

    def _break(self, parent: Chunk | None, index: int, dirty: set[int]) -> None:
        chunk = self._siblings(parent)[index]
        outcome = self._parse(parent, chunk.start, chunk.end)
        if isinstance(outcome, Failure):
            self._repair(parent, index, outcome, dirty)

    def _repair(self, parent: Chunk | None, index: int, outcome: Block | Failure, dirty: set[int]) -> None:
        """Put what can be parsed of a chunk in its place, and mark it as broken."""
        chunk = self._siblings(parent)[index]
        lines = self.document.lines
        if isinstance(outcome, Block):
            line = next(iter(sorted(line for line in dirty if chunk.start <= line < chunk.end)), chunk.start)
            outcome = Failure(True, line, 0, "unindent does not match the block")
        context = self._context(chunk)
        fresh = recover(lines, chunk.start, chunk.end, indents_of(parent), outcome, dirty)
        if not any(is_broken(piece) for piece in walk(fresh)):
            fresh[0].broken = (outcome.line - fresh[0].shift,)
            fresh[0].problem = (outcome.line - fresh[0].shift, outcome.column, outcome.message)
        self._splice(parent, index, index + 1, fresh)
        first = next(piece for piece in walk(fresh) if is_broken(piece))
        self._prove(first, *context, chunk.end, outcome)

    # Healing

    def _prove(self, broken: Chunk, parent: Chunk | None, start: int, end: int, failure: Failure) -> None:
        """Remember that lines `[broken.start, end)` do not parse, if that says all about them."""
        if parent is broken.parent and start == broken.start and not failure.incomplete:
            self._proofs[broken] = end

    def _settle(self) -> None:
        """See to it that, while a chunk is broken, the document as a whole is proven to be invalid."""
        for _ in range(_STEPS):
            if not self._broken:
                self._verdict = None
                return
            first = min(self._broken, key=lambda chunk: (chunk.start, -chunk.end))
            if self._verdict is not None and self._verdict.chunk is first:
                return
            if first in self._proofs:
                self._verdict = _Verdict(first, first.start, self._proofs[first])
                return
            start, end = self._judge(first)
            if start < 0:
                continue
            self._verdict = _Verdict(first, start, end)
            return
        self._parse_whole()

    def _judge(self, first: Chunk) -> tuple[int, int]:
        """Either heal the first broken chunk with what follows (-1, -1), or give the lines that prove that
        nothing can."""
        lines = self.document.lines
        count = len(lines)
        parent, start = self._context(first)
        end = first.end if first.children is None else first.children[0].start
        step = _LOOK_AHEAD
        tried = False
        while True:
            outcome = parse_block(lines, start, end, indents_of(parent))
            if isinstance(outcome, Failure):
                if not outcome.incomplete:
                    return start, end
            elif not outcome.escaped or tried or end >= count:
                healed, read_start, read_end = self._rebuild(parent, start, end)
                if healed:
                    return -1, -1
                if read_start >= 0:
                    return read_start, max(read_end, end)
            if end >= count:
                return start, count
            tried = True
            end = min(count, end + step)
            step *= 4

    def _context(self, chunk: Chunk) -> tuple[Chunk | None, int]:
        """From where a chunk has to be read: from its own start, or that of what it may belong to."""
        parent = chunk.parent
        siblings = self._siblings(parent)
        index = self._index(siblings, chunk) or 0
        while True:
            indent = parent.indent if parent is not None else ""
            stop = chunk.end
            code = next(
                (line for line in self.document.lines[chunk.start : stop] if not is_filler(line)), None
            )
            fits = (
                code is not None
                and indentation(code) == indent
                and not code[len(indent) :].startswith(_CLAUSES)
            )
            if code is None and index > 0:
                fits = True
            if fits:
                return parent, chunk.start
            if index > 0:
                return parent, siblings[index - 1].start
            if parent is None:
                return None, chunk.start
            chunk, parent = parent, parent.parent
            siblings = self._siblings(parent)
            index = self._index(siblings, chunk) or 0

    def _rebuild(self, parent: Chunk | None, start: int, end: int) -> tuple[bool, int, int]:
        """Parse the smallest run of whole siblings around lines that are complete; tells which lines proved
        hopeless (-1 where none did)."""
        while True:
            siblings = self._siblings(parent)
            low = max(0, bisect_right(siblings, start, key=start_of) - 1)
            high = max(low, bisect_right(siblings, end - 1, key=start_of) - 1)
            inside = siblings[low].start <= start and siblings[high].end >= end
            if inside:
                outcome = self._parse(parent, siblings[low].start, siblings[high].end)
                if isinstance(outcome, Block) and not outcome.escaped:
                    fresh = cut(
                        outcome.body,
                        siblings[low].start,
                        siblings[high].end,
                        outcome.shift,
                        self.document.lines,
                    )
                    self._splice(parent, low, high + 1, fresh)
                    return True, -1, -1
                if isinstance(outcome, Failure):
                    if outcome.incomplete:
                        return False, -1, -1
                    return False, siblings[low].start, siblings[high].end
            if parent is None:
                return False, -1, -1
            start, end = parent.start, max(end, parent.end)
            parent = parent.parent

    def _move_verdict(self, start: int, end: int, delta: int) -> None:
        verdict = self._verdict
        if verdict is None or start >= verdict.end:
            return
        if end <= verdict.start:
            verdict.start += delta
            verdict.end += delta
        else:
            self._verdict = None

    # The tree

    def _siblings(self, parent: Chunk | None) -> list[Chunk]:
        return self.chunks if parent is None else parent.children or []

    def _index(self, siblings: list[Chunk], chunk: Chunk) -> int | None:
        """Where a chunk stands among siblings; empty ones may share its start."""
        index = bisect_right(siblings, chunk.start, key=start_of) - 1
        while index >= 0 and siblings[index].start == chunk.start:
            if siblings[index] is chunk:
                return index
            index -= 1
        return None

    def _splice(
        self, parent: Chunk | None, low: int, high: int, fresh: list[Chunk], keep: Sequence[Chunk] = ()
    ) -> None:
        """Put chunks in the place of others; the children `keep` go on living below the new ones."""
        siblings = self._siblings(parent)
        kept = set(keep)
        for old in siblings[low:high]:
            for chunk in (old,) if kept else walk((old,)):
                chunk.is_alive = False
                self._removed.append(chunk)
                self._broken.discard(chunk)
                self.suppressions.forget(chunk)
        siblings[low:high] = fresh
        for new in fresh:
            new.parent = parent
            for chunk in walk_new(new, kept):
                self._added.append(chunk)
                if is_broken(chunk):
                    self._broken.add(chunk)
                self.suppressions.learn(chunk)
        for child in keep:
            child.parent = fresh[-1]
        ancestor = parent
        while ancestor is not None:
            ancestor.stale = True
            ancestor = ancestor.parent


def _turned(old: Document, new: Document, line_edits: Sequence[LineEdit]) -> dict[int, str]:
    """What the lines said that one edit has changed without moving any; empty where that is not known."""
    turned = old.turned(new) if len(line_edits) == 1 else None
    if turned is None or len(turned) != 2 or len(turned[0]) != len(turned[1]):
        return {}
    return dict(enumerate(turned[0], line_edits[0].start))
