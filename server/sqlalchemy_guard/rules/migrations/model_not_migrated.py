"""A model that differs from the schema that the migrations build.

## What it does
Replays the Alembic history of the workspace as data, without a database and without running a revision, and compares the
schema that it builds with the tables of the models: tables, columns, types, nullability, foreign keys with their `ON DELETE`,
unique constraints, indexes, values of enums, named checks, and defaults of the server. Renames are told from a drop and an add.

Silent where something is not known on either side, for tables that other files or libraries migrate, and for a history that
does not hold all that it builds upon; `sqlalchemy-guard drift` names what could not be followed.

## Why is this bad?
The models say what the code expects, the migrations say what the database has. Where they differ, the code fails in the first
environment that was not made from the models: a missing column, a NULL that should not be there, a delete that is refused.

## Example
```python
# path: alembic/env.py
from alembic import context
from shop.models import Base

context.configure(target_metadata=Base.metadata)
context.run_migrations()
```

```python
# path: alembic/versions/3f1c_initial.py
import sqlalchemy as sa
from alembic import op

revision = "3f1c"
down_revision = None


def upgrade():
    op.create_table(
        "prices",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
    )


def downgrade():
    op.drop_table("prices")
```

```python
# path: shop/models.py
from datetime import datetime

from sqlalchemy import func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Price(Base):
    __tablename__ = "prices"

    id: Mapped[int] = mapped_column(primary_key=True)
    cents: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(default=func.now())
    updated_at: Mapped[datetime] = mapped_column(default=func.now(), onupdate=func.now())
```

## Use instead
```python
# path: alembic/versions/2ab7bdb9f08e_add_prices_cents.py
\"\"\"Add prices.cents

Revision ID: 2ab7bdb9f08e
Revises: 3f1c
\"\"\"

import sqlalchemy as sa
from alembic import op

revision = "2ab7bdb9f08e"
down_revision = "3f1c"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("prices", sa.Column("cents", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("prices", "cents")
```

## Fix safety
Unsafe: writes the migration that `alembic revision --autogenerate` would write, with the project's own template, for everything
that differs. Read it before it is run: it changes the database.

## References
- [Alembic: auto generating migrations](https://alembic.sqlalchemy.org/en/latest/autogenerate.html)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.migrations.known import drifts_of, id_for, message_for
from sqlalchemy_guard.project.model import Model
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.fixes.source import Located
    from sqlalchemy_guard.migrations.drift import Drift
    from sqlalchemy_guard.migrations.findings import Finding
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.syntax.chunk import Chunk

rule = Rule("SAG502", Severity.WARNING, Applicability.UNSAFE)


@rule.on(Model)
def check(context: Context, model: Model) -> Iterator[Violation]:
    """Report what differs at the columns of a mapped class, or at its name."""
    facts = model.facts
    header = context.span(facts.chunk, facts.header)
    for drift, finding in _here(context, header.line, header.line):
        assert finding.place is not None
        for attribute in facts.attributes.values():
            span = context.span(attribute.chunk, attribute.node)
            if finding.place.file_id == context.file_id and span.line == finding.place.span.line:
                yield _violation(context, drift, finding, attribute.chunk, attribute.node, attribute.node)
                break
        else:
            name = context.name_of(facts.chunk, facts.header)
            yield _violation(context, drift, finding, facts.chunk, name, facts.header)


@rule.on_call("sqlalchemy.Table")
def check_table(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """The same for a table that is made without a class."""
    span = context.span(call.fact.chunk, call.fact.node)
    for drift, finding in _here(context, span.line, span.end_line):
        yield _violation(context, drift, finding, call.fact.chunk, call.fact.node.func, None)


def _here(context: Context, first: int, last: int) -> Iterator[tuple[Drift, Finding]]:
    """What was found for the table that is declared from one of these lines on."""
    for drift in drifts_of(context.workspace):
        for finding in drift.findings:
            home = finding.home
            if home is not None and home.file_id == context.file_id and first <= home.span.line <= last:
                yield drift, finding


def _violation(
    context: Context,
    drift: Drift,
    finding: Finding,
    chunk: Chunk,
    node: Located,
    statement: ast.stmt | None,
) -> Violation:
    message = finding.message[:1].upper() + finding.message[1:]
    can_write = len(drift.environment.graph.heads) == 1
    return context.violation(
        rule,
        chunk,
        node,
        message,
        statement=statement,
        applicability=Applicability.UNSAFE if can_write else None,
        subject=drift,
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Write the migration for everything that differs."""
    # Loaded by those who fix, not by those who check.
    from sqlalchemy_guard.migrations.render import RenderError, render

    drift: Drift = violation.subject
    if drift.comparison is None:
        return None
    differences = [one for one in drift.comparison.differences if one.kind != "part_of_table"]
    message = message_for(differences)
    try:
        made = render(context.workspace, drift, message, revision=id_for(drift))
    except RenderError:
        return None
    if made.path in context.workspace.documents:
        return None
    number = f"the {len(drift.findings)} differences" if len(drift.findings) > 1 else "this difference"
    edits = {made.path: (Edit(0, 0, made.text),)}
    return Fix(f"Create a migration for {number}", Applicability.UNSAFE, edits, frozenset({made.path}))
