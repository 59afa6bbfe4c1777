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
import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call
from sqlalchemy_guard.fixes.arguments import add_keyword
from sqlalchemy_guard.fixes.blocks import wrap
from sqlalchemy_guard.migrations.dialect import dialect_of
from sqlalchemy_guard.migrations.review import is_reviewed
from sqlalchemy_guard.project.revision_data import is_new_table
from sqlalchemy_guard.project.revision_steps import Operation
from sqlalchemy_guard.project.type_kinds import kind_of_type
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.revision_steps import Step

rule = Rule("SAG512", Severity.WARNING, Applicability.UNSAFE)

_VOLATILE = r"\b(?:gen_random_uuid|uuid_generate_v\d\w*|uuidv[47]|random|clock_timestamp|nextval)\s*\("
_VALIDATED = {"create_foreign_key": "foreign key", "create_check_constraint": "check constraint"}


@rule.on(Operation)
def check(context: Context, operation: Operation) -> Iterator[Violation]:
    """Report operations that lock a table for long."""
    step = operation.step
    table = step.table
    if operation.direction != "upgrade" or table is None or step.fact.value.has_mapping:
        return
    what = _what(step, table)
    if what is None or is_new_table(operation, table):
        return
    if not is_reviewed(context.workspace, context.file_id, context.settings):
        return
    if dialect_of(context.workspace, context.file_id) != "postgresql":
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


def _what(step: Step, table: str) -> tuple[str, str | None] | None:
    """What is wrong with a step, and the option that mends it."""
    if step.name == "create_index" and step.literal("postgresql_concurrently") is not True:
        words = f"Nothing can be written to `{table}` while this index is built; build it with `postgresql_concurrently=True`"
        return words, "postgresql_concurrently" if not step.has("postgresql_concurrently") else None
    kind = _VALIDATED.get(step.name)
    if kind is not None and step.literal("postgresql_not_valid") is not True:
        words = (
            f"Every row of `{table}` is checked against this {kind} under a lock; add it with `postgresql_not_valid=True`, "
            "and validate it in a later revision"
        )
        return words, "postgresql_not_valid" if not step.has("postgresql_not_valid") else None
    if step.name == "create_unique_constraint":
        words = (
            f"`{table}` is locked while the index of this constraint is built; build a unique index concurrently, "
            "and make the constraint of it (`ADD CONSTRAINT … USING INDEX`)"
        )
        return words, None
    if step.name == "alter_column" and _rewrites(step):
        return (
            f"This change of type writes all of `{table}` anew under a lock; add a column, copy, and change over",
            None,
        )
    if step.name == "add_column" and _has_volatile_default(step):
        words = f"This default differs from row to row, so all of `{table}` is written anew under a lock"
        return f"{words}; set the default when the column is there", None
    return None


def _rewrites(step: Step) -> bool:
    """Whether a change of type is certain to rewrite the table: to another kind, or to another width of integer."""
    new, old = step.value("type_"), step.value("existing_type")
    if new is None or old is None:
        return False
    now, was = (kind_of_type(step.resolver, each, step.file) for each in (new, old))
    return now is not None and was is not None and now != was


def _has_volatile_default(step: Step) -> bool:
    column = step.column
    default = column.node if column is not None else None
    given = (
        [keyword.value for keyword in default.keywords if keyword.arg == "server_default"] if default else []
    )
    texts = (each.value for value in given for each in ast.walk(value) if isinstance(each, ast.Constant))
    return any(
        re.search(_VOLATILE, text, re.IGNORECASE)
        for text in (*texts, *map(ast.unparse, given))
        if isinstance(text, str)
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
