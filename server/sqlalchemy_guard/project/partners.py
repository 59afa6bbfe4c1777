"""The other side that `back_populates` names, and what is wrong with it.

Nothing is said where the other class may have attributes that nobody sees. This module must never say how to mend anything.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Call
from sqlalchemy_guard.project.columns import attribute_names
from sqlalchemy_guard.project.configured import Direction, configured
from sqlalchemy_guard.project.mentions import BACKREF, backref_calls, backref_name
from sqlalchemy_guard.project.relationships import Relationship, relationship_of, relationships_of
from sqlalchemy_guard.project.types import ClassType
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.registries import ClassId
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.project.workspace import Workspace


class Mismatch(Enum):
    """What is wrong with the other side."""

    MISSING = "no attribute of that name"
    NO_RELATIONSHIP = "the attribute is no relationship"
    ONE_SIDED = "the other side does not name this one"
    ELSEWHERE = "the other side names another attribute"
    OTHER_CLASS = "the other side leads to another class"
    OTHER_KEYS = "the other side goes another way"


@dataclass(frozen=True, slots=True)
class Mismatched:
    """A `back_populates` without its counterpart.

    Attributes:
        kind: What is wrong.
        target: The class on the other side.
        name: The attribute that should be there.
        other: The relationship of that name, None where there is none.
    """

    kind: Mismatch
    target: ClassId
    name: str
    other: Relationship | None = None


_OPPOSITE = ({Direction.MANYTOONE, Direction.ONETOMANY}, {Direction.MANYTOMANY})
"""The directions that two sides of one relationship have."""


def mismatched(workspace: Workspace, relationship: Relationship) -> Mismatched | None:
    """What is wrong with the other side of a relationship; None where nothing is, or it cannot be told."""
    name, target = relationship.constant("back_populates"), configured(workspace, relationship).target
    # An empty name is no name: nothing is looked up by it.
    if not isinstance(name, str) or not name or target is None or relationship.constant("viewonly") is True:
        return None
    resolver = workspace.resolver
    member = resolver.member(ClassType(target), name)
    if member is None:
        return Mismatched(Mismatch.MISSING, target, name) if _is_known(workspace, target, name) else None
    if member.attribute is None:
        return None
    other = relationship_of(resolver, member.attribute, member.owner, member.file)
    if other is None:
        is_column = _is_column(resolver, member.attribute.value, member.file)
        return Mismatched(Mismatch.NO_RELATIONSHIP, target, name) if is_column else None
    if not other.is_readable or other.constant("viewonly") is True:
        return None
    kind = _against(workspace, relationship, other)
    return Mismatched(kind, target, name, other) if kind is not None else None


def _is_column(resolver: Resolver, value: Value | None, file: SourceFile) -> bool:
    return type(value) is Call and resolver.external_name(value.func, file) in (
        "sqlalchemy.Column",
        "sqlalchemy.orm.mapped_column",
    )


def _against(workspace: Workspace, relationship: Relationship, other: Relationship) -> Mismatch | None:
    back = other.value("back_populates")
    if back is None:
        # Several may share an other side, which can name none of them.
        claims = [
            each
            for each in relationships_of(workspace.resolver, relationship.owner, relationship.file)
            if each.constant("back_populates") == other.name
            and configured(workspace, each).target == configured(workspace, relationship).target
        ]
        if other.value("backref") is not None or len(claims) != 1:
            return None
        pair = {configured(workspace, each).direction for each in (relationship, other)}
        if None in pair or pair in _OPPOSITE:
            return Mismatch.ONE_SIDED
        return Mismatch.OTHER_KEYS
    named = other.constant("back_populates")
    owner = configured(workspace, other).target
    if not isinstance(named, str) or owner is None:
        return None
    if named == relationship.name:
        return None if _are_related(workspace, owner, relationship.owner_id) else Mismatch.OTHER_CLASS
    if owner != relationship.owner_id or workspace.resolver.member(ClassType(owner), named) is None:
        # What the other side names and does not find is reported there; subclasses have sides of their own.
        return None
    return Mismatch.ELSEWHERE


def _are_related(workspace: Workspace, one: ClassId, other: ClassId) -> bool:
    ancestors = workspace.resolver.ancestors
    return one in ancestors(ClassType(other)) or other in ancestors(ClassType(one))


def _is_known(workspace: Workspace, target: ClassId, name: str) -> bool:
    """Whether a class is known not to get an attribute of that name from anywhere."""
    resolver = workspace.resolver
    if attribute_names(resolver, ClassType(target)) is None:
        return False
    if next(iter(workspace.stored_attributes(name)), None) is not None:
        return False
    ancestors = [
        ref[1].rpartition(".")[2] for ref in resolver.ancestors(ClassType(target)) if isinstance(ref, tuple)
    ]
    for last in ("", *ancestors):
        for file in workspace.mentioning((BACKREF, last)):
            for classes in list(file.facts.classes.values()):
                resolver.keys.update((file.file_id, each) for each in classes[-1].methods.values())
                made = [backref_name(given) for _, given, _ in backref_calls(file.facts, classes[-1])]
                if None in made or name in made:
                    return False
    return True


def candidates(workspace: Workspace, relationship: Relationship, target: ClassId) -> Iterator[Relationship]:
    """The relationships of the class on the other side that lead back to this one's class."""
    resolver = workspace.resolver
    for ref in resolver.ancestors(ClassType(target)):
        found = resolver.class_facts(ref)
        for each in relationships_of(resolver, *found) if found is not None else ():
            owner = configured(workspace, each).target
            if (
                owner is not None
                and _are_related(workspace, owner, relationship.owner_id)
                and each.attribute is not relationship.attribute
            ):
                yield each
