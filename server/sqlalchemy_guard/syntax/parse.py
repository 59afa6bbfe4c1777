"""Parse a run of lines: the one place that calls the parser, and turns everything that it may raise into a
value.

A run inside of definitions is wrapped in as many empty classes as its ancestors have levels, each at its own
indentation, so that columns stay what they are and a line that leaves its block is seen. This module must
never repair anything.
"""

from __future__ import annotations

import ast
import codeop
import warnings
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.syntax import modern
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

# Makes the parser tell "the text ended too early" from "no text that goes on can be right".
_INCOMPLETE = getattr(codeop, "PyCF_ALLOW_INCOMPLETE_INPUT", 0x4000)
_TREE = ast.PyCF_ONLY_AST
_SURROGATE = lazy_pattern("[\ud800-\udfff]")
_OPENER = lazy_pattern(r"on line (\d+)$")
_UNREADABLE = "a character that no Python source may hold"


class Failure(NamedTuple):
    """Why lines do not parse.

    Attributes:
        incomplete: More lines might complete them; where False, no continuation can.
        line: 0-based line of the document on which the parser gave up.
        column: 0-based, in code points.
        message: The parser's own words.
    """

    incomplete: bool
    line: int
    column: int
    message: str


class Block(NamedTuple):
    """Statements of a run of lines; `escaped` says that some lines have left the block of the first."""

    body: list[ast.stmt]
    shift: int
    escaped: bool


def indentation(line: str) -> str:
    """The white space in front of a line's first character of code."""
    return line[: len(line) - len(line.lstrip(" \t\f"))]


def parse_block(
    lines: Sequence[str],
    start: int,
    end: int,
    indents: Sequence[str],
    replacements: dict[int, str] | None = None,
    tail: str = "",
) -> Block | Failure:
    """Parse the lines `[start, end)`.

    Args:
        lines: All lines of the document.
        start: First line, outside of any string or bracket.
        end: One past the last line.
        indents: The indentation of the enclosing blocks' statements, outermost first; the last is that of
            these.
        replacements: Texts to be read in place of some lines.
        tail: Text to be read after the last line.
    """
    if replacements:
        content = "".join(replacements.get(line, lines[line]) for line in range(start, end))
    else:
        content = "".join(lines[start:end])
    head = ""
    if indents:
        head = "".join(f"{outer}class _:\n" for outer in ("", *indents[:-1])) + indents[-1] + "0\n"
    height = len(indents) + 1 if indents else 0
    outcome = _parse(head + content + tail)
    if isinstance(outcome, _Refusal):
        line, message = outcome.line, outcome.message
        if opener := _OPENER.search(message):
            # The parser names the next line and tells the number of the one that opens the block.
            line = int(opener[1])
            message = f"{message[: opener.start(1)]}{line + start - height}{message[opener.end(1) :]}"
        line = min(max(start, line - 1 + start - height), max(start, end - 1))
        return Failure(outcome.incomplete, line, max(0, outcome.column - 1), message)
    shift = start - height
    for _ in indents:
        wrapper = outcome[0]
        if len(outcome) > 1 or not isinstance(wrapper, ast.ClassDef):
            return Block([], shift, True)
        outcome = wrapper.body
    return Block(outcome[1:] if indents else outcome, shift, False)


class _Refusal(NamedTuple):
    incomplete: bool
    line: int
    column: int
    message: str


def _parse(text: str) -> list[ast.stmt] | _Refusal:
    outcome = _compile(text, _TREE | _INCOMPLETE)
    if not isinstance(outcome, _Refusal):
        return outcome
    if outcome.message == _UNREADABLE:
        # Same width in UTF-8, so that columns hold; a form feed does not count as indentation.
        text = text.replace("\0", "\1").replace("\ufeff", "\f\f\f")
        text = _SURROGATE.sub("\ufffd", text)
        outcome = _compile(text, _TREE | _INCOMPLETE)
        if not isinstance(outcome, _Refusal):
            return outcome
    rewritten = modern.rewrite(text, None if outcome.incomplete else outcome.line)
    if rewritten is not None:
        text = rewritten.text
        outcome = _compile(text, _TREE | _INCOMPLETE)
        if not isinstance(outcome, _Refusal):
            modern.restore(outcome, rewritten.excepts)
            return outcome
    if outcome.message == "incomplete input":
        told = _compile(text, _TREE)
        if isinstance(told, _Refusal):
            return told._replace(incomplete=True)
    return outcome


def _compile(text: str, flags: int) -> list[ast.stmt] | _Refusal:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = compile(text, "<text>", "exec", flags, dont_inherit=True)
    except SyntaxError as error:
        message = error.msg or "invalid syntax"
        if "U+FEFF" in message or "null byte" in message:
            message = _UNREADABLE
        incomplete = message == "incomplete input" or "unterminated triple-quoted" in message
        return _Refusal(incomplete, error.lineno or 1, error.offset or 1, message)
    except ValueError:
        return _Refusal(False, 1, 1, _UNREADABLE)
    except (RecursionError, MemoryError):
        return _Refusal(False, 1, 1, "too deeply nested")
    return module.body  # type: ignore[no-any-return]
