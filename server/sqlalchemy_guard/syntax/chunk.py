"""A chunk: a run of source lines with the statements parsed from exactly those lines.

A file is a tree of chunks. A class or function longer than some thirty lines is cut: its own chunk holds the
header (`body` is the one definition node, whose `.body` is empty) and its statements live in `children`. Node
line numbers are relative: absolute 0-based line = `node.lineno - 1 + chunk.shift`. Inserting lines above
moves `start`, `end` and `shift`; nodes are never touched again after parsing, and a cut definition's node
keeps the `end_lineno` of its parse (take `chunk.end` instead). Columns of nodes are UTF-8 bytes, as `ast`
gives them.

This module must never know what the statements mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Iterator

T = TypeVar("T")


class Chunk:
    """A run of lines `[start, end)` (absolute, 0-based) and what was parsed from it.

    Attributes:
        start: First line. Decorators, comments and blank lines directly above a definition belong to its
            chunk.
        end: One past the last line. The chunks of a file (or of a cut definition's body) tile it without
            gaps.
        shift: Add to `node.lineno - 1` to get the absolute 0-based line.
        body: The statements; for a cut definition the definition alone, with an empty `.body`.
        children: Chunks of a cut definition's body in order, or None for a leaf.
        parent: The cut definition this chunk belongs to, None at module level.
        broken: Absolute-at-parse lines (relative like nodes: add `shift`) that were replaced by `pass` to
            parse the rest.
        patches: What was read in place of the lines `broken`, if that was all it took.
        indent: The white space in front of each statement of `children`.
        problem: Why lines are broken: relative line, column in code points, the parser's words.
        memo: What higher layers keep about this very chunk; a re-parsed chunk is a new object with `memo`
            None.
        derived: What was found in its nodes, by what found it; see `once`.
        is_alive: Whether it is still part of the tree; cleared when another chunk takes its place.
        stale: Set on a chunk and all its parents when something inside was re-parsed; the facts layer clears
            it.
    """

    __slots__ = (
        "body",
        "broken",
        "children",
        "derived",
        "end",
        "indent",
        "is_alive",
        "memo",
        "parent",
        "patches",
        "problem",
        "shift",
        "stale",
        "start",
    )

    def __init__(self, start: int, end: int, shift: int, body: list[ast.stmt]) -> None:
        self.start = start
        self.end = end
        self.shift = shift
        self.body = body
        self.children: list[Chunk] | None = None
        self.parent: Chunk | None = None
        self.broken: tuple[int, ...] = ()
        self.patches: tuple[str, ...] = ()
        self.indent = ""
        self.problem: tuple[int, int, str] | None = None
        self.memo: Any = None
        self.derived: dict[Any, Any] | None = None
        self.is_alive = True
        self.stale = True

    def once(self, find: Callable[..., T], *given: object) -> T:
        """What `find(chunk, *given)` finds in the nodes: looked for once, and again when something else is given.

        Nothing but the nodes and what is given may go into it, and nobody may change it.
        """
        if self.derived is None:
            self.derived = {}
        kept: tuple[tuple[object, ...], T] | None = self.derived.get(find)
        if kept is None or kept[0] != given:
            kept = self.derived[find] = (given, find(self, *given))
        return kept[1]

    def parts(self) -> Iterator[Chunk]:
        """The chunk itself and all that it is cut into, in the order of the lines."""
        yield self
        for child in self.children or ():
            yield from child.parts()

    def leaves(self) -> Iterator[Chunk]:
        """Those of its parts that are not cut."""
        return (part for part in self.parts() if part.children is None)

    def __repr__(self) -> str:
        kind = "cut" if self.children is not None else "leaf"
        return f"<{kind} chunk of lines {self.start}..{self.end}, {len(self.body)} statements>"
