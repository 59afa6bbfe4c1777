"""A revision that throws rows or values away and copies nothing first.

## What it does
Reports, in `upgrade()`, `drop_table` and `drop_column` of what an earlier revision made, and `alter_column` to a type that holds
less (a shorter string, a smaller integer, text to a bounded string). Silent where a statement of the same revision reads the
table or the column before, where the same revision made it, and for what looks like a rename (SAG506 reports it).

## Why is this bad?
`downgrade()` brings the column back, but not what was in it. Autogenerate writes such a line whenever an attribute is gone from
the models, be it by a mistake in a merge. While the new release is rolled out, the old one still reads the column and fails.

## Example
```python no-fix
from alembic import op
import sqlalchemy as sa

revision = "8b20"
down_revision = "3f1c"


def upgrade():
    op.drop_column("product", "price")


def downgrade():
    op.add_column("product", sa.Column("price", sa.Integer()))
```

## Use instead
```python no-fix
from alembic import op
import sqlalchemy as sa

revision = "8b20"
down_revision = "3f1c"


def upgrade():
    op.execute("INSERT INTO price_history (product_id, price) SELECT id, price FROM product")
    op.drop_column("product", "price")


def downgrade():
    op.add_column("product", sa.Column("price", sa.Integer()))
```

## Fix safety
No fix: whether the data is needed nobody but you can say. Where it is not, say so: `# noqa: SAG505`.

## References
- [Alembic: drop_column](https://alembic.sqlalchemy.org/en/latest/ops.html#alembic.operations.Operations.drop_column)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Call
from sqlalchemy_guard.migrations.review import is_reviewed
from sqlalchemy_guard.migrations.touched import is_made_unreleased
from sqlalchemy_guard.project.revision_data import before, writes_data
from sqlalchemy_guard.project.revision_renames import column_renames, table_renames
from sqlalchemy_guard.project.revision_steps import Operation, literal_of
from sqlalchemy_guard.project.type_kinds import kind_of_type
from sqlalchemy_guard.rules.api import Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.revision_steps import Step

rule = Rule("SAG505", Severity.WARNING, None)


@rule.on(Operation)
def check(context: Context, operation: Operation) -> Iterator[Violation]:
    """Report what throws data away."""
    step = operation.step
    table = step.table
    if operation.direction != "upgrade" or table is None:
        return
    message: str | None = None
    if step.name == "drop_table":
        if not _is_kept(operation, table) and not any(pair.drop is step for pair in table_renames(operation)):
            message = f"This drops `{table}` with all its rows, and nothing copies them first"
    elif step.name == "drop_column":
        column = step.text("column_name")
        if column is not None and not _is_kept(operation, table, column):
            if not any(pair.drop is step for pair in column_renames(operation)):
                message = f"This drops `{table}.{column}` with all its values, and nothing copies them first"
    elif step.name == "alter_column" and not writes_data(before(operation), table):
        narrower = _narrower(step)
        if narrower is not None:
            message = f"`{table}.{step.text('column_name')}` {narrower}: values that do not fit are cut off, or the migration fails"
    if message is None or not is_reviewed(context.workspace, context.file_id, context.settings):
        return
    column = step.text("column_name")
    if not is_made_unreleased(context.workspace, context.file_id, table, column):
        yield context.at_call(rule, step.fact, message)


def _is_kept(operation: Operation, table: str, column: str | None = None) -> bool:
    """Whether the revision made it itself, or reads it before it drops it."""
    for step in before(operation):
        if step.table == table and step.name == "create_table":
            return True
        made = step.column if step.name == "add_column" and step.table == table else None
        if made is not None and made.name == column and column is not None:
            return True
    names = (table,) if column is None else (column,)
    return writes_data(before(operation), *names)


def _narrower(step: Step) -> str | None:
    """In which way a type holds less than the one before it; None when it does not, or when one is not known."""
    new, old = step.value("type_"), step.value("existing_type")
    if new is None or old is None or step.value("postgresql_using") is not None:
        return None
    now, was = (kind_of_type(step.resolver, each, step.file) for each in (new, old))
    if now is None or was is None or now.family != was.family:
        return None
    if now.family == "integer" and now.width < was.width:
        return f"becomes an integer of {now.width} bytes, of {was.width} before"
    if now.family == "string":
        length, before_ = _length(step, new), _length(step, old)
        if length is not None and (before_ is None or length < before_):
            was_long = f"of {before_} before" if before_ is not None else "without a limit before"
            return f"becomes a string of {length}, {was_long}"
    return None


def _length(step: Step, type_: Value) -> int | None:
    if type(type_) is not Call:
        return None
    given = type_.keyword("length") or (type_.args[0] if type_.args else None)
    said = literal_of(step.resolver, given, step.file) if given is not None else None
    return said if isinstance(said, int) else None
