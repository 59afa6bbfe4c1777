"""Where an Alembic `env.py` says `target_metadata = …`, as a fact, and which files are imported when it runs.

This module must never judge what is missing there.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import UNKNOWN, Call, Sequence
from sqlalchemy_guard.project.metadata import metadata_of
from sqlalchemy_guard.project.revision_names import named_in
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.units import Unit
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.metadata import MetadataId
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.syntax.chunk import Chunk

_AT_RUN_TIME = (
    "import_module",
    "__import__",
    "walk_packages",
    "iter_modules",
    "find_modules",
    "import_string",
)
_AT_RUN_TIME_MODULES = frozenset({"importlib", "pkgutil", "venusian", "stevedore", "pluggy", "imp", "runpy"})


@dataclass(slots=True, eq=False)
class TargetMetadata:
    """What `env.py` compares the database with.

    Attributes:
        chunk: The statement's chunk.
        statement: The statement.
        node: The value.
        value: The same, as a symbolic value.
    """

    chunk: Chunk
    statement: ast.Assign | ast.AnnAssign
    node: ast.expr
    value: Value

    def metadata(self, workspace: Workspace, file: File) -> list[MetadataId] | None:
        """The `MetaData` that it is, or the several of a list; None when one is not known."""
        values = self.value.items if type(self.value) is Sequence else (self.value,)
        found = [metadata_of(workspace.resolver, value, file) for value in values]
        return None if None in found else [each for each in found if each is not None]


def target_metadata(unit: Unit, file: File, workspace: Workspace) -> Iterator[TargetMetadata]:
    """The fact of an `env.py`, in the unit that binds the name last."""
    if unit.kind != "leaf" or os.path.basename(file.file_id) != "env.py":
        return
    workspace.resolver.keys.update(((file.file_id, "target_metadata"), (file.file_id, "context")))
    bindings = file.facts.names.get("target_metadata")
    if (
        not bindings
        or len(bindings) != 1
        or bindings[0].chunk is not unit.chunk
        or "context" not in file.facts.names
    ):
        return
    said = named_in(bindings[0], "target_metadata")
    if said is not None and bindings[0].value is not UNKNOWN:
        yield TargetMetadata(said.chunk, said.statement, said.node, bindings[0].value)


def imported_with(workspace: Workspace, file: File) -> frozenset[str] | None:
    """The files that are imported when a file runs, through others as well; None where some may be that the source does
    not name."""
    return workspace.resolver.gathered(
        f"imported with {file.file_id}", lambda: _closure(workspace, file.file_id)
    )


def _closure(workspace: Workspace, start: str) -> frozenset[str] | None:
    resolver, modules = workspace.resolver, workspace.modules
    seen: set[str] = set()
    todo = [start]
    while todo:
        file_id = todo.pop()
        if file_id in seen or file_id.endswith(("/", "\\")):
            continue
        seen.add(file_id)
        file = workspace.file(file_id)
        resolver.keys.add((file_id, "*imports"))
        if file is None:
            continue
        if any(name in file.facts.called_names() for name in _AT_RUN_TIME):
            return None
        for module, name in file.facts.imports():
            if module.partition(".")[0] in _AT_RUN_TIME_MODULES:
                return None
            target = resolver.module(module, file)
            if target is None:
                continue
            todo += [target, *_packages(workspace, target)]
            inner = modules.submodule(target, name) if name not in ("", "*") else None
            if inner is not None:
                todo.append(inner)
    return frozenset(seen)


def _packages(workspace: Workspace, file_id: str) -> Iterator[str]:
    """The packages that are imported before a module is."""
    folder = os.path.dirname(file_id)
    while "__init__.py" in workspace.names_in(folder):
        yield os.path.join(folder, "__init__.py")
        parent = os.path.dirname(folder)
        if parent == folder:
            return
        folder = parent


def only_owner(workspace: Workspace, found: set[MetadataId | None], env: str) -> tuple[str, str, str] | None:
    """The module, the name and the ending of what has the only one of these: `("shop.base", "Base", ".metadata")`.

    Args:
        workspace: All files.
        found: The `MetaData` of all tables.
        env: The file that shall import it.
    """
    only = next(iter(found)) if len(found) == 1 else None
    file = workspace.file(only[0]) if only is not None and only[1].isidentifier() else None
    if only is None or file is None:
        return None
    module = workspace.modules.dotted(only[0])
    if workspace.modules.find(module, env) != only[0]:
        return None
    if file.facts.class_(only[1]) is not None:
        return module, only[1], ".metadata"
    bound = file.facts.value_of(only[1])
    value = bound[0] if bound is not None else None
    made = workspace.resolver.external_name(value.func, file) if type(value) is Call else None
    endings = {"sqlalchemy.orm.declarative_base": ".metadata", "sqlalchemy.MetaData": ""}
    return (module, only[1], endings[made]) if made in endings else None
