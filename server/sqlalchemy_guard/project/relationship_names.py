"""Names in the strings of relationships that SQLAlchemy will look for and not find.

Nothing is said where a name may exist without being seen: in a registry that is not made in the workspace, with classes that
are made at run time, before all files were read. This module must never guess a name's meaning.
"""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Sequence
from sqlalchemy_guard.project import registries
from sqlalchemy_guard.project.columns import attribute_names, has_unknown_base
from sqlalchemy_guard.project.index import IMPORTS
from sqlalchemy_guard.project.mentions import TABLE
from sqlalchemy_guard.project.metadata import metadata_of_class, schema_of
from sqlalchemy_guard.project.relationships import registry_of, text_of
from sqlalchemy_guard.project.tables import all_tables, is_closed
from sqlalchemy_guard.project.types import ClassType, options
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy_guard.project.registries import ClassId, Registry
    from sqlalchemy_guard.project.relationships import Relationship
    from sqlalchemy_guard.project.workspace import Workspace

EXPRESSIONS = ("primaryjoin", "secondaryjoin", "foreign_keys", "remote_side", "order_by")
"""Arguments whose strings are evaluated as Python."""

_CLASS = "mapped class"


@dataclass(frozen=True, slots=True)
class UnknownName:
    """A name that nothing answers to.

    Attributes:
        node: The string that says it.
        name: The name.
        what: What it should be the name of: `mapped class`, `attribute` or `table`.
        known: The names that could have been meant.
        owner: The class that should have the attribute, "" for other names.
    """

    node: ast.expr
    name: str
    what: str
    known: frozenset[str]
    owner: str = ""


def unknown_names(workspace: Workspace, relationship: Relationship) -> Iterator[UnknownName]:
    """The names in the strings of a relationship that SQLAlchemy will not find."""
    registry = registry_of(workspace.resolver, relationship)
    if registry is None or not _is_closed(workspace, registry):
        return
    target = relationship.argument("argument")
    if target is not None:
        text = text_of(workspace.resolver, target[0], relationship.file)
        if text is not None and _is_literal(target[1]) and _is_dotted(text):
            yield from _unknown_class(workspace, relationship, registry, target[1], text)
    elif relationship.annotation is not None:
        for node in ast.walk(relationship.annotation):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from _unknown_annotation(workspace, relationship, registry, node, node.value)
    yield from _unknown_table(workspace, relationship, registry)
    for name in EXPRESSIONS:
        given = relationship.argument(name)
        if given is None:
            continue
        values = given[0].items if type(given[0]) is Sequence else (given[0],)
        nodes = given[1].elts if isinstance(given[1], (ast.List, ast.Tuple, ast.Set)) else [given[1]]
        for value, node in zip(values, nodes, strict=False):
            text = text_of(workspace.resolver, value, relationship.file)
            if text is not None and _is_literal(node):
                yield from _unknown_in_expression(workspace, relationship, registry, node, text)


def _is_literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_dotted(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


def _is_closed(workspace: Workspace, registry: Registry) -> bool:
    """Whether every class of a registry is written out in the workspace."""
    workspace.resolver.keys.add(workspace.READ)
    if not registry.home or "automap" in registry.kind or not workspace.is_read:
        return False
    resolver = workspace.resolver
    for call, file in workspace.calls_of("type", None):
        if len(call.args) == 3 and any(
            not isinstance(option, ClassType) or resolver.is_model(option)
            for base in (call.args[1].items if type(call.args[1]) is Sequence else (call.args[1],))
            for option in options(resolver.type_of(base, file))
        ):
            return False
    return True


def _unknown_class(
    workspace: Workspace, relationship: Relationship, registry: Registry, node: ast.expr, text: str
) -> Iterator[UnknownName]:
    resolver, file = workspace.resolver, relationship.file
    if registries.named(resolver, text, file, registry):
        return
    name = text.rpartition(".")[2]
    elsewhere = registries.named(resolver, name, file, registry) if "." in text else []
    if elsewhere:
        yield UnknownName(node, text, _CLASS, frozenset(_dotted(workspace, each) for each in elsewhere))
    elif not _may_exist(workspace, name):
        yield UnknownName(node, text, _CLASS, frozenset(_class_names(workspace, registry)))


def _unknown_annotation(
    workspace: Workspace, relationship: Relationship, registry: Registry, node: ast.expr, text: str
) -> Iterator[UnknownName]:
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for each in ast.walk(tree):
        if isinstance(each, ast.Name) and not _is_bound(workspace, relationship, each.id):
            yield from _unknown_class(workspace, relationship, registry, node, each.id)


def _is_bound(workspace: Workspace, relationship: Relationship, name: str) -> bool:
    """Whether the annotation's own module, or Python, knows a name."""
    file = relationship.file
    workspace.resolver.keys.add((file.file_id, name))
    workspace.resolver.keys.add((file.file_id, "*"))
    if name in relationship.owner.classes or name in relationship.owner.attributes:
        return True
    return file.facts.value_of(name) is not None or bool(file.facts.stars) or hasattr(builtins, name)


def _unknown_in_expression(
    workspace: Workspace, relationship: Relationship, registry: Registry, node: ast.expr, text: str
) -> Iterator[UnknownName]:
    """Classes, and attributes of known classes, that a string to be evaluated names and that do not exist."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    resolver, file = workspace.resolver, relationship.file
    seen: set[str] = set()
    for each in ast.walk(tree):
        if not isinstance(each, ast.Attribute) or not isinstance(each.value, ast.Name):
            continue
        owner, name = each.value.id, each.attr
        if f"{owner}.{name}" in seen or owner in _local_names(tree):
            continue
        seen.add(f"{owner}.{name}")
        classes = registries.named(resolver, owner, file, registry)
        if not classes:
            # Lower case is for functions and tables, which are many; a class is recognized by its capital.
            if owner[:1].isupper() and owner not in seen:
                seen.add(owner)
                yield from _unknown_class(workspace, relationship, registry, node, owner)
        elif len(classes) == 1 and not name.startswith("_"):
            known = attribute_names(resolver, ClassType(classes[0]))
            added = next(iter(workspace.stored_attributes(name)), None)
            if known is not None and added is None and name not in (*known, "metadata", "registry"):
                yield UnknownName(node, name, "attribute", known, owner)


def _unknown_table(
    workspace: Workspace, relationship: Relationship, registry: Registry
) -> Iterator[UnknownName]:
    """A string for `secondary` that is the name of no table of the class's `MetaData`."""
    given = relationship.argument("secondary")
    metadata = metadata_of_class(workspace.resolver, relationship.owner_id)
    text = text_of(workspace.resolver, given[0], relationship.file) if given is not None else None
    if given is None or text is None or metadata is None or not _is_literal(given[1]) or not _is_dotted(text):
        return
    if not is_closed(workspace, metadata) or registries.named(
        workspace.resolver, text, relationship.file, registry
    ):
        return
    known: set[str] = set()
    for table in all_tables(workspace):
        if table.name is not None and table.metadata == metadata:
            known.add(table.name if table.schema is None else f"{table.schema}.{table.name}")
            if not table.has_all_arguments or schema_of(workspace.resolver, metadata) is not None:
                # Its schema is not certain: both ways to name it may be right.
                known.add(table.name)
                if text.endswith(f".{table.name}"):
                    return
    if text not in known:
        yield UnknownName(given[1], text, "table", frozenset(known))


def _local_names(tree: ast.AST) -> set[str]:
    return {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


def _may_exist(workspace: Workspace, name: str) -> bool:
    """Whether a class of that name may be mapped, in a way that is not understood, in any file."""
    resolver = workspace.resolver
    imperative = next(workspace.calls_of("map_imperatively", None), None) is not None
    for ref in workspace.classes_named(name, ""):
        class_ = ClassType(ref)
        if imperative or has_unknown_base(resolver, class_):
            return True
    resolver.keys.add((IMPORTS, ""))
    for file in list(workspace.known_files()):
        resolver.keys.add((file.file_id, name))
        for binding in file.facts.names.get(name, ()):
            made = resolver.type_of(binding.value, file)
            if not isinstance(made, ClassType) or isinstance(made.ref, str):
                # An alias, the result of a function, or a library's class.
                return True
        if file.syntax.problems and f"class {name}" in file.document.text:
            return True
    return False


def _class_names(workspace: Workspace, registry: Registry) -> Iterable[str]:
    """The names of the classes of a registry."""
    workspace.resolver.keys.add((TABLE, ""))
    for file in list(workspace.known_files()):
        for qualname in list(file.facts.classes):
            ref = (file.file_id, qualname)
            if workspace.resolver.is_model(ClassType(ref)):
                if registries.registry_of(workspace.resolver, ref) == registry:
                    yield qualname.rpartition(".")[2]


def _dotted(workspace: Workspace, ref: ClassId) -> str:
    return f"{workspace.modules.dotted(ref[0])}.{ref[1].rpartition('.')[2]}"
