"""Bind what is interpolated into SQL: `text(f"… '{x}'")` becomes `text("… :x").bindparams(x=x)`.

Only what stands in the place of a value is bound, and only in text that is written out in one expression. This module
must never decide whether an interpolation is wrong.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.naming import fresh
from sqlalchemy_guard.fixes.sql_literals import Expression, Interpolation, UnknownFormError, interpolation
from sqlalchemy_guard.project.sql_scan import HOLE, Placeholder, Position, can_bind, placeholders
from sqlalchemy_guard.records import NamedTuple, dataclass, field
from sqlalchemy_guard.text.edit import Edit
from sqlalchemy_guard.text.patterns import lazy_pattern
from sqlalchemy_guard.text.words import snake_case

if TYPE_CHECKING:
    from sqlalchemy_guard.fixes.source import Source

_BOUND = lazy_pattern(r"(?<![:\w\\]):(\w+)(?!:)")


class Judged(NamedTuple):
    """What is known of an interpolated expression.

    Attributes:
        stays: Whether it needs no binding.
        kind: `"text"`, `"object"` for anything else, None when its type is not known.
    """

    stays: bool
    kind: str | None


Judge = Callable[[ast.expr], Judged]


@dataclass(slots=True)
class Binding:
    """How the values of a text are bound.

    Attributes:
        edits: What changes in the text itself.
        arguments: The arguments of `bindparams()`.
        names: The bound names.
        lists: Of these the names that stand for several values.
        doubt: Why the values may mean something else when they are bound, empty when they cannot.
    """

    edits: list[Edit] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)
    doubt: str = ""

    def call(self, bindparam: str) -> str:
        """`.bindparams(…)`, with the name that `bindparam` has in the file."""
        return f".bindparams({', '.join(self.arguments)})".replace(HOLE, bindparam)


def bind(source: Source, node: ast.expr, shift: int, judge: Judge, *, escapes: bool) -> Binding | None:
    """Bind the values of an interpolated text; None when one of them cannot be bound.

    Args:
        source: The text.
        node: The expression that writes the SQL.
        shift: Of the chunk it comes from.
        judge: Says what is known of an expression.
        escapes: Whether a colon before a word meant itself until now, and must be escaped.
    """
    try:
        found = interpolation(source, node, shift, HOLE)
        text = found.text
        if not can_bind(text) or HOLE not in text:
            return None
        return _Binder(source, found, judge, escapes).bind()
    except UnknownFormError:
        return None


class _Binder:
    def __init__(self, source: Source, found: Interpolation, judge: Judge, escapes: bool) -> None:
        self.source = source
        self.found = found
        self.judge = judge
        self.escapes = escapes
        self.text = found.text
        self.binding = Binding()
        self.taken = set(_BOUND.findall(self.text))
        self.known: dict[str, str] = {}
        self.replaced: list[tuple[int, int]] = []

    def bind(self) -> Binding | None:
        places = placeholders(self.text)
        expressions = dict(zip([place.at for place in places], self.found.expressions, strict=True))
        kept = 0
        done: set[int] = set()
        for place in places:
            if place.at in done:
                continue
            together = [other for other in places if place.start <= other.at < place.end] or [place]
            done.update(other.at for other in together)
            if all(self._stays(other, expressions[other.at]) for other in together):
                kept += len(together)
                continue
            if not place.is_bindable or place.position in (Position.NAME, Position.BIND):
                return None
            self._place(place, [expressions[other.at] for other in together])
        if not self.binding.names or (kept and self.found.style != "f-string"):
            return None
        self._escape()
        if not kept:
            self._plain()
        return self.binding

    def _stays(self, place: Placeholder, expression: Expression) -> bool:
        if place.position in (Position.NAME, Position.BIND):
            if expression.node is None or not self.judge(expression.node).stays:
                self._doubt("a part that is not bound stays")
            return True
        return expression.node is not None and self.judge(expression.node).stays

    def _doubt(self, reason: str) -> None:
        self.binding.doubt = self.binding.doubt or reason

    def _place(self, place: Placeholder, expressions: list[Expression]) -> None:
        start, end = place.start, place.end
        nodes = [expression.node for expression in expressions]
        if any(node is None for node in nodes):
            raise UnknownFormError
        first = nodes[0]
        assert first is not None
        items = _items(expressions[0]) if len(expressions) == 1 else None
        if items is not None and (place.position is Position.LIST or self._is_quoted_list(place, items)):
            if place.quoted:
                start, end = start - 1, end + 1
            if not (items.is_quoted or place.quoted or items.is_converted):
                self._doubt("the values keep their own type")
            name = self._name(items.node, items.text, is_list=True)
        elif place.position is Position.LIST or items is not None:
            raise UnknownFormError
        else:
            value = self._value(place, expressions)
            self._weigh(place, first)
            name = self._name(first, value, is_list=False)
        self._replace(start, end, f":{name}")

    def _is_quoted_list(self, place: Placeholder, items: _Items) -> bool:
        """`IN ('{"', '".join(names)}')`"""
        around = self.text[place.start - 1 : place.start], self.text[place.end : place.end + 1]
        return place.quoted and items.is_split and place.end - place.start == 3 and around == ("(", ")")

    def _weigh(self, place: Placeholder, node: ast.expr) -> None:
        kind = self.judge(node).kind
        if place.quoted and place.end - place.start == 3 and kind == "object":
            self._doubt("the value keeps its own type")
        elif not place.quoted and kind == "text":
            self._doubt("the value is bound as a string")

    def _value(self, place: Placeholder, expressions: list[Expression]) -> str:
        """The Python expression for the whole of a literal."""
        inside = self.text[place.start + 1 : place.end - 1] if place.quoted else HOLE
        if inside == HOLE:
            return expressions[0].text
        texts = [expression.text for expression in expressions]
        joined = "".join(texts) + inside
        quote = next((mark for mark in ('"', "'") if mark not in joined), None)
        if quote is None or "\\" in joined or "\n" in joined:
            raise UnknownFormError
        parts = inside.replace("{", "{{").replace("}", "}}").split(HOLE)
        body = parts[0] + "".join(
            f"{{{' ' if text.startswith('{') else ''}{text}}}{part}"
            for text, part in zip(texts, parts[1:], strict=True)
        )
        return f"f{quote}{body}{quote}"

    def _name(self, node: ast.expr, value: str, *, is_list: bool) -> str:
        """A bound name for a value; the same one for the same plain expression."""
        known = self.known.get(value)
        if known is not None and isinstance(node, (ast.Name, ast.Attribute)):
            return known
        name = fresh(_derived(node), self.taken)
        self.taken.add(name)
        self.known[value] = name
        self.binding.names.append(name)
        if is_list:
            self.binding.lists.append(name)
            self.binding.arguments.append(f'{HOLE}("{name}", {value}, expanding=True)')
            # Positional arguments come before keywords.
            self.binding.arguments.sort(key=lambda argument: not argument.startswith(HOLE))
        else:
            self.binding.arguments.append(f"{name}={value}")
        return name

    def _replace(self, start: int, end: int, new: str) -> None:
        units = self.found.units[start:end]
        hole = next(unit for unit in units if unit.char == HOLE)
        if self.found.style != "+" and any(unit.literal != hole.literal for unit in units):
            raise UnknownFormError
        following = self.text[end : end + 1]
        if following.isalnum() or following in ("_", ":"):
            raise UnknownFormError
        last = units[-1].end
        if self.found.style == "+" and units[-1].char == HOLE and end == len(self.found.units):
            new += self.found.literals[hole.literal].quote
        self.replaced.append((start, end))
        self.binding.edits.append(Edit(units[0].start, last, new))

    def _untouched(self) -> list[int]:
        inside = {at for start, end in self.replaced for at in range(start, end)}
        return [at for at in range(len(self.found.units)) if at not in inside]

    def _escape(self) -> None:
        """Colons that `text()` would read as the mark of a bound name."""
        if not self.escapes:
            return
        colons = {match.start() for match in _BOUND.finditer(self.text)}
        for at in self._untouched():
            if at in colons:
                unit = self.found.units[at]
                raw = self.found.literals[unit.literal].is_raw
                self.binding.edits.append(Edit(unit.start, unit.start, "\\" if raw else "\\\\"))

    def _plain(self) -> None:
        """Nothing is interpolated any more: the text becomes an ordinary literal."""
        for at in self._untouched():
            unit = self.found.units[at]
            if unit.doubled:
                self.binding.edits.append(Edit(unit.start, unit.end, unit.char))
        for literal in self.found.literals:
            if literal.is_formatted:
                prefix = literal.prefix.replace("f", "").replace("F", "")
                self.binding.edits.append(Edit(literal.start, literal.start + len(literal.prefix), prefix))
        if self.found.removed is not None:
            self.binding.edits.append(Edit(*self.found.removed, ""))


class _Items(NamedTuple):
    """The values of a list that was joined to text.

    Attributes:
        text: A Python expression for the list of them.
        node: What the list is named after.
        is_quoted: Whether every value was put into quotes.
        is_split: Whether quotes stand between the values, but not around the whole.
        is_converted: Whether values that are no strings were turned into text.
    """

    text: str
    node: ast.expr
    is_quoted: bool = False
    is_split: bool = False
    is_converted: bool = False


def _items(expression: Expression) -> _Items | None:
    """The list behind `", ".join(…)` or `tuple(…)`."""
    match expression.node:
        case ast.Call(
            func=ast.Attribute(value=ast.Constant(value=str(separator)), attr="join"),
            args=[items],
            keywords=[],
        ) if separator.replace("'", "").strip() == ",":
            return _joined(items, is_split="'" in separator)
        case ast.Call(func=ast.Name(id="tuple"), args=[items], keywords=[]):
            return _Items(f"list({ast.unparse(items)})", items, is_quoted=True)
    return None


def _joined(items: ast.expr, *, is_split: bool) -> _Items | None:
    match items:
        case ast.Call(func=ast.Name(id="map"), args=[ast.Name(id="str"), values], keywords=[]):
            return _Items(f"list({ast.unparse(values)})", values, is_split=is_split, is_converted=True)
        case (
            ast.GeneratorExp(elt=element, generators=generators)
            | ast.ListComp(elt=element, generators=generators)
        ):
            quoted, inner = _unquoted(element)
            converted = inner is not element and not quoted
            first = generators[0]
            if (
                len(generators) == 1
                and not first.ifs
                and not first.is_async
                and isinstance(inner, ast.Name)
                and isinstance(first.target, ast.Name)
                and inner.id == first.target.id
            ):
                text = f"list({ast.unparse(first.iter)})"
            else:
                text = ast.unparse(ast.ListComp(elt=inner, generators=generators))
            return _Items(text, first.iter, quoted, is_split, converted)
        case ast.Name() | ast.Attribute() | ast.Subscript() | ast.Call():
            return _Items(f"list({ast.unparse(items)})", items, is_split=is_split)
    return None


def _unquoted(element: ast.expr) -> tuple[bool, ast.expr]:
    """The value of an item without the quotes or the `str()` around it."""
    match element:
        case ast.Call(func=ast.Name(id="str"), args=[inner], keywords=[]):
            return False, inner
        case ast.Call(func=ast.Name(id="repr"), args=[inner], keywords=[]):
            return True, inner
        case ast.JoinedStr(
            values=[
                ast.Constant(value="'"),
                ast.FormattedValue(value=inner, conversion=-1, format_spec=None),
                ast.Constant(value="'"),
            ]
        ):
            return True, inner
        case ast.JoinedStr(values=[ast.FormattedValue(value=inner, conversion=-1, format_spec=None)]):
            return False, inner
        case ast.BinOp(
            left=ast.Constant(value="'%s'"), op=ast.Mod(), right=ast.Name() | ast.Attribute() as inner
        ):
            return True, inner
    return False, element


def _derived(node: ast.expr) -> str:
    """A name for a value, after the expression that gives it."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            pass
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            pass
        case ast.Subscript(value=inner) | ast.Await(value=inner) | ast.Starred(value=inner):
            return _derived(inner)
        case ast.Call(func=ast.Name(), args=[inner, *_]):
            return _derived(inner)
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(name)), *_]):
            pass
        case ast.Call(func=ast.Attribute(value=inner)):
            return _derived(inner)
        case _:
            name = "value"
    name = re.sub(r"\W+", "_", snake_case(name), flags=re.ASCII).strip("_") or "value"
    if name[0].isdigit():
        name = f"value_{name}"
    return f"{name}_" if keyword.iskeyword(name) or name == "self" else name
