"""Criteria that Python decides before the database sees them.

## What it does
Reports `is None`, `is not None`, `not column`, `a and b`, `a or b`, `x in column`, `column in values` and chained comparisons
in `where()`, `filter()`, `having()`, `and_()`, `or_()`, `join()`, `case()`, `any()` and `has()`, where the operands are columns
or SQL expressions. Plain values of Python (`where(a == 1 if flag else true())`, `in_(ids or [0])`) are left alone.

## Why is this bad?
These operators cannot be overloaded. `User.deleted_at is None` is always false and finds nothing; `a and b` raises or
silently drops one of the two conditions; nothing warns about it.

## Example
```python
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str | None]
    active: Mapped[bool]


missing = select(User).where(User.email is None)
inactive = select(User).where(not User.active)
reachable = select(User).where(User.active and User.email != "")
chosen = select(User).where(User.id in [1, 2, 3])
```

## Use instead
```python
from sqlalchemy import and_, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str | None]
    active: Mapped[bool]


missing = select(User).where(User.email.is_(None))
inactive = select(User).where(~User.active)
reachable = select(User).where(and_(User.active, User.email != ""))
chosen = select(User).where(User.id.in_([1, 2, 3]))
```

## Fix safety
Safe: the condition becomes what is written, which it is not today. No fix where a plain value takes part, and for a value
sought in a column (`"x" in User.tags`), where `contains()`, `any()` or a database function may be meant.

## References
- [Operator reference](https://docs.sqlalchemy.org/en/20/core/operators.html)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.operators import Operators
from sqlalchemy_guard.project.criteria import PythonCriterion
from sqlalchemy_guard.project.sql_operands import is_plain_column, is_relationship, is_sql
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.query_knowledge import QueryKnowledge
    from sqlalchemy_guard.text.edit import Edit

rule = Rule("SAG308", Severity.ERROR, Applicability.SAFE)

_SINGLETONS = (None, True, False)


@rule.on(PythonCriterion)
def check(context: Context, criterion: PythonCriterion) -> Iterator[Violation]:
    """Report an operation of Python on columns."""
    knowledge = context.query_knowledge(criterion.fact.chunk)
    judged = _judge(knowledge, criterion.node)
    if judged is None:
        return
    message, can_fix = judged
    yield context.at_call(
        rule,
        criterion.fact,
        message,
        node=criterion.node,
        applicability=Applicability.SAFE if can_fix else None,
        subject=criterion,
    )


def _judge(knowledge: QueryKnowledge, node: ast.expr) -> tuple[str, bool] | None:
    """What is wrong with an operation and whether it can be written for SQL; None where its operands are plain values."""
    match node:
        case ast.BoolOp(op=op, values=values):
            if not all(is_sql(knowledge, value) for value in values):
                return None
            word, function = ("and", "and_()") if isinstance(op, ast.And) else ("or", "or_()")
            message = f"Python's `{word}` keeps one of the conditions and drops the rest: use `{function}`"
            inner = [_judge(knowledge, value) for value in values]
            return message, all(one is None or one[1] for one in inner)
        case ast.UnaryOp(operand=operand):
            if not is_sql(knowledge, operand):
                return None
            inside = _judge(knowledge, operand)
            return (
                "Python decides `not` by itself, the column is not asked: use `~`",
                inside is None or inside[1],
            )
        case ast.Compare(ops=[ast.Is() | ast.IsNot() as op], left=left, comparators=[right]):
            if not is_sql(knowledge, left) or isinstance(left, ast.Call):
                return None
            sign, method = ("is", "is_()") if isinstance(op, ast.Is) else ("is not", "is_not()")
            result = "false" if isinstance(op, ast.Is) else "true"
            readable = isinstance(right, ast.Constant) and right.value in _SINGLETONS
            related = is_relationship(knowledge, left)
            if related:
                method = "== None" if isinstance(op, ast.Is) else "!= None"
            return (
                f"Python's `{sign}` on a column is always {result}: use `{method}`",
                readable and (related or is_plain_column(knowledge, left)),
            )
        case ast.Compare(ops=[ast.In() | ast.NotIn() as op], left=left, comparators=[right]):
            if is_sql(knowledge, left):
                method = "in_()" if isinstance(op, ast.In) else "not_in()"
                return (
                    f"Python searches by itself and the column is not asked: use `{method}`",
                    is_plain_column(knowledge, left) and not is_sql(knowledge, right),
                )
            if is_sql(knowledge, right) and not isinstance(right, ast.Call):
                return "A column cannot be searched by Python: use `contains()` or `any()`", False
        case ast.Compare(ops=ops, left=left, comparators=comparators) if len(ops) > 1:
            sides = (left, *comparators)
            if any(is_sql(knowledge, side) for side in sides[1:-1]) or (
                is_sql(knowledge, left) and is_sql(knowledge, sides[-1])
            ):
                simple = all(
                    isinstance(op, (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)) for op in ops
                ) and not any(isinstance(one, (ast.Call, ast.Await)) for one in sides[1:-1])
                return "Python keeps one comparison of a chain and drops the rest: use `and_()`", simple
    return None


def _edits(context: Context, criterion: PythonCriterion) -> tuple[Edit, ...] | None:
    fact, node = criterion.fact, criterion.node
    knowledge = context.query_knowledge(fact.chunk)
    operators = Operators(
        context.source, context.module_statements(), fact, lambda each: is_relationship(knowledge, each)
    )
    around = context.parent(fact.chunk, node)
    return operators.rewritten(node, grouped=isinstance(around, (ast.BinOp, ast.UnaryOp, ast.BoolOp)))


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Write the operation for SQL."""
    edits = _edits(context, violation.subject)
    if edits is None or violation.applicability is None:
        return None
    return Fix("Let the database decide", violation.applicability, {context.file.file_id: edits})
