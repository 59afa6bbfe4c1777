"""The house's `dataclass` does what the standard library's does, where the house uses it."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import pytest

from sqlalchemy_guard import records


def classes(of: Any) -> tuple[Any, Any, Any]:
    """The same three classes, made by one of both."""

    @of.dataclass(frozen=True, slots=True)
    class Point:
        x: int
        y: int = 2
        note: str = of.field(default="", compare=False, repr=False)
        tags: dict[str, int] = of.field(default_factory=dict, hash=False)

        @property
        def total(self) -> int:
            return self.x + self.y

    @of.dataclass(eq=False)
    class Entity:
        kinds: ClassVar[list[str]] = []
        name: str
        parts: list[str] = of.field(init=False, default_factory=list)
        size: int = of.field(init=False, default=0)
        label: str = of.field(init=False)

        def __post_init__(self) -> None:
            self.label = self.name.upper()

    @of.dataclass(slots=True, frozen=True)
    class Near(Point):  # type: ignore[valid-type, misc]
        z: int = 5

    return Point, Entity, Near


BOTH = pytest.mark.parametrize("of", [records, dataclasses], ids=["ours", "theirs"])


@BOTH
def test_values(of: Any) -> None:
    point, _, near = classes(of)
    one, other = point(1), point(x=1, y=2, note="other")
    assert (one.x, one.y, one.note, one.tags, one.total) == (1, 2, "", {}, 3)
    assert one == other
    assert hash(one) == hash(other)
    assert one != point(1, 3)
    assert point(1, tags={"a": 1}) != one
    assert one != (1, 2, {})
    assert one.tags is not other.tags
    assert repr(one).endswith("Point(x=1, y=2, tags={})")
    assert point.__match_args__ == ("x", "y", "note", "tags")
    assert of.replace(other, y=7) == point(1, 7)
    assert of.replace(other, y=7).note == "other"
    assert not hasattr(one, "__dict__")
    assert near(1) != one
    assert near(1, z=6).z == 6
    assert [each.name for each in of.fields(near)] == ["x", "y", "note", "tags", "z"]
    with pytest.raises(TypeError):
        point()
    with pytest.raises(TypeError):
        point(1, unknown=2)


@BOTH
def test_entities(of: Any) -> None:
    _, entity, _ = classes(of)
    one, other = entity("a"), entity("a")
    assert one != other
    assert len({one, other}) == 2
    assert (one.label, one.size, one.parts) == ("A", 0, [])
    one.parts.append("b")
    assert other.parts == []
    assert entity.size == 0
    assert not hasattr(entity, "parts")
    assert repr(one).endswith("Entity(name='a', parts=['b'], size=0, label='A')")
    one.extra = 1
    assert entity.__match_args__ == ("name",)
