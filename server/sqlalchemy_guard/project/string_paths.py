"""Relationships and columns that loader options and joins name by text, as attributes of the classes that are meant.

`joinedload("orders.items")` on a query of `User` is the path `User.orders`, `Order.items`. Whatever is not known for sure
makes the path unknown. This module must never edit anything.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import EntityKind
from sqlalchemy_guard.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy_guard.facts.query import ModelInfo
    from sqlalchemy_guard.facts.result_uses import Parent
    from sqlalchemy_guard.project.query_knowledge import QueryKnowledge
    from sqlalchemy_guard.project.statements import Statement, Statements
    from sqlalchemy_guard.syntax.chunk import Chunk

LOADERS = frozenset(
    ("joinedload", "selectinload", "subqueryload", "lazyload", "immediateload", "raiseload", "noload", "contains_eager",
     "defaultload", "joinedload_all", "subqueryload_all", "selectinload_all", "eagerload", "eagerload_all",
     "contains_eager_all", "lazyload_all")
)  # fmt: skip
"""Options that take relationships."""
COLUMN_OPTIONS = frozenset(("defer", "undefer", "load_only"))
"""Options that take columns of the class that the path has come to."""


class Named(NamedTuple):
    """An attribute of a class, and how the file can write it."""

    owner: ModelInfo
    name: str
    text: str


class Link(NamedTuple):
    """One option of a chain: its function's name, the call, and the texts among its arguments."""

    name: str
    node: ast.Call
    strings: tuple[ast.Constant, ...]


def links_of(parent: Parent, chunk: Chunk, node: ast.Call) -> list[Link]:
    """A loader option and those chained to it: `joinedload(…).defer(…)`."""
    found: list[Link] = []
    here: ast.AST | None = node
    while isinstance(here, ast.Call):
        name = _last_name(here.func)
        found.append(Link(name, here, tuple(_strings(here))))
        above = parent(chunk, here)
        if not isinstance(above, ast.Attribute) or above.attr not in LOADERS | COLUMN_OPTIONS:
            break
        here = parent(chunk, above)
    return found


def _last_name(func: ast.expr) -> str:
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""


def _strings(call: ast.Call) -> Iterator[ast.Constant]:
    for arg in call.args:
        if isinstance(arg, ast.Constant) and isinstance(arg.value, str) and not arg.value.endswith("*"):
            yield arg


class Paths:
    """Finds what the texts of one scope mean.

    Args:
        knowledge: What the nodes mean.
        statements: How statements are built.
    """

    def __init__(self, knowledge: QueryKnowledge, statements: Statements) -> None:
        self.knowledge = knowledge
        self.statements = statements

    def walk(self, start: ModelInfo, names: Sequence[str], *, columns: bool = False) -> list[Named] | None:
        """The attributes along a path that begins at a class; None when one of them is not known.

        Args:
            start: The class.
            names: The attributes' names.
            columns: Whether the last one is a column.
        """
        found: list[Named] = []
        model: ModelInfo | None = start
        for place, name in enumerate(names):
            if model is None:
                return None
            spelled = self.knowledge.spelling(model)
            is_column = columns and place == len(names) - 1
            known = (
                (name in model.columns or name in model.others) if is_column else name in model.relationships
            )
            if spelled is None or not known:
                return None
            found.append(Named(model, name, f"{spelled}.{name}"))
            model = None if is_column else model.relationships[name].target
        return found

    def target(self, node: ast.expr) -> ModelInfo | None:
        """The class that a relationship attribute leads to."""
        entity = self.knowledge.entity(node)
        if entity.kind is not EntityKind.RELATIONSHIP or entity.model is None or not entity.attribute:
            return None
        return entity.model.relationships[entity.attribute].target

    def forms(self, node: ast.expr) -> tuple[Statement, ...]:
        """The forms of the statement that an expression is; none when they are not all known."""
        forms = self.statements.of(self.knowledge.value(node), self.knowledge.file)
        return forms.statements if forms.complete else ()

    def subject(self, node: ast.expr) -> ModelInfo | None:
        """The class that a statement begins with, the same in all its forms."""
        models: list[ModelInfo | None] = []
        for form in self.forms(node):
            entities = form.entities
            if not entities:
                return None
            models.append(self.statements.model(*entities[0]))
        if not models or models[0] is None or any(each is not models[0] for each in models):
            return None
        return models[0]

    def join_point(self, node: ast.expr) -> ModelInfo | None:
        """The class that a text in the next `join()` would be looked up in: that of the last join, else the first one."""
        point: ModelInfo | None = None
        forms = self.forms(node)
        if len(forms) != 1:
            return None
        (form,) = forms
        if not form.entities or form.has("reset_joinpoint", "select_from", "from_self", "[]"):
            return None
        point = self.statements.model(*form.entities[0])
        for step in form.calls("join", "outerjoin"):
            if step.call.keywords or not step.call.args or step.file is not self.knowledge.file:
                return None
            joined = self.knowledge.entity_of(step.call.args[-1], step.file, 0)
            first = self.knowledge.entity_of(step.call.args[0], step.file, 0)
            if len(step.call.args) == 1 and joined.kind is EntityKind.RELATIONSHIP and joined.model:
                point = joined.model.relationships[joined.attribute or ""].target
            elif first.kind is EntityKind.MODEL:
                point = first.model
            else:
                return None
        return point
