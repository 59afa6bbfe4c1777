"""Declarative bases that a function or a decorator makes, as facts: what a class in their place must say.

This module must never judge a base.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.project.workspace import Workspace

FUNCTIONS = ("sqlalchemy.orm.declarative_base", "sqlalchemy.orm.registry.generate_base")
DECORATORS = ("sqlalchemy.orm.as_declarative", "sqlalchemy.orm.registry.as_declarative_base")
LEGACY_MODULE = "sqlalchemy.ext.declarative"
MOVED = frozenset({"declared_attr", "has_inherited_table", "synonym_for", "DeclarativeMeta"})
"""What `sqlalchemy.ext.declarative` has lent from `sqlalchemy.orm` since 1.4, besides the makers of bases; the rest stays."""
MAKERS = frozenset({"declarative_base", "as_declarative"})
_USERS = ("sqlalchemy.ext.automap.automap_base", "flask_sqlalchemy.SQLAlchemy")


@dataclass(slots=True, eq=False)
class LegacyBase:
    """A call that makes a declarative base, and what it was told.

    Attributes:
        fact: The call.
        name: What the base is called.
        statement: The assignment, or the class under the decorator.
        mixin: The expression given as `cls`.
        metadata: The expression given as `metadata`.
        registry: The expression of the registry that makes the base, None when it is a fresh one like every base has.
    """

    fact: CallFact
    name: str
    statement: ast.Assign | ast.ClassDef
    mixin: ast.expr | None
    metadata: ast.expr | None
    registry: ast.expr | None


def legacy_base(call: LibraryCall) -> LegacyBase | None:
    """The base that a call makes where a class can say the same, None where it cannot."""
    node, statement = call.fact.node, call.fact.statement
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    decorates = call.name in DECORATORS
    if node.args or given.keys() - ({"metadata"} if decorates else {"cls", "metadata", "name"}):
        return None
    registry = node.func.value if call.owner is not None and isinstance(node.func, ast.Attribute) else None
    if registry is not None and "metadata" in given:
        return None
    if isinstance(registry, ast.Call) and not registry.args and not registry.keywords:
        registry = None
    cls, metadata = given.get("cls"), given.get("metadata")
    if decorates and isinstance(statement, ast.ClassDef) and node in statement.decorator_list:
        if statement.keywords:
            return None
        return LegacyBase(call.fact, statement.name, statement, None, metadata, registry)
    if not isinstance(statement, ast.Assign) or statement.value is not node or len(statement.targets) != 1:
        return None
    target, label = statement.targets[0], given.get("name")
    if not isinstance(target, ast.Name) or (
        label is not None and not (isinstance(label, ast.Constant) and label.value == target.id)
    ):
        return None
    if cls is not None and not isinstance(cls, (ast.Name, ast.Attribute)):
        return None
    return LegacyBase(call.fact, target.id, statement, cls, metadata, registry)


def serves_another(resolver: Resolver, fact: CallFact, file: SourceFile, parent: ast.AST | None) -> bool:
    """Whether the base is made for automap or for Flask-SQLAlchemy, which decide themselves what they can take."""
    if isinstance(parent, ast.keyword) and parent.arg == "model_class":
        return True
    if not isinstance(parent, ast.Call):
        return False
    return any(
        other.node is parent and resolver.external_name(other.value.func, file) in _USERS
        for unit in file.facts.units()
        for other in unit.calls
    )


def is_noticed(workspace: Workspace, file: SourceFile, base: LegacyBase) -> bool:
    """Whether somebody can tell a class from the base: it has another metaclass, and keeps an `__init__` of its own."""
    facts = file.facts.class_(base.name) if isinstance(base.statement, ast.ClassDef) else None
    workspace.resolver.keys.update((other.file_id, "DeclarativeMeta") for other in workspace.known_files())
    uses_meta = any("DeclarativeMeta" in other.facts.names for other in workspace.known_files())
    return uses_meta or (facts is not None and "__init__" in facts.methods)
