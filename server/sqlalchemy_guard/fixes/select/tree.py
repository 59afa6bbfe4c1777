"""The new expression as a small tree, so that a pretty printer can break it, and templates that write such
trees.

`Text` is an atom (the user's own text, or a word of ours), `Imported` a name that must be imported, `Call`
a function with arguments, `Chain` a head with steps `.name(...)`, `Either` two alternatives. A template is ordinary Python:
`session.scalars(stmt).all()`. This module must never know what a name in a template means; whoever writes
it says what stands for each.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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


@dataclass(frozen=True, slots=True)
class Either:
    """`first or second`, in parentheses where it stands inside something else."""

    first: Tree
    second: Tree


Tree = Text | Imported | Call | Chain | Either


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
    elif isinstance(tree, Either):
        yield from walk(tree.first)
        yield from walk(tree.second)


Comments = Mapping[int, list[str]]
_NONE: Comments = {}


class Renderer:
    """Writes a tree: in one line, except for comments and for line ends in the user's own text.

    Args:
        spell: How the file names something that is imported.
        before: Comments on lines of their own before a node, by the node's `id`.
        behind: Comments at the end of a node's last line, by the node's `id`.
    """

    def __init__(
        self,
        spell: Callable[[Imported], str] = lambda name: name.name,
        before: Comments = _NONE,
        behind: Comments = _NONE,
    ) -> None:
        self.spell = spell
        self.before = dict(before)
        self.behind = dict(behind)

    def render(self, tree: Tree) -> str:
        """The text of a tree; a comment behind its last atom ends with a line end."""
        if isinstance(tree, Text):
            return self._before(tree.node) + tree.text
        if isinstance(tree, Imported):
            return self.spell(tree)
        if isinstance(tree, Call):
            return f"{self.render(tree.function)}({self._arguments(tree.arguments)})"
        if isinstance(tree, Either):
            return f"{self.render(tree.first)} or {self.render(tree.second)}"
        parts = [self.render(tree.head)]
        if isinstance(tree.head, Text):
            parts.append(self._behind(tree.head.node))
        for place, step in enumerate(tree.steps):
            last = place + 1 == len(tree.steps) or tree.steps[place + 1].origin is not step.origin
            parts.append(self._step(step, last))
        return "".join(parts)

    def _step(self, step: Step, last: bool) -> str:
        before = self._before(step.origin)
        if step.index is not None:
            text = f"[{step.index.text}]"
        elif step.arguments is None:
            text = f".{step.name}"
        else:
            text = f".{step.name}({self._arguments(step.arguments)})"
        return before + text + (self._behind(step.origin) if last else "")

    def _arguments(self, arguments: tuple[Argument, ...]) -> str:
        parts: list[str] = []
        for place, each in enumerate(arguments):
            node = each.value.node if isinstance(each.value, Text) else None
            before = self._before(node)
            name = f"{each.keyword}=" if each.keyword else ""
            comma = ", " if place + 1 < len(arguments) else ""
            parts.append(f"{before}{each.prefix}{name}{self.render(each.value)}{comma}{self._behind(node)}")
        return "".join(parts)

    def _before(self, node: ast.expr | None) -> str:
        comments = self.before.pop(id(node), None) if node is not None else None
        return "".join(f"\n{comment}" for comment in comments) + "\n" if comments else ""

    def _behind(self, node: ast.expr | None) -> str:
        comments = self.behind.pop(id(node), None) if node is not None else None
        return "".join(f"  {comment}\n" for comment in comments) if comments else ""


def render(tree: Tree, spell: Callable[[Imported], str] = lambda name: name.name) -> str:
    """The tree without comments of the old chain."""
    return Renderer(spell).render(tree)


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
        arguments: What `*name` unfolds to; a keyword argument whose value is a name mapped to nothing is
            left out.
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
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
        first, second = (_build(value, trees, arguments, origin, without) for value in node.values)
        return Either(first, second)
    return Text(ast.unparse(node))
