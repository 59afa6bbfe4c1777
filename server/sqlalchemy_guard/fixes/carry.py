"""An expression of one class's body, as another class's body can say it: as it is, or as a string for the registry.

SQLAlchemy evaluates strings of relationships when all classes are there, so that `foreign_keys=[author_id]` of one class is
`foreign_keys="Post.author_id"` everywhere else. None wherever that would not mean the same. This module must never guess.
"""

from __future__ import annotations

import ast
import builtins
import copy
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Const, Ref, Value
from sqlalchemy_guard.project import registries
from sqlalchemy_guard.project.externals import is_public
from sqlalchemy_guard.project.types import ClassType
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import ClassFacts
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.relationships import Relationship
    from sqlalchemy_guard.project.workspace import File, Workspace

STRINGS = frozenset({"secondary", "primaryjoin", "secondaryjoin", "foreign_keys", "remote_side", "order_by"})
"""Arguments that may be strings to be evaluated."""


@dataclass(frozen=True, slots=True)
class Destination:
    """The class that shall say it, and its file."""

    facts: ClassFacts
    file: File

    @property
    def line(self) -> int:
        """Where the class begins: what is bound above is at hand."""
        return self.facts.header.lineno + self.facts.chunk.shift


@dataclass(slots=True)
class Carrier:
    """Carries arguments of a relationship to another class.

    Attributes:
        workspace: The files.
        relationship: Whose arguments they are.
        destination: Where they go.
        source: The text of the relationship's file.
    """

    workspace: Workspace
    relationship: Relationship
    destination: Destination
    source: Source

    def carry(self, name: str, node: ast.expr) -> str | None:
        """The text of an argument's value in the other class, None where it cannot be said there."""
        names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        shift = self.relationship.attribute.chunk.shift
        text = self.source.segment(node, shift)
        if "\n" in text or "\r" in text:
            text = ast.unparse(node)
        if all(self._is_at_hand(each, late=isinstance(node, ast.Lambda)) for each in names):
            return text
        return self._as_string(node) if name in STRINGS else None

    def _is_at_hand(self, name: str, *, late: bool) -> bool:
        """Whether a name means the same in the other class."""
        owner, facts = self.relationship.owner, self.destination.facts
        if self._is_own(name):
            return owner.qualname == facts.qualname and self.relationship.file is self.destination.file
        if name in facts.attributes or name in facts.methods or name in facts.classes:
            return False
        bindings = self.relationship.file.facts.names.get(name)
        if bindings is None:
            return hasattr(builtins, name) and name not in self.destination.file.facts.names
        if self.relationship.file is not self.destination.file:
            return False
        return late or any(
            not each.conditional
            and getattr(each.node, "lineno", 0) + each.chunk.shift < self.destination.line
            for each in bindings
        )

    def _is_own(self, name: str) -> bool:
        """Whether a name is one of the class's own where the relationship is made, which what stands below is not."""
        owner, attribute = self.relationship.owner, self.relationship.attribute
        own = owner.attributes.get(name)
        if own is None:
            return name in owner.methods or name in owner.classes
        return own.node.lineno + own.chunk.shift < attribute.node.lineno + attribute.chunk.shift

    def _as_string(self, node: ast.expr) -> str | None:
        if isinstance(node, ast.Lambda):
            node = node.body
        if isinstance(node, (ast.List, ast.Tuple)) and len(node.elts) == 1:
            node = node.elts[0]
        try:
            text = ast.unparse(_Spelled(self).visit(copy.deepcopy(node)))
        except _Unsayable:
            return None
        quote = next((mark for mark in (self.source.quote, '"', "'") if mark not in text), None)
        return None if quote is None or "\\" in text else f"{quote}{text}{quote}"

    def spelled(self, node: ast.Name | ast.Attribute) -> str | None:
        """How a string for the registry names what a name or dotted name stands for."""
        resolver, file = self.workspace.resolver, self.relationship.file
        owner = self.relationship.owner
        if isinstance(node, ast.Name) and self._is_own(node.id):
            return f"{owner.name}.{node.id}"
        value = _value_of(node)
        type_ = resolver.type_of(value, file)
        if isinstance(type_, ClassType) and isinstance(type_.ref, tuple):
            name = type_.ref[1].rpartition(".")[2]
            registry = registries.registry_of(resolver, (file.file_id, owner.qualname))
            return name if registries.named(resolver, name, file, registry) == [type_.ref] else None
        external = resolver.external_name(value, file) or ""
        home, _, last = external.rpartition(".")
        if (home == "sqlalchemy" and is_public(home, last)) or external in _ORM:
            return last
        return table_name(self.workspace, value, file)


_ORM = ("sqlalchemy.orm.foreign", "sqlalchemy.orm.remote")


def table_name(workspace: Workspace, value: Value, file: object) -> str | None:
    """The name by which a string for the registry finds a `Table`; None when it has none that can be said."""
    made, source = workspace.resolver.definition_of(value, file)  # type: ignore[arg-type]
    if type(made) is not Call or workspace.resolver.external_name(made.func, source) != "sqlalchemy.Table":
        return None
    first = made.args[0] if made.args else None
    if type(first) is not Const or not isinstance(first.value, str) or not first.value.isidentifier():
        return None
    return None if made.keyword("schema") is not None else first.value


def _value_of(node: ast.expr) -> Value:
    if isinstance(node, ast.Attribute):
        return Attr(_value_of(node.value), node.attr)
    return Ref("", node.id) if isinstance(node, ast.Name) else Const(None)


class _Unsayable(Exception):
    """A part of the expression has no name in the registry."""


class _Spelled(ast.NodeTransformer):
    """Writes every name as the registry knows it."""

    def __init__(self, carrier: Carrier) -> None:
        self.carrier = carrier

    def visit_Name(self, node: ast.Name) -> ast.expr:
        spelled = self.carrier.spelled(node)
        if spelled is None:
            raise _Unsayable
        return ast.Name(spelled)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name):
            spelled = self.carrier.spelled(node)
            if spelled is not None:
                return ast.Name(spelled)
        self.generic_visit(node)
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:
        raise _Unsayable

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.expr:
        raise _Unsayable
