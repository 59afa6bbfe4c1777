"""What a function that makes a table's name from its class gives: `cls.__name__.lower()`, camel case to snake case, a helper.

A closed evaluator of the few things that such functions do with short strings, bounded in steps and sizes; everything else
is unreadable. This module must never run the user's code, nor let it choose what is called.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Const, Ref, Value
from sqlalchemy_guard.project.bodies import body_of, is_docstring
from sqlalchemy_guard.project.types import FunctionType, known
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy_guard.facts.declarations import FunctionFacts
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

_STEPS = 400
_LONGEST = 200
_QUANTIFIED_GROUP = lazy_pattern(r"\)[*+?{]")
_CLASS = object()
"""Stands for the class whose table is named."""

_METHODS: Mapping[str, Callable[..., object]] = {
    "lower": str.lower, "upper": str.upper, "strip": str.strip, "lstrip": str.lstrip, "rstrip": str.rstrip,
    "removesuffix": str.removesuffix, "removeprefix": str.removeprefix, "replace": str.replace, "split": str.split,
    "endswith": str.endswith, "startswith": str.startswith, "casefold": str.casefold, "title": str.title,
    "capitalize": str.capitalize, "join": str.join,
}  # fmt: skip


class Unreadable(Exception):
    """The function does something that is not understood."""


def table_name(
    resolver: Resolver, function: FunctionFacts, file: SourceFile, class_name: str, *, is_child: bool
) -> str | None:
    """The name that a `__tablename__` function gives a class; None when it says that there is no table.

    Args:
        resolver: Finds what names stand for.
        function: The function, whose first parameter is the class.
        file: The function's file.
        class_name: The class.
        is_child: Whether the class has a mapped class among its ancestors, as `has_inherited_table` tells.

    Raises:
        Unreadable: the function cannot be followed.
    """
    result = _Run(resolver, class_name, is_child).call(function, file, [_CLASS])
    if result is not None and not isinstance(result, str):
        raise Unreadable
    return result


class _Run:
    """One evaluation, with what is left of its steps."""

    def __init__(self, resolver: Resolver, class_name: str, is_child: bool) -> None:
        self.resolver = resolver
        self.class_name = class_name
        self.is_child = is_child
        self.steps = _STEPS
        self.depth = 0

    def call(self, function: FunctionFacts, file: SourceFile, arguments: list[object]) -> object:
        self.resolver.keys.add((file.file_id, function.qualname))
        names = [parameter.name for parameter in function.parameters if parameter.kind == "positional"]
        if len(names) != len(arguments) or function.is_async or self.depth > 4:
            raise Unreadable
        self.depth += 1
        body = [statement for _, statement in body_of(function) if not is_docstring(statement)]
        done, result = self.block(body, dict(zip(names, arguments, strict=True)), file)
        self.depth -= 1
        return result if done else None

    def block(self, body: list[ast.stmt], env: dict[str, object], file: SourceFile) -> tuple[bool, object]:
        for statement in body:
            if isinstance(statement, ast.Return):
                return True, self.value(statement.value, env, file) if statement.value is not None else None
            if isinstance(statement, ast.If):
                chosen = statement.body if self.value(statement.test, env, file) else statement.orelse
                done, result = self.block(chosen, env, file)
                if done:
                    return True, result
            elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                target = statement.targets[0]
                if not isinstance(target, ast.Name):
                    raise Unreadable
                env[target.id] = self.value(statement.value, env, file)
            else:
                raise Unreadable
        return False, None

    def value(self, node: ast.expr, env: dict[str, object], file: SourceFile) -> object:
        self.steps -= 1
        if self.steps < 0:
            raise Unreadable
        result = self._value(node, env, file)
        if isinstance(result, (str, list)) and len(result) > _LONGEST:
            raise Unreadable
        return result

    def _value(self, node: ast.expr, env: dict[str, object], file: SourceFile) -> object:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            if node.id in env:
                return env[node.id]
            return self._constant(Ref("", node.id), file)
        if isinstance(node, ast.Attribute) and node.attr in ("__name__", "__qualname__"):
            if self.value(node.value, env, file) is _CLASS:
                return self.class_name
        elif isinstance(node, ast.JoinedStr):
            return "".join(self._formatted(part, env, file) for part in node.values)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = self.value(node.left, env, file), self.value(node.right, env, file)
            if isinstance(left, str) and isinstance(right, str):
                return left + right
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return not self.value(node.operand, env, file)
        elif isinstance(node, (ast.ListComp, ast.GeneratorExp)) and len(node.generators) == 1:
            return self._comprehension(node.elt, node.generators[0], env, file)
        elif isinstance(node, ast.Call) and not any(isinstance(arg, ast.Starred) for arg in node.args):
            return self._call(node, env, file)
        raise Unreadable

    def _constant(self, value: Value, file: SourceFile) -> object:
        found, _ = self.resolver.definition_of(value, file)
        if type(found) is Const:
            return found.value
        raise Unreadable

    def _formatted(self, part: ast.expr, env: dict[str, object], file: SourceFile) -> str:
        if isinstance(part, ast.FormattedValue):
            if part.format_spec is not None or part.conversion != -1:
                raise Unreadable
            part = part.value
        made = self.value(part, env, file)
        if not isinstance(made, str):
            raise Unreadable
        return made

    def _comprehension(
        self, element: ast.expr, loop: ast.comprehension, env: dict[str, object], file: SourceFile
    ) -> list[object]:
        items = self.value(loop.iter, env, file)
        if not isinstance(items, (str, list)) or not isinstance(loop.target, ast.Name) or loop.is_async:
            raise Unreadable
        found = []
        for item in items:
            inner = env | {loop.target.id: item}
            if all(self.value(test, inner, file) for test in loop.ifs):
                found.append(self.value(element, inner, file))
        return found

    def _call(self, node: ast.Call, env: dict[str, object], file: SourceFile) -> object:
        func = node.func
        target = _plain(func)
        if target is not None and not (isinstance(func, ast.Name) and func.id in env):
            name = self.resolver.external_name(target, file) or ""
            if name == "sqlalchemy.orm.has_inherited_table":
                return self.is_child
            if name in ("re.sub", "re.split"):
                return self._regex(
                    name, [self.value(arg, env, file) for arg in node.args], bool(node.keywords)
                )
            for option in known(self.resolver.type_of(target, file)):
                source = (
                    self.resolver.sources.file(option.file_id) if isinstance(option, FunctionType) else None
                )
                if isinstance(option, FunctionType) and source is not None and not node.keywords:
                    function = source.facts.function(option.qualname)
                    if function is not None and function.owner is None:
                        return self.call(function, source, [self.value(arg, env, file) for arg in node.args])
        if isinstance(func, ast.Attribute) and not node.keywords:
            arguments = [self.value(arg, env, file) for arg in node.args]
            pattern = self._pattern(func.value, env, file) if func.attr in ("sub", "split") else None
            if pattern is not None:
                return self._regex(f"re.{func.attr}", [pattern, *arguments], False)
            owner = self.value(func.value, env, file)
            method = _METHODS.get(func.attr)
            if method is not None and isinstance(owner, str) and all(map(_is_text, arguments)):
                try:
                    return method(owner, *arguments)
                except (TypeError, ValueError) as error:
                    raise Unreadable from error
        raise Unreadable

    def _pattern(self, node: ast.expr, env: dict[str, object], file: SourceFile) -> str | None:
        """The text of a `re.compile(…)` of the module."""
        target = _plain(node)
        if target is None or (isinstance(node, ast.Name) and node.id in env):
            return None
        made, source = self.resolver.definition_of(target, file)
        if type(made) is not Call or self.resolver.external_name(made.func, source) != "re.compile":
            return None
        if len(made.args) != 1 or made.keywords or type(made.args[0]) is not Const:
            return None
        text = made.args[0].value
        return text if isinstance(text, str) else None

    def _regex(self, name: str, arguments: list[object], more: bool) -> object:
        """A replacement or split by a pattern that cannot run away: short, and no group is repeated."""
        texts = [argument for argument in arguments if isinstance(argument, str)]
        if more or len(texts) != len(arguments) or len(texts) != (3 if name == "re.sub" else 2):
            raise Unreadable
        pattern, *rest = texts
        repeated = sum(pattern.count(sign) for sign in "*+{?")
        if len(pattern) > 60 or _QUANTIFIED_GROUP.search(pattern) or repeated > 6:
            raise Unreadable
        try:
            return re.sub(pattern, rest[0], rest[1]) if name == "re.sub" else re.split(pattern, rest[0])
        except (re.error, IndexError) as error:
            raise Unreadable from error


def _is_text(value: object) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(item, str) for item in value)
    )


def _plain(node: ast.expr) -> Value | None:
    """A name or dotted name of the module as a value."""
    if isinstance(node, ast.Attribute):
        base = _plain(node.value)
        return Attr(base, node.attr) if base is not None else None
    return Ref("", node.id) if isinstance(node, ast.Name) else None
