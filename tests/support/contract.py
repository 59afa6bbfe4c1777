"""What every fix promises, as functions of texts: each gives the promises that are broken, in words.

This module must never know a rule, nor how a fix is computed.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections import Counter
from difflib import unified_diff
from typing import TYPE_CHECKING

from sqlalchemy_guard.text.edit import OverlapError, sort_edits
from tests.support.source import comments, newlines, unused_imports

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy_guard.text.edit import Edit


def difference(before: str, after: str) -> str:
    """What changed, for a reader."""
    return "\n".join(unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1))


def parses(text: str) -> bool:
    """Whether a text is a Python module."""
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def broken_edits(text: str, edits: tuple[Edit, ...]) -> list[str]:
    """Edits are sorted, disjoint, inside the text, and each changes something."""
    found = [
        f"{edit!r} lies outside the text" for edit in edits if not 0 <= edit.start <= edit.end <= len(text)
    ]
    try:
        ordered = sort_edits(edits)
    except OverlapError as error:
        return [*found, str(error)]
    if tuple(edits) != ordered:
        found.append(f"the edits are not sorted and distinct: {edits!r}")
    found += [f"{edit!r} changes nothing" for edit in edits if text[edit.start : edit.end] == edit.new]
    return found


def broken_texts(before: Mapping[str, str], after: Mapping[str, str], *, keeps_comments: bool) -> list[str]:
    """The result parses, keeps line ends, leaves no import behind and, where promised, keeps all comments."""
    found = [
        f"{path} is new and does not parse"
        for path in after.keys() - before.keys()
        if not parses(after[path])
    ]
    for path, old in before.items():
        new = after[path]
        if new == old or not path.endswith(".py") or not parses(old):
            continue
        if not parses(new):
            found.append(f"{path} no longer parses:\n{difference(old, new)}")
            continue
        if newlines(old) and not newlines(new) <= newlines(old):
            found.append(f"{path} had line ends {newlines(old)}, now also {newlines(new) - newlines(old)}")
        if left := unused_imports(new) - unused_imports(old):
            found.append(
                f"{path} imports what is no longer used: {', '.join(sorted(left))}\n{difference(old, new)}"
            )
        if keeps_comments and (lost := comments(old) - comments(new)):
            found.append(f"{path} lost comments: {', '.join(lost)}\n{difference(old, new)}")
    return found


def new_violations(before: Iterable[str], after: Iterable[str]) -> list[str]:
    """A fix brings no violation of any rule; rules are compared by how often they occur."""
    surplus = Counter(after) - Counter(before)
    return [f"{count} new violation(s) of {name}" for name, count in surplus.items()]


def crlf(text: str) -> str:
    """The text with Windows line ends."""
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def commented(text: str) -> str:
    """The text with a comment of its own at the end of every line that can bear one."""
    if not parses(text):
        return text
    lines = text.splitlines(keepends=True)
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return text
    # A form feed splits lines for `splitlines` and not for `tokenize`.
    if any(line.endswith(("\x0c", "\x0b", "\x1c", "\x85", "\u2028")) for line in lines):
        return text
    ended = {token.start[0] for token in tokens if token.type == tokenize.COMMENT}
    for token in tokens:
        row, column = token.start
        if token.type in (tokenize.NEWLINE, tokenize.NL) and row not in ended and row <= len(lines):
            line = lines[row - 1]
            if line.strip() and line.endswith("\n"):
                lines[row - 1] = f"{line[:column]}  # remark {row}\n"
    return "".join(lines)
