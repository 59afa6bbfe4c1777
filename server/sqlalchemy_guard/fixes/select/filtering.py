"""The two links that need more than a template: `filter_by`, which addresses one entity, and set operations.

Query's `filter_by` looks at the entity that was joined last; `select().filter_by` does so in 2.0 and
searches every FROM element in 2.1. This module must never know other links.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import EntityInfo, EntityKind, walk_references
from sqlalchemy_guard.fixes.select.source import Refuse
from sqlalchemy_guard.fixes.select.statement import COLUMNS
from sqlalchemy_guard.fixes.select.tree import Argument, Call, Chain, Step, Text

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.query import Link
    from sqlalchemy_guard.fixes.select.statement import Statement
    from sqlalchemy_guard.fixes.select.tree import Tree


def filter_by(statement: Statement, link: Link) -> str | None:
    """`filter_by(name=value)`: kept where it can only mean the same entity, else qualified.

    Returns:
        The template to write, None when the criteria were written here.
    """
    if link.args:
        raise Refuse("filter_by() takes keyword arguments only")
    if "union" in statement.clauses and statement.selected[0].info.kind is not EntityKind.MODEL:
        raise Refuse(
            "filter_by() after a union of columns applies to its subquery: name that, and use its `c` in where()"
        )
    addressed = statement.target or _first(statement)
    for keyword in link.keywords:
        _refer_to_value(statement, keyword.value)
    model = addressed.model
    for keyword in link.keywords:
        if model is not None and model.complete and keyword.arg is not None and not model.has(keyword.arg):
            raise Refuse(f"Query raises here: `{model.name}` has no attribute `{keyword.arg}`")
    if len(statement.sources) == 1 and statement.target is None and addressed.owner is None:
        if addressed.kind in (EntityKind.AGGREGATE, EntityKind.EXPRESSION):
            statement.doubt("which class filter_by() addresses is not proven")
        return "stmt.filter_by(*args)"
    own = statement.selected[0].info if statement.target is None else None
    others = [
        each
        for each in statement.sources
        if each is not own and (each.owner is None or each.owner != addressed.owner)
    ]
    if "with_entities" in statement.clauses and "join" in statement.clauses:
        statement.doubt("what filter_by() addresses behind join() and with_entities() is not proven")
    named = (
        addressed.kind in (EntityKind.MODEL, EntityKind.ALIAS, EntityKind.TABLE)
        or (
            # An expression stands for its table alone: attributes of the class are not found through it.
            addressed.kind in (EntityKind.AGGREGATE, EntityKind.EXPRESSION)
            and model is not None
            and all(keyword.arg in model.columns for keyword in link.keywords)
            and len(statement.sources) == 1
        )
        or (
            addressed.kind is EntityKind.COLUMN
            and addressed.label is None
            and (model is None or addressed.attribute in model.columns)
        )
    )
    # 2.1 counts a class that is selected and joined as two.
    named = named and (
        not statement.clauses & {"join", "select_from"}
        or sum(each.owner == addressed.owner for each in statement.sources) == 1
    )
    if named and not others:
        return "stmt.filter_by(*args)"
    if any(keyword.arg is None for keyword in link.keywords):
        raise Refuse(
            "filter_by(**values) after a join does not show its names: write where(Class.name == value)"
        )
    names = [keyword.arg or "" for keyword in link.keywords]
    if named and "reset_joinpoint" not in statement.clauses and _only_in(addressed, others, names):
        return "stmt.filter_by(*args)"
    where = spelling(statement, addressed, statement.target_node or statement.selected[0].node)
    if where is None:
        raise Refuse(
            "what filter_by() addresses has no name here: write where(Class.name == value) with the "
            "class joined last, or the one selected first"
        )
    criteria = tuple(Argument(_criterion(statement, where, keyword, addressed)) for keyword in link.keywords)
    statement.steps.append(Step("where", criteria, origin=link.node))
    return None


def qualified(statement: Statement, step: Step) -> Step | None:
    """A `filter_by()` of the one class that is selected as `where()`; None where that cannot be written."""
    only = statement.selected[0]
    where = spelling(statement, only.info, only.node)
    if not isinstance(step.origin, ast.Call) or where is None:
        return None
    keywords = step.origin.keywords
    if any(keyword.arg is None for keyword in keywords):
        return None
    criteria = tuple(Argument(_criterion(statement, where, keyword, only.info)) for keyword in keywords)
    return Step("where", criteria, origin=step.origin)


def _first(statement: Statement) -> EntityInfo:
    """What `filter_by` addresses without a join: the class of an expression's only column counts."""
    first = statement.selected[0]
    if first.info.kind not in (EntityKind.AGGREGATE, EntityKind.EXPRESSION):
        return first.info
    found = set(walk_references(first.node, statement.knowledge))
    owners = {each.owner for each in found}
    model = next(iter(found)).model if len(owners) == 1 else None
    if model is None or owners != {model.identity}:
        return first.info
    return EntityInfo(EntityKind.EXPRESSION, model, model.identity)


def _refer_to_value(statement: Statement, node: ast.expr) -> None:
    if not isinstance(node, ast.Constant):
        statement.refer(node)


def _only_in(addressed: EntityInfo, others: list[EntityInfo], names: list[str]) -> bool:
    if addressed.model is None or not all(addressed.model.has(name) for name in names):
        return False
    return all(
        other.model is not None and other.model.complete and not any(other.model.has(name) for name in names)
        for other in others
    )


def spelling(statement: Statement, addressed: EntityInfo, node: ast.expr) -> str | None:
    """How the addressed entity is written at this place."""
    if addressed.kind is EntityKind.COLUMN and isinstance(node, ast.Attribute):
        node = node.value
    model = addressed.model
    is_alias = model is None or addressed.owner != model.identity
    if (
        isinstance(node, ast.Name)
        and is_alias
        and addressed.kind
        in (
            EntityKind.ALIAS,
            EntityKind.COLUMN,
        )
    ):
        return node.id
    if isinstance(node, ast.Name) and addressed.kind is EntityKind.TABLE:
        return f"{node.id}.c"
    return statement.knowledge.spelling(model) if model is not None and not is_alias else None


_TIGHTER_THAN_EQUALS = (
    *(ast.Constant, ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.BinOp, ast.JoinedStr),
    *(ast.List, ast.Tuple, ast.Dict, ast.Set, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)


def _criterion(statement: Statement, where: str, keyword: ast.keyword, addressed: EntityInfo) -> Text:
    value = keyword.value
    is_column = addressed.model is not None and keyword.arg in addressed.model.columns
    if isinstance(value, ast.Constant) and value.value is None and is_column:
        return Text(f"{where}.{keyword.arg}.is_(None)")
    text = statement.text.segment(value)
    if not isinstance(value, _TIGHTER_THAN_EQUALS) or "\n" in text or isinstance(value, ast.GeneratorExp):
        text = f"({text})"
    return Text(f"{where}.{keyword.arg} == {text}", value)


UNITED = frozenset(
    (
        *("where", "filter_by", "join", "outerjoin", "order_by", "group_by", "having"),
        *("limit", "offset", "slice", "distinct", "with_only_columns", "add_columns"),
    )
)
"""Steps that a set operation of Query takes into its subquery; all others stay with the result."""


def union(statement: Statement, link: Link) -> str:
    """A set operation: Query selects from its subquery, and so does the new form.

    Returns:
        An empty template: the statement's base is replaced here.
    """
    if link.has_unpacking or link.keywords or not link.args:
        raise Refuse(f"the queries of {link.name}() are not visible one by one")
    if statement.execution or any(step.name not in UNITED for step in statement.steps):
        raise Refuse(f"options before {link.name}() belong to its result: put them behind it")
    if "order_by" in statement.clauses:
        statement.doubt(f"ORDER BY inside {link.name}() fails on some databases")
    if statement.nested is None:
        raise Refuse(f"{link.name}() is not understood here")
    members: list[Tree] = [statement.tree()]
    for node in link.args:
        member = statement.nested(node)
        if member is None:
            raise Refuse(
                f"`{statement.text.segment(node)}` is not written here: build the select()s first, then "
                f"`aliased(Entity, {link.name}(first, second).subquery())`"
            )
        members.append(member)
    if statement.as_rows and not statement.by_position:
        statement.doubt(f"rows of {link.name}() do not name its class")
    infos = [each.info for each in statement.selected]
    operation = Call(_function(statement, link.name), tuple(Argument(member) for member in members))
    subquery = Chain(operation, (Step("subquery", (), origin=link.node),))
    select = _function(statement, "select")
    if len(infos) == 1 and infos[0].kind is EntityKind.MODEL:
        if infos[0].model is None or not infos[0].model.complete or infos[0].model.computed:
            statement.doubt("SQL expressions that are mapped are computed again from the union")
        alias = Call(
            _function(statement, "aliased"), (Argument(statement.selected[0].tree), Argument(subquery))
        )
        statement.base = Call(select, (Argument(alias),))
    elif all(info.kind in COLUMNS for info in infos):
        if statement.same_names() or any(info.attribute is None and info.label is None for info in infos):
            raise Refuse(f"the columns of {link.name}() share a name or have none: give them labels")
        statement.base = Call(select, (Argument(subquery),))
    else:
        raise Refuse(f"{link.name}() of several entities: select them from `aliased(Entity, subquery)` each")
    statement.steps = []
    statement.sources = []
    statement.joined = []
    statement.clauses.clear()
    return ""


def _function(statement: Statement, name: str) -> Text:
    return statement.names[name]  # type: ignore[return-value]
