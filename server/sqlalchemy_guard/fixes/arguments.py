"""Edits of a call's arguments: add, replace, remove, in the call's own style, comments kept.

This module must never know what a call or an argument means.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.layout import reflow
from sqlalchemy_guard.records import dataclass, field
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy_guard.fixes.scan import Token
    from sqlalchemy_guard.fixes.source import Source


@dataclass(slots=True)
class _Argument:
    """The text of one argument, parentheses around it included, and the comma behind it."""

    start: int
    end: int
    comma: int | None = None


@dataclass(slots=True)
class _Arguments:
    """What stands between a call's parentheses: `opening` and `closing` are the offsets of these."""

    opening: int
    closing: int
    items: list[_Argument] = field(default_factory=list)
    comments: list[Token] = field(default_factory=list)


def _split(source: Source, call: ast.Call, shift: int) -> _Arguments:
    """The arguments of a call as they are written."""
    ends = [source.end(argument, shift) for argument in _ordered(source, call, shift)]
    return _items(source, source.opening(call, shift), source.end(call, shift) - 1, ends)


def _items(source: Source, opening: int, closing: int, ends: list[int]) -> _Arguments:
    """What commas separate between two brackets; `ends` are the offsets where the items' nodes end."""
    found = _Arguments(opening, closing)
    # A lambda's own commas stand inside its node.
    depth = 0
    item: _Argument | None = None
    for token in source.tokens(opening + 1, closing):
        if token.kind == "comment":
            found.comments.append(token)
        elif token.kind == "comma" and depth == 0 and token.start >= ends[len(found.items) - 1]:
            if item is not None:
                item.comma = token.start
            item = None
        elif token.kind != "newline":
            depth += (token.kind == "open") - (token.kind == "close")
            if item is None:
                item = _Argument(token.start, token.end)
                found.items.append(item)
            item.end = token.end
    return found


def _ordered(source: Source, call: ast.Call, shift: int) -> list[ast.expr | ast.keyword]:
    arguments: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
    return sorted(arguments, key=lambda argument: source.start(argument, shift))


def _finish(
    source: Source, edits: tuple[Edit, ...], statement: ast.stmt | None, shift: int
) -> tuple[Edit, ...]:
    return edits if statement is None else reflow(source, statement, edits, shift)


def add_keyword(
    source: Source, call: ast.Call, name: str, value: str, shift: int = 0, statement: ast.stmt | None = None
) -> tuple[Edit, ...]:
    """Add `name=value` behind the last argument, but in front of `**mappings`.

    Args:
        source: The text.
        call: The call.
        name: The keyword.
        value: The text of its value, as an expression.
        shift: Of the chunk that `call` and `statement` come from.
        statement: The statement around the call, to lay it out anew when a line becomes too long.
    """
    arguments = _ordered(source, call, shift)
    index = len(arguments)
    while index and isinstance(last := arguments[index - 1], ast.keyword) and last.arg is None:
        index -= 1
    return _finish(source, _insert(source, call, index, f"{name}={value}", shift), statement, shift)


def add_entry(
    source: Source, display: ast.Dict, key: str, value: str, shift: int = 0, statement: ast.stmt | None = None
) -> tuple[Edit, ...]:
    """Add `"key": value` behind the last entry of a dict display; other arguments as in `add_keyword`."""
    ends = [source.end(item, shift) for item in display.values]
    found = _items(source, source.start(display, shift), source.end(display, shift) - 1, ends)
    text = f"{source.quote}{key}{source.quote}: {value}"
    edits = _append(source, found, text) if found.items else (_insert_alone(source, found, text),)
    return _finish(source, edits, statement, shift)


def replace_node(
    source: Source, node: ast.expr, text: str, shift: int = 0, statement: ast.stmt | None = None
) -> tuple[Edit, ...]:
    """Replace an expression that stands without parentheses; other arguments as in `add_keyword`."""
    return _finish(
        source, (Edit(source.start(node, shift), source.end(node, shift), text),), statement, shift
    )


def insert_positional(
    source: Source, call: ast.Call, index: int, text: str, shift: int = 0, statement: ast.stmt | None = None
) -> tuple[Edit, ...]:
    """Insert a positional argument so that it is number `index` (from 0); other arguments as in `add_keyword`."""
    index = min(index, len(call.args))
    return _finish(source, _insert(source, call, index, text, shift), statement, shift)


def _insert(source: Source, call: ast.Call, index: int, text: str, shift: int) -> tuple[Edit, ...]:
    found = _split(source, call, shift)
    items = found.items
    if not items:
        return (_insert_alone(source, found, text),)
    if len(items) == 1 and call.args and _is_bare_generator(source, call, shift):
        # `f(x for x in y)` borrows the call's parentheses, which a second argument takes away.
        before, after = (f"{text}, (", ")") if index == 0 else ("(", f"), {text}")
        return (Edit(items[0].start, items[0].start, before), Edit(items[0].end, items[0].end, after))
    if index < len(items):
        at = items[index].start
        lead = source.text[source.line_start(at) : at]
        gap = " " if lead.strip() else source.newline + lead
        return (Edit(at, at, f"{text},{gap}"),)
    return _append(source, found, text)


def _is_bare_generator(source: Source, call: ast.Call, shift: int) -> bool:
    return isinstance(call.args[0], ast.GeneratorExp) and source.start(call.args[0], shift) == source.opening(
        call, shift
    )


def _insert_alone(source: Source, found: _Arguments, text: str) -> Edit:
    if not found.comments:
        return Edit(found.opening + 1, found.closing, text)
    at = found.comments[-1].end
    return Edit(at, at, f"{source.newline}{source.margin(found.closing)}{source.indentation}{text},")


def _append(source: Source, found: _Arguments, text: str) -> tuple[Edit, ...]:
    last = found.items[-1]
    end = last.end if last.comma is None else last.comma + 1
    own_lines = all(
        not source.text[source.line_start(item.start) : item.start].strip() for item in found.items
    )
    if not own_lines or source.position(found.closing)[0] == source.position(last.end)[0]:
        return (Edit(last.end, last.end, f", {text}"),)
    # One argument a line: a comment behind the last one stays with it.
    line_end = source.line_end(end)
    behind = max([end, *(comment.end for comment in found.comments if end <= comment.start < line_end)])
    line = f"{source.newline}{source.margin(last.start)}{text},"
    if last.comma is not None or behind == end:
        return (Edit(behind, behind, line if last.comma is not None else "," + line),)
    return (Edit(end, end, ","), Edit(behind, behind, line))


def replace_value(
    source: Source, keyword: ast.keyword, value: str, shift: int = 0, statement: ast.stmt | None = None
) -> tuple[Edit, ...]:
    """Replace the value of a keyword argument; other arguments as in `add_keyword`."""
    start, end = source.start(keyword.value, shift), source.end(keyword.value, shift)
    for token in source.tokens(source.start(keyword, shift), start):
        if token.kind == "open":
            # The value stands in parentheses: they go with it, up to the keyword's own end.
            start, end = token.start, source.end(keyword, shift)
            break
    return _finish(source, (Edit(start, end, value),), statement, shift)


def replace_argument(
    source: Source,
    call: ast.Call,
    argument: ast.expr | ast.keyword,
    text: str,
    shift: int = 0,
    statement: ast.stmt | None = None,
) -> tuple[Edit, ...]:
    """Replace a whole argument, its keyword included; other arguments as in `add_keyword`."""
    item = _split(source, call, shift).items[_ordered(source, call, shift).index(argument)]
    return _finish(source, (Edit(item.start, item.end, text),), statement, shift)


def remove_argument(
    source: Source,
    call: ast.Call,
    argument: ast.expr | ast.keyword,
    shift: int = 0,
    statement: ast.stmt | None = None,
) -> tuple[Edit, ...]:
    """Remove an argument with its comma, and its lines when they become empty; comments at it stay."""
    found = _split(source, call, shift)
    index = _ordered(source, call, shift).index(argument)
    return _finish(source, _removal(source, found, index), statement, shift)


def remove_arguments(
    source: Source,
    call: ast.Call,
    arguments: Iterable[ast.expr | ast.keyword],
    shift: int = 0,
    statement: ast.stmt | None = None,
) -> tuple[Edit, ...]:
    """Remove several arguments; what stands between two of them is removed once."""
    found = _split(source, call, shift)
    ordered = _ordered(source, call, shift)
    merged: list[Edit] = []
    for edit in sorted(each for one in arguments for each in _removal(source, found, ordered.index(one))):
        if merged and edit.start < merged[-1].end:
            merged[-1] = Edit(merged[-1].start, max(edit.end, merged[-1].end), "")
        else:
            merged.append(edit)
    return _finish(source, tuple(merged), statement, shift)


def _removal(source: Source, found: _Arguments, index: int) -> tuple[Edit, ...]:
    item = found.items[index]
    end = item.end if item.comma is None else item.comma + 1
    if source.text[item.end : end].strip(" \t,"):
        # A comment or a line end stands in front of the comma, which goes without it.
        return (Edit(item.start, item.end, ""), Edit(end - 1, end, ""))
    line_start = source.line_start(item.start)
    rest = source.text[end : source.line_end(end)]
    if not source.text[line_start : item.start].strip():
        if not rest.strip():
            return (Edit(line_start, source.next_line(end), ""),)
        return (Edit(item.start, end + len(rest) - len(rest.lstrip()), ""),)
    if index + 1 < len(found.items):
        following = found.items[index + 1].start
        gap = source.text[end:following]
        return (Edit(item.start, end if gap.strip() or "\n" in gap or "\r" in gap else following, ""),)
    if index and source.text[found.items[index - 1].end : item.start].strip() == ",":
        # The comma behind a last argument is the call's own: it stays.
        return (Edit(found.items[index - 1].end, item.end, ""),)
    return (Edit(item.start, end, ""),)
