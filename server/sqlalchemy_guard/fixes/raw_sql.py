"""Hands a plain SQL string to `text()`: what meant itself in the string is escaped, `%(name)s` becomes `:name`.

This module must never decide whether a string is SQL.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.imports import need
from sqlalchemy_guard.fixes.layout import reflow
from sqlalchemy_guard.fixes.local_names import bound_in
from sqlalchemy_guard.fixes.sql_literals import UnknownFormError, interpolation
from sqlalchemy_guard.text.edit import Edit, sort_edits
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.fixes.imports import Placed
    from sqlalchemy_guard.fixes.source import Source

_BOUND = lazy_pattern(r"(?<![:\w\\]):(\w+)(?!:)")
_NAMED = lazy_pattern(r"%\((\w+)\)s")
_POSITIONAL = lazy_pattern(r"(?<!%)%s|\?")


def as_text(
    source: Source,
    statements: Sequence[Placed],
    fact: CallFact,
    node: ast.expr,
    texts: Sequence[str],
) -> tuple[Edit, ...] | None:
    """The edits that put `text()` around a call's SQL; None where its parameters would not fit.

    Args:
        source: The text.
        statements: The module's top level, for the import.
        fact: The execution.
        node: The string, or an expression that gives it.
        texts: What the expression gives, on each path.
    """
    shift = fact.chunk.shift
    given = _given(fact.node)
    is_literal = isinstance(node, ast.Constant)
    inside: list[Edit] = []
    for text in texts:
        if given == "nothing":
            colons = [match.start() for match in _BOUND.finditer(text)]
            marks, new = [(at, at) for at in colons], "escape"
        elif given == "positional" or _POSITIONAL.search(_NAMED.sub("", text)):
            return None
        else:
            marks, new = [match.span() for match in _NAMED.finditer(text)], "name"
            if marks and _BOUND.search(text):
                return None
        if marks and not is_literal:
            return None
        edits = _rewritten(source, node, shift, marks, new) if marks else []
        if edits is None:
            return None
        inside += edits
    imported = need(source, statements, "sqlalchemy", "text", taken=bound_in(fact.function))
    start, end = source.start(node, shift), source.end(node, shift)
    around = [Edit(start, start, f"{imported.expression}("), *sort_edits(inside), Edit(end, end, ")")]
    return (*imported.edits, *reflow(source, fact.statement, around, shift))


def _given(call: ast.Call) -> str:
    """What the execution is given besides the SQL: nothing, named (or not to be told), positional."""
    rest = [*call.args[1:], *(one.value for one in call.keywords if one.arg in ("params", "parameters"))]
    if any(
        one.arg not in ("params", "parameters", "execution_options", "bind_arguments")
        for one in call.keywords
    ):
        return "named"
    if not rest or all(isinstance(one, ast.Constant) and one.value is None for one in rest):
        return "nothing"
    first = rest[0]
    if isinstance(first, (ast.Tuple, ast.Constant)):
        return "positional"
    if isinstance(first, ast.List) and not all(isinstance(item, (ast.Dict, ast.Name)) for item in first.elts):
        return "positional"
    return "named"


def _rewritten(
    source: Source, node: ast.expr, shift: int, marks: list[tuple[int, int]], new: str
) -> list[Edit] | None:
    """Edit a literal's characters: a backslash before a colon, or `:name` for `%(name)s`."""
    try:
        found = interpolation(source, node, shift, "\0")
    except UnknownFormError:
        return None
    units = found.units
    if len(found.text) < max(end for _, end in marks) or any(unit.doubled for unit in units):
        return None
    edits: list[Edit] = []
    for start, end in marks:
        if new == "escape":
            raw = found.literals[units[start].literal].is_raw
            edits.append(Edit(units[start].start, units[start].start, "\\" if raw else "\\\\"))
        elif units[start].literal != units[end - 1].literal:
            return None
        else:
            name = found.text[start + 2 : end - 2]
            edits.append(Edit(units[start].start, units[end - 1].end, f":{name}"))
    return edits
