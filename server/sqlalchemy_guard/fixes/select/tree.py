"""The new expression as a small tree, so that a pretty printer can break it, and templates that write such trees.

`Text` is an atom (the user's own text, or a word of ours), `Imported` a name that must be imported, `Call` a function
with arguments, `Chain` a head with steps `.name(...)`. A template is ordinary Python: `session.scalars(stmt).all()`.
This module must never know what a name in a template means; whoever writes it says what stands for each.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Text:
    """An atom. `node` is the user's expression whose text it is, None for words of ours."""

    text: str
    node: ast.expr | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """A name of a module, spelled in the file as its imports have it."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument: positional, `keyword=value`, `*value` (prefix `*`) or `**value` (prefix `**`)."""

    value: Tree
    keyword: str | None = None
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """`function(arguments)`."""

    function: Text | Imported
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """`.name(arguments)`, `.name` when `arguments` is None, `[index]` when `name` is empty.

    Attributes:
        origin: The link of the old chain that it stands for: comments behind that link stay with this step.
    """

    name: str
    arguments: tuple[Argument, ...] | None = None
    index: Text | None = None
    origin: ast.expr | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """`head.step().step()`."""

    head: Tree
    steps: tuple[Step, ...]


Tree = Text | Imported | Call | Chain


def extend(tree: Tree, *steps: Step) -> Tree:
    """The tree with more steps behind it."""
    if not steps:
        return tree
    if isinstance(tree, Chain):
        return Chain(tree.head, (*tree.steps, *steps))
    return Chain(tree, steps)


def imports(tree: Tree) -> frozenset[Imported]:
    """Every name that the tree needs imported."""
    return frozenset(node for node in walk(tree) if isinstance(node, Imported))


def walk(tree: Tree) -> Iterator[Tree]:
    """The tree and everything inside it."""
    yield tree
    if isinstance(tree, Call):
        yield tree.function
        for argument in tree.arguments:
            yield from walk(argument.value)
    elif isinstance(tree, Chain):
        yield from walk(tree.head)
        for step in tree.steps:
            for argument in step.arguments or ():
                yield from walk(argument.value)


def render(tree: Tree, spell: Callable[[Imported], str] = lambda name: name.name) -> str:
    """The tree in one line.

    Args:
        tree: What to write.
        spell: How the file names something that is imported.
    """
    if isinstance(tree, Text):
        return tree.text
    if isinstance(tree, Imported):
        return spell(tree)
    if isinstance(tree, Call):
        return f"{render(tree.function, spell)}({_arguments(tree.arguments, spell)})"
    parts = [render(tree.head, spell)]
    for step in tree.steps:
        if step.index is not None:
            parts.append(f"[{step.index.text}]")
        elif step.arguments is None:
            parts.append(f".{step.name}")
        else:
            parts.append(f".{step.name}({_arguments(step.arguments, spell)})")
    return "".join(parts)


def _arguments(arguments: tuple[Argument, ...], spell: Callable[[Imported], str]) -> str:
    return ", ".join(
        f"{each.prefix}{each.keyword + '=' if each.keyword else ''}{render(each.value, spell)}"
        for each in arguments
    )


@lru_cache(maxsize=256)
def _parsed(template: str) -> ast.expr:
    return ast.parse(template, mode="eval").body


def instantiate(
    template: str,
    trees: Mapping[str, Tree],
    arguments: Mapping[str, tuple[Argument, ...]],
    origin: ast.expr | None = None,
    without: frozenset[str] = frozenset(),
) -> Tree:
    """A template with its names replaced.

    Args:
        template: A Python expression.
        trees: What stands for a name; names that are not in it stay as they are written.
        arguments: What `*name` unfolds to; a keyword argument whose value is a name mapped to nothing is left out.
        origin: The old link, for the steps that the template adds.
        without: Methods of the template that are left out.
    """
    return _build(_parsed(template), trees, arguments, origin, without)


def _build(
    node: ast.expr,
    trees: Mapping[str, Tree],
    arguments: Mapping[str, tuple[Argument, ...]],
    origin: ast.expr | None,
    without: frozenset[str],
) -> Tree:
    if isinstance(node, ast.Name):
        return trees.get(node.id, Text(node.id))
    if isinstance(node, ast.Attribute):
        return extend(_build(node.value, trees, arguments, origin, without), Step(node.attr, origin=origin))
    if isinstance(node, ast.Subscript):
        index = _build(node.slice, trees, arguments, origin, without)
        text = index if isinstance(index, Text) else Text(render(index))
        return extend(
            _build(node.value, trees, arguments, origin, without), Step("", index=text, origin=origin)
        )
    if isinstance(node, ast.Call):
        given: list[Argument] = []
        for value in node.args:
            if isinstance(value, ast.Starred) and isinstance(value.value, ast.Name):
                given.extend(arguments.get(value.value.id, ()))
            else:
                given.append(Argument(_build(value, trees, arguments, origin, without)))
        for keyword in node.keywords:
            if isinstance(keyword.value, ast.Name) and keyword.value.id in arguments:
                given.extend(Argument(each.value, keyword.arg) for each in arguments[keyword.value.id])
            else:
                given.append(Argument(_build(keyword.value, trees, arguments, origin, without), keyword.arg))
        if isinstance(node.func, ast.Attribute):
            base = _build(node.func.value, trees, arguments, origin, without)
            if node.func.attr in without:
                return base
            return extend(base, Step(node.func.attr, tuple(given), origin=origin))
        function = _build(node.func, trees, arguments, origin, without)
        if isinstance(function, Text | Imported):
            return Call(function, tuple(given))
        return extend(function, Step("__call__", tuple(given), origin=origin))
    return Text(ast.unparse(node))
