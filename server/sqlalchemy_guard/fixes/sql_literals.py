"""The characters of interpolated text with their places in the source: f-strings, `%`, `format()`, `+`.

Escapes are decoded, literals that stand side by side are one text, and every interpolated expression is one character.
This module must never know SQL, nor change a text.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.scan import field_end
from sqlalchemy_guard.records import NamedTuple, dataclass, field
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    import re

    from sqlalchemy_guard.fixes.source import Source

_PREFIX = lazy_pattern(r"([rRbBuUfFtT]{0,2})('''|\"\"\"|'|\")")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "\n": ""}
_PERCENT = lazy_pattern(r"%(?:(?P<percent>%)|(?:\((?P<name>\w+)\))?(?P<kind>s))")
_FIELD = lazy_pattern(r"\{(?P<name>\w*)\}")


class UnknownFormError(Exception):
    """The text is put together in a way that is not known here."""


class Literal(NamedTuple):
    """A string literal: where its body starts and ends, its quote, and whether it is an f-string or raw."""

    start: int
    body: int
    body_end: int
    end: int
    quote: str
    prefix: str

    @property
    def is_formatted(self) -> bool:
        """Whether braces mean something."""
        return "f" in self.prefix.lower()

    @property
    def is_raw(self) -> bool:
        """Whether a backslash means itself."""
        return "r" in self.prefix.lower()


class Unit(NamedTuple):
    """One character and the text that it is written as; `doubled` for `{{`, `}}` and `%%`."""

    char: str
    start: int
    end: int
    literal: int
    doubled: bool = False


class Expression(NamedTuple):
    """An interpolated expression: its node, parsed by itself, and its text. None when it is formatted in any way."""

    node: ast.expr | None
    text: str


@dataclass(slots=True)
class Interpolation:
    """Text with interpolated expressions.

    Attributes:
        hole: The character that stands for an expression.
        units: The characters.
        expressions: The expressions, in the order of their characters.
        literals: The literals.
        removed: What goes when no expression is left: the operator or method call behind the literal.
        style: How the text is put together: f-string, %, format or +.
    """

    hole: str
    units: list[Unit] = field(default_factory=list)
    expressions: list[Expression] = field(default_factory=list)
    literals: list[Literal] = field(default_factory=list)
    removed: tuple[int, int] | None = None
    style: str = "f-string"

    @property
    def text(self) -> str:
        """The characters."""
        return "".join(unit.char for unit in self.units)


def interpolation(source: Source, node: ast.expr, shift: int, hole: str) -> Interpolation:
    """The interpolation that an expression writes.

    Raises:
        UnknownFormError: it is none, or of another form.
    """
    found = Interpolation(hole)
    match node:
        case ast.JoinedStr() | ast.Constant(value=str()):
            _read(found, source, source.start(node, shift), source.end(node, shift))
        case ast.BinOp(left=ast.Constant(value=str()), op=ast.Mod()):
            found.style = "%"
            _read(found, source, source.start(node.left, shift), source.end(node.left, shift))
            _fill(found, source, node.right, shift)
            found.removed = (_closed(source, node.left, shift), source.end(node, shift))
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str()) as literal, attr="format")):
            found.style = "format"
            _read(found, source, source.start(literal, shift), source.end(literal, shift))
            _fill_fields(found, source, node, shift)
            found.removed = (_closed(source, literal, shift), source.end(node, shift))
        case ast.BinOp(op=ast.Add()):
            found.style = "+"
            _chain(found, source, node, shift)
        case _:
            raise UnknownFormError
    return found


def _closed(source: Source, node: ast.expr, shift: int) -> int:
    """The end of a literal; parentheses around it are not known here."""
    end = source.end(node, shift)
    for token in source.tokens(end, min(len(source.text), end + 200)):
        if token.kind == "close":
            raise UnknownFormError
        break
    return end


def _read(found: Interpolation, source: Source, start: int, end: int) -> None:
    """Read the literals of a part of the source."""
    text = source.text
    for token in source.tokens(start, end):
        if token.kind in ("newline", "comment"):
            continue
        opening = _PREFIX.match(text, token.start)
        if token.kind != "string" or opening is None:
            raise UnknownFormError
        body, body_end = opening.end(), token.end - len(opening[2])
        literal = Literal(token.start, body, body_end, token.end, opening[2], opening[1])
        found.literals.append(literal)
        if "b" in literal.prefix.lower() or "t" in literal.prefix.lower():
            raise UnknownFormError
        _read_body(found, text, literal, len(found.literals) - 1)


def _read_body(found: Interpolation, text: str, literal: Literal, index: int) -> None:
    at = literal.body
    while at < literal.body_end:
        char = text[at]
        if char == "\\" and not literal.is_raw:
            escaped = _ESCAPES.get(text[at + 1])
            if escaped is None:
                raise UnknownFormError
            if escaped:
                found.units.append(Unit(escaped, at, at + 2, index))
            at += 2
        elif literal.is_formatted and text[at : at + 2] in ("{{", "}}"):
            found.units.append(Unit(char, at, at + 2, index, doubled=True))
            at += 2
        elif literal.is_formatted and char == "{":
            end = field_end(text, at + 1, literal.quote)
            found.units.append(Unit(found.hole, at, end, index))
            found.expressions.append(_expression(text[at + 1 : end - 1]))
            at = end
        else:
            found.units.append(Unit(char, at, at + 1, index))
            at += 1


def _expression(text: str) -> Expression:
    try:
        return Expression(ast.parse(text.strip(), mode="eval").body, text.strip())
    except (SyntaxError, ValueError):
        # A conversion or a format specification.
        return Expression(None, text)


def _written(source: Source, node: ast.expr, shift: int) -> Expression:
    return Expression(node, source.segment(node, shift))


def _fill(found: Interpolation, source: Source, given: ast.expr, shift: int) -> None:
    """Put the operands of `%` into their places."""
    if isinstance(given, ast.Tuple):
        items = list(given.elts)
    elif isinstance(given, (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.Dict, ast.JoinedStr)):
        items = [given]
    else:
        raise UnknownFormError
    named = {}
    if isinstance(given, ast.Dict):
        for key, value in zip(given.keys, given.values, strict=True):
            if not isinstance(key, ast.Constant):
                raise UnknownFormError
            named[key.value] = value
    elif any(isinstance(item, ast.Starred) for item in items):
        raise UnknownFormError
    index = 0

    def place(match: re.Match[str]) -> ast.expr | None:
        nonlocal index
        if match["percent"]:
            return None
        index += 1
        if match["name"] is not None:
            return named.get(match["name"])
        return items[index - 1] if index <= len(items) and not named else None

    _replace(found, source, shift, _PERCENT, "%", place)
    if not named and index != len(items):
        raise UnknownFormError


def _fill_fields(found: Interpolation, source: Source, call: ast.Call, shift: int) -> None:
    """Put the arguments of `format()` into their places."""
    if any(isinstance(arg, ast.Starred) for arg in call.args) or any(k.arg is None for k in call.keywords):
        raise UnknownFormError
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    index = 0

    def place(match: re.Match[str]) -> ast.expr | None:
        nonlocal index
        name = match["name"]
        if not name:
            name, index = str(index), index + 1
        if name.isdigit():
            return call.args[int(name)] if int(name) < len(call.args) else None
        return named.get(name)

    _replace(found, source, shift, _FIELD, "{}", place)


def _replace(
    found: Interpolation,
    source: Source,
    shift: int,
    pattern: re.Pattern[str],
    marks: str,
    place: object,
) -> None:
    """Turn the placeholders of a template into holes, and doubled marks into single ones."""
    units, text = found.units, found.text
    result: list[Unit] = []
    at = 0
    while at < len(units):
        unit = units[at]
        if unit.char in marks:
            if at + 1 < len(units) and units[at + 1].char == unit.char:
                result.append(Unit(unit.char, unit.start, units[at + 1].end, unit.literal, doubled=True))
                at += 2
                continue
            match = pattern.match(text, at)
            node = place(match) if match is not None and callable(place) else None
            if match is None or not isinstance(node, ast.expr):
                raise UnknownFormError
            last = units[match.end() - 1]
            if last.literal != unit.literal:
                raise UnknownFormError
            result.append(Unit(found.hole, unit.start, last.end, unit.literal))
            found.expressions.append(_written(source, node, shift))
            at = match.end()
        else:
            result.append(unit)
            at += 1
    found.units = result


def _chain(found: Interpolation, source: Source, node: ast.BinOp, shift: int) -> None:
    """Literals and expressions with `+` between them; an expression reaches from quote to quote."""
    parts: list[ast.expr] = []
    rest: ast.expr = node
    while isinstance(rest, ast.BinOp) and isinstance(rest.op, ast.Add):
        parts.append(rest.right)
        rest = rest.left
    parts.append(rest)
    parts.reverse()
    if source.comments(source.start(node, shift), source.end(node, shift)):
        raise UnknownFormError
    for index, part in enumerate(parts):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            _read(found, source, source.start(part, shift), source.end(part, shift))
            continue
        if (
            isinstance(part, (ast.JoinedStr, ast.Constant))
            or not found.literals
            or found.units[-1].char == found.hole
        ):
            raise UnknownFormError
        before = found.literals[-1]
        after = parts[index + 1] if index + 1 < len(parts) else None
        if after is not None:
            opening = _PREFIX.match(source.text, source.start(after, shift))
            if opening is None or opening.groups() != (before.prefix, before.quote):
                raise UnknownFormError
            end = opening.end()
        else:
            end = source.end(node, shift)
        found.units.append(Unit(found.hole, before.body_end, end, len(found.literals) - 1))
        found.expressions.append(_written(source, part, shift))
