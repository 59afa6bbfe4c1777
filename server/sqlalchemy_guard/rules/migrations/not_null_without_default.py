"""A column that becomes NOT NULL while rows may hold NULL there: the migration fails on a table with rows.

## What it does
Reports, in a revision's `upgrade()`, `add_column` with `nullable=False` and no `server_default`, and `alter_column` to
`nullable=False` without a statement before it that fills in the rows. Silent for tables that the revision itself makes or
empties, for identities and computed columns, for columns that were NOT NULL before, and where an earlier revision already wrote
to the column.

## Why is this bad?
On an empty development database it works. In production, PostgreSQL says `column "…" contains null values`, MySQL fills in
whatever it likes, SQLite refuses the column. `default=` is no help: it is for rows that the application inserts.

## Example
```python
import sqlalchemy as sa
from alembic import op

revision = "8b20"
down_revision = "3f1c"


def upgrade():
    op.add_column("item", sa.Column("stock", sa.Integer(), nullable=False))


def downgrade():
    op.drop_column("item", "stock")
```

## Use instead
```python
import sqlalchemy as sa
from alembic import op

revision = "8b20"
down_revision = "3f1c"


def upgrade():
    op.add_column(
        "item", sa.Column("stock", sa.Integer(), nullable=False, server_default="0")
    )


def downgrade():
    op.drop_column("item", "stock")
```

## Fix safety
Unsafe: which value the old rows shall have is for you to say. Where no value suggests itself (foreign keys, what must
be unique) there is no fix: add the column as nullable, fill it in, and make it NOT NULL then.

## References
- [Alembic: add_column](https://alembic.sqlalchemy.org/en/latest/ops.html#alembic.operations.Operations.add_column)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.arguments import add_keyword
from sqlalchemy_guard.migrations.review import is_reviewed
from sqlalchemy_guard.migrations.touched import is_made_unreleased, was_required, were_written
from sqlalchemy_guard.project.revision_data import (
    before,
    depends_on_dialect,
    is_key,
    is_new_table,
    is_required_below,
    writes_data,
)
from sqlalchemy_guard.project.revision_steps import Operation
from sqlalchemy_guard.project.type_kinds import kind_of_type
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.revision_steps import Column

rule = Rule("SAG507", Severity.ERROR, Applicability.UNSAFE)

_GENERATED = ("sqlalchemy.Identity", "sqlalchemy.Computed", "sqlalchemy.Sequence", "sqlalchemy.FetchedValue")


@rule.on(Operation)
def check(context: Context, operation: Operation) -> Iterator[Violation]:
    """Report columns that cannot be NOT NULL on a table with rows."""
    step = operation.step
    if operation.direction != "upgrade" or step.name not in ("add_column", "alter_column"):
        return
    table = step.table
    if table is None or is_new_table(operation, table) or depends_on_dialect(step):
        return
    if step.name == "add_column":
        column = step.column
        if column is None or column.literal("nullable") is not False or _is_given(column):
            return
        if not is_reviewed(context.workspace, context.file_id, context.settings):
            return
        if is_made_unreleased(context.workspace, context.file_id, table):
            return
        default = _default(context, column) if not is_key(operation, column) else None
        own = " (`default=` is for new rows only)" if column.value.keyword("default") is not None else ""
        what = f"`{table}.{column.name}` is added as NOT NULL without `server_default`{own}"
        message = f"{what}: this fails as soon as the table has rows"
        yield context.at_call(
            rule,
            step.fact,
            message,
            node=column.node,
            applicability=Applicability.UNSAFE if default is not None else None,
            subject=(column.node, default, step.fact),
        )
        return
    name = step.text("column_name")
    was = step.literal("existing_nullable")
    # What is renamed repeats what it was, where that is not said.
    repeats = was is False or (was is not True and step.has("new_column_name"))
    if name is None or step.literal("nullable") is not False or repeats:
        return
    if writes_data(before(operation), table, name) or _is_added_full(operation, table, name):
        return
    if not is_reviewed(context.workspace, context.file_id, context.settings):
        return
    if were_written(context.workspace, context.file_id, table, name):
        return
    if is_made_unreleased(context.workspace, context.file_id, table):
        return
    if is_required_below(operation, table, name) or was_required(
        context.workspace, context.file_id, table, name
    ):
        return
    message = f"`{table}.{name}` becomes NOT NULL, and nothing fills in the rows that hold NULL: write an UPDATE before it"
    yield context.at_call(rule, step.fact, message, node=step.node("nullable"))


def _is_given(column: Column) -> bool:
    """Whether the database has a value for old rows."""
    return (
        column.value.keyword("server_default") is not None
        or column.value.has_mapping
        or column.literal("primary_key") is True
        or any(column.items(name) for name in _GENERATED)
        or any(column.items(f"sqlalchemy.schema.{name.rpartition('.')[2]}") for name in _GENERATED)
    )


def _is_added_full(operation: Operation, table: str, name: str) -> bool:
    """Whether the revision added the column itself, with a value for old rows."""
    for step in before(operation):
        if step.name == "add_column" and step.table == table:
            column = step.column
            if column is not None and column.name == name:
                return _is_given(column)
    return False


def _default(context: Context, column: Column) -> str | None:
    """The text of the value that old rows most likely shall have; None when there is none that suggests itself."""
    kind = kind_of_type(context.resolver, column.type, column.file) if column.type is not None else None
    family = kind.family if kind is not None else None
    func = column.node.func
    module = f"{ast.unparse(func.value)}." if isinstance(func, ast.Attribute) else None
    if family in ("integer", "number"):
        return '"0"'
    if family == "string":
        return '""'
    if family == "boolean":
        return f"{module}false()" if module is not None else None
    if family in ("datetime", "date"):
        return f"{module}func.now()" if module is not None else None
    return None


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Give old rows a value."""
    node, default, fact = violation.subject
    edits = add_keyword(context.source, node, "server_default", default, fact.chunk.shift, fact.statement)
    return Fix(f"Give the rows that are there `{default}`", Applicability.UNSAFE, {context.file_id: edits})
