"""A revision file's identifiers (`revision`, `down_revision`) as a fact, at the place where they are written.

This module must never look at other revisions.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import UNKNOWN
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import Binding
    from sqlalchemy_guard.facts.units import Unit
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.syntax.chunk import Chunk


@dataclass(slots=True, eq=False)
class RevisionName:
    """Where a revision file says `revision = …`: the fact that rules about the place of a revision in its history want.

    Attributes:
        chunk: The statement's chunk.
        statement: The statement.
        node: The value.
    """

    chunk: Chunk
    statement: ast.Assign | ast.AnnAssign
    node: ast.expr


def is_revision(resolver: Resolver, file: SourceFile) -> bool:
    """Whether a file is an Alembic revision, by the two names that each one has."""
    resolver.keys.update(((file.file_id, "revision"), (file.file_id, "down_revision")))
    names = file.facts.names
    return "revision" in names and "down_revision" in names


def revision_names(unit: Unit, file: File, workspace: Workspace) -> Iterator[RevisionName]:
    """The fact of a revision file, in the unit where its id is written."""
    if unit.kind != "leaf" or not is_revision(workspace.resolver, file):
        return
    binding = file.facts.names["revision"][-1]
    if binding.chunk is unit.chunk:
        said = named_in(binding, "revision")
        if said is not None and binding.value is not UNKNOWN:
            yield said


def named_in(binding: Binding, name: str) -> RevisionName | None:
    """The statement that binds a name, and the value in it; None where it is bound in another way than `name = value`."""
    for statement in binding.chunk.body:
        if isinstance(statement, ast.Assign):
            targets: list[ast.expr] = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        else:
            continue
        value = statement.value
        if value is not None and any(isinstance(each, ast.Name) and each.id == name for each in targets):
            return RevisionName(binding.chunk, statement, value)
    return None
