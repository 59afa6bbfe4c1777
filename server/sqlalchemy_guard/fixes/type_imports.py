"""Imports that only annotations need: in the `if TYPE_CHECKING:` block, so that modules which name each other can be imported.

This module must never import anything, and never decide what an annotation says.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.import_lists import extend
from sqlalchemy_guard.fixes.imports import need, placed
from sqlalchemy_guard.fixes.source import Source
from sqlalchemy_guard.text.edit import Edit, apply_edits
from sqlalchemy_guard.text.minimal import minimal_edits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy_guard.fixes.imports import Placed


def is_bound(statements: Sequence[Placed], name: str) -> bool:
    """Whether a module binds a name, in a block for type checkers as well."""
    return any(name in _bound_by(statement.node) for statement in statements)


def _bound_by(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0]
    elif isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        yield node.name
    else:
        for child in ast.walk(node):
            if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
                yield child.id
            elif isinstance(child, (ast.Import, ast.ImportFrom)):
                yield from _bound_by(child)


def need_types(source: Source, wanted: Iterable[tuple[str, str]]) -> tuple[Edit, ...]:
    """Make names available to annotations that are strings.

    Args:
        source: The text, which must parse.
        wanted: Modules, absolute or relative with leading dots, and names; none that the module binds already.
    """
    now = source
    for module, name in wanted:
        statements = placed(ast.parse(now.text).body)
        block = next((node for node, _ in statements if _is_for_types(node)), None)
        if block is None:
            edits = _new_block(now, statements, module, name)
        else:
            edits = _into_block(now, block, module, name)
        now = Source(apply_edits(now.text, edits), source.line_length)
    return minimal_edits(source.text, now.text) if now is not source else ()


def _is_for_types(node: ast.stmt) -> bool:
    test = node.test if isinstance(node, ast.If) else None
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _into_block(source: Source, block: ast.stmt, module: str, name: str) -> tuple[Edit, ...]:
    assert isinstance(block, ast.If)
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    for node in imports:
        if "." * node.level + (node.module or "") == module:
            edits = extend(source, node, name)
            if edits is not None:
                return edits
    later = next((node for node in imports if "." * node.level + (node.module or "") > module), None)
    margin = source.margin(source.start(block.body[0]))
    line = f"{margin}from {module} import {name}{source.newline}"
    if block.body[0].lineno == block.lineno:
        return _new_block(source, placed(ast.parse(source.text).body), module, name)
    if later is not None:
        at = source.line_start(source.start(later))
    else:
        last = imports[-1] if imports else block.body[-1]
        at = source.next_line(source.end(last))
        if not source.text[:at].endswith(("\n", "\r")):
            line = source.newline + line
    if not imports and len(block.body) == 1 and isinstance(block.body[0], ast.Pass):
        return (Edit(source.start(block.body[0]), source.end(block.body[0]), line.strip()),)
    return (Edit(at, at, line),)


def _new_block(source: Source, statements: Sequence[Placed], module: str, name: str) -> tuple[Edit, ...]:
    imported = need(source, statements, "typing", "TYPE_CHECKING")
    now = Source(apply_edits(source.text, imported.edits), source.line_length)
    body = ast.parse(now.text).body
    last = body[0]
    for node in body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            last = node
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            break
    at, newline = now.next_line(now.end(last)), source.newline
    text = (
        f"{newline}if {imported.expression}:{newline}{source.indentation}from {module} import {name}{newline}"
    )
    if not now.text[:at].endswith(("\n", "\r")):
        text = newline + text
    return minimal_edits(source.text, apply_edits(now.text, (Edit(at, at, text),)))
