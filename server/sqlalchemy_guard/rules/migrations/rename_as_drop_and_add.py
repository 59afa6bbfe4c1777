"""A rename that autogenerate wrote as a drop and an add: the values are lost.

## What it does
Reports a column that is dropped while one of the same type and a like name is added to the same table, and a table that is
dropped while one with the same columns is created. What the type was is read from `downgrade()`. Silent where several columns of
the table come or go, and where a statement of the revision copies the values.

## Why is this bad?
Autogenerate compares names: it cannot see that `price` is the `cost` of before. Run as it is, the migration succeeds, and every
value is gone.

## Example
```toml
# The application is stopped while it is migrated.
[tool.sqlalchemy-guard]
ignore = ["incompatible-rename"]
```

```python
import sqlalchemy as sa
from alembic import op

revision = "8b20"
down_revision = "3f1c"


def upgrade():
    op.add_column("product", sa.Column("unit_price", sa.Integer(), nullable=True))
    op.drop_column("product", "price")


def downgrade():
    op.add_column("product", sa.Column("price", sa.Integer(), nullable=True))
    op.drop_column("product", "unit_price")
```

## Use instead
```python
import sqlalchemy as sa
from alembic import op

revision = "8b20"
down_revision = "3f1c"


def upgrade():
    op.alter_column(
        "product",
        "price",
        new_column_name="unit_price",
        existing_type=sa.Integer(),
        existing_nullable=True,
    )


def downgrade():
    op.alter_column(
        "product",
        "unit_price",
        new_column_name="price",
        existing_type=sa.Integer(),
        existing_nullable=True,
    )
```

## Fix safety
Unsafe: if it is not the same column, its new values would be the old ones of another. A column of another nullability or default
needs more than a rename, and a table that is renamed keeps the names of its constraints: no fix there.

## References
- [Alembic: what does autogenerate detect](https://alembic.sqlalchemy.org/en/latest/autogenerate.html#what-does-autogenerate-detect-and-what-does-it-not-detect)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.migrations.review import is_reviewed
from sqlalchemy_guard.project.revision_renames import column_renames, table_renames
from sqlalchemy_guard.project.revision_steps import Operation
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context

rule = Rule("SAG506", Severity.WARNING, Applicability.UNSAFE)


@rule.on(Operation)
def check(context: Context, operation: Operation) -> Iterator[Violation]:
    """Report pairs that were meant as a rename, at the drop."""
    step = operation.step
    if operation.direction != "upgrade" or step.name not in ("drop_column", "drop_table"):
        return
    is_column = step.name == "drop_column"
    for pair in column_renames(operation) if is_column else table_renames(operation):
        if pair.drop is not step or not is_reviewed(context.workspace, context.file_id, context.settings):
            continue
        if is_column:
            old, new = f"`{pair.table}.{pair.old}`", f"`{pair.new}`"
            remedy = f'`alter_column("{pair.table}", "{pair.old}", new_column_name="{pair.new}")`'
        else:
            old, new, remedy = f"`{pair.old}`", f"`{pair.new}`", f'`rename_table("{pair.old}", "{pair.new}")`'
        edits = None
        if is_column:
            from sqlalchemy_guard.fixes.renamed import renamed

            edits = renamed(context.source, operation, pair)
        yield context.at_call(
            rule,
            step.fact,
            f"{old} is dropped and {new} is added: if that is a rename, the values are lost; write {remedy}",
            applicability=Applicability.UNSAFE if edits else None,
            subject=(operation, pair),
            related=(
                context.related(
                    context.file, pair.add.fact.chunk, pair.add.fact.node, "What takes its place"
                ),
            ),
        )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Rename in both directions."""
    from sqlalchemy_guard.fixes.renamed import renamed

    operation, pair = violation.subject
    edits = renamed(context.source, operation, pair)
    title = f"Rename `{pair.old}` to `{pair.new}`, which keeps its values"
    return Fix(title, Applicability.UNSAFE, {context.file_id: edits}) if edits else None
