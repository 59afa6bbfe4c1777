"""The layout that Black and Ruff give an expression: on one line if it fits, otherwise broken at its brackets.

`expression` lays out a text, `reflow` the statement that some edits change. Comments stay with the argument or link
they stand at. Where a form is not known here the edits are left as they are: this module must never lose or
invent anything but white space, trailing commas and the parentheses around a broken expression.
"""

from __future__ import annotations

import ast
from contextlib import suppress
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.build import PRAGMAS, Builder, Unknown
from sqlalchemy_guard.fixes.doc import Doc, Group, Text, render, width
from sqlalchemy_guard.fixes.scan import tokens
from sqlalchemy_guard.fixes.source import Source
from sqlalchemy_guard.text.edit import Edit, OverlapError, apply_edits
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

_LINE = lazy_pattern(r"\r\n|\n|\r")
_USUAL = 88
"""The columns that formatters allow when nobody tells them."""
_LINK_LINES = lazy_pattern(r"[\r\n][ \t]*\.[ \t]*[A-Za-z_]|\.[ \t]*\\?[ \t]*[\r\n]")
"""Where a link of a chain stands on another line than the one before it."""


def expression(text: str, source: Source, at: int, *, margin: str | None = None, after: int = 0) -> str:
    """The layout of an expression that will stand at `at`, with parentheses around it when it must break outside
    brackets.

    Args:
        text: The expression, written in any way.
        source: The text it will stand in: line length, indentation and terminators come from there.
        at: The offset where it will stand; what is left of it on the line counts.
        margin: The white space before the statement, when it is not that of the line of `at`.
        after: The columns that what follows on its last line needs.

    Returns the text as it was when it has a form that is not known.
    """
    lead = source.margin(at) if margin is None else margin
    column = _columns(source.text[source.line_start(at) : at])
    try:
        doc = _whole(text, len(text) - len(text.lstrip()), len(text.rstrip()))
    except (Unknown, SyntaxError, ValueError, RecursionError):
        return text
    return _render((doc, Text(" " * after)), source, lead, column).rstrip(" ")


def _columns(text: str) -> int:
    """The columns of a line's beginning; a tab counts as four, as formatters have it."""
    return width(text.expandtabs(4))


def _whole(text: str, start: int, end: int, *, vertical: bool = False) -> Doc:
    """The document of an expression `text[start:end]` that stands by itself, as a statement's value does."""
    # The parentheses let a text that spans lines parse, and add one byte to the first line's columns only.
    prefix = "(\n"
    tree = ast.parse(prefix + text[start:end] + "\n)", mode="eval")
    source = Source(prefix + text[start:end] + "\n)")
    builder = Builder(source, vertical=vertical)
    doc = builder.standing(tree.body, len(prefix), len(source.text) - 2)
    builder.finish()
    return doc


def _asserted(text: str) -> Doc:
    """The document of the test of an `assert` with its message."""
    prefix = "(\n"
    tree = ast.parse(prefix + text + "\n)", mode="eval")
    if not isinstance(tree.body, ast.Tuple) or len(tree.body.elts) != 2:
        raise Unknown("a test that cannot be told from its message")
    test, message = tree.body.elts
    source = Source(prefix + text + "\n)")
    builder = Builder(source)
    between = builder.between(source.end(test), source.start(message))
    comma = next(token for token in between if source.text[token.start : token.end] == ",")
    doc = (
        builder.standing(test, len(prefix), comma.start),
        Text(", "),
        builder.standing(message, comma.end, len(source.text) - 2, wraps_atoms=True),
    )
    builder.finish()
    return doc


def _render(doc: Doc, source: Source, margin: str, column: int, limit: int | None = None) -> str:
    return render(doc, limit or source.line_length, margin, source.indentation, source.newline, column)


def reflow(source: Source, statement: ast.stmt, edits: Sequence[Edit], shift: int = 0) -> tuple[Edit, ...]:
    """The edits, with the statement they change laid out anew where that is due.

    Edits outside the statement's first expression are passed through. A statement that was laid out as Black does
    stays so; in any other statement only a line that the edits made too long is a reason to break it, or a chain that had a
    line for each of its links, which it keeps.

    Args:
        source: The text that the edits belong to.
        statement: A statement around the edits: of a compound one the header is laid out.
        edits: Disjoint edits.
        shift: Of the chunk that `statement` comes from.
    """
    place = _value(statement)
    if place is None:
        return tuple(edits)
    start, end = _bounds(source, statement, place, shift)
    if isinstance(statement, ast.Assert) and statement.msg is not None:
        end = _bounds(source, statement, statement.msg, shift)[1]
    inside = [edit for edit in edits if start <= edit.start and edit.end <= end]
    outside = [edit for edit in edits if edit not in inside]
    if not inside:
        return tuple(edits)
    before = source.text[start:end]
    try:
        after = apply_edits(before, [Edit(edit.start - start, edit.end - start, edit.new) for edit in inside])
    except OverlapError:
        return tuple(edits)
    # What is written in front of the value on its line moves it: an annotation, a longer name.
    line = source.line_start(start)
    head = source.text[line:start]
    with suppress(OverlapError, IndexError):
        moved = [edit for edit in outside if line <= edit.start and edit.end <= start]
        head = apply_edits(head, [Edit(edit.start - line, edit.end - line, edit.new) for edit in moved])
    old = _laid_out(source, statement, start, end, before)
    vertical = old != before and len(_LINK_LINES.findall(before)) > 1
    limit = source.line_length if old == before else _author_limit(source, start, end)
    if old != before and not vertical and not _overflows(source, start, end, before, after, head, limit):
        return tuple(edits)
    new = _laid_out(source, statement, start, end, after, head, vertical=vertical, limit=limit)
    if new is None:
        return tuple(edits)
    return (*outside, *_difference(start, before, new))


def _difference(start: int, before: str, after: str) -> list[Edit]:
    """One edit that turns `before` into `after`, without what both begin and end with."""
    if before == after:
        return []
    limit = min(len(before), len(after))
    head = next((index for index in range(limit) if before[index] != after[index]), limit)
    limit -= head
    tail = next((index for index in range(limit) if before[-1 - index] != after[-1 - index]), limit)
    return [Edit(start + head, start + len(before) - tail, after[head : len(after) - tail])]


def _value(statement: ast.stmt) -> ast.expr | None:
    """The expression of a statement that a formatter may put into parentheses."""
    match statement:
        case ast.Expr(value=value) | ast.Assign(value=value) | ast.AugAssign(value=value):
            return value
        case ast.AnnAssign(value=optional) | ast.Return(value=optional):
            return optional
        case ast.If(test=test) | ast.While(test=test) | ast.Assert(test=test):
            return test
        case ast.For(iter=iterated) | ast.AsyncFor(iter=iterated):
            return iterated
    return None


def _bounds(source: Source, statement: ast.stmt, value: ast.expr, shift: int) -> tuple[int, int]:
    """The offsets of a statement's value with the parentheses around it."""
    start, end = source.start(value, shift), source.end(value, shift)
    depth = 0
    for token in source.tokens(source.start(statement, shift), start):
        # What opens after the last word, operator or closed bracket opens around the value.
        if token.kind == "open" and source.text[token.start] == "(":
            depth += 1
            start = token.start if depth == 1 else start
        elif token.kind not in ("newline", "comment"):
            depth, start = 0, source.start(value, shift)
    for token in source.tokens(end, len(source.text)):
        if depth == 0:
            break
        if token.kind == "close":
            depth -= 1
            end = token.end
    return start, end


def _after(source: Source, end: int) -> str:
    """What stands behind a value on its last line and counts there: a colon, a comment that is no directive."""
    rest = source.text[end : source.line_end(end)]
    comment = next((token for token in tokens(rest) if token.kind == "comment"), None)
    if comment is not None and rest[comment.start :].startswith(PRAGMAS):
        rest = rest[: comment.start].rstrip()
    return rest


def _laid_out(
    source: Source,
    statement: ast.stmt,
    start: int,
    end: int,
    text: str,
    head: str | None = None,
    *,
    vertical: bool = False,
    limit: int | None = None,
) -> str | None:
    """The layout of a statement's value behind `head`, or None when its form is not known."""
    try:
        if isinstance(statement, ast.Assert) and statement.msg is not None:
            doc = _asserted(text)
        else:
            doc = _whole(text, 0, len(text), vertical=vertical)
    except (Unknown, SyntaxError, ValueError, RecursionError):
        return None
    column = _columns(source.text[source.line_start(start) : start] if head is None else head)
    rest = _after(source, end)
    laid = _render(
        (Group(doc) if isinstance(statement, ast.Expr) else doc, Text(rest)),
        source,
        source.margin(start),
        column,
        limit,
    )
    return laid[: len(laid) - len(rest)]


def _author_limit(source: Source, start: int, end: int) -> int:
    """The columns that a value may take which no formatter laid out: who broke it in short lines allows long ones elsewhere."""
    lines = _LINE.split(source.text[source.line_start(start) : source.line_end(end)])
    if len(lines) == 1:
        return source.line_length
    return min(source.line_length, max(_USUAL, *map(width, lines)))


def _overflows(source: Source, start: int, end: int, before: str, after: str, head: str, limit: int) -> bool:
    """Whether a line of the new text, which stands behind `head`, is too long and was not there before."""
    rest = _after(source, end)
    old = set(_LINE.split(source.text[source.line_start(start) : start] + before + rest))
    return any(width(line) > limit for line in _LINE.split(head + after + rest) if line not in old)
