"""PostgreSQL: an operation that keeps others from reading or writing the table while it works through all its rows.

## What it does
Reports, in the `upgrade()` of revisions that are known to be for PostgreSQL,
- `create_index` without `postgresql_concurrently=True`,
- foreign keys and check constraints that are validated at once, and unique constraints, whose index is built at once,
- a change of type that rewrites the table, and a new column with a volatile default, which does so too.

Silent for tables that the revision itself makes, and where the dialect is not known: it is read from the URL in `alembic.ini`,
from the types that revisions import, and from the application's engines.

## Why is this bad?
The statement waits for a lock, and all that come after it wait behind it. On a table of some size the application stands still
until every row was read, which in tests with ten rows nobody sees.

## Example
```python
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "8b20"
down_revision = "3f1c"


def upgrade():
    op.add_column("product", sa.Column("tags", postgresql.JSONB()))
    op.create_index("ix_product_name", "product", ["name"])


def downgrade():
    op.drop_index("ix_product_name", table_name="product")
    op.drop_column("product", "tags")
```

## Use instead
```python
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "8b20"
down_revision = "3f1c"


def upgrade():
    op.add_column("product", sa.Column("tags", postgresql.JSONB()))
    with op.get_context().autocommit_block():
        op.create_index("ix_product_name", "product", ["name"], postgresql_concurrently=True)


def downgrade():
    op.drop_index("ix_product_name", table_name="product")
    op.drop_column("product", "tags")
```

## Fix safety
Unsafe: what was done before the block is committed there, so that a failure leaves half of the revision behind, and an index whose
building failed must be dropped by hand. A constraint that is not validated must be, by a later revision.

## References
- [Alembic: autocommit_block](https://alembic.sqlalchemy.org/en/latest/api/runtime.html#alembic.runtime.migration.MigrationContext.autocommit_block)
- [PostgreSQL: building indexes concurrently](https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call
from sqlalchemy_guard.fixes.arguments import add_keyword
from sqlalchemy_guard.fixes.blocks import wrap
from sqlalchemy_guard.migrations.blocking import what_blocks
from sqlalchemy_guard.migrations.dialect import dialect_of
from sqlalchemy_guard.migrations.review import is_reviewed
from sqlalchemy_guard.migrations.touched import is_made_unreleased
from sqlalchemy_guard.project.revision_data import is_new_table
from sqlalchemy_guard.project.revision_steps import Operation
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.revision_steps import Step

rule = Rule("SAG512", Severity.WARNING, Applicability.UNSAFE)


@rule.on(Operation)
def check(context: Context, operation: Operation) -> Iterator[Violation]:
    """Report operations that lock a table for long."""
    step = operation.step
    table = step.table
    if operation.direction != "upgrade" or table is None or step.fact.value.has_mapping:
        return
    what = what_blocks(step, table)
    if what is None or is_new_table(operation, table):
        return
    if not is_reviewed(context.workspace, context.file_id, context.settings):
        return
    if dialect_of(context.workspace, context.file_id) != "postgresql":
        return
    if is_made_unreleased(context.workspace, context.file_id, table):
        return
    message, option = what
    is_alone = isinstance(step.fact.statement, ast.Expr) and step.fact.statement.value is step.fact.node
    can = option is not None and is_alone and (step.batch is None or option != "postgresql_concurrently")
    yield context.at_call(
        rule,
        step.fact,
        message,
        applicability=Applicability.UNSAFE if can else None,
        subject=(step, option),
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """The form that does not block."""
    step, option = violation.subject
    fact, source = step.fact, context.source
    edits = add_keyword(source, fact.node, option, "True", fact.chunk.shift)
    if option == "postgresql_not_valid":
        title = "Add it without checking the rows (validate it later)"
        return Fix(title, Applicability.UNSAFE, {context.file_id: edits})
    if not _is_autocommit(step):
        owner = source.segment(fact.node.func.value, fact.chunk.shift)
        around = wrap(
            source, [fact.statement], f"with {owner}.get_context().autocommit_block():", fact.chunk.shift
        )
        if around is None:
            return None
        edits = tuple(sorted((*edits, *around)))
    return Fix(
        "Build it concurrently, outside of the transaction", Applicability.UNSAFE, {context.file_id: edits}
    )


def _is_autocommit(step: Step) -> bool:
    frames = step.fact.frame.outwards() if step.fact.frame is not None else ()
    return any(
        type(value) is Call and type(value.func) is Attr and value.func.name == "autocommit_block"
        for frame in frames
        for value in frame.contexts
    )
