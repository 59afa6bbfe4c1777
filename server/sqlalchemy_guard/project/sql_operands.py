"""Which operands of an operation are SQL: columns, relationships and expressions, as against plain values of Python.

This module must never take an operand for SQL that is not proven to be.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.query import EntityKind

if TYPE_CHECKING:
    from sqlalchemy_guard.project.query_knowledge import QueryKnowledge

_SQL = frozenset((EntityKind.COLUMN, EntityKind.RELATIONSHIP, EntityKind.AGGREGATE, EntityKind.EXPRESSION))
_COMPARING = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)


def is_sql(knowledge: QueryKnowledge, node: ast.expr) -> bool:
    """Whether an expression is SQL, or would be if Python did not decide it."""
    match node:
        case ast.BoolOp(values=values):
            return all(is_sql(knowledge, value) for value in values)
        case ast.UnaryOp(op=ast.Not() | ast.Invert() | ast.USub(), operand=operand):
            return is_sql(knowledge, operand)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            if all(isinstance(op, _COMPARING) for op in ops):
                return any(is_sql(knowledge, side) for side in (left, *comparators))
            return is_sql(knowledge, left)
        case ast.BinOp(left=left, right=right):
            return is_sql(knowledge, left) or is_sql(knowledge, right)
        case ast.IfExp(body=body, orelse=orelse):
            return is_sql(knowledge, body) and is_sql(knowledge, orelse)
    return knowledge.entity(node).kind in _SQL


def is_relationship(knowledge: QueryKnowledge, node: ast.expr) -> bool:
    """Whether an operand is a relationship, which compares by `==` alone."""
    return knowledge.entity(node).kind is EntityKind.RELATIONSHIP


def is_plain_column(knowledge: QueryKnowledge, node: ast.expr) -> bool:
    """Whether an operand is a mapped column, a table's column or an expression: not a hybrid, proxy or composite."""
    entity = knowledge.entity(node)
    if entity.kind is EntityKind.COLUMN:
        return entity.model is None or entity.attribute in entity.model.columns
    return entity.kind in (EntityKind.EXPRESSION, EntityKind.AGGREGATE)
