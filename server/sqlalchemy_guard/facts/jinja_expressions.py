"""Jinja expressions as symbolic values, with each attribute that is read on the way and where.

The language is close to Python's, its values are the same: what a template is given is an object of Python. This module must never
look a name up beyond the variables that it is handed, and never fail: what it does not understand is unknown.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import (
    UNKNOWN,
    Attr,
    Call,
    Collected,
    Const,
    Element,
    Item,
    Operation,
    Sequence,
    Value,
    either,
)
from sqlalchemy_guard.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy_guard.facts.jinja_lexing import Token

_CONSTANTS = {"true": True, "True": True, "false": False, "False": False, "none": None, "None": None}
_COMPARING = frozenset(("==", "!=", "<", "<=", ">", ">="))
_BINARY = ({"~"}, {"+", "-"}, {"*", "/", "//", "%"}, {"**"})
_SAME_ITEMS = frozenset(
    ("list", "sort", "reverse", "unique", "selectattr", "rejectattr", "select", "reject", "default", "d")
)
_ONE_ITEM = frozenset(("first", "last", "random", "min", "max"))
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_NO_EXPRESSION = frozenset(("in", "if", "else", "recursive", "and", "or", "is", "as", "not"))


class AttributeRead(NamedTuple):
    """An attribute that a template reads: of which value, and where in the text; a filter reads it of many values."""

    base: Value
    name: str
    start: int
    end: int
    of_many: bool = False


class MacroCall(NamedTuple):
    """A call of a name, which may be a macro, or of a macro of an imported template (`forms`, `row`)."""

    path: tuple[str, ...]
    args: tuple[Value, ...]
    keywords: tuple[tuple[str, Value], ...]


class Expression:
    """Reads one expression after the other from the tokens of a tag.

    Args:
        tokens: The tokens.
        names: The variables.
        read: Called with each attribute that is read.
        called: Called with each call of a name.

    Attributes:
        at: The next token.
    """

    def __init__(
        self,
        tokens: tuple[Token, ...],
        names: Mapping[str, Value],
        read: Callable[[AttributeRead], None],
        called: Callable[[MacroCall], None],
    ) -> None:
        self.tokens = tokens
        self.names = names
        self.at = 0
        self._read = read
        self._called = called

    # -- tokens ----------------------------------------------------------------------------------------------------

    def peek(self) -> str:
        """The next token's text, "" behind the last one."""
        return self.tokens[self.at].text if self.at < len(self.tokens) else ""

    def take(self, *texts: str) -> bool:
        """Go over the next token if it is one of these."""
        if self.at < len(self.tokens) and self.tokens[self.at].text in texts:
            self.at += 1
            return True
        return False

    def name(self) -> str:
        """Go over a name; "" where none stands."""
        if self.at < len(self.tokens) and self.tokens[self.at].kind == "name":
            self.at += 1
            return self.tokens[self.at - 1].text
        return ""

    # -- operators -------------------------------------------------------------------------------------------------

    def value(self) -> Value:
        """A whole expression, `a if b else c` included; a tuple where commas follow."""
        first = self.condition()
        if self.peek() != ",":
            return first
        items = [first]
        while self.take(","):
            items.append(self.condition())
        return Sequence("tuple", tuple(items))

    def condition(self) -> Value:
        """`a if b else c`, or what is simpler."""
        found = self.disjunction()
        while self.take("if"):
            self.disjunction()
            if self.take("else"):
                found = either((found, self.condition()))
        return found

    def disjunction(self) -> Value:
        """`a or b`, `a and b`, `not a` and comparisons."""
        found = self._comparison()
        while self.peek() in ("and", "or"):
            is_or = self.take("or") or not self.take("and")
            other = self._comparison()
            found = either((found, other)) if is_or else other
        return found

    def _comparison(self) -> Value:
        if self.take("not"):
            self._comparison()
            return UNKNOWN
        found = self._binary(0)
        while True:
            if self.peek() in _COMPARING or self.peek() == "in":
                self.at += 1
            elif self.peek() == "not" and self._ahead() == "in":
                self.at += 2
            else:
                return found
            self._binary(0)
            found = UNKNOWN

    def _ahead(self) -> str:
        return self.tokens[self.at + 1].text if self.at + 1 < len(self.tokens) else ""

    def _binary(self, level: int) -> Value:
        if level == len(_BINARY):
            return self._unary()
        found = self._binary(level + 1)
        while self.take(*_BINARY[level]):
            self._binary(level + 1)
            found = UNKNOWN
        return found

    def _unary(self) -> Value:
        if self.take("-", "+"):
            self._unary()
            return UNKNOWN
        return self._filtered(self._postfix(self._primary()))

    # -- primaries -------------------------------------------------------------------------------------------------

    def _primary(self) -> Value:
        if self.at >= len(self.tokens):
            return UNKNOWN
        token = self.tokens[self.at]
        if token.text in _NO_EXPRESSION:
            return UNKNOWN
        self.at += 1
        if token.kind == "string":
            found: Value = Const(_text(token.text))
            while self.at < len(self.tokens) and self.tokens[self.at].kind == "string":
                self.at, found = self.at + 1, UNKNOWN
            return found
        if token.kind == "number":
            return Const(int(token.text)) if token.text.isdecimal() else UNKNOWN
        if token.kind == "name":
            return self._named(token.text)
        if token.text in ("(", "["):
            items, is_tuple = self._items(_CLOSING[token.text])
            if token.text == "(" and not is_tuple:
                return items[0] if items else UNKNOWN
            return Sequence("list" if token.text == "[" else "tuple", tuple(items))
        if token.text == "{":
            while self.at < len(self.tokens) and not self.take("}"):
                before = self.at
                self.condition()
                self.take(":", ",")
                self.at = max(self.at, before + 1)
        return UNKNOWN

    def _named(self, name: str) -> Value:
        if name in _CONSTANTS:
            return Const(_CONSTANTS[name])
        path = [name]
        at = self.at
        while name not in self.names and self.peek() == "." and len(path) < 2:
            self.at += 1
            path.append(self.name())
        if name not in self.names and self.peek() == "(":
            self.at += 1
            args, keywords = self._arguments()
            self._called(MacroCall(tuple(path), args, keywords))
            return UNKNOWN
        self.at = at
        return self.names.get(name, UNKNOWN)

    def _items(self, closing: str) -> tuple[list[Value], bool]:
        items: list[Value] = []
        has_comma = False
        while self.at < len(self.tokens) and not self.take(closing):
            before = self.at
            items.append(self.condition())
            has_comma |= self.take(",")
            self.at = max(self.at, before + 1)
        return items, has_comma

    def _arguments(self) -> tuple[tuple[Value, ...], tuple[tuple[str, Value], ...]]:
        """The arguments behind a `(` that was taken."""
        args: list[Value] = []
        keywords: list[tuple[str, Value]] = []
        while self.at < len(self.tokens) and not self.take(")"):
            before = self.at
            self.take("*", "**")
            if self.tokens[min(self.at, len(self.tokens) - 1)].kind == "name" and self._ahead() == "=":
                name = self.name()
                self.take("=")
                keywords.append((name, self.condition()))
            else:
                args.append(self.condition())
            self.take(",")
            self.at = max(self.at, before + 1)
        return tuple(args), tuple(keywords)

    # -- what follows a primary ------------------------------------------------------------------------------------

    def _postfix(self, value: Value) -> Value:
        while True:
            if self.peek() == "." and self.at + 1 < len(self.tokens):
                self.at += 1
                token = self.tokens[self.at]
                self.at += 1
                if token.kind == "number":
                    value = Item(value, Const(int(token.text))) if token.text.isdecimal() else UNKNOWN
                else:
                    value = self._attribute(value, token.text, token)
            elif self.take("["):
                value = self._subscript(value)
            elif self.take("("):
                args, keywords = self._arguments()
                value = Call(value, args, keywords) if value is not UNKNOWN else UNKNOWN
            else:
                return value

    def _attribute(self, base: Value, name: str, token: Token, *, of_many: bool = False) -> Value:
        if base is UNKNOWN:
            return UNKNOWN
        self._read(AttributeRead(base, name, token.start, token.end, of_many))
        return Attr(base, name)

    def _subscript(self, value: Value) -> Value:
        first = self.tokens[self.at] if self.at < len(self.tokens) else None
        parts: list[Value] = []
        is_slice = False
        while self.at < len(self.tokens) and not self.take("]"):
            before = self.at
            if self.take(":"):
                is_slice = True
            else:
                parts.append(self.condition())
            self.at = max(self.at, before + 1)
        if value is UNKNOWN:
            return UNKNOWN
        if is_slice:
            return Item(value, Operation("slice", tuple(parts)))
        index = parts[0] if parts else UNKNOWN
        if isinstance(index, Const) and isinstance(index.value, str) and first is not None:
            return self._attribute(value, index.value, first)
        return Item(value, index)

    def _filtered(self, value: Value) -> Value:
        """`value|filter(…)` and `value is test`."""
        while True:
            if self.take("|"):
                start = self.at
                name = self.name()
                while self.take("."):
                    name = self.name()
                args, keywords = self._arguments() if self.take("(") else ((), ())
                value = self._filter(name, value, args, dict(keywords), start)
            elif self.take("is"):
                self.take("not")
                self.name()
                if self.take("("):
                    self._arguments()
                elif self.at < len(self.tokens) and (
                    self.tokens[self.at].kind in ("name", "number", "string")
                    and self.peek() not in _NO_EXPRESSION
                ):
                    self._postfix(self._primary())
                value = UNKNOWN
            else:
                return value

    def _filter(
        self, name: str, value: Value, args: tuple[Value, ...], keywords: dict[str, Value], start: int
    ) -> Value:
        if value is UNKNOWN:
            return UNKNOWN
        path = keywords.get("attribute") or (args[0] if args and name in _ATTRIBUTE_FIRST else None)
        element: Value = Element(value)
        if isinstance(path, Const) and isinstance(path.value, str) and name in _READING:
            token = self.tokens[min(start, len(self.tokens) - 1)]
            for part in path.value.split("."):
                element = self._attribute(element, part, token, of_many=True)
            if name == "map":
                return Collected("list", element)
        if name in _SAME_ITEMS:
            return value
        if name in _ONE_ITEM:
            return Item(value, Const(0))
        if name in ("batch", "slice"):
            return Collected("list", value)
        if name == "groupby":
            return Collected("list", Sequence("tuple", (UNKNOWN, value)))
        return UNKNOWN


_ATTRIBUTE_FIRST = frozenset(("selectattr", "rejectattr", "groupby"))
_READING = frozenset(
    ("map", "sort", "sum", "join", "selectattr", "rejectattr", "groupby", "unique", "min", "max")
)


def _text(literal: str) -> str:
    """What a string literal stands for."""
    try:
        found = ast.literal_eval(literal)
    except (SyntaxError, ValueError):
        return literal[1:-1]
    return found if isinstance(found, str) else ""
