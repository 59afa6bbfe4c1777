"""A column compared with None by `==` or `!=`.

## What it does
Reports `column == None` and `column != None` in criteria. Plain values of Python are left alone, and relationships, for which
`==` is the only form.

## Why is this bad?
It works, but reads like a mistake: other linters "correct" it to `column is None`, which Python decides by itself and which
silently matches nothing. `is_(None)` says the same and is safe from that.

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


missing = select(User).where(User.email == None)
```

## Use instead
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


missing = select(User).where(User.email.is_(None))
```

## Fix safety
Safe: both give `IS NULL`, or `IS NOT NULL`.

## References
- [`ColumnOperators.is_()`](https://docs.sqlalchemy.org/en/20/core/sqlelement.html#sqlalchemy.sql.expression.ColumnOperators.is_)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.operators import Operators
from sqlalchemy_guard.project.criteria import NoneCriterion
from sqlalchemy_guard.project.sql_operands import is_plain_column
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context

rule = Rule("SAG321", Severity.HINT, Applicability.SAFE)


@rule.on(NoneCriterion)
def check(context: Context, criterion: NoneCriterion) -> Iterator[Violation]:
    """Report a column that is compared with None."""
    node = criterion.node
    column = node.comparators[0] if isinstance(node.left, ast.Constant) else node.left
    if not is_plain_column(context.query_knowledge(criterion.fact.chunk), column):
        return
    sign, method = ("==", "is_") if isinstance(node.ops[0], ast.Eq) else ("!=", "is_not")
    yield context.at_call(
        rule,
        criterion.fact,
        f"`{sign} None` invites a correction to `is`, which would match nothing: use `{method}(None)`",
        node=node,
        applicability=Applicability.SAFE,
        subject=criterion,
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Call the method."""
    fact, node = violation.subject.fact, violation.subject.node
    operators = Operators(context.source, context.module_statements(), fact, lambda _node: False)
    around = context.parent(fact.chunk, node)
    edits = operators.rewritten(node, grouped=isinstance(around, (ast.BinOp, ast.UnaryOp, ast.BoolOp)))
    method = "is_" if isinstance(node.ops[0], ast.Eq) else "is_not"
    return Fix(f"Use `{method}(None)`", Applicability.SAFE, {context.file.file_id: edits}) if edits else None
