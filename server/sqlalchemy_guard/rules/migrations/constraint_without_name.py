"""A constraint that nobody named, without a naming convention: a later revision cannot drop it.

## What it does
Where nothing in the workspace sets a `naming_convention`, reports constraints that a revision creates with `None` for a name, and,
where there is an Alembic environment, the declarative base whose tables have unnamed constraints.

## Why is this bad?
Dropping a constraint takes its name. PostgreSQL, MySQL and Oracle each invent another one, SQLite invents none: the revision that
drops it runs on the database it was tried on, and in batch mode on none.

## Example
```python
import sqlalchemy as sa
from alembic import op

revision = "8b20"
down_revision = "3f1c"


def upgrade():
    op.create_unique_constraint(None, "product", ["name"])


def downgrade():
    op.drop_constraint("uq_product_name", "product", type_="unique")
```

## Use instead
```python
import sqlalchemy as sa
from alembic import op

revision = "8b20"
down_revision = "3f1c"


def upgrade():
    op.create_unique_constraint("uq_product_name", "product", ["name"])


def downgrade():
    op.drop_constraint("uq_product_name", "product", type_="unique")
```

## Fix safety
Unsafe: the constraint may get another name than the database would have given it, and `downgrade()` must use it. In revisions for
PostgreSQL it gets the name that PostgreSQL invents, which databases that were migrated before have already. The naming convention
goes for all constraints to come; those that are there keep their names until a revision renames them.

## References
- [Alembic: the importance of naming constraints](https://alembic.sqlalchemy.org/en/latest/naming.html)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.convention import with_convention
from sqlalchemy_guard.fixes.layout import reflow
from sqlalchemy_guard.migrations.dialect import dialect_of
from sqlalchemy_guard.migrations.history import history
from sqlalchemy_guard.migrations.review import is_reviewed
from sqlalchemy_guard.project.metadata import metadata_of_class
from sqlalchemy_guard.project.model import Model
from sqlalchemy_guard.project.revision_steps import Operation
from sqlalchemy_guard.project.tables import all_tables
from sqlalchemy_guard.project.types import ClassType
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.revision_steps import Step
    from sqlalchemy_guard.project.tables import Table

rule = Rule("SAG514", Severity.WARNING, Applicability.UNSAFE)

_AFFIXES = {
    "create_unique_constraint": ("uq", "key"),
    "create_foreign_key": ("fk", "fkey"),
    "create_check_constraint": ("ck", "check"),
    "create_primary_key": ("pk", "pkey"),
}
"""Before the name by habit, behind it by PostgreSQL."""
_LONGEST = 63


@rule.on(Operation)
def check(context: Context, operation: Operation) -> Iterator[Violation]:
    """Report constraints that a revision creates without a name."""
    step = operation.step
    node = step.node("name")
    if (
        operation.direction != "upgrade"
        or step.name not in _AFFIXES
        or node is None
        or step.literal("name") is not None
    ):
        return
    if context.workspace.naming("naming_convention")[0]:
        return
    if is_reviewed(context.workspace, context.file_id, context.settings):
        name = _name(step, context.settings.dialect or dialect_of(context.workspace, context.file_id))
        yield context.at_call(
            rule,
            step.fact,
            "This constraint gets a name that each database invents for itself, and a later revision cannot drop it; name it",
            node=node,
            applicability=Applicability.UNSAFE if name is not None else None,
            subject=(step, name),
        )


def _name(step: Step, dialect: str | None) -> str | None:
    """The name that PostgreSQL gives it, where the revision is for that; else the usual one: kind, table, columns."""
    columns = step.texts("local_cols" if step.name == "create_foreign_key" else "columns")
    is_primary = step.name == "create_primary_key"
    if step.table is None or (columns is None and not is_primary):
        return None
    parts = (step.table, *(columns or () if not is_primary else ()))
    prefix, suffix = _AFFIXES[step.name]
    if dialect == "postgresql":
        name = "_".join((*parts, suffix))
        # PostgreSQL shortens a longer one in a way of its own.
        return name if len(name.encode()) <= _LONGEST else None
    return "_".join((prefix, *parts))[:_LONGEST]


@rule.on(Model)
def check_base(context: Context, model: Model) -> Iterator[Violation]:
    """Report a base whose metadata has no naming convention."""
    workspace, facts = context.workspace, model.facts
    if not model.is_base or not isinstance(model.type, ClassType) or not isinstance(model.type.ref, tuple):
        return
    context.resolver.keys.add(workspace.READ)
    if (
        context.is_test()
        or context.is_migration()
        or not workspace.is_read
        or not history(workspace)
        or workspace.naming("naming_convention")[0]
    ):
        return
    metadata = metadata_of_class(context.resolver, model.type.ref)
    unnamed = [each for each in all_tables(workspace) if each.metadata == metadata and _has_unnamed(each)]
    if metadata != model.type.ref or not unnamed:
        return
    tables = "one table" if len(unnamed) == 1 else f"{len(unnamed)} tables"
    yield context.violation(
        rule,
        facts.chunk,
        context.name_of(facts.chunk, facts.header),
        f"Foreign keys of {tables} have no name, and there is no naming convention: later revisions cannot drop them",
        statement=facts.header,
        applicability=Applicability.UNSAFE
        if with_convention(context.source, [], model) is not None
        else None,
        subject=model,
    )


def _has_unnamed(table: Table) -> bool:
    """Whether a table has a foreign key without a name, as far as its columns say."""
    return any(
        key.call.keyword("name") is None for column in table.columns.values() for key in column.foreign_keys
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Name the constraint, or all that come."""
    if isinstance(violation.subject, Model):
        edits = with_convention(context.source, context.module_statements(), violation.subject)
        title = "Give the metadata a naming convention (constraints that are there keep their names)"
        return Fix(title, Applicability.UNSAFE, {context.file_id: edits}) if edits else None
    step, name = violation.subject
    source, node, shift = context.source, step.node("name"), step.fact.chunk.shift
    # As the table's name beside it is written: Alembic's own quotation marks are not those of its template.
    quote = next((mark for mark in source.segment(step.fact.node, shift) if mark in "'\""), source.quote)
    edit = Edit(source.start(node, shift), source.end(node, shift), f"{quote}{name}{quote}")
    edits = reflow(source, step.fact.statement, (edit,), shift)
    return Fix(f"Name it `{name}`", Applicability.UNSAFE, {context.file_id: edits})
