"""What the annotation of a relationship has to say, by its keys, its tables and its own arguments.

None wherever the type cannot be said exactly. This module must never write anything.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Call, Const
from sqlalchemy_guard.fixes.relationship_text import Shape
from sqlalchemy_guard.project.column_types import python_type
from sqlalchemy_guard.project.configured import Configured, Direction, configured
from sqlalchemy_guard.project.tables import table_of

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.relationships import Relationship
    from sqlalchemy_guard.project.workspace import Workspace

_LISTS = frozenset({"sqlalchemy.ext.orderinglist.ordering_list", "builtins.list"})
_KEYED = frozenset(
    f"sqlalchemy.orm.{prefix}{name}"
    for prefix in ("", "collections.")
    for name in ("attribute_mapped_collection", "attribute_keyed_dict")
)
_WRAPPERS = {"dynamic": "DynamicMapped", "write_only": "WriteOnlyMapped"}


def shape_of(workspace: Workspace, relationship: Relationship) -> Shape | None:
    """What a relationship holds as SQLAlchemy configures it; None where that cannot be told, or said."""
    known = configured(workspace, relationship)
    lazy, uselist = relationship.value("lazy"), relationship.value("uselist")
    if not relationship.is_readable or any(
        each is not None and type(each) is not Const for each in (lazy, uselist)
    ):
        return None
    if relationship.kind.endswith("dynamic_loader") or known.direction is None:
        return None
    strategy, said = relationship.constant("lazy"), relationship.constant("uselist")
    if isinstance(strategy, str) and strategy in _WRAPPERS:
        return Shape(_WRAPPERS[strategy])
    factory = relationship.value("collection_class")
    if said is False or (known.direction is Direction.MANYTOONE and said is None):
        return _single(relationship, known) if factory is None else None
    if known.direction is Direction.MANYTOONE or (said is not None and not isinstance(said, bool)):
        return None
    container = _container(workspace, relationship, known, factory)
    return Shape(container=container) if container is not None else None


def _single(relationship: Relationship, known: Configured) -> Shape | None:
    """Whether the object may be missing: the other side may have no row, a condition may leave it out, the key may be NULL."""
    if known.direction is not Direction.MANYTOONE or relationship.argument("primaryjoin") is not None:
        return Shape(optional=True)
    return Shape(optional=known.nullable) if known.nullable is not None else None


def _container(
    workspace: Workspace, relationship: Relationship, known: Configured, factory: Value | None
) -> str | None:
    if factory is None:
        return "list"
    func = factory.func if type(factory) is Call else factory
    name = workspace.resolver.external_name(func, relationship.file)
    if name in _LISTS:
        return "list"
    if name == "builtins.set":
        return "set"
    key = factory.args[0] if type(factory) is Call and len(factory.args) == 1 else None
    if name not in _KEYED or type(key) is not Const or known.target is None:
        return None
    table = table_of(workspace, known.target)
    column = table.column(str(key.value)) if table is not None else None
    if column is None or column.type is None:
        return None
    python = python_type(workspace.resolver, column.type[0], None, column.type[1])
    if python is None or python.doubt or python.imports or column.nullable is not False:
        return None
    return f"dict[{python.template}]"


def names_itself(node: ast.expr, name: str) -> bool:
    """Whether an argument says no more than the name of a class, which the annotation says as well."""
    return (isinstance(node, ast.Constant) and node.value == name) or (
        isinstance(node, ast.Name) and node.id == name
    )
