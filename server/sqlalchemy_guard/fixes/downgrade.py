"""Statements of revisions that are written anew: the body of `downgrade()`, and operations in a block of their own.

A downgrade is written only where every step says itself how it is taken back. This module must never decide whether that is
wanted.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.layout import expression
from sqlalchemy_guard.project.bodies import body_of, is_docstring, own_nodes
from sqlalchemy_guard.project.revision_reverse import reverse_of
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import Frame, FunctionFacts
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.revision_steps import Directions, Step

_Call = tuple[str, str]
"""The header of a `with` block, empty outside of one, and the call in it."""


def reversed_calls(source: Source, both: Directions) -> list[_Call] | None:
    """The calls that take back all steps of `upgrade()`; None where one of them does not say what was there before."""
    own = {id(fact) for fact in both.upgrade.call_facts}
    locals_ = _locals(both.upgrade)
    found: list[_Call] = []
    for step in reversed(both.up):
        made = _reversed(source, step, locals_) if id(step.fact) in own and step.is_certain else None
        if made is None:
            return None
        found.append(made)
    return found or None


def _locals(function: FunctionFacts) -> set[str]:
    stored = {
        node.id
        for _, node in own_nodes(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return stored | {parameter.name for parameter in function.parameters}


def _reversed(source: Source, step: Step, locals_: set[str]) -> _Call | None:
    func = step.fact.node.func
    header = _header(source, step, locals_)
    if not isinstance(func, ast.Attribute) or header is None:
        return None
    shift = step.fact.chunk.shift
    used = {node.id for part in ast.walk(step.fact.node) if isinstance(node := part, ast.Name)}
    owner = {func.value.id} if isinstance(func.value, ast.Name) and header else set()
    if (used - owner) & locals_:
        return None
    reverse = reverse_of(step, lambda node: source.segment(node, shift))
    if reverse is None:
        return None
    name, arguments = reverse
    return header, f"{source.segment(func.value, shift)}.{name}({', '.join(arguments)})"


def _header(source: Source, step: Step, locals_: set[str]) -> str | None:
    """The `with` line of a batch operation, empty for others; None where it stands in anything else."""
    frames: list[Frame] = list(step.fact.frame.outwards()) if step.fact.frame is not None else []
    if step.batch is None:
        return "" if not frames else None
    node = frames[0].node if len(frames) == 1 else None
    if not isinstance(node, ast.With) or len(node.items) != 1:
        return None
    item = node.items[0]
    names = {each.id for each in ast.walk(item.context_expr) if isinstance(each, ast.Name)}
    if not isinstance(item.optional_vars, ast.Name) or names & locals_:
        return None
    return f"with {source.segment(item.context_expr, step.fact.chunk.shift)} as {item.optional_vars.id}:"


def written(source: Source, both: Directions, calls: list[_Call]) -> tuple[Edit, ...]:
    """The edits that write the calls into a `downgrade()` that does nothing, or that add one."""
    if both.downgrade is None:
        shift = both.upgrade.chunk.shift
        last = body_of(both.upgrade)[-1]
        at = source.line_end(source.end(last[1], last[0].shift))
        returns = both.upgrade.header.returns
        arrow = f" -> {source.segment(returns, shift)}" if returns is not None else ""
        margin = source.indentation
        text = f"def downgrade(){arrow}:{source.newline}{margin}{_block(source, at, margin, calls)}"
        return (Edit(at, at, source.newline * 3 + text),)
    body = body_of(both.downgrade)
    chunk, statement = body[-1]
    start, end = source.start(statement, chunk.shift), source.end(statement, chunk.shift)
    margin = source.margin(start)
    if source.line_start(start) + len(margin) != start:
        return ()
    block = _block(source, source.line_start(start), margin, calls)
    if is_docstring(statement):
        return (Edit(end, end, source.newline + margin + block),)
    return (Edit(start, end, block),)


def _block(source: Source, at: int, margin: str, calls: list[_Call]) -> str:
    """The statements, the first without its margin."""
    lines: list[str] = []
    header = ""
    for each, call in calls:
        inner = margin + source.indentation if each else margin
        if each and each != header:
            lines.append(margin + each)
        header = each
        # Laid out as if it stood at the beginning of a line of that margin.
        lines.append(inner + _laid_out(source, call, inner))
    return source.newline.join(lines)[len(margin) :]


def _laid_out(source: Source, call: str, margin: str) -> str:
    from sqlalchemy_guard.fixes.source import Source as Text

    line = Text(margin + call + source.newline, source.line_length)
    return expression(call, line, len(margin), margin=margin)


def in_block(source: Source, statement: ast.stmt, header: str, argument: str, shift: int) -> tuple[Edit, ...]:
    """The edits that put a statement, which is a call, into a block and give it one more argument.

    Args:
        source: The text.
        statement: The statement.
        header: The block's first line.
        argument: The argument.
        shift: Of the chunk that the statement comes from.
    """
    start, end = source.start(statement, shift), source.end(statement, shift)
    margin = source.margin(start)
    if source.line_start(start) + len(margin) != start:
        return ()
    inner = margin + source.indentation
    call = source.text[start:end]
    comma = "" if call[:-1].rstrip().endswith((",", "(")) else ","
    text = _laid_out(source, f"{call[:-1].rstrip()}{comma} {argument})", inner)
    return (Edit(start, end, f"{header}{source.newline}{inner}{text}"),)
