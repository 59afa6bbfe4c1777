"""Comments that silence a linter about `== None` or `== True` follow the comparison that a fix moves, and go with it.

Other linters read such a comment on the line of the comparison alone. This module must never touch one that silenced
nothing before the fix.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.source import Source
from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.text.edit import Edit
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.fixes.scan import Token

_NOQA = lazy_pattern(
    r"#\s*noqa\b(?:\s*:\s*(?P<codes>[A-Z]+[0-9]+(?:[\s,]+[A-Z]+[0-9]+)*))?[^#]*", re.IGNORECASE
)
_CODE = lazy_pattern(r"[A-Za-z]+[0-9]+")
_NONE, _TRUTH = "E711", "E712"


class _Silence(NamedTuple):
    """A comment's word to linters.

    Attributes:
        comment: The token that it is a part of.
        start: Where it starts.
        end: One past its last character.
        text: It.
        codes: What it names; all when it names nothing.
        line: 0-based.
    """

    comment: Token
    start: int
    end: int
    text: str
    codes: tuple[str, ...]
    line: int

    def covers(self, code: str) -> bool:
        return not self.codes or code in self.codes


def settled(before: str, after: str) -> tuple[Edit, ...]:
    """The edits of a text that a fix has made, which put its comments to where they have something to silence.

    Args:
        before: Whole statements as they were.
        after: The same after the fix.

    Returns edits with offsets in `after`; none where one of the texts does not parse.
    """
    try:
        old, new = ast.parse(before), ast.parse(after)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    source = Source(after)
    silences = list(_silences(source))
    idle = Counter(_live(old, list(_silences(Source(before)))))
    idle.subtract(_live(new, silences))
    compared = list(_compared(new))
    edits: list[Edit] = []
    for silence in silences:
        lost = [code for code in (_NONE, _TRUTH) if silence.covers(code) and idle[silence.text, code] > 0]
        lost = [code for code in lost if (code, silence.line) not in compared]
        if lost:
            idle.subtract((silence.text, code) for code in lost)
            edits += _settled(source, new, silence, lost, silences)
    return tuple(edits)


def _settled(
    source: Source, tree: ast.Module, silence: _Silence, lost: list[str], all_: list[_Silence]
) -> list[Edit]:
    """The edits that move a comment, or take away what it says of comparisons that are gone."""
    lines = _header(tree, silence.line)
    wanted = sorted({line for code, line in _compared(tree) if code in lost and line in lines})
    left = tuple(code for code in silence.codes if code not in lost)
    if wanted:
        bare = [line for line in wanted if not any(each.line == line for each in all_)]
        if left or not bare or _is_inside_a_string(source, tree, bare):
            return []
        ends = [source.line_end(source.offset(line)) for line in bare]
        return [*(Edit(end, end, f"  {silence.text}") for end in ends), _without(source, silence)]
    if not silence.codes:
        return []
    if not left:
        return [_without(source, silence)]
    start = source.text.index(silence.codes[0], silence.start)
    end = source.text.index(silence.codes[-1], start) + len(silence.codes[-1])
    return [Edit(start, end, ", ".join(left))]


def _without(source: Source, silence: _Silence) -> Edit:
    """The edit that takes a comment away, with the white space in front of it."""
    start, end = silence.start, silence.end
    if silence.comment.end == end:
        start = len(source.text[:start].rstrip(" \t"))
    else:
        end += len(source.text[end : silence.comment.end]) - len(
            source.text[end : silence.comment.end].lstrip()
        )
    return Edit(start, end, "")


def _is_inside_a_string(source: Source, tree: ast.Module, lines: list[int]) -> bool:
    """Whether a line ends inside a string, where no comment can stand."""
    return any(
        node.lineno - 1 <= line < (node.end_lineno or node.lineno) - 1
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant | ast.JoinedStr)
        for line in lines
    ) or any(source.lines[line].rstrip("\r\n").endswith("\\") for line in lines)


def _silences(source: Source) -> Iterator[_Silence]:
    for comment in source.comments(0, len(source.text)):
        match = _NOQA.search(source.text[comment.start : comment.end])
        if match:
            text = match[0].rstrip()
            start = comment.start + match.start()
            codes = tuple(_CODE.findall(match["codes"] or ""))
            yield _Silence(comment, start, start + len(text), text, codes, source.position(comment.start)[0])


def _live(tree: ast.Module, silences: list[_Silence]) -> Iterator[tuple[str, str]]:
    """The texts of comments with a code that they silence."""
    compared = set(_compared(tree))
    for silence in silences:
        for code in (_NONE, _TRUTH):
            if silence.covers(code) and (code, silence.line) in compared:
                yield silence.text, code


def _compared(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The comparisons with None, True and False that linters object to: the code and the 0-based line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            for op, left, right in zip(node.ops, sides, sides[1:], strict=False):
                for side in (left, right) if isinstance(op, ast.Eq | ast.NotEq) else ():
                    if isinstance(side, ast.Constant) and (
                        side.value is None or isinstance(side.value, bool)
                    ):
                        yield _NONE if side.value is None else _TRUTH, side.lineno - 1


def _header(tree: ast.Module, line: int) -> range:
    """The lines of the innermost statement around one, of a compound statement those before its body."""
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and node.lineno - 1 <= line < (node.end_lineno or node.lineno)
    ]
    if not around:
        return range(0)
    inner = max(around, key=lambda node: (node.lineno, -(node.end_lineno or 0)))
    body = getattr(inner, "body", None)
    end = body[0].lineno - 1 if isinstance(body, list) and body else inner.end_lineno or inner.lineno
    return range(inner.lineno - 1, max(end, inner.lineno))
