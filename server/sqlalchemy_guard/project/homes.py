"""Where the objects stand that modules keep by a name: the same object is the same home, whatever it is called elsewhere.

Two engines, bases or registries that are made alike are two. This module must never know what an object is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, ClassName, Ref, Value
from sqlalchemy_guard.project.types import ModuleType

if TYPE_CHECKING:
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

Home = tuple[str, str]
"""A file and a name of its module."""
_FURTHEST = 12


def home_of(resolver: Resolver, value: Value, file: SourceFile) -> Home | None:
    """Where the object that a name stands for was first given one, through imports and other names; None for what no
    module names."""
    home: Home | None = None
    for _ in range(_FURTHEST):
        if type(value) is ClassName:
            value = resolver.meant_in_class(value, file)
        target: str | None = None
        if type(value) is Attr:
            base = resolver.type_of(value.base, file)
            target = base.file_id if isinstance(base, ModuleType) else None
        elif type(value) is Ref:
            target = resolver.module(value.module, file) if value.module else file.file_id
        found = resolver.binding(target, value.name) if target is not None else None  # type: ignore[attr-defined]
        if target is None or found is None:
            return home
        home = (target, value.name)  # type: ignore[attr-defined]
        value, file = found
    return home
