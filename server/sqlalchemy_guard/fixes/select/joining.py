"""`join()` and `outerjoin()`: what they bring into a statement, whether that can repeat rows, what `filter_by` means then.

This module must never know other links.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import UNKNOWN_ENTITY, EntityInfo, EntityKind, walk_references
from sqlalchemy_guard.fixes.select.source import Refuse
from sqlalchemy_guard.fixes.select.statement import ENTITIES

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.query import Link, RelationshipInfo
    from sqlalchemy_guard.fixes.select.statement import Statement


def join(statement: Statement, link: Link) -> None:
    allowed = {"target", "onclause", "isouter", "full"}
    if link.has_unpacking or any(each.arg not in allowed for each in link.keywords):
        raise Refuse(f"{link.name}() with these arguments was removed: join aliased() classes, one call each")
    positional = [*link.args, *(value for name in ("target", "onclause") if (value := link.keyword(name)))]
    if not positional or len(positional) > 2:
        raise Refuse(
            f"{link.name}() takes one target and one on-clause: write one {link.name}() for each step"
        )
    if any(isinstance(node, ast.Constant) and isinstance(node.value, str) for node in positional):
        raise Refuse(f'{link.name}("name") was removed: write {link.name}(Class.name)')
    if any(isinstance(node, ast.Tuple) for node in positional):
        raise Refuse(f"{link.name}() with a tuple was removed: write {link.name}(target, on-clause)")
    target, onclause = positional[0], positional[1] if len(positional) == 2 else None
    info, relation, left, criteria = _peel(statement, target)
    if info.kind is EntityKind.RELATIONSHIP:
        if onclause is not None:
            raise Refuse(f"a relationship as target of {link.name}() takes no on-clause: write two calls")
        info = _relationship_target(relation)
    elif onclause is not None:
        if statement.knowledge.entity(onclause).kind in (*ENTITIES, EntityKind.TABLE):
            raise Refuse(f"{link.name}() of two classes was removed: write one {link.name}() for each step")
        joined, relation, left, more = _peel(statement, onclause)
        if joined.kind is EntityKind.RELATIONSHIP:
            criteria = [*criteria, *more]
        else:
            relation, left = None, None
            criteria = [*criteria, onclause]
        if not statement.since_2 and _is_text(statement, onclause):
            statement.doubt("Query of SQLAlchemy 1.4 refuses text() as an on-clause")
    if info.kind not in ENTITIES | {EntityKind.TABLE}:
        info = UNKNOWN_ENTITY
        if not _is_selectable(statement, target):
            what = statement.text.segment(target)
            statement.doubt(f"`{what}` may be a statement, which join() of select() refuses")
    if (
        not statement.since_2
        and "select_from" not in statement.clauses
        and not any(
            each.info.owner or any(part.owner for part in walk_references(each.node, statement.knowledge))
            for each in statement.selected
        )
    ):
        statement.doubt("SQLAlchemy 1.4 does not see what join() begins with")
    known_left = left is not None and left.owner is not None and left.owner in statement.owners
    if left is not None and left.owner not in {each.owner for each in statement.sources}:
        statement.clauses.add("loose_join")
    if relation is not None and not known_left and left is not None:
        statement.refer(positional[-1], left)
    starts = {statement.selected[0].info.owner} if "select_from" not in statement.clauses else set()
    before = {each.owner for each in statement.joined}
    # Only a relationship that is joined again is left out, so that a comparison says there is none.
    hidden = bool(before) and (info.owner is None or None in before) and not isinstance(onclause, ast.Compare)
    again = (info.owner is not None and info.owner in before) or hidden
    if again and not statement.since_2:
        statement.doubt("a class is joined twice, which SQLAlchemy 1.4 may leave out")
    elif info.owner is not None and info.owner in starts:
        statement.clauses.add("self_join")
        statement.opaque = statement.opaque or "a class is joined to itself without aliased()"
    elif info.owner is not None and left is not None and left.owner == info.owner:
        statement.opaque = statement.opaque or "a table is joined to itself"
    if relation is not None and (relation.secondary or not relation.known):
        statement.opaque = statement.opaque or "a join goes through an association table"
    statement.join(info, to_one=relation is not None and relation.to_one and known_left)
    for node in criteria:
        statement.refer(node, is_criterion=True)
    if relation is None:
        statement.clauses.add("plain_join")
    else:
        statement.clauses.discard("plain_join")
    statement.target = info
    statement.target_node = target if info.kind is not EntityKind.UNKNOWN else None
    statement.sources.append(info)
    statement.joined.append(info)


def _is_text(statement: Statement, node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and statement.knowledge.qualified_name(node.func) == "sqlalchemy.text"


def _is_selectable(statement: Statement, node: ast.expr) -> bool:
    """Whether a target that is not known otherwise can be joined: an attribute of a class, or what its last call
    says."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr not in ("of_type", "and_"):
            break
        node = node.func.value
    if isinstance(node, ast.Attribute) and statement.knowledge.entity(node.value).kind in ENTITIES:
        return True
    function = node.func if isinstance(node, ast.Call) else None
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in SELECTABLES


SELECTABLES = frozenset(
    ("subquery", "cte", "alias", "lateral", "tablesample", "table_valued", "aliased", "with_polymorphic")
)
"""Functions and methods whose value stands in FROM."""


def _peel(
    statement: Statement, node: ast.expr
) -> tuple[EntityInfo, RelationshipInfo | None, EntityInfo | None, list[ast.expr]]:
    """A join target without `.of_type()` and `.and_()`.

    Returns:
        What is joined; the relationship that says how, if one does; its left side; criteria in the ON clause.
    """
    criteria: list[ast.expr] = []
    subtype: EntityInfo | None = None
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "of_type" and len(node.args) == 1:
            subtype = subtype or statement.knowledge.entity(node.args[0])
        elif node.func.attr == "and_":
            criteria.extend(node.args)
        else:
            break
        node = node.func.value
    info = statement.knowledge.entity(node)
    if info.kind is not EntityKind.RELATIONSHIP or info.model is None:
        return info, None, None, criteria
    relation = info.model.relationships.get(info.attribute or "")
    left = EntityInfo(EntityKind.MODEL, info.model, info.owner)
    return (subtype or info), relation, left, criteria


def _relationship_target(relation: RelationshipInfo | None) -> EntityInfo:
    """The class that a relationship leads to, as a FROM element."""
    model = relation.target if relation is not None else None
    return EntityInfo(EntityKind.MODEL, model, model.identity) if model is not None else UNKNOWN_ENTITY


def reset_joinpoint(statement: Statement, _: Link) -> None:
    statement.target = statement.target_node = None
    if "join" in statement.clauses:
        statement.clauses.add("reset_joinpoint")
