"""Mending a `back_populates` without its counterpart: another name, a keyword on the other side, or the side itself.

None wherever it is not clear which two sides belong together. This module must never know a rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.arguments import add_keyword, replace_argument
from sqlalchemy_guard.fixes.back_reference import OtherSide, is_writable, other_side, write
from sqlalchemy_guard.fixes.file_source import source_of
from sqlalchemy_guard.fixes.naming import nearest
from sqlalchemy_guard.project.partners import Mismatch, Mismatched, candidates
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.relationships import Relationship
    from sqlalchemy_guard.project.workspace import Workspace
    from sqlalchemy_guard.text.edit import Edit


@dataclass(frozen=True, slots=True)
class Remedy:
    """What makes two sides name each other.

    Attributes:
        title: What is done.
        name: Another name to write on this side.
        other: A relationship that is to name this one.
        side: A side that is to be written.
    """

    title: str
    name: str | None = None
    other: Relationship | None = None
    side: OtherSide | None = None


def remedy_of(
    workspace: Workspace, relationship: Relationship, found: Mismatched, source: Source, *, typed: bool
) -> Remedy | None:
    """What mends a mismatch.

    Args:
        workspace: The files.
        relationship: The side that names another.
        found: What is wrong with that.
        source: The text of this side's file.
        typed: Whether a new side gets an annotation.
    """
    if not any(each.arg == "back_populates" for each in relationship.node.keywords):
        return None
    if found.kind is Mismatch.ONE_SIDED and found.other is not None:
        other = found.other
        title = f"Name `{relationship.name}` in `{other.owner.name}.{other.name}`"
        return Remedy(title, other=other) if _takes_keyword(other) else None
    if found.kind in (Mismatch.OTHER_CLASS, Mismatch.OTHER_KEYS):
        return None
    others = list(candidates(workspace, relationship, found.target))
    answering = [each for each in others if each.constant("back_populates") == relationship.name]
    if len(answering) == 1:
        return Remedy(f"Write `{answering[0].name}`", answering[0].name)
    free = {
        each.name: each
        for each in others
        if each.value("back_populates") is None and each.value("backref") is None and _takes_keyword(each)
    }
    meant = nearest(found.name, free) if not answering else None
    if meant is not None:
        return Remedy(f"Write `{meant}`", meant, free[meant])
    if found.kind is not Mismatch.MISSING or answering:
        return None
    side = other_side(workspace, relationship, found.name, {}, source, typed=typed)
    if side is None or not is_writable(workspace, side, source_of(workspace, side.destination.file)):
        return None
    return Remedy(f"Declare `{side.destination.facts.name}.{side.name}`", side=side)


def _takes_keyword(relationship: Relationship) -> bool:
    """Whether the call may be told `back_populates`."""
    return relationship.is_readable and relationship.kind != "sqlmodel.Relationship"


def apply_remedy(
    workspace: Workspace, relationship: Relationship, remedy: Remedy, source: Source
) -> dict[str, tuple[Edit, ...]] | None:
    """The edits by file; None where a new side has no place."""
    edits: dict[str, tuple[Edit, ...]] = {}
    if remedy.name is not None:
        keyword = next(each for each in relationship.node.keywords if each.arg == "back_populates")
        text = f"back_populates={source.quote}{remedy.name}{source.quote}"
        shift = relationship.attribute.chunk.shift
        edits[relationship.file.file_id] = replace_argument(
            source, relationship.node, keyword, text, shift, relationship.statement
        )
    other = remedy.other
    file = workspace.file(other.file.file_id) if other is not None else None
    if other is not None and file is not None:
        there = source_of(workspace, file)
        text = f"{there.quote}{relationship.name}{there.quote}"
        shift = other.attribute.chunk.shift
        added = add_keyword(there, other.node, "back_populates", text, shift, other.statement)
        edits[file.file_id] = (*edits.get(file.file_id, ()), *added)
    if remedy.side is not None:
        destination = remedy.side.destination.file
        written = write(workspace, remedy.side, source_of(workspace, destination))
        if written is None:
            return None
        edits[destination.file_id] = written
    return edits
