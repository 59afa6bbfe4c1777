"""What of SQL that Python puts together is dangerous: values that nothing proves harmless, names that come from outside.

This module must never report anything: it says what stands where and what it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Item, Param, Ref, Typed, Value
from sqlalchemy_guard.project.origins import Origin, Origins
from sqlalchemy_guard.project.sql_scan import HOLE, Placeholder, Position, can_bind, placeholders
from sqlalchemy_guard.project.sql_text import Interpolated, SqlText, texts_of
from sqlalchemy_guard.project.tested_values import is_checked
from sqlalchemy_guard.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import FunctionFacts
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile


class Dangers(NamedTuple):
    """What is dangerous in a text, as the code calls it (empty where it has no name).

    Attributes:
        values: What stands in the place of a value.
        names: What comes from outside and stands in the place of a name or clause.
        can_bind: Whether the statement takes bound parameters.
    """

    values: tuple[str, ...]
    names: tuple[str, ...]
    can_bind: bool


def dangers(
    resolver: Resolver, value: Value, file: SourceFile, function: FunctionFacts | None
) -> Dangers | None:
    """What is dangerous in the texts that an expression may give; None when nothing is, or when it is no SQL text.

    Args:
        resolver: Types.
        value: The expression.
        file: Where it stands.
        function: The function that it stands in, whose tests say what may pass.
    """
    found: dict[str, Position] = {}
    binds = True
    for text in texts_of(resolver, value, file):
        if not text.holes or text.text.strip() == HOLE or not any(char.isalpha() for char in text.text):
            continue
        binds = binds and can_bind(text.text)
        for name, position in _offenders(resolver, text, function, file):
            if found.get(name) is not Position.VALUE:
                found[name] = position
    if not found:
        return None
    values = tuple(name for name, position in found.items() if position is Position.VALUE)
    return Dangers(values, tuple(name for name in found if name not in values), binds)


def _offenders(
    resolver: Resolver, text: SqlText, function: FunctionFacts | None, file: SourceFile
) -> Iterator[tuple[str, Position]]:
    """What is reported of a text: how it is called, and whether it is a value or a name."""
    origins = Origins(resolver)
    bindable = can_bind(text.text)
    for place, hole in zip(placeholders(text.text), text.holes, strict=True):
        if hole.value is None or place.position is Position.BIND:
            continue
        if function is not None and is_checked(resolver, hole.value, function, file):
            continue
        is_value = bindable and (place.position is Position.VALUE or _is_list(text, place, hole))
        origin = origins.of(hole.value, hole.file)
        if is_value and origin is not Origin.HARMLESS:
            yield _described(hole.value), Position.VALUE
        elif not is_value and origin is Origin.OUTSIDE:
            yield _described(hole.value), Position.NAME


def _is_list(text: SqlText, place: Placeholder, hole: Interpolated) -> bool:
    """Whether values stand behind `IN`, and not the text `(:a, :b)` or a subquery."""
    if place.position is not Position.LIST:
        return False
    if any(word in _described(hole.value).lower() for word in ("placeholder", "bind", "query", "sql")):
        return False
    func = hole.value.func if type(hole.value) is Call else None
    return hole.is_list or text.text[place.start] == "(" or (type(func) is Ref and func.name == "tuple")


def _described(value: Value | None) -> str:
    """How the code calls a value, as far as its symbolic form tells."""
    match value:
        case Typed(value=inner):
            return _described(inner)
        case Param(name=name) | Ref(name=name):
            return name
        case Attr(base=base, name=name):
            before = _described(base)
            return f"{before}.{name}" if before else name
        case Item(base=base):
            return f"{_described(base)}[…]" if _described(base) else ""
        case Call(func=func):
            return f"{_described(func)}()" if _described(func) else ""
    return ""
