"""The names of one import statement: add one in its sorted place, take some away.

This module must never look at any other statement.
"""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.doc import width
from sqlalchemy_guard.text.edit import Edit
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy_guard.fixes.source import Source

_DIGITS = lazy_pattern(r"(\d+)")


def _natural(name: str) -> list[tuple[int, str]]:
    parts = _DIGITS.split(name.lower())
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _by_kind(name: str) -> object:
    """isort's order: constants, classes, then everything else."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, _natural(name), name


_ORDERS: tuple[Callable[[str], object], ...] = (
    _by_kind,
    lambda name: (_natural(name), name),
    lambda name: name,
)


def _place(names: Sequence[str], name: str) -> int:
    """Where a name belongs in a list: its sorted place, or the end of a list that is not sorted."""
    for order in _ORDERS:
        keys = [order(known) for known in names]
        if all(first <= second for first, second in pairwise(keys)):  # type: ignore[operator]
            return sum(key <= order(name) for key in keys)  # type: ignore[operator]
    return len(names)


def _written(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name


def extend(source: Source, node: ast.ImportFrom, alias: str, shift: int = 0) -> tuple[Edit, ...] | None:
    """Add a name to a `from` import.

    Args:
        source: The text.
        node: The statement.
        alias: The name, with ` as other` where it gets another one.
        shift: Of the chunk the statement comes from.

    Returns None where the statement shares its lines with another one.
    """
    start, end = source.start(node, shift), source.end(node, shift)
    rest = source.text[end : source.line_end(end)]
    if source.text[source.line_start(start) : start].strip() or rest.strip().startswith(";"):
        return None
    index = _place([known.name for known in node.names], alias.partition(" ")[0])
    text = source.text[start:end]
    if "\n" not in text and "\r" not in text:
        return _extend_line(source, node, index, alias, start, end)
    closing = end - 1
    last = source.end(node.names[-1], shift)
    own_line = not source.text[source.line_start(closing) : closing].strip()
    first = source.start(node.names[0], shift)
    apart = len({source.position(source.start(known, shift))[0] for known in node.names}) == len(node.names)
    if (
        source.text[closing] == ")"
        and own_line
        and apart
        and not source.text[source.line_start(first) : first].strip()
    ):
        if index < len(node.names):
            # By whole lines, as every other fix that adds to these imports: two additions at one place must meet.
            at = source.line_start(source.start(node.names[index], shift))
            return (Edit(at, at, f"{source.margin(at)}{alias},{source.newline}"),)
        line = f"{source.newline}{source.margin(last)}{alias},"
        comma = any(token.kind == "comma" for token in source.tokens(last, closing))
        at = source.line_end(last)
        return (Edit(at, at, line),) if comma else (Edit(last, last, ","), Edit(at, at, line))
    if index < len(node.names):
        at = source.start(node.names[index], shift)
        return (Edit(at, at, f"{alias}, "),)
    return (Edit(last, last, f", {alias}"),)


def _extend_line(
    source: Source, node: ast.ImportFrom, index: int, alias: str, start: int, end: int
) -> tuple[Edit, ...]:
    """Add a name to an import on one line, which is broken when it becomes too long."""
    names = [_written(known) for known in node.names]
    names.insert(index, alias)
    text = source.text[start:end]
    head = text[
        : text.index("import", text.index(node.module or ".") + len(node.module or ".")) + len("import")
    ]
    margin = source.margin(start)
    parenthesised = text.endswith(")")
    line = f"{head} ({', '.join(names)})" if parenthesised else f"{head} {', '.join(names)}"
    rest = source.text[end : source.line_end(end)]
    if width(margin + line) <= source.line_length:
        return (Edit(start, end, line),)
    items = "".join(f"{margin}{source.indentation}{name},{source.newline}" for name in names)
    comment = rest if rest.strip() else ""
    return (Edit(start, end + len(comment), f"{head} ({comment}{source.newline}{items}{margin})"),)


def shorten(
    source: Source, node: ast.Import | ast.ImportFrom, drop: Sequence[ast.alias], shift: int = 0
) -> tuple[Edit, ...] | None:
    """Take names away from an import, the whole statement when none is left.

    Returns None where a comment would be lost, where a `# noqa` comment keeps the import, and where the statement
    shares its lines with another one.
    """
    start, end = source.start(node, shift), source.end(node, shift)
    line_end = source.line_end(end)
    comments = source.comments(start, line_end)
    if any("noqa" in source.text[comment.start : comment.end].lower() for comment in comments):
        return None
    rest = source.text[end:line_end].strip()
    if source.text[source.line_start(start) : start].strip() or rest.startswith(";"):
        return None
    left = [alias for alias in node.names if alias not in drop]
    if not left:
        return None if comments else _whole(source, start, end)
    text = source.text[start:end]
    if "\n" not in text and "\r" not in text:
        return _shorten_list(source, node, drop, shift)
    edits: list[Edit] = []
    for alias in drop:
        at = source.start(alias, shift)
        stop = source.end(alias, shift)
        behind = re.compile(r"[ \t]*,?[ \t]*").match(source.text, stop)
        assert behind is not None
        alone = not source.text[source.line_start(at) : at].strip()
        if not alone or behind.end() != source.line_end(stop):
            return None if comments else _shorten_list(source, node, drop, shift)
        edits.append(Edit(source.line_start(at), source.next_line(stop), ""))
    return tuple(edits)


def swap(
    source: Source, node: ast.ImportFrom, old: ast.alias, new: str, shift: int = 0
) -> tuple[Edit, ...] | None:
    """Import another name instead of one, in its sorted place; None where the statement does not stay on one line."""
    start, end = source.start(node, shift), source.end(node, shift)
    text = source.text[start:end]
    if "\n" in text or "\r" in text or "import" not in text:
        return None
    others = [alias for alias in node.names if alias is not old]
    names = [_written(alias) for alias in others]
    names.insert(_place([alias.name for alias in others], new), new)
    first = source.start(node.names[0], shift)
    last = source.end(node.names[-1], shift)
    line = f"{text[: first - start]}{', '.join(names)}{source.text[last:end]}"
    fits = width(source.margin(start) + line) <= source.line_length
    return (Edit(first, last, ", ".join(names)),) if fits else None


def move(
    source: Source,
    node: ast.ImportFrom,
    aliases: Sequence[ast.alias],
    siblings: Sequence[ast.stmt],
    module: str,
    shift: int = 0,
) -> tuple[Edit, ...] | None:
    """Import some names of a statement from another module, together with what its block imports from there already.

    Args:
        source: The text.
        node: The statement.
        aliases: Which of its names move.
        siblings: The block it stands in.
        module: The new place, absolute.
        shift: Of the chunk the statements come from.

    Returns None where `shorten` or `extend` does.
    """
    written = ", ".join(_written(alias) for alias in aliases)
    others = (other for other in siblings if isinstance(other, ast.ImportFrom) and other is not node)
    there = next((other for other in others if other.module == module and not other.level), None)
    gone = shorten(source, node, aliases, shift)
    if len(aliases) == len(node.names) and (there is None or gone is None):
        # Also where a comment keeps the statement: it speaks of these names still.
        old = node.module or ""
        start = source.start(node, shift) + source.segment(node, shift).index(old)
        return (Edit(start, start + len(old), module),)
    if gone is None:
        return None
    if there is not None:
        added = extend(source, there, written, shift)
        return (*gone, *added) if added is not None else None
    at = source.next_line(source.end(node, shift))
    return (
        *gone,
        Edit(
            at,
            at,
            f"{source.margin(source.start(node, shift))}from {module} import {written}{source.newline}",
        ),
    )


def _shorten_list(
    source: Source, node: ast.Import | ast.ImportFrom, drop: Sequence[ast.alias], shift: int
) -> tuple[Edit, ...]:
    """Replace the whole list of names, which no comment interrupts, by those that are left on one line."""
    names = ", ".join(_written(alias) for alias in node.names if alias not in drop)
    first, last = source.start(node.names[0], shift), source.end(node.names[-1], shift)
    return (Edit(first, last, names),)


def _whole(source: Source, start: int, end: int) -> tuple[Edit, ...]:
    """Delete the statement with its lines, and the blank line too when it was a block of its own."""
    begin, stop = source.line_start(start), source.next_line(end)
    line = source.position(begin)[0]
    last = source.position(end)[0]
    blank_before = line == 0 or not source.lines[line - 1].strip()
    blank_after = (
        last + 1 < len(source.lines) and not source.lines[last + 1].strip() and last + 2 < len(source.lines)
    )
    if blank_before and blank_after and (line > 0 or source.lines[last + 2].strip()):
        stop = source.offset(last + 2)
    return (Edit(begin, stop, ""),)
