"""The two links that need more than a template: `filter_by`, which addresses one entity, and set operations.

Query's `filter_by` looks at the entity that was joined last; `select().filter_by` does so in 2.0 and searches every FROM
element in 2.1. This module must never know other links.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import EntityKind
from sqlalchemy_guard.fixes.select.source import Refuse
from sqlalchemy_guard.fixes.select.statement import COLUMNS
from sqlalchemy_guard.fixes.select.tree import Argument, Call, Chain, Step, Text

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.query import EntityInfo, Link
    from sqlalchemy_guard.fixes.select.statement import Statement
    from sqlalchemy_guard.fixes.select.tree import Tree


def filter_by(statement: Statement, link: Link) -> str | None:
    """`filter_by(name=value)`: kept where it can only mean the same entity, else qualified.

    Returns:
        The template to write, None when the criteria were written here.
    """
    if link.args:
        raise Refuse("filter_by() takes keyword arguments only")
    addressed = statement.target or statement.selected[0].info
    for keyword in link.keywords:
        _refer_to_value(statement, keyword.value)
    others = [each for each in statement.sources if each.owner is None or each.owner != addressed.owner]
    if not others:
        return "stmt.filter_by(*args)"
    if any(keyword.arg is None for keyword in link.keywords):
        raise Refuse(
            "filter_by(**values) after a join does not show its names: write where(Class.name == value)"
        )
    names = [keyword.arg or "" for keyword in link.keywords]
    if _only_in(addressed, others, names):
        return "stmt.filter_by(*args)"
    where = _spelling(statement, addressed)
    if where is None:
        raise Refuse(
            "filter_by() after a join addresses the class joined last, whose name is not known here: "
            "write where(Class.name == value)"
        )
    if addressed.kind is not EntityKind.MODEL or addressed.model is None:
        statement.doubt("what filter_by() addresses is not proven")
    criteria = tuple(Argument(_criterion(statement, where, keyword, addressed)) for keyword in link.keywords)
    statement.steps.append(Step("where", criteria, origin=link.node))
    return None


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


def _spelling(statement: Statement, addressed: EntityInfo) -> str | None:
    if addressed.kind in (EntityKind.MODEL, EntityKind.COLUMN) and addressed.model is not None:
        return statement.knowledge.spelling(addressed.model)
    return None


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


def union(statement: Statement, link: Link) -> str:
    """A set operation: Query selects from its subquery, and so does the new form.

    Returns:
        An empty template: the statement's base is replaced here.
    """
    if link.has_unpacking or link.keywords or not link.args:
        raise Refuse(f"the queries of {link.name}() are not visible one by one")
    if statement.execution or statement.clauses & {"from_statement", "correlate"}:
        raise Refuse(f"options before {link.name}() belong to its result: put them behind it")
    if statement.nested is None:
        raise Refuse(f"{link.name}() is not understood here")
    members: list[Tree] = [statement.tree()]
    for node in link.args:
        member = statement.nested(node)
        if member is None:
            raise Refuse(
                f"`{statement.text.segment(node)}` is not written here: build the select() statements first, then "
                f"`aliased(Entity, {link.name}(first, second).subquery())`"
            )
        members.append(member)
    infos = [each.info for each in statement.selected]
    operation = Call(_function(statement, link.name), tuple(Argument(member) for member in members))
    subquery = Chain(operation, (Step("subquery", (), origin=link.node),))
    select = _function(statement, "select")
    if len(infos) == 1 and infos[0].kind is EntityKind.MODEL:
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
    statement.clauses.clear()
    return ""


def _function(statement: Statement, name: str) -> Text:
    found = statement.names[name]
    return found  # type: ignore[return-value]
