"""SQL text that Python puts together: the known pieces and what stands between them, through names and helpers.

Follows f-strings, `%`, `format()`, `+`, `join()`, `string.Template` and calls of functions of the workspace back to
literals. This module must never judge what is interpolated.
"""

from __future__ import annotations

from string import Formatter
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import (
    UNKNOWN,
    Attr,
    Call,
    Collected,
    Const,
    Either,
    Item,
    Joined,
    Mapping,
    Operation,
    Param,
    Ref,
    Sequence,
    Star,
    Typed,
    Value,
)
from sqlalchemy_guard.project.sql_scan import HOLE
from sqlalchemy_guard.project.types import ClassType, FunctionType, Instance, Literal, known
from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

_ADDING = ("append", "extend", "insert")
_MAX_DEPTH = 12
_MAX_TEXTS = 12
_MAX_READS = 2000
_PERCENT = lazy_pattern(r"%(?:%|(?:\((?P<name>[^)]*)\))?[#0\- +]*[\d*]*(?:\.[\d*]+)?(?P<kind>[a-zA-Z]))")
_DOLLAR = lazy_pattern(r"\$(?:(?P<escaped>\$)|(?P<name>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)\})")
_SAME_TEXT = frozenset(
    {"strip", "lstrip", "rstrip", "lower", "upper", "expandtabs", "encode", "casefold", "title"}
)
_WRAPPERS = frozenset(
    {"textwrap.dedent", "inspect.cleandoc", "builtins.str", "typing.cast", "sqlparse.format"}
)
_NUMBERS = frozenset("diouxXeEfFgGc")


class Interpolated(NamedTuple):
    """What stands in the place of a `HOLE`.

    Attributes:
        value: The value, None for one that is formatted as a number and can hold nothing else.
        file: Where the value belongs.
        is_list: Whether the texts of several items were joined.
    """

    value: Value | None
    file: SourceFile
    is_list: bool = False


class SqlText(NamedTuple):
    """A text with a `HOLE` for each of the values."""

    text: str
    holes: tuple[Interpolated, ...]

    def __add__(self, other: object) -> SqlText:
        if not isinstance(other, SqlText):
            return NotImplemented
        return SqlText(self.text + other.text, self.holes + other.holes)


Arguments = dict[tuple[str, str, str], tuple[Value, "SourceFile"]]


def texts_of(resolver: Resolver, value: Value, file: SourceFile) -> list[SqlText]:
    """The texts that an expression may give, one for each path that they were put together on.

    An expression that is no text, or of which nothing is known, gives a single hole.
    """
    return _Reader(resolver).read(value, file, {}, 0)


class _Reader:
    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self.fuel = _MAX_READS

    def read(self, value: Value, file: SourceFile, arguments: Arguments, depth: int) -> list[SqlText]:
        """The texts of a value; `arguments` are those of the calls that led here."""
        self.fuel -= 1
        if depth > _MAX_DEPTH or self.fuel < 0:
            return [_hole(value, file)]
        value, file = self.resolver.definition_of(value, file)
        match value:
            case Const(value=constant):
                return [SqlText(str(constant), ())]
            case Typed():
                return self.read(value.value, file, arguments, depth)
            case Either():
                found = [
                    text for option in value.options for text in self.read(option, file, arguments, depth + 1)
                ]
                return found[:_MAX_TEXTS]
            case Joined(how="%", parts=(template, given)) | Operation(name="Mod", operands=(template, given)):
                return self._percent(value, template, given, file, arguments, depth)
            case Joined(parts=parts):
                return self._concatenated(parts, file, arguments, depth)
            case Operation(name="Add", operands=parts):
                return self._concatenated(parts, file, arguments, depth)
            case Param():
                bound = arguments.get((file.file_id, value.qualname, value.name))
                if bound is not None:
                    return self.read(bound[0], bound[1], arguments, depth + 1)
            case Attr():
                return self._attribute(value, file, arguments, depth)
            case Call():
                return self._call(value, file, arguments, depth)
        return [_hole(value, file)]

    def _concatenated(
        self, parts: Iterable[Value], file: SourceFile, arguments: Arguments, depth: int
    ) -> list[SqlText]:
        found = [SqlText("", ())]
        for part in parts:
            options = self.read(part, file, arguments, depth + 1)
            found = [before + option for before in found for option in options][:_MAX_TEXTS]
        return found

    def _filled(
        self, pieces: Iterable[str | Interpolated], arguments: Arguments, depth: int
    ) -> list[SqlText]:
        """Literal pieces with what is put between them."""
        found = [SqlText("", ())]
        for piece in pieces:
            if isinstance(piece, str):
                options = [SqlText(piece, ())]
            elif piece.value is None:
                options = [SqlText(HOLE, (piece,))]
            else:
                options = self.read(piece.value, piece.file, arguments, depth + 1)
            found = [before + option for before in found for option in options][:_MAX_TEXTS]
        return found

    def _template(self, value: Value, file: SourceFile, arguments: Arguments, depth: int) -> str | None:
        """The literal text of a template."""
        for text in self.read(value, file, arguments, depth + 1):
            return text.text if not text.holes else None
        return None

    def _percent(
        self, value: Value, template: Value, given: Value, file: SourceFile, arguments: Arguments, depth: int
    ) -> list[SqlText]:
        text = self._template(template, file, arguments, depth)
        if text is None:
            if type(value) is Operation:
                return [_hole(value, file)]
            return self._concatenated((template, given), file, arguments, depth)
        if type(given) is Sequence and given.kind == "tuple":
            items: list[Value | None] = list(given.items)
        else:
            items = [given]
        pieces: list[str | Interpolated] = []
        at = index = 0
        for found in _PERCENT.finditer(text):
            pieces.append(text[at : found.start()])
            at = found.end()
            if found.group().endswith("%"):
                pieces.append("%")
                continue
            item: Value | None
            if found["name"] is not None:
                item = _entry(given, found["name"])
            else:
                item = items[index] if index < len(items) else given
                index += 1
            pieces.append(Interpolated(None if found["kind"] in _NUMBERS else item, file))
        pieces.append(text[at:])
        return self._filled(pieces, arguments, depth)

    def _format(
        self, template: str, call: Call, file: SourceFile, arguments: Arguments, depth: int
    ) -> list[SqlText]:
        pieces: list[str | Interpolated] = []
        index = 0
        try:
            fields = list(Formatter().parse(template))
        except ValueError:
            return [_hole(call, file)]
        for literal, name, _, _ in fields:
            pieces.append(literal)
            if name is None:
                continue
            key, *attributes = name.partition("[")[0].split(".")
            if not key:
                key, index = str(index), index + 1
            found: Value | None = None
            if key.isdigit():
                found = call.args[int(key)] if int(key) < len(call.args) else None
            else:
                found = call.keyword(key)
            spread = next((item for name, item in call.keywords if name is None), None)
            value: Value = found or (Item(spread, Const(key)) if spread is not None else UNKNOWN)
            for attribute in attributes:
                value = Attr(value, attribute)
            pieces.append(Interpolated(value, file))
        return self._filled(pieces, arguments, depth) if fields else [SqlText(template, ())]

    def _call(self, value: Call, file: SourceFile, arguments: Arguments, depth: int) -> list[SqlText]:
        func = value.func
        if type(func) is Attr:
            if func.name in _SAME_TEXT:
                return self.read(func.base, file, arguments, depth + 1)
            if func.name in ("format", "format_map"):
                template = self._template(func.base, file, arguments, depth)
                if template is not None:
                    return self._format(template, value, file, arguments, depth)
                return self._concatenated((func.base, *value.args), file, arguments, depth)
            if func.name == "join" and len(value.args) == 1:
                return self._join(func.base, value.args[0], file, arguments, depth)
            if func.name == "replace" and len(value.args) == 2:
                return self._replaced(func.base, value, file, arguments, depth)
            if func.name in ("substitute", "safe_substitute"):
                return self._substituted(func.base, value, file, arguments, depth)
        name = self.resolver.external_name(func, file)
        if name in _WRAPPERS and value.args:
            return self.read(value.args[-1 if name == "typing.cast" else 0], file, arguments, depth + 1)
        for option in known(self.resolver.type_of(func, file)):
            if isinstance(option, FunctionType):
                returned = self._returned(option, value, file, arguments, depth)
                if returned is not None:
                    return returned
        return [_hole(value, file)]

    def _returned(
        self, function: FunctionType, call: Call, file: SourceFile, arguments: Arguments, depth: int
    ) -> list[SqlText] | None:
        """The text that a function of the workspace puts together out of its arguments."""
        source = self.resolver.sources.file(function.file_id)
        facts = source.facts.function(function.qualname) if source is not None else None
        if source is None or facts is None or facts.returned is None or facts.yielded is not None:
            return None
        self.resolver.keys.add((function.file_id, function.qualname))
        inner = dict(arguments)
        positional = [p for p in facts.parameters if p.kind == "positional"]
        if facts.owner is not None and function.bound is not None:
            positional = positional[1:]
        if not any(type(arg) is Star for arg in call.args):
            for parameter, arg in zip(positional, call.args, strict=False):
                inner[source.file_id, facts.qualname, parameter.name] = self._seen_from(arg, file, arguments)
        for parameter in facts.parameters:
            given = call.keyword(parameter.name)
            key = (source.file_id, facts.qualname, parameter.name)
            if given is not None:
                inner[key] = self._seen_from(given, file, arguments)
            elif key not in inner and parameter.default is not None and not call.has_mapping:
                inner[key] = (parameter.default, source)
        return self.read(facts.returned, source, inner, depth + 1)

    def _seen_from(self, value: Value, file: SourceFile, arguments: Arguments) -> tuple[Value, SourceFile]:
        """An argument, replaced by what the caller was handed where it only hands it on."""
        if type(value) is Param:
            return arguments.get((file.file_id, value.qualname, value.name), (value, file))
        return value, file

    def _join(
        self, separator: Value, items: Value, file: SourceFile, arguments: Arguments, depth: int
    ) -> list[SqlText]:
        between = self._template(separator, file, arguments, depth)
        items, owner = self.resolver.definition_of(items, file)
        if between is None:
            return [_hole(items, owner, is_list=True)]
        if type(items) is Sequence and not any(type(item) is Star for item in items.items):
            added = list(appended(self.resolver, items, owner)) if items.kind == "list" else []
            pieces: list[Value] = []
            for item in (*items.items, *added):
                pieces.extend((Const(between), item) if pieces else (item,))
            return self._concatenated(pieces, owner, arguments, depth)
        if type(items) is Collected and items.kind != "dict":
            texts = self.read(items.element, owner, arguments, depth + 1)
            if all(text.text == HOLE for text in texts):
                return [_hole(items.element, owner, is_list=True)]
            return texts
        return [_hole(items, owner, is_list=True)]

    def _replaced(
        self, base: Value, call: Call, file: SourceFile, arguments: Arguments, depth: int
    ) -> list[SqlText]:
        template = self._template(base, file, arguments, depth)
        mark = self._template(call.args[0], file, arguments, depth)
        if mark == "'":
            # Quotes are doubled or taken out: the whole call is what is interpolated.
            return [_hole(call, file)]
        if template is None or not mark or mark not in template:
            return self.read(base, file, arguments, depth + 1)
        pieces: list[str | Interpolated] = []
        for part in template.split(mark):
            pieces.extend((Interpolated(call.args[1], file), part) if pieces else (part,))
        return self._filled(pieces, arguments, depth)

    def _substituted(
        self, base: Value, call: Call, file: SourceFile, arguments: Arguments, depth: int
    ) -> list[SqlText]:
        made, owner = self.resolver.definition_of(base, file)
        if type(made) is not Call or self.resolver.external_name(made.func, owner) != "string.Template":
            return [_hole(call, file)]
        template = self._template(made.args[0], owner, arguments, depth) if made.args else None
        if template is None:
            return [_hole(call, file)]
        pieces: list[str | Interpolated] = []
        at = 0
        for found in _DOLLAR.finditer(template):
            pieces.append(template[at : found.start()])
            at = found.end()
            name = found["name"] or found["braced"]
            if name is None:
                pieces.append("$")
                continue
            given = call.keyword(name) or (_entry(call.args[0], name) if call.args else UNKNOWN)
            pieces.append(Interpolated(given, file))
        pieces.append(template[at:])
        return self._filled(pieces, arguments, depth)

    def _attribute(self, value: Attr, file: SourceFile, arguments: Arguments, depth: int) -> list[SqlText]:
        """A class's constant, or what `__init__` puts together for its instances."""
        for option in known(self.resolver.type_of(value, file)):
            if isinstance(option, Literal):
                break
        else:
            return [_hole(value, file)]
        for owner in known(self.resolver.type_of(value.base, file)):
            if isinstance(owner, (Instance, ClassType)) and isinstance(owner.ref, tuple):
                member = self.resolver.member(ClassType(owner.ref), value.name)
                if member is not None and member.attribute is not None and member.attribute.value is not None:
                    return self.read(member.attribute.value, member.file, arguments, depth + 1)
        return [_hole(value, file)]


def _hole(value: Value, file: SourceFile, *, is_list: bool = False) -> SqlText:
    return SqlText(HOLE, (Interpolated(value, file, is_list),))


def _entry(mapping: Value, name: str) -> Value:
    """The entry of a mapping, as far as it can be read."""
    if type(mapping) is Mapping:
        for key, item in mapping.entries:
            if type(key) is Const and key.value == name:
                return item
    if type(mapping) is Call and type(mapping.func) is Ref and mapping.func.name == "dict":
        return mapping.keyword(name) or UNKNOWN
    return Item(mapping, Const(name))


def appended(resolver: Resolver, sequence: Sequence, file: SourceFile) -> Iterator[Value]:
    """What a file appends to a list that it made empty, or with some items, before."""
    resolver.keys.update((file.file_id, f"*called.{name}") for name in _ADDING)
    units = dict.fromkeys(unit for name in _ADDING for unit in file.facts.units_calling(name))
    for call in (fact for unit in units for fact in unit.calls):
        func = call.value.func
        if type(func) is not Attr or func.name not in _ADDING or not call.value.args:
            continue
        base = func.base.options if type(func.base) is Either else (func.base,)
        if not any(option is sequence for option in base):
            continue
        if func.name == "append":
            yield call.value.args[0]
        elif func.name == "insert" and len(call.value.args) == 2:
            yield call.value.args[1]
        elif func.name == "extend":
            items = call.value.args[0]
            if type(items) is Collected:
                yield items.element
            elif type(items) is Sequence:
                yield from items.items
            else:
                yield items
