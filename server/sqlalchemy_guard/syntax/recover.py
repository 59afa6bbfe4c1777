"""Parse what can be parsed of lines that do not parse as a whole: everything but the offending lines stays.

First the lines that are known to be under somebody's hands are neutralised, then those that the parser names,
and at last the block is taken apart by its indentation. Every line given up is recorded in `Chunk.broken`.
This module must never look outside of the lines it is given, and always ends: each step gives up at least one
more line.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.syntax.chunk import Chunk
from sqlalchemy_guard.syntax.cut import DEFINITIONS, continues, cut, is_filler
from sqlalchemy_guard.syntax.parse import Block, Failure, indentation, parse_block
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

# Each attempt parses the lines again; long lines make that dear, and then fewer attempts are made.
_ATTEMPTS = 8
_DEAR_TEXT = 200_000
# A file that does not parse is parsed in windows of about so many lines, so that one error costs one window.
_WINDOW = 400
# A half-typed line is read with so many lines of code behind it less one to see whether they can go on.
_CONTINUATION = 3
# Definitions in definitions beyond this depth are not taken apart.
_DEPTH = 20

_DEFINITION = lazy_pattern(r"(?P<kind>(?:async\s+)?def|class)\s+(?P<name>\w+)")
_CLAUSE = lazy_pattern(r"(else|elif|except|finally)\b")
_KEPT_CLAUSES = {"else": "else:", "elif": "elif 1:", "except": "except:", "finally": "finally:"}


def recover(
    lines: Sequence[str],
    start: int,
    end: int,
    indents: Sequence[str],
    failure: Failure,
    dirty: Collection[int] = (),
    depth: int = 0,
) -> list[Chunk]:
    """The chunks of lines `[start, end)` that do not parse; at least one of them is broken.

    Args:
        lines: All lines of the document.
        start: First line.
        end: One past the last line.
        indents: As in `parse_block`.
        failure: What the parser said about these lines.
        dirty: Lines that were edited since the lines last parsed.
        depth: How many definitions were taken apart around these lines.
    """
    if end - start <= _WINDOW:
        neutral = _neutralise(lines, start, end, indents, failure, dirty)
        if neutral is not None:
            return neutral
    return _take_apart(lines, start, end, indents, failure, depth)


def _neutralise(
    lines: Sequence[str],
    start: int,
    end: int,
    indents: Sequence[str],
    failure: Failure,
    dirty: Collection[int],
) -> list[Chunk] | None:
    """Replace dirty and then offending lines one after the other until the rest parses."""
    replacements: dict[int, str] = {}
    tries: dict[int, int] = {}
    attempts = 2 if sum(map(len, lines[start:end])) > _DEAR_TEXT else _ATTEMPTS
    given_up = [line for line in sorted(dirty) if start <= line < end and not is_filler(lines[line])]
    if not 0 < len(given_up) <= _ATTEMPTS:
        given_up = [_culprit(lines, start, failure)]
    for _ in range(attempts):
        for line in given_up:
            tries[line] = tries.get(line, 0) + 1
            replacements[line] = _harmless(lines, line, end, tries[line])
        outcome = parse_block(lines, start, end, indents, replacements)
        if isinstance(outcome, Block):
            if outcome.escaped:
                return None
            chunks = cut(outcome.body, start, end, outcome.shift, lines)
            _mark(chunks, sorted(replacements), failure)
            if all(number == 1 for number in tries.values()):
                _keep_patches(chunks, replacements)
            return chunks
        culprit = _culprit(lines, start, outcome)
        if culprit in replacements:
            above = _code_above(lines, start, culprit)
            if lines[above].lstrip(" \t\f").startswith("@") and above not in replacements:
                culprit = above
        if tries.get(culprit, 0) > 2:
            return None
        given_up = [culprit]
    return None


def _culprit(lines: Sequence[str], start: int, failure: Failure) -> int:
    """The line to give up: mostly where the parser stopped, for a `try` without handler its own."""
    line = failure.line
    if "expected 'except'" in failure.message:
        for above in range(line - 1, start - 1, -1):
            if lines[above].lstrip().startswith("try"):
                return above
    return _code_above(lines, start, line + 1)


def _code_above(lines: Sequence[str], start: int, line: int) -> int:
    """The nearest line with code above a line, not above `start`."""
    line -= 1
    while line > start and is_filler(lines[line]):
        line -= 1
    return max(line, start)


def _harmless(lines: Sequence[str], line: int, end: int, attempt: int) -> str:
    """A line that parses in place of a broken one: it opens a block where a block follows, and keeps a
    name."""
    text = lines[line]
    indent = indentation(text)
    code = text[len(indent) :].rstrip("\r\n")
    ending = text[len(indent) + len(code) :] or "\n"
    following = next((lines[below] for below in range(line + 1, end) if not is_filler(lines[below])), "")
    opens = len(indentation(following).expandtabs()) > len(indent.expandtabs())
    if attempt > 2:
        return ending
    if attempt == 1:
        if definition := _DEFINITION.match(code):
            arguments = "" if definition["kind"] == "class" else "(*_, **__)"
            body = "" if opens else " pass"
            return f"{indent}{definition['kind']} {definition['name']}{arguments}:{body}{ending}"
        if opens and (clause := _CLAUSE.match(code)):
            return f"{indent}{_KEPT_CLAUSES[clause.group()]}{ending}"
    if not opens:
        return f"{indent}pass{ending}"
    return f"{indent}if 1:{ending}"


def still_patched(lines: Sequence[str], chunk: Chunk, dirty: Collection[int]) -> bool:
    """Whether a broken leaf whose dirty lines changed would be patched into the very text it was parsed from,
    so that its statements hold. The number of its lines must not have changed."""
    if not chunk.patches or chunk.children is not None:
        return False
    broken = [line + chunk.shift for line in chunk.broken]
    if any(chunk.start <= line < chunk.end and line not in broken for line in dirty):
        return False
    return all(
        patch == _harmless(lines, line, chunk.end, 1) and not is_filler(lines[line])
        for line, patch in zip(broken, chunk.patches, strict=True)
    )


def still_refused(lines: Sequence[str], chunk: Chunk) -> Failure | None:
    """Why a leaf that is `still_patched` does not parse, found without parsing all of it; None where that is not known.

    Where a `pass` was read in place of the one broken line, a statement begins there whatever the line says, unless it
    continues a compound statement. When a parser gives up on that statement before it has seen the end of a few lines,
    it does so as well with the rest of the chunk around them.
    """
    if len(chunk.broken) != 1:
        return None
    line = chunk.broken[0] + chunk.shift
    indent = indentation(lines[line])
    if _CLAUSE.match(lines[line], len(indent)) or not _passes(chunk.body, chunk.broken[0] + 1, len(indent)):
        return None
    own: list[str] = []
    code = 0
    for below in lines[line : chunk.end]:
        if not is_filler(below):
            code += 1
            if code > _CONTINUATION or not below.startswith(indent):
                break
        own.append(below[len(indent) :] if below.startswith(indent) else below)
    outcome = parse_block(own, 0, len(own), ())
    if isinstance(outcome, Block) or outcome.incomplete:
        return None
    return Failure(False, outcome.line + line, outcome.column + len(indent), outcome.message)


def _passes(body: Sequence[ast.stmt], line: int, column: int) -> bool:
    """Whether a `pass` stands at a place."""
    todo: list[ast.AST] = list(body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Pass) and (node.lineno, node.col_offset) == (line, column):
            return True
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, name, None)
            if isinstance(inner, list):
                todo.extend(inner)
    return False


def _keep_patches(chunks: list[Chunk], replacements: dict[int, str]) -> None:
    """Remember in leaves what was read in place of their broken lines."""
    for chunk in chunks:
        if chunk.children is not None:
            _keep_patches(chunk.children, replacements)
        else:
            chunk.patches = tuple(replacements[line + chunk.shift] for line in chunk.broken)


def _mark(chunks: list[Chunk], broken: list[int], failure: Failure) -> None:
    """Tell the chunks which of their lines were given up; the first of these says why."""
    for chunk in chunks:
        end = chunk.end
        if chunk.children is not None:
            _mark(chunk.children, broken, failure)
            end = chunk.children[0].start
        own = tuple(line - chunk.shift for line in broken if chunk.start <= line < end)
        if own:
            chunk.broken = own
            place = failure.line if chunk.start <= failure.line < chunk.end else own[0] + chunk.shift
            chunk.problem = (place - chunk.shift, failure.column, failure.message)


def _give_up(lines: Sequence[str], start: int, end: int, failure: Failure) -> Chunk:
    """A chunk without statements."""
    chunk = Chunk(start, end, start, [])
    broken = [line for line in range(start, end) if not is_filler(lines[line])]
    _mark([chunk], broken or [start], failure)
    return chunk


def _take_apart(
    lines: Sequence[str], start: int, end: int, indents: Sequence[str], failure: Failure, depth: int
) -> list[Chunk]:
    """Parse the statements that begin at the block's own indentation, in windows, and recover each that
    fails."""
    starts = _statement_starts(lines, start, end, indents[-1] if indents else "")
    starts.append(end)
    chunks: list[Chunk] = []
    at = 0
    last = len(starts) - 1
    while at < last:
        stop = at + 1
        while stop < last and starts[stop + 1] - starts[at] <= _WINDOW:
            stop += 1
        whole = at == 0 and stop == last
        outcome = failure if whole else parse_block(lines, starts[at], starts[stop], indents)
        if isinstance(outcome, Failure) and stop > at + 1:
            # Everything above the statement on which the parser gave up is good.
            bad = at
            while bad + 1 < stop and starts[bad + 1] <= outcome.line:
                bad += 1
            stop = max(bad, at + 1)
            outcome = parse_block(lines, starts[at], starts[stop], indents)
            while isinstance(outcome, Failure) and stop > at + 1:
                stop = at + max(1, (stop - at) // 2)
                outcome = parse_block(lines, starts[at], starts[stop], indents)
        growth = 1
        while isinstance(outcome, Failure) and outcome.incomplete and stop < last:
            # A string or bracket with lines at the block's indentation: more lines may close it.
            longer = min(last, stop + growth)
            grown = parse_block(lines, starts[at], starts[longer], indents)
            if isinstance(grown, Failure) and not grown.incomplete:
                break
            stop, outcome, growth = longer, grown, growth * 2
        if isinstance(outcome, Block) and not outcome.escaped:
            chunks += cut(outcome.body, starts[at], starts[stop], outcome.shift, lines)
        else:
            told = outcome if isinstance(outcome, Failure) else failure
            if isinstance(outcome, Failure) and outcome.incomplete:
                stop = at + 1
            chunks += _recover_statement(lines, starts[at], starts[stop], indents, told, depth)
        at = stop
    return chunks


def _recover_statement(
    lines: Sequence[str], start: int, end: int, indents: Sequence[str], failure: Failure, depth: int
) -> list[Chunk]:
    """One statement that does not parse: a long definition by its header and body, everything else line by
    line."""
    if end - start <= _WINDOW:
        neutral = _neutralise(lines, start, end, indents, failure, ())
        if neutral is not None:
            return neutral
    definition = _open_definition(lines, start, end, indents) if depth < _DEPTH else None
    if definition is None:
        return [_give_up(lines, start, end, failure)]
    inner = (*indents, definition.indent)
    body_start = definition.end
    definition.end = end
    outcome = parse_block(lines, body_start, end, inner)
    if isinstance(outcome, Block) and not outcome.escaped:
        children = cut(outcome.body, body_start, end, outcome.shift, lines)
    else:
        told = outcome if isinstance(outcome, Failure) else failure
        children = _take_apart(lines, body_start, end, inner, told, depth + 1)
    definition.children = children
    for child in children:
        child.parent = definition
    return [definition]


def _open_definition(lines: Sequence[str], start: int, end: int, indents: Sequence[str]) -> Chunk | None:
    """The chunk of a definition's header alone, its `end` where the body starts; None where there is none."""
    own = indents[-1] if indents else ""
    line = start
    while line < end and (is_filler(lines[line]) or not _DEFINITION.match(lines[line][len(own) :])):
        line += 1
    for body in range(line + 1, min(end, line + 40)):
        indent = indentation(lines[body])
        if is_filler(lines[body]) or len(indent) <= len(own) or not indent.startswith(own):
            continue
        while body > line + 1 and is_filler(lines[body - 1]):
            body -= 1
        if continues(lines[body - 1]):
            continue
        outcome = parse_block(lines, start, body, indents, tail=f"{indent}pass\n")
        if isinstance(outcome, Block) and not outcome.escaped and len(outcome.body) == 1:
            node = outcome.body[0]
            if isinstance(node, DEFINITIONS):
                node.body = []
                chunk = Chunk(start, body, outcome.shift, [node])
                chunk.children = []
                chunk.indent = indent
                return chunk
    return None


def _statement_starts(lines: Sequence[str], start: int, end: int, indent: str) -> list[int]:
    """The lines on which statements of the block may begin; comments above a statement belong to it."""
    starts = [start]
    filler = start
    decorated = False
    for line in range(start, end):
        text = lines[line]
        if is_filler(text):
            continue
        code = text[len(indent) :]
        if indentation(text) == indent and not (code.startswith((")", "]", "}")) or _CLAUSE.match(code)):
            if not decorated and filler > starts[-1] and not continues(lines[filler - 1]):
                starts.append(filler)
            decorated = code.startswith("@")
        filler = line + 1
    return starts
