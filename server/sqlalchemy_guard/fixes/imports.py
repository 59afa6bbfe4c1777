"""Imports that fixes need, and imports that fixes leave unused.

`need` and `need_module` reuse what a module imports already, extend a `from` import, or add a line where isort would;
`unused` removes what nobody reads any more. This module must never import anything.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.import_lists import extend, shorten, swap
from sqlalchemy_guard.fixes.import_places import (
    beside_its_names,
    has_one_name_a_line,
    joins_renamed,
    module_of,
    new_line,
)
from sqlalchemy_guard.fixes.naming import fresh
from sqlalchemy_guard.records import NamedTuple, dataclass
from sqlalchemy_guard.syntax.syntax import Syntax
from sqlalchemy_guard.text.document import Document
from sqlalchemy_guard.text.edit import Edit, OverlapError, apply_edits, sort_edits
from sqlalchemy_guard.text.minimal import minimal_edits

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from sqlalchemy_guard.fixes.source import Source


class Placed(NamedTuple):
    """A statement of the module's top level and the shift of the chunk that it comes from."""

    node: ast.stmt
    shift: int = 0


@dataclass(frozen=True, slots=True)
class Imported:
    """How to write an imported thing.

    Attributes:
        expression: The name, or dotted name, to write.
        edits: What makes the name available; empty when it is already.
    """

    expression: str
    edits: tuple[Edit, ...]


def placed(body: Iterable[ast.stmt], shift: int = 0) -> list[Placed]:
    """The statements of one chunk, or of a whole parse."""
    return [Placed(node, shift) for node in body]


def need(
    source: Source,
    statements: Sequence[Placed],
    module: str,
    name: str,
    *,
    taken: Container[str] = (),
    first_party: Container[str] = (),
    by_name: bool = False,
) -> Imported:
    """Make `from module import name` available.

    Args:
        source: The text.
        statements: The module's top level, in order.
        module: The absolute name of the module.
        name: What to import from it.
        taken: Names that mean something else where the import is used: locals, parameters.
        first_party: The top-level packages of the project, which are sorted behind those of others; the source's own by default.
        by_name: Whether only a name will do, and no `module.name` of a module that is imported already.
    """
    bindings = list(_bindings(statements))
    known = _reuse(bindings, module, name, taken, by_name)
    if known is not None:
        return Imported(known, ())
    bound = _free_name(module, name, taken, {binding for binding, _ in bindings})
    alias = name if bound == name else f"{name} as {bound}"
    line = f"from {module} import {alias}"
    same = [
        statement
        for statement in statements
        if isinstance(statement.node, ast.ImportFrom)
        and module_of(statement.node) == module
        and statement.node.names[0].name != "*"
    ]
    apart = has_one_name_a_line(statements)
    keeps_apart = apart or not joins_renamed(statements)
    for node, shift in same:
        assert isinstance(node, ast.ImportFrom)
        renamed = any(each.asname for each in node.names)
        if not apart and not (keeps_apart and (renamed or bound != name)):
            edits = extend(source, node, alias, shift)
            if edits is not None:
                return Imported(bound, edits)
    if same and keeps_apart:
        edit = beside_its_names(source, same, name, line)
        if edit is not None:
            return Imported(bound, (edit,))
    return Imported(bound, (new_line(source, statements, module, line, first_party or source.first_party),))


def instead(
    source: Source,
    statements: Sequence[Placed],
    module: str,
    old: str,
    new: str,
    *,
    taken: Container[str] = (),
) -> Imported:
    """Import a name in the place of another one of the module that the fix leaves unused; elsewhere like `need`.

    Args:
        source: The text.
        statements: The module's top level, in order.
        module: The absolute name of the module.
        old: The name, as the import binds it, that the text mentions only there and where the fix takes it away.
        new: What to import.
        taken: As in `need`.
    """
    imported = need(source, statements, module, new, taken=taken)
    if (
        not old
        or not imported.edits
        or imported.expression != new
        or len(re.findall(rf"\b{old}\b", source.text)) != 2
    ):
        return imported
    for node, shift in statements:
        if isinstance(node, ast.ImportFrom):
            alias = next((one for one in node.names if (one.asname or one.name) == old), None)
            edits = swap(source, node, alias, new, shift) if alias is not None else None
            if module_of(node) != module and edits is not None:
                # From another module: only a statement of its own changes, which `need` would leave behind unused
                # because of its comment, or for which it would add a new one.
                start = source.start(node, shift) + source.segment(node, shift).index(node.module or "")
                end = source.end(node, shift)
                others = (other.node for other in statements if isinstance(other.node, ast.ImportFrom))
                alone = len(node.names) == 1 and (
                    bool(source.comments(end, source.line_end(end)))
                    or not any(module_of(other) == module for other in others)
                )
                edits = (Edit(start, start + len(node.module or ""), module), *edits) if alone else None
            if edits is not None:
                return Imported(new, edits)
    return imported


def need_all(
    source: Source,
    statements: Sequence[Placed],
    wanted: Iterable[tuple[str, str]],
    *,
    taken: Container[str] = (),
    first_party: Container[str] = (),
) -> tuple[list[str], tuple[Edit, ...]]:
    """Make several names available, names of one module in one statement.

    Args:
        source: The text.
        statements: The module's top level, in order.
        wanted: Modules and names; other arguments as in `need`.

    Returns the expressions in the order asked for, and the edits of all.
    """
    expressions: list[str] = []
    now, level = source, list(statements)
    for module, name in wanted:
        imported = need(now, level, module, name, taken=taken, first_party=first_party)
        expressions.append(imported.expression)
        if imported.edits:
            text = apply_edits(now.text, imported.edits)
            now, level = source.with_text(text), _top_level(text)
    return expressions, minimal_edits(source.text, now.text) if now is not source else ()


@lru_cache(maxsize=4)
def _top_level(text: str) -> list[Placed]:
    """The statements of a module's own level. Kept, because the fixes of a file mostly want the same imports."""
    # Whatever Python the file is written for: the running one may know less.
    chunks = Syntax(Document.from_text("", text)).chunks
    return [Placed(node, chunk.shift) for chunk in chunks for node in chunk.body]


def need_module(
    source: Source,
    statements: Sequence[Placed],
    module: str,
    *,
    taken: Container[str] = (),
    first_party: Container[str] = (),
) -> Imported:
    """Make `import module` available; arguments as in `need`. The expression names the module."""
    first_party = first_party or source.first_party
    bindings = list(_bindings(statements))
    for expression, root in _modules(statements, module):
        if root not in taken and _bound_once(bindings, root):
            return Imported(expression, ())
    names = {binding for binding, _ in bindings}
    root = module.partition(".")[0]
    if root in taken or (root in names and not _is_package_import(statements, root)):
        bound = _free_name(module, module.rpartition(".")[2], taken, names)
        return Imported(
            bound, (new_line(source, statements, module, f"import {module} as {bound}", first_party),)
        )
    return Imported(module, (new_line(source, statements, module, f"import {module}", first_party),))


def _is_package_import(statements: Sequence[Placed], root: str) -> bool:
    aliases = [alias for node, _ in statements if isinstance(node, ast.Import) for alias in node.names]
    return any(alias.asname is None and alias.name.partition(".")[0] == root for alias in aliases)


def _bindings(statements: Iterable[Placed]) -> Iterator[tuple[str, tuple[str, str] | None]]:
    """The names that a module's top level binds, with (module, name) where an unconditional import binds them."""
    for node, _ in statements:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, (module_of(node), alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], (alias.name, "")
        else:
            yield from ((name, None) for name in _bound_by(node))


def _bound_by(node: ast.AST) -> Iterator[str]:
    """The names that a statement binds in its own scope."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    if isinstance(node, ast.alias):
        yield node.asname or node.name.partition(".")[0]
    if not isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        for child in ast.iter_child_nodes(node):
            yield from _bound_by(child)


def _bound_once(bindings: Sequence[tuple[str, tuple[str, str] | None]], name: str) -> bool:
    """Whether one thing alone is bound to a name: a package and its submodules are one."""
    meanings = {
        meaning and (meaning if meaning[1] else (meaning[0].partition(".")[0], ""))
        for bound, meaning in bindings
        if bound == name
    }
    return len(meanings) == 1 and None not in meanings


def _reuse(
    bindings: Sequence[tuple[str, tuple[str, str] | None]],
    module: str,
    name: str,
    taken: Container[str],
    by_name: bool = False,
) -> str | None:
    """An expression for `module.name` that the module's imports give already."""
    for bound, meaning in bindings:
        if meaning == (module, name) and bound not in taken and _bound_once(bindings, bound):
            return bound
    if by_name or any(meaning is not None and meaning[0] == module and meaning[1] for _, meaning in bindings):
        # Whoever imports names from the module gets one name more, even beside `import sqlalchemy as sa`.
        return None
    parent, _, last = module.rpartition(".")
    for bound, meaning in bindings:
        if meaning is None or bound in taken or not _bound_once(bindings, bound):
            continue
        if meaning == (module, "") and "." in module and bound == module.partition(".")[0]:
            return f"{module}.{name}"
        if meaning in ((module, ""), (parent, last)):
            return f"{bound}.{name}"
    return None


def _modules(statements: Iterable[Placed], module: str) -> Iterator[tuple[str, str]]:
    """The expressions that name a module already, each with the name it begins with."""
    parent, _, last = module.rpartition(".")
    for node, _ in statements:
        for alias in node.names if isinstance(node, ast.Import) else ():
            if alias.name == module:
                yield (alias.asname or module), (alias.asname or module.partition(".")[0])
        for alias in node.names if isinstance(node, ast.ImportFrom) and module_of(node) == parent else ():
            if alias.name == last:
                yield (alias.asname or last), (alias.asname or last)


def _free_name(module: str, name: str, taken: Container[str], bound: Container[str]) -> str:
    """The name to import as: itself, or with a prefix when it means something else somewhere."""
    if name not in taken and name not in bound:
        return name
    package = module.lstrip(".").partition(".")[0]
    candidate = f"{'sa' if package == 'sqlalchemy' else package or 'imported'}_{name}"
    while candidate in taken or candidate in bound:
        candidate = fresh(candidate, _Union(taken, bound))
    return candidate


class _Union:
    """The names of two containers."""

    def __init__(self, first: Container[str], second: Container[str]) -> None:
        self.first, self.second = first, second

    def __contains__(self, name: object) -> bool:
        return name in self.first or name in self.second


def unused(
    source: Source,
    statements: Sequence[Placed],
    edits: Iterable[Edit],
    names: Iterable[str],
    *,
    reexports: bool = False,
) -> tuple[Edit, ...]:
    """The edits that remove imports which nobody reads any more once `edits` are made.

    Kept are names that the new text reads, also in annotations that are strings or in `__all__`, imports under a
    `# noqa` comment, `from x import y as y`, and all where `reexports` says that the file is a package's
    `__init__.py`. An import that `edits` change themselves is left alone.

    Args:
        source: The text before.
        statements: Its top level.
        edits: What the fix does.
        names: The bound names that the fix may have made unused.
        reexports: Whether others import from this file what it imports.
    """
    changes = tuple(edits)
    if reexports:
        return ()
    try:
        tree = ast.parse(apply_edits(source.text, changes))
        loads = used_names(tree)
    except (SyntaxError, ValueError, RecursionError, OverlapError):
        return ()
    gone = {name for name in names if name not in loads}
    found: list[Edit] = []
    for node, shift in statements:
        if not isinstance(node, ast.Import | ast.ImportFrom) or _module_is_future(node):
            continue
        drop = [alias for alias in node.names if _binds(alias) in gone and alias.asname != alias.name]
        removal = shorten(source, node, drop, shift) if drop else None
        if removal is None:
            continue
        try:
            sort_edits([*changes, *found, *removal])
        except OverlapError:
            continue
        found += removal
    return tuple(found)


def _module_is_future(node: ast.Import | ast.ImportFrom) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _binds(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def used_names(tree: ast.AST) -> set[str]:
    """The names that a tree reads or deletes, and those in strings that are expressions: annotations, `__all__`."""
    used: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
            used.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 500:
            used |= _names_in(node.value)
    return used


def _names_in(text: str) -> set[str]:
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
