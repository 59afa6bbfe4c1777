"""Relationships as SQLAlchemy configures them: direction, collection or not, by the foreign keys of both sides' tables.

The join is found as `relationship()` finds it: by the only foreign key between the tables, the nearer table first where
classes inherit, by the keys that `foreign_keys` or the conditions name, and by `secondary`. What cannot be told is None: this
module must never guess, and never judge.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Call, Const
from sqlalchemy_guard.project import relationship_columns
from sqlalchemy_guard.project.joins import Link, identity, is_among, links_of
from sqlalchemy_guard.project.relationships import annotated_as, registry_of, relationship_of, target_of
from sqlalchemy_guard.project.tables import mapped_parents, table_of
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from sqlalchemy_guard.project.registries import ClassId
    from sqlalchemy_guard.project.relationships import Relationship
    from sqlalchemy_guard.project.table_columns import TableColumn
    from sqlalchemy_guard.project.tables import Table
    from sqlalchemy_guard.project.workspace import Workspace


class Direction(Enum):
    """Which side holds the foreign key."""

    MANYTOONE = "many-to-one"
    ONETOMANY = "one-to-many"
    MANYTOMANY = "many-to-many"


class Fault(Enum):
    """Why there is no join."""

    NO_KEY = "no foreign key links the tables"
    SEVERAL_KEYS = "several foreign keys link the tables"


@dataclass(frozen=True, slots=True)
class Configured:
    """A relationship with its two sides.

    Attributes:
        target: The class that it leads to, None when that is not known.
        direction: Which side holds the key, None when that cannot be told.
        links: The keys that it follows; those to choose from where there are several.
        fault: Why there is no join, None where there is one or that cannot be told.
    """

    target: ClassId | None
    direction: Direction | None = None
    links: tuple[Link, ...] = ()
    fault: Fault | None = None

    @property
    def nullable(self) -> bool | None:
        """Whether the single object of a many-to-one may be missing; None when that cannot be told."""
        if self.direction is not Direction.MANYTOONE or not self.links:
            return None
        said = [link.nullable for link in self.links]
        return True if True in said else None if None in said else False


def configured(workspace: Workspace, relationship: Relationship) -> Configured:
    """What a relationship is for the class that declares it."""
    owner = relationship.owner_id
    key = ("relationship", owner, relationship.name)
    return workspace.resolver.remembered(key, lambda: _configure(workspace, relationship, owner))


def is_collection(workspace: Workspace, relationship: Relationship) -> bool | None:
    """Whether the attribute holds a collection: what `uselist` or the annotation says, else what the keys say."""
    said = relationship.constant("uselist")
    if isinstance(said, bool):
        return said
    written = annotated_as(workspace.resolver, relationship)
    if written is not None and written.collection is not None:
        return written.collection
    direction = configured(workspace, relationship).direction
    return None if direction is None else direction is not Direction.MANYTOONE


def is_backref_collection(workspace: Workspace, source: ClassId, name: str) -> bool | None:
    """Whether the attribute that a class's `backref` makes on the other side holds a collection; None when that is not known.

    Args:
        workspace: The files.
        source: The class with the `backref`.
        name: The attribute that it makes.
    """
    found = workspace.resolver.class_facts(source)
    for attribute in found[0].attributes.values() if found is not None else ():
        value = attribute.value
        given = value.keyword("backref") if type(value) is Call else None
        if type(given) is Call:
            given = given.args[0] if given.args else given.keyword("name")
        if found is None or given != Const(name):
            continue
        declared = relationship_of(workspace.resolver, attribute, *found)
        direction = configured(workspace, declared).direction if declared is not None else None
        return None if direction is None else direction is not Direction.ONETOMANY
    return None


def mapped_tables(workspace: Workspace, ref: ClassId) -> list[Table] | None:
    """The tables that a class is mapped to, its own first, then those that it is joined with; None when unknown."""
    own = table_of(workspace, ref)
    if own is None:
        return None
    found = [own]
    for parent in mapped_parents(workspace.resolver, ref):
        table = table_of(workspace, parent)
        if table is None:
            return None
        if not is_among(table, found):
            found.append(table)
    return found


def _configure(workspace: Workspace, relationship: Relationship, owner: ClassId) -> Configured:
    target = target_of(workspace.resolver, relationship)
    if target is None:
        return Configured(None)
    if not relationship.is_readable:
        return Configured(target)
    if relationship.argument("secondary") is not None:
        return Configured(target, Direction.MANYTOMANY)
    here, there = mapped_tables(workspace, owner), mapped_tables(workspace, target)
    if here is None or there is None:
        return Configured(target)
    named = relationship_columns.foreign_columns(
        workspace, relationship, registry_of(workspace.resolver, relationship)
    )
    if named is not None:
        if not named:
            return Configured(target)
        return _by_columns(workspace, relationship, target, here, there, named)
    links, complete = _links_between(workspace, here, there)
    if len(links) != 1:
        fault = (Fault.SEVERAL_KEYS if links else Fault.NO_KEY) if complete else None
        return Configured(target, None, links, fault)
    # Were there another key, in a part that was not understood, SQLAlchemy would refuse to choose.
    return Configured(target, _direction(workspace, relationship, here, there, links), links)


def _links_between(
    workspace: Workspace, here: list[Table], there: list[Table]
) -> tuple[tuple[Link, ...], bool]:
    """The foreign keys between two mapped classes as SQLAlchemy collects them: those of the class's own table come first."""
    complete = True
    for subset in ([here[0]], here):
        found: dict[object, Link] = {}
        pairs = [(subset, there), (there, subset)]
        for holders, referred in pairs:
            for holder in holders:
                links, understood = links_of(workspace, holder)
                complete = complete and understood
                for link in links:
                    if is_among(link.target, referred):
                        names = tuple(column.name for column in link.columns)
                        found[identity(link.table), names, identity(link.target)] = link
        if found:
            return tuple(found.values()), complete
    return (), complete


def _by_columns(
    workspace: Workspace,
    relationship: Relationship,
    target: ClassId,
    here: list[Table],
    there: list[Table],
    named: list[tuple[Table, TableColumn]],
) -> Configured:
    """The join along columns that the relationship itself says are foreign."""
    links = [
        link
        for table in {identity(table): table for table, _ in named}.values()
        for link in links_of(workspace, table).links
        if all(_is_named(table, column, named) for column in link.columns)
        and is_among(link.target, (*here, *there))
    ]
    ours = all(is_among(table, here) for table, _ in named)
    theirs = all(is_among(table, there) for table, _ in named)
    if ours and theirs:
        return Configured(target, _by_remote_side(workspace, relationship, named), tuple(links))
    if ours or theirs:
        return Configured(target, Direction.MANYTOONE if ours else Direction.ONETOMANY, tuple(links))
    return Configured(target)


def _direction(
    workspace: Workspace,
    relationship: Relationship,
    here: list[Table],
    there: list[Table],
    links: tuple[Link, ...],
) -> Direction | None:
    (link,) = links
    ours, theirs = is_among(link.table, here), is_among(link.table, there)
    if ours and theirs:
        return _by_remote_side(workspace, relationship, [(link.table, column) for column in link.columns])
    return Direction.MANYTOONE if ours else Direction.ONETOMANY


def _by_remote_side(
    workspace: Workspace, relationship: Relationship, foreign: list[tuple[Table, TableColumn]]
) -> Direction | None:
    """The direction of a relationship between rows of one table: remote is the foreign key, unless something is said."""
    registry = registry_of(workspace.resolver, relationship)
    remote = relationship_columns.remote_columns(workspace, relationship, registry)
    if remote is None:
        return Direction.ONETOMANY
    if not remote:
        return None
    named = [_is_named(table, column, foreign) for table, column in remote]
    if all(named):
        return Direction.ONETOMANY
    return None if any(named) else Direction.MANYTOONE


def _is_named(table: Table, column: TableColumn, named: list[tuple[Table, TableColumn]]) -> bool:
    """Whether a column is one of these."""
    return any(column.name == each.name and identity(table) == identity(other) for other, each in named)
