"""A column or table gets another name while the release that uses the old one is still running.

## What it does
Reports `rename_table` and `alter_column(new_column_name=…)` in `upgrade()`. Silent for tables and columns that the revision itself
made, or another one that is not released yet, and for tables that are exchanged: their names stay in use.

## Why is this bad?
Migrations run before the new release is started everywhere, and while it is rolled out both releases run. From the moment of the
rename every statement of the old one fails. The same is true after a rollback of the code alone.

## Example
```python no-fix
from alembic import op

revision = "8b20"
down_revision = "3f1c"


def upgrade():
    op.alter_column("product", "cost", new_column_name="price")


def downgrade():
    op.alter_column("product", "price", new_column_name="cost")
```

## Use instead
```python no-fix
from alembic import op
import sqlalchemy as sa

revision = "8b20"
down_revision = "3f1c"


def upgrade():
    # The release writes both columns; one that follows it drops the old one.
    op.add_column("product", sa.Column("price", sa.Integer()))
    op.execute("UPDATE product SET price = cost")


def downgrade():
    op.drop_column("product", "price")
```

## Fix safety
No fix: it takes two releases. Expand: add the new column, write both, copy what is there. Contract: read the new one only, then
drop the old one. Where the attribute alone should change, keep the column's name: `mapped_column("cost")`.

## References
- [Alembic: alter_column](https://alembic.sqlalchemy.org/en/latest/ops.html#alembic.operations.Operations.alter_column)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr
from sqlalchemy_guard.migrations.review import is_reviewed
from sqlalchemy_guard.migrations.touched import is_made_unreleased
from sqlalchemy_guard.project.revision_data import before
from sqlalchemy_guard.project.revision_steps import Operation
from sqlalchemy_guard.rules.api import Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.revision_steps import Step

rule = Rule("SAG516", Severity.WARNING, None)

_STEPS = "add the new one, write both and copy, and drop the old one in a later release"


@rule.on(Operation)
def check(context: Context, operation: Operation) -> Iterator[Violation]:
    """Report renames of what may be in use."""
    step = operation.step
    table = step.table
    if operation.direction != "upgrade" or table is None:
        return
    if step.name == "rename_table":
        column, new = None, step.text("new_table_name")
        old = f"table `{table}`"
    elif step.name == "alter_column":
        column, new = step.text("column_name"), step.text("new_column_name")
        old = f"column `{table}.{column}`"
        if column is None:
            return
    else:
        return
    if new is None or new == (column or table) or _is_made_here(operation, table, column):
        return
    if not is_reviewed(context.workspace, context.file_id, context.settings):
        return
    if is_made_unreleased(context.workspace, context.file_id, table, column):
        return
    message = f"The {old} becomes `{new}` while the release that uses the old name is running; {_STEPS}"
    yield context.at_call(rule, step.fact, message)


def _is_made_here(operation: Operation, table: str, column: str | None) -> bool:
    """Whether nobody can use the old name yet, or whether it is told elsewhere in the revision."""
    if column is None and _is_exchanged(operation, table):
        return True
    for step in before(operation):
        if step.name == operation.step.name and step.table == table:
            if step.text("column_name") == column and _new_name(step) == _new_name(operation.step):
                # The same for another kind of database.
                return True
        if step.name == "create_table" and step.table == table:
            return True
        if step.name == "rename_table" and step.text("new_table_name") == table:
            # What was renamed before is reported there.
            return True
        made = step.column if step.name == "add_column" and step.table == table else None
        if made is not None and made.name == column:
            return True
    return False


def _new_name(step: Step) -> str | None:
    return step.text("new_table_name" if step.name == "rename_table" else "new_column_name")


def _is_exchanged(operation: Operation, table: str) -> bool:
    """Whether a table takes the place of another one that went, or another one takes its place: the names stay in use."""
    new = _new_name(operation.step)
    for step in before(operation):
        if step.table == new and step.name in ("drop_table", "rename_table"):
            return True
    at = next(n for n, step in enumerate(operation.steps) if step is operation.step)
    for step in operation.steps[at + 1 :]:
        is_made = step.name == "data" and _is_table_made(step)
        if is_made or (step.name == "create_table" and step.table == table) or _new_name(step) == table:
            return True
    return False


def _is_table_made(step: Step) -> bool:
    """Whether a step makes tables without Alembic, which are not named there."""
    func = step.fact.value.func
    return type(func) is Attr and func.name in ("create", "create_all")
