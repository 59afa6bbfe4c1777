"""`script.py.mako` read as data: text with a few forms of `${…}` in it, which are what templates of revisions are made of.

An expression is a name, a string, `repr(name)`, `a if b else c`, `a or b`, with the filters `comma`, `n`, `str` and `trim`.
Blocks of Python that do nothing but name things are left out: whoever uses such a name is not understood. Whatever else a
template has (control lines, other blocks, calls) makes it one that is not understood. This module must never compile or evaluate
anything.
"""

from __future__ import annotations

import ast
import re
import textwrap
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

_PARTS = lazy_pattern(
    r"\$\{(?P<expression>(?:[^{}'\"]|'[^'\n]*'|\"[^\"\n]*\")*)\}|\\\r?\n|(?m:^[ \t]*##[^\n]*\n)"
)
_CONTROL = lazy_pattern(r"(?m)^[ \t]*%(?!%)|<%(?!doc>)|</?%")
_DOC = lazy_pattern(r"(?s)<%doc>.*?</%doc>\n?")


_BLOCK = lazy_pattern(r"(?s)<%!?(?P<code>[ \t\r\n].*?)%>")


class NotUnderstood(Exception):
    """The template has a form that is not read here; the message names it."""


def fill(template: str, values: Mapping[str, Any]) -> str:
    """The text of a template with values in it.

    Raises:
        NotUnderstood: it has a form that is not read here.
    """
    text = _BLOCK.sub(_without_names, _DOC.sub("", template))
    control = _CONTROL.search(text)
    if control is not None:
        line = text[control.start() :].strip().splitlines()[0]
        raise NotUnderstood(f"`{line[:60]}` is more than text with values in it")

    def one(match: re.Match[str]) -> str:
        expression = match["expression"]
        return "" if expression is None else _filtered(expression, values)

    return _PARTS.sub(one, text)


def _without_names(block: re.Match[str]) -> str:
    """A block of Python that only binds names writes nothing; every other one stays."""
    try:
        body = ast.parse(textwrap.dedent(block["code"].strip("\r\n"))).body
    except (SyntaxError, ValueError):
        return block[0]
    harmless = all(isinstance(one, (ast.Assign, ast.Import, ast.ImportFrom)) for one in body)
    return "" if harmless else block[0]


def _filtered(written: str, values: Mapping[str, Any]) -> str:
    expression, *filters = _parts(written)
    try:
        node = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise NotUnderstood(f"`${{{written}}}` cannot be read") from None
    value = _value(node, values)
    names = [name.strip() for part in filters for name in part.split(",")]
    for name in names:
        if name == "comma":
            value = _with_commas(value)
        elif name == "trim":
            value = str(value).strip()
        elif name not in ("n", "str", "unicode", ""):
            raise NotUnderstood(f"the filter `{name}` is not known")
    return str(value)


def _parts(written: str) -> list[str]:
    """An expression and its filters, parted at bars outside of strings."""
    return list(re.split(r"\|(?=(?:[^'\"]|'[^']*'|\"[^\"]*\")*\Z)", written))


def _with_commas(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else ", ".join(str(one) for one in value)


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        if node.id in values:
            return values[node.id]
        raise NotUnderstood(f"the name `{node.id}` is not known")
    if isinstance(node, ast.IfExp):
        return _value(node.body if _value(node.test, values) else node.orelse, values)
    if isinstance(node, ast.BoolOp):
        result: Any = None
        for part in node.values:
            result = _value(part, values)
            if bool(result) is isinstance(node.op, ast.Or):
                break
        return result
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return not _value(node.operand, values)
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and len(node.args) == 1
        and not node.keywords
    ):
        argument = _value(node.args[0], values)
        if node.func.id == "repr":
            return written(argument)
        if node.func.id == "str":
            return str(argument)
        if node.func.id == "comma":
            return _with_commas(argument)
    raise NotUnderstood(f"`${{{ast.unparse(node)}}}` is more than a value")


def written(value: Any) -> str:
    """A value as Black writes it."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, (list, tuple)):
        inner = ", ".join(written(one) for one in value)
        return f"({inner}{',' if len(value) == 1 else ''})"
    return repr(value)
