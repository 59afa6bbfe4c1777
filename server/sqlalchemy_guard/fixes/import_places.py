"""Where a new import line stands: where isort would put it, or beside its own in a file that has an order of its own.

This module must never decide what is imported.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from sqlalchemy_guard.fixes.imports import Placed
    from sqlalchemy_guard.fixes.source import Source


def module_of(node: ast.ImportFrom) -> str:
    """The module that a `from` import names, with the dots in front."""
    return "." * node.level + (node.module or "")


_FUTURE, _STANDARD, _THIRD, _FIRST, _RELATIVE = range(5)


def _section(module: str, first_party: Container[str]) -> int:
    if module == "__future__":
        return _FUTURE
    if module.startswith("."):
        return _RELATIVE
    package = module.partition(".")[0]
    if package in sys.stdlib_module_names:
        return _STANDARD
    return _FIRST if package in first_party else _THIRD


def _rank(module: str, from_import: bool, first_party: Container[str]) -> tuple[int, bool, str]:
    return _section(module, first_party), from_import, module.lower()


def _head(statements: Sequence[Placed]) -> tuple[int, list[Placed]]:
    """How many statements the docstring is (0 or 1), and the imports that follow without a gap."""
    first = 0
    if statements:
        node = statements[0].node
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            first = 1
    imports: list[Placed] = []
    for statement in statements[first:]:
        if not isinstance(statement.node, ast.Import | ast.ImportFrom):
            break
        imports.append(statement)
    return first, imports


def new_line(
    source: Source, statements: Sequence[Placed], module: str, line: str, first_party: Container[str]
) -> Edit:
    """The edit that adds an import as a line of its own, where isort would put it."""
    newline = source.newline
    docstring, imports = _head(statements)
    if not imports:
        return _first_import(source, statements, docstring, line)
    beside = _beside_its_package(source, imports, module, line)
    if beside is not None:
        return beside
    imports = _own_block(source, imports, module)
    rank = _rank(module, line.startswith("from "), first_party)
    before: Placed | None = None
    after: Placed | None = None
    for statement in imports:
        node = statement.node
        if isinstance(node, ast.ImportFrom):
            own = _rank(module_of(node), True, first_party)
        else:
            assert isinstance(node, ast.Import)
            own = _rank(node.names[0].name, False, first_party)
        if own <= rank:
            before = statement
            after = None
        elif after is None:
            after = statement
            after_section = own[0]
        if before is statement:
            before_section = own[0]
    if before is not None:
        at = source.next_line(source.end(before.node, before.shift))
        lead = newline if at and not source.text[:at].endswith(("\n", "\r")) else ""
        gap = newline if before_section != rank[0] else ""
        tail = newline
        if gap and after is not None and after_section == rank[0]:
            # The line begins an existing block: the blank line is above it already.
            at = _block_start(source, after)
            gap = ""
        elif (
            after is not None
            and after_section != rank[0]
            and at == source.offset(after.node.lineno - 1 + after.shift)
        ):
            tail += newline
        return Edit(at, at, lead + gap + line + ("" if lead else tail))
    assert after is not None
    at = _block_start(source, after)
    return Edit(at, at, line + newline + (newline if after_section != rank[0] else ""))


def has_one_name_a_line(statements: Sequence[Placed]) -> bool:
    """Whether a module writes a statement for each name that it imports, also for several of one module."""
    names = Counter(
        module_of(node)
        for node, _ in statements
        if isinstance(node, ast.ImportFrom) and len(node.names) == 1 and not node.names[0].asname
    )
    return any(count > 1 for count in names.values()) and not any(
        isinstance(node, ast.ImportFrom) and len(node.names) > 1 for node, _ in statements
    )


def joins_renamed(statements: Sequence[Placed]) -> bool:
    """Whether a module writes `a as b` beside other names; isort gives it a statement of its own unless told otherwise."""
    return any(
        isinstance(node, ast.ImportFrom) and len(node.names) > 1 and any(each.asname for each in node.names)
        for node, _ in statements
    )


def beside_its_names(source: Source, same: Sequence[Placed], name: str, line: str) -> Edit | None:
    """The edit that adds an import between those of other names of its module; None where they share their lines."""
    behind = 0
    for node, shift in same:
        assert isinstance(node, ast.ImportFrom)
        start, end = source.start(node, shift), source.end(node, shift)
        rest = source.text[end : source.line_end(end)].strip()
        if source.text[source.line_start(start) : start].strip() or rest.startswith(";"):
            return None
        if node.names[0].name.lower() > name.lower():
            at = source.line_start(start)
            return Edit(at, at, line + source.newline)
        behind = source.next_line(end)
    lead = "" if source.text[:behind].endswith(("\n", "\r")) else source.newline
    return Edit(behind, behind, lead + line + ("" if lead else source.newline))


def _own_block(source: Source, imports: list[Placed], module: str) -> list[Placed]:
    """The imports without a blank line between them that have one of the same package among them; all where none has."""
    package = module.partition(".")[0]
    blocks: list[list[Placed]] = []
    for statement in imports:
        row = source.first_line(statement.node, statement.shift)
        if not blocks or (row and not source.lines[row - 1].strip()):
            blocks.append([])
        blocks[-1].append(statement)
    for block in blocks:
        if any(
            isinstance(statement.node, ast.Import)
            and any(alias.name.partition(".")[0] == package for alias in statement.node.names)
            for statement in block
        ):
            return block
    return imports


def _beside_its_package(source: Source, imports: Sequence[Placed], module: str, line: str) -> Edit | None:
    """The edit that adds a `from` import next to those of the same package; None where there is none.

    Whatever order a file keeps its imports in, that is where its authors would look for it.
    """
    package = module.partition(".")[0]
    relatives = [
        statement
        for statement in imports
        if isinstance(statement.node, ast.ImportFrom)
        and module_of(statement.node).partition(".")[0] == package
    ]
    if not package or not relatives or not line.startswith("from "):
        return None
    modules = [
        module_of(statement.node).lower()
        for statement in relatives
        if isinstance(statement.node, ast.ImportFrom)
    ]
    later = next((place for place, name in enumerate(modules) if name > module.lower()), None)
    if later is not None:
        start = _block_start(source, relatives[later])
        return Edit(start, start, line + source.newline)
    end = source.next_line(source.end(relatives[-1].node, relatives[-1].shift))
    lead = source.newline if end and not source.text[:end].endswith(("\n", "\r")) else ""
    return Edit(end, end, lead + line + ("" if lead else source.newline))


def _block_start(source: Source, statement: Placed) -> int:
    """The start of a statement's line; comments above an import are left above the block."""
    return source.line_start(source.start(statement.node, statement.shift))


def _first_import(source: Source, statements: Sequence[Placed], docstring: int, line: str) -> Edit:
    """The edit that adds a module's first import."""
    newline = source.newline
    if docstring:
        at = source.next_line(source.end(statements[0].node, statements[0].shift))
        lead = newline if source.text[:at].endswith(("\n", "\r")) else newline * 2
        if len(statements) == 1:
            return Edit(at, at, lead + line + newline)
        return Edit(at, at, lead + line + newline)
    if not statements:
        at = len(source.text)
        lead = newline if source.text and not source.text.endswith(("\n", "\r")) else ""
        return Edit(at, at, lead + line + newline)
    node = statements[0].node
    row = source.first_line(node, statements[0].shift)
    top = row
    while top > 0 and source.lines[top - 1].startswith("#"):
        top -= 1
    if top == 0:
        # The comments at the very top speak of the file: shebang, encoding, licence.
        top = row
    definition = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    at = source.offset(top)
    return Edit(at, at, line + newline * (3 if definition else 2))
