"""Shapes: what a value is as far as its loading is known: an object, a collection, a row, or a statement.

Plain data. This module must never follow a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.project.loads import Statement
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.facts.query import RelationshipInfo
    from sqlalchemy_guard.project.loads import Entity, Load
    from sqlalchemy_guard.project.resolve import SourceFile


@dataclass(frozen=True, slots=True, eq=False)
class Hop:
    """A relationship that was followed: the class that it was read from, and the relationship."""

    owner: tuple[str, str]
    info: RelationshipInfo


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """An object.

    Attributes:
        load: What loaded its root.
        entity: The entity that its root is.
        path: The relationships from the root to it.
        ref: Its class.
        walked: Whether it is one of those that a loop or comprehension walks.
        repeated: Whether callers pass one after the other.
        alone: Whether its root was taken out of a result by itself.
        calls: The calls that passed it on, outermost first, each with its file.
    """

    load: Load
    entity: Entity
    path: tuple[Hop, ...]
    ref: tuple[str, str]
    walked: bool = False
    repeated: bool = False
    alone: bool = False
    calls: tuple[tuple[SourceFile, CallFact], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the relationships on the path."""
        return tuple(hop.info.name for hop in self.path)


@dataclass(frozen=True, slots=True, eq=False)
class Many:
    """Something to iterate; `is_mapping` for a dictionary whose values these are."""

    items: tuple[Shape, ...]
    is_mapping: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A row or another tuple: for each place what may stand there, and its name."""

    items: tuple[tuple[Shape, ...], ...]
    names: tuple[str, ...] = ()


Shape = Loaded | Many | Row | Statement
Shapes = tuple[Shape, ...]
NOTHING: Shapes = ()
