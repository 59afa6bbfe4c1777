"""How a relationship is written: its annotation in the style of its file, the imports of both, the module of the other class.

This module must never decide which side holds the key.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.annotations import prefers_optional
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from sqlalchemy_guard.fixes.imports import Placed
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Shape:
    """What a relationship holds.

    Attributes:
        wrapper: `Mapped`, `DynamicMapped` or `WriteOnlyMapped`.
        container: `list`, `set` or `dict[…]` with its key; empty for a single object, and below the other wrappers.
        optional: Whether the single object may be missing.
    """

    wrapper: str = "Mapped"
    container: str = ""
    optional: bool = False


def annotation(
    source: Source, statements: Sequence[Placed], shape: Shape, name: str, *, taken: Container[str] = ()
) -> tuple[str, list[tuple[str, str]]]:
    """The annotation with `{0}`, `{1}` for what is to be imported, and the modules and names of these.

    Args:
        source: The text of the file.
        statements: Its top level.
        shape: What the relationship holds.
        name: The class on the other side.
        taken: Names that mean something else in the class.
    """
    wanted = [("sqlalchemy.orm", shape.wrapper)]
    quoted = name if has_lazy_annotations(statements) else f"{source.quote}{name}{source.quote}"
    if shape.container:
        container, _, key = shape.container.partition("[")
        capital = container.capitalize()
        written = container
        if container in taken or _prefers(statements, capital):
            wanted.append(("typing", capital))
            written = "{1}"
        inner = f"{written}[{key.removesuffix(']')}, {quoted}]" if key else f"{written}[{quoted}]"
    elif not shape.optional:
        inner = quoted
    elif prefers_optional(statements):
        wanted.append(("typing", "Optional"))
        inner = f"{{1}}[{quoted}]"
    else:
        alternatives = f"{name} | None"
        lazy = has_lazy_annotations(statements)
        inner = alternatives if lazy else f"{source.quote}{alternatives}{source.quote}"
    return f"{{0}}[{inner}]", wanted


def has_lazy_annotations(statements: Sequence[Placed]) -> bool:
    """Whether a module's annotations are never evaluated by Python, so that names in them need no quotes."""
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and any(alias.name == "annotations" for alias in node.names)
        for node, _ in statements
    )


def _prefers(statements: Sequence[Placed], name: str) -> bool:
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "typing"
        and any(alias.name == name for alias in node.names)
        for node, _ in statements
    )


def module_for(workspace: Workspace, of: str, into: str, statements: Sequence[Placed]) -> str | None:
    """The module to import from: relative where the file imports its own package so; None when it cannot be imported.

    Args:
        workspace: The files.
        of: The file to import from.
        into: The file that imports.
        statements: The top level of that file.
    """
    modules = workspace.modules
    for node, _ in statements:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if modules.find(node.module, into) == of:
                # As the file says already.
                return node.module
    absolute = modules.dotted(of)
    relatives = [node for node, _ in statements if isinstance(node, ast.ImportFrom) and node.level]
    own = modules.dotted(into).partition(".")[0]
    plain = any(
        isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").partition(".")[0] == own
        for node, _ in statements
    )
    if relatives and not plain and modules.package_root(of) == modules.package_root(into):
        package = modules.dotted(into).split(".")
        if not into.endswith(("__init__.py", "__init__.pyi")):
            package.pop()
        target = absolute.split(".")
        shared = 0
        while shared < min(len(package), len(target)) and package[shared] == target[shared]:
            shared += 1
        relative = "." * (len(package) - shared + 1) + ".".join(target[shared:])
        if shared and modules.find(relative, into) == of:
            return relative
    return absolute if modules.find(absolute, into) == of else None
