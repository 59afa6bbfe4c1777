"""Python newer than the running interpreter, rewritten so that the running one parses it.

Only constructs that the interpreter does not know are rewritten, only after it refused the text, and every
other node keeps its line and, wherever possible, its column in UTF-8 bytes: type parameters (on 3.12 those
with defaults) become blanks, `type X = T` becomes `0;   X = T`, `except A, B:` is parsed with bars and given
back as a tuple, a template string is read as a format string, and a replacement field that older format
strings cannot hold becomes one they can. This module must never touch a text that parses as it is.
"""

from __future__ import annotations

import ast
import re
import sys

from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.syntax.lexing import Literal, literals, mask
from sqlalchemy_guard.text.patterns import lazy_pattern

_TYPE_PARAMETERS = sys.version_info < (3, 12)
_DEFAULTS = sys.version_info < (3, 13)
_FORMAT_STRINGS = sys.version_info < (3, 12)
_BARE_EXCEPT = sys.version_info < (3, 14)
_TEMPLATES = sys.version_info < (3, 14)

# Cheap: says no for nearly every text, so that half-typed lines do not pay for this module.
_HINT = lazy_pattern(
    r"""^[^\S\n\r]*type\s+\w+\s*[\[=]|\b(?:def|class)\s+\w+\s*\[|\bexcept\b\s*\*?[^:(\r\n]*,|(?<!\w)(?:[fFtT][rR]?|[rR][fFtT])["']|^\s*lazy\s"""
    r"""|:\s*type\s+\w+\s*[\[=]""",
    re.MULTILINE,
)
_TYPE = lazy_pattern(r"(?:^|[:;])[^\S\r\n]*(type)[^\S\r\n]+\w+[^\S\r\n]*(\[|=(?!=))", re.MULTILINE)
_PARAMETERS = lazy_pattern(r"\b(?:def|class)\s+\w+[^\S\r\n]*(\[)")
_EXCEPT = lazy_pattern(r"^[^\S\r\n]*except\b[^\S\r\n]*\*?", re.MULTILINE)
_LAZY = lazy_pattern(r"^[^\S\r\n]*(lazy)[^\S\r\n]+(?:import|from)\b", re.MULTILINE)
_NESTED = lazy_pattern(r"""(?<!\w)(?:[ft]r?|r[ft])["']""", re.IGNORECASE)
_BRACKETS = lazy_pattern(r"[()\[\]{}:,]")
_OPENING, _CLOSING = "([{", ")]}"


class Rewritten(NamedTuple):
    """A text that older grammars take, and for each `except A, B:` the 1-based line with the number of
    commas."""

    text: str
    excepts: dict[int, int]


def rewrite(text: str, line: int | None) -> Rewritten | None:
    """The text without constructs that this interpreter cannot know, None where there are none.

    Args:
        text: Text that the parser refused, beginning outside of strings.
        line: The 1-based line at which it did, None where it read to the end. A new construct is refused
            where it stands (format strings are a line or two off), so a half-typed line elsewhere costs one
            short search.
    """
    around = text if line is None else "\n".join(text.split("\n")[max(0, line - 3) : line + 2])
    if not _HINT.search(around):
        return None
    edits: dict[int, tuple[int, str]] = {}
    code = mask(text)
    for match in _TYPE.finditer(code) if _DEFAULTS else ():
        start = match.start(1)
        if match.group(2) == "[":
            end = _closing(code, match.start(2))
            if end is None or not code[end:].lstrip(" \t").startswith("="):
                continue
            _blank_parameters(text, code, match.start(2), end, edits)
        if _TYPE_PARAMETERS:
            edits[start] = (start + 4, "0;  ")
    for match in _PARAMETERS.finditer(code) if _DEFAULTS else ():
        end = _closing(code, match.start(1))
        if end is not None:
            _blank_parameters(text, code, match.start(1), end, edits)
    excepts: dict[int, int] = {}
    if _BARE_EXCEPT:
        for match in _EXCEPT.finditer(code):
            commas = _commas(code, match.end())
            if commas:
                excepts[text.count("\n", 0, match.start()) + 1] = len(commas)
                edits.update((comma, (comma + 1, "|")) for comma in commas)
    for match in _LAZY.finditer(code):
        # A blank word in front would indent the statement; an expression keeps its column.
        edits[match.start(1)] = (match.end(1), "0 ; ")
    for literal in literals(text):
        _string(text, literal, edits)
    if not edits:
        return None
    parts: list[str] = []
    at = 0
    for start in sorted(edits):
        end, new = edits[start]
        if start < at:
            continue
        parts += (text[at:start], new)
        at = end
    parts.append(text[at:])
    return Rewritten("".join(parts), excepts)


def _blank_parameters(text: str, code: str, start: int, end: int, edits: dict[int, tuple[int, str]]) -> None:
    """Take type parameters away, where they are not known at all or have defaults, which came a version later."""
    if _TYPE_PARAMETERS or "=" in code[start:end]:
        edits[start] = (end, _blank(text[start:end]))


def restore(body: list[ast.stmt], excepts: dict[int, int]) -> None:
    """Give back the tuples of `except A, B:`, which were parsed with bars."""
    if not excepts:
        return
    for node in ast.walk(ast.Module(body, [])):
        if isinstance(node, ast.ExceptHandler) and node.type is not None and node.lineno in excepts:
            elements: list[ast.expr] = []
            rest = node.type
            for _ in range(excepts[node.lineno]):
                if isinstance(rest, ast.BinOp):
                    elements.append(rest.right)
                    rest = rest.left
            elements.append(rest)
            node.type = ast.copy_location(ast.Tuple(elements[::-1], ast.Load()), node.type)


def _closing(code: str, start: int) -> int | None:
    """One past the bracket that closes the one at `start`."""
    level = 0
    for match in _BRACKETS.finditer(code, start):
        if match.group() in _OPENING:
            level += 1
        elif match.group() in _CLOSING:
            level -= 1
            if level == 0:
                return match.end()
    return None


def _commas(code: str, start: int) -> list[int]:
    """The commas outside of brackets between `start` and the colon that ends the clause."""
    level = 0
    commas: list[int] = []
    for match in _BRACKETS.finditer(code, start):
        found = match.group()
        if found in _OPENING:
            level += 1
        elif found in _CLOSING:
            level -= 1
        elif level == 0:
            if found == ":":
                return commas if "\n" not in code[start : match.start()] else []
            commas.append(match.start())
        if level < 0:
            break
    return []


def _blank(text: str) -> str:
    """Blanks that take as many UTF-8 bytes, whose lines go on by backslashes."""
    lines = []
    for line in text.splitlines(keepends=True):
        content = line.rstrip("\r\n")
        width = len(content.encode("utf-8", "surrogatepass"))
        ending = line[len(content) :]
        lines.append(" " * (width - 1) + "\\" + ending if ending and width else " " * width + ending)
    return "".join(lines)


def _string(text: str, literal: Literal, edits: dict[int, tuple[int, str]]) -> None:
    """Read a template string as a format string, and make fields fit for older format strings."""
    if not literal.quote:
        return
    prefix = text[literal.start : literal.start + literal.prefix]
    if _TEMPLATES and "t" in prefix.lower():
        edits[literal.start] = (literal.start + literal.prefix, prefix.replace("t", "f").replace("T", "F"))
    if _FORMAT_STRINGS:
        for start, end in literal.fields:
            old = text[start:end]
            new = old
            if not _fits(old, literal.quote):
                new = _swap(old, literal.quote[0])
                if not _fits(new, literal.quote):
                    new = _placeholder(old, literal.quote)
            if new != old:
                edits[start] = (end, new)


def _fits(field: str, quote: str) -> bool:
    """Whether format strings before Python 3.12 can hold the field."""
    if quote in field or "\\" in field or "#" in field:
        return False
    return len(quote) == 3 or not ("\n" in field or "\r" in field)


def _swap(field: str, quote: str) -> str:
    """The field whose inner strings use the other quote, where that is all they need."""
    other = "'" if quote == '"' else '"'
    if other in field or _NESTED.search(field):
        return field
    return field.replace(quote, other)


def _placeholder(field: str, quote: str) -> str:
    """A field of a constant in place of one that cannot be kept."""
    if "\n" not in field and "\r" not in field:
        width = len(field.encode("utf-8", "surrogatepass"))
        return "{0" + " " * (width - 3) + "}"
    lines = []
    placed = False
    for line in re.split(r"(?<=\n)|(?<=\r)(?!\n)", field):
        content = line.rstrip("\r\n")
        width = len(content.encode("utf-8", "surrogatepass"))
        ending = line[len(content) :]
        if ending and len(quote) == 1:
            width -= 1
            ending = "\\" + ending
        filled = " " * max(0, width)
        if not placed and width >= 3:
            filled, placed = "{0}" + " " * (width - 3), True
        lines.append(filled + ending)
    return "".join(lines)
