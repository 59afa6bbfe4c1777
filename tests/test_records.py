"""The house's `dataclass` and `NamedTuple` do what the standard library's do, where the house uses them."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import typing
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


class Ours(records.NamedTuple):
    """A place."""

    x: int
    y: int = 2
    tags: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return self.x + self.y


class Theirs(typing.NamedTuple):
    """A place."""

    x: int
    y: int = 2
    tags: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return self.x + self.y


@pytest.mark.parametrize("place", [Ours, Theirs])
def test_tuples_with_names(place: Any) -> None:
    one, other = place(1), place(x=1, y=2)
    assert one == other == (1, 2, ())
    assert hash(one) == hash((1, 2, ()))
    assert (one.x, one.y, one.tags, one.total, one[1], len(one)) == (1, 2, (), 3, 2, 3)
    x, *rest = one
    assert (x, rest) == (1, [2, ()])
    assert one._replace(y=5) == (1, 5, ())
    assert type(one._replace(y=5)) is place
    assert repr(one) == f"{place.__name__}(x=1, y=2, tags=())"
    assert place._fields == place.__match_args__ == ("x", "y", "tags")
    assert isinstance(one, tuple)
    assert not hasattr(one, "__dict__")
    assert copy.deepcopy(one) == one
    assert type(copy.copy(one)) is place
    assert pickle.loads(pickle.dumps(one)) == one
    assert sorted([place(2), place(1)]) == [place(1), place(2)]
    match one:
        case place(x=1, y=y):
            assert y == 2
        case _:
            pytest.fail("the pattern does not match")
    for given, named in (((), {}), ((1,), {"unknown": 2}), ((1, 2, (), 4), {}), ((1,), {"x": 1})):
        with pytest.raises(TypeError):
            place(*given, **named)
    with pytest.raises(AttributeError):
        one.x = 3
