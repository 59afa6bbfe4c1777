"""The classes below a class, across the known files.

This module must never ask what a class is mapped to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sqlalchemy_guard.project.mentions import SUBCLASS, last_name
from sqlalchemy_guard.project.types import ClassType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy_guard.project.resolve import Key, Resolver, SourceFile


class Mentioning(Protocol):
    """Who knows which files mention something."""

    def mentioning(self, key: Key) -> Iterable[SourceFile]:
        """The known files that mention it."""


def subclasses(resolver: Resolver, files: Mentioning, ref: tuple[str, str]) -> list[tuple[str, str]]:
    """The direct subclasses of a class, and those that name as base another class of the same name below it."""
    name = ref[1].rpartition(".")[2]
    resolver.keys.add((SUBCLASS, name))
    found: list[tuple[str, str]] = []
    for file in files.mentioning((SUBCLASS, name)):
        for qualname, classes in list(file.facts.classes.items()):
            if any(last_name(base) == name for base in classes[-1].bases):
                child = (file.file_id, qualname)
                if ref in resolver.ancestors(ClassType(child))[1:]:
                    found.append(child)
    return found
