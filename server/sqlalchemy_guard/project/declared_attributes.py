"""Columns and relationships that a `declared_attr` makes: the method, what it returns, and the classes that get it.

Only methods that do nothing but return one call are facts here. This module must never judge them.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.declarations import Attribute
from sqlalchemy_guard.facts.values import Attr, Call, Const
from sqlalchemy_guard.project.bodies import body_of
from sqlalchemy_guard.project.columns import Column, column_of
from sqlalchemy_guard.project.relationships import Relationship, relationship_of
from sqlalchemy_guard.project.subclasses import subclasses
from sqlalchemy_guard.project.tables import table_of
from sqlalchemy_guard.records import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import ClassFacts, FunctionFacts
    from sqlalchemy_guard.facts.units import Unit
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.syntax.chunk import Chunk


@dataclass(slots=True, eq=False)
class DeclaredAttribute:
    """A method under `@declared_attr` that returns a column or a relationship, and does not say so.

    Attributes:
        function: The method.
        chunk: The chunk of its `return` statement.
        statement: That statement.
        column: The column, None for a relationship.
        relationship: The relationship, as the class that declares the method would have it; None for a column.
    """

    function: FunctionFacts
    chunk: Chunk
    statement: ast.Return
    column: Column | None
    relationship: Relationship | None


def declared_attributes(unit: Unit, file: File, workspace: Workspace) -> Iterator[DeclaredAttribute]:
    """The methods of a unit's classes that make an attribute and have no annotation."""
    for class_ in unit.classes:
        for name, qualname in class_.methods.items():
            function = file.facts.function(qualname)
            if function is None or name.startswith("__") or function.annotation is not None:
                continue
            found = _declared(workspace.resolver, function, class_, file)
            if found is not None:
                yield found


def _declared(
    resolver: Resolver, function: FunctionFacts, owner: ClassFacts, file: SourceFile
) -> DeclaredAttribute | None:
    resolver.keys.add((file.file_id, function.qualname))
    if not any(_is_declared_attr(resolver, each, file) for each in function.decorators):
        return None
    body = body_of(function)
    if body and isinstance(body[0][1], ast.Expr) and isinstance(body[0][1].value, ast.Constant):
        del body[0]
    if len(body) != 1 or type(function.returned) is not Call:
        return None
    chunk, statement = body[0]
    if not isinstance(statement, ast.Return) or not isinstance(statement.value, ast.Call):
        return None
    # Who reads the call of an attribute reads that of an assignment.
    target = ast.Name(function.name, ast.Store())
    bound = ast.copy_location(ast.Assign([ast.copy_location(target, statement)], statement.value), statement)
    attribute = Attribute(function.name, None, function.returned, bound, chunk)
    column = column_of(resolver, attribute, owner, file)
    relationship = relationship_of(resolver, attribute, owner, file)
    if column is None and relationship is None:
        return None
    return DeclaredAttribute(function, chunk, statement, column, relationship)


def _is_declared_attr(resolver: Resolver, decorator: Value, file: SourceFile) -> bool:
    if type(decorator) is Attr and decorator.name == "cascading":
        decorator = decorator.base
    return resolver.external_name(decorator, file) == "sqlalchemy.orm.declared_attr"


def relationships_below(workspace: Workspace, relationship: Relationship) -> list[Relationship]:
    """A relationship as each mapped class has it that gets it from the class that declares it.

    Empty where one of them declares another of the same name, or what the call names is looked up in another file.
    """
    found: list[Relationship] = []
    todo, seen = [relationship.owner_id], {relationship.owner_id}
    while todo:
        each = todo.pop()
        class_ = workspace.resolver.class_facts(each)
        if class_ is None:
            return []
        facts, file = class_
        if table_of(workspace, each) is None:
            children = subclasses(workspace.resolver, workspace, each)
            todo += [child for child in children if child not in seen]
            seen.update(children)
            continue
        is_here = file.file_id == relationship.file.file_id
        if each != relationship.owner_id and (relationship.name in facts.attributes or not is_here):
            named = relationship.value("argument")
            if relationship.name in facts.attributes or type(named) is not Const:
                return []
        found.append(replace(relationship, owner=facts, file=file))
    return found
