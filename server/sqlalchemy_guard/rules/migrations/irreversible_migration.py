"""A revision whose `downgrade()` does not take back what its `upgrade()` does.

## What it does
Reports a `downgrade()` that is missing or empty although the revision changes the schema, and one that leaves behind a table, a
column, an index or a constraint that `upgrade()` made. Silent where the revision says that there is no way back, by raising an
error or in a comment, where the template of the project's revisions (`script.py.mako`) has no `downgrade()`, and where what is
done is not written in the open (loops, helpers that are not known, SQL).

## Why is this bad?
A deployment that went wrong is rolled back with `alembic downgrade`. With an empty function Alembic notes the older revision and
leaves the schema as it is; the next `upgrade` then fails on the table that already exists.

## Example
```python
import sqlalchemy as sa
from alembic import op

revision = "8b20"
down_revision = "3f1c"


def upgrade():
    op.add_column("product", sa.Column("stock", sa.Integer()))
    op.create_index("ix_product_stock", "product", ["stock"])


def downgrade():
    pass
```

## Use instead
```python
import sqlalchemy as sa
from alembic import op

revision = "8b20"
down_revision = "3f1c"


def upgrade():
    op.add_column("product", sa.Column("stock", sa.Integer()))
    op.create_index("ix_product_stock", "product", ["stock"])


def downgrade():
    op.drop_index("ix_product_stock", table_name="product")
    op.drop_column("product", "stock")
```

## Fix safety
Safe: what `upgrade()` does stays as it is. The fix is offered only where `downgrade()` is empty and every operation says what
was there before; what was dropped cannot be brought back from the revision alone. Unsafe where a column becomes nullable again
and nothing says that it was.

## References
- [Alembic: running a downgrade](https://alembic.sqlalchemy.org/en/latest/tutorial.html#downgrading)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.migrations.idle import is_idle, never_goes_back, says_why
from sqlalchemy_guard.migrations.review import is_reviewed
from sqlalchemy_guard.project.revision_data import looks_first
from sqlalchemy_guard.project.revision_reverse import Thing, dropped_by, made_by
from sqlalchemy_guard.project.revision_steps import Directions
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import FunctionFacts
    from sqlalchemy_guard.project.revision_steps import Step

rule = Rule("SAG504", Severity.WARNING, Applicability.SAFE)


@rule.on(Directions)
def check(context: Context, both: Directions) -> Iterator[Violation]:
    """Report revisions that cannot be taken back."""
    changes = [step for step in both.up if _changes_schema(step)]
    if not changes or not is_reviewed(context.workspace, context.file_id, context.settings):
        return
    down = both.downgrade
    if down is not None and says_why(context.source, down):
        return
    if (down is None or is_idle(down)) and never_goes_back(context.workspace, context.file_id):
        return
    if down is not None and not is_idle(down):
        yield from _left_behind(context, both, down)
        return
    from sqlalchemy_guard.fixes.downgrade import reversed_calls

    calls = reversed_calls(context.source, both)
    what = "is missing" if down is None else "is empty"
    function = down if down is not None else both.upgrade
    is_sure = not any(
        step.name == "alter_column" and step.has("nullable") and not step.has("existing_nullable")
        for step in both.up
    )
    applicability = Applicability.SAFE if is_sure else Applicability.UNSAFE
    yield context.violation(
        rule,
        function.chunk,
        context.name_of(function.chunk, function.header),
        f"`downgrade()` {what} although `upgrade()` changes the schema: take the changes back, or raise an error that says why not",
        statement=function.header,
        applicability=applicability if calls is not None else None,
        subject=(both, calls),
    )


def _changes_schema(step: Step) -> bool:
    """Whether a step certainly changes something; a clean-up of what may not be there has no counterpart."""
    if not step.is_operation or step.name in ("execute", "bulk_insert"):
        return False
    is_tolerant = step.literal("if_exists") is True or looks_first(step)
    return not (is_tolerant and step.name.startswith("drop_"))


def _left_behind(context: Context, both: Directions, down: FunctionFacts) -> Iterator[Violation]:
    """What `upgrade()` makes for certain, and nothing in `downgrade()` can be taking back."""
    if any(not step.is_operation or step.name == "execute" or not step.is_certain for step in both.down):
        return
    dropped = [dropped_by(step) for step in both.down]
    if None in dropped and any(
        step.name.startswith("drop_") for step in both.down if dropped_by(step) is None
    ):
        return
    gone = {thing for thing in dropped if thing is not None}
    tables = {thing.table for thing in gone if thing.kind == "table"}
    renamed = {step.table for step in (*both.up, *both.down) if step.name == "rename_table"}
    taken = {dropped_by(step) for step in both.up}
    for step in both.up:
        thing = made_by(step)
        if thing is None or not step.is_certain or thing in gone or thing in taken:
            continue
        owner = step.table
        if owner is None or owner in tables or owner in renamed or (renamed and thing.kind == "table"):
            continue
        if thing.kind in ("index", "constraint") and _goes_with(step.texts("columns"), owner, gone):
            continue
        named = f"`{thing.table}`" if thing.kind == "table" else f"`{thing.name}` of `{owner}`"
        yield context.violation(
            rule,
            down.chunk,
            context.name_of(down.chunk, down.header),
            f"`downgrade()` leaves the {thing.kind} {named} behind, which `upgrade()` makes: drop it",
            statement=down.header,
        )


def _goes_with(columns: tuple[str, ...] | None, table: str, gone: set[Thing]) -> bool:
    """Whether an index or a constraint goes with a column that is dropped."""
    return columns is None or any(Thing("column", table, column) in gone for column in columns)


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Take the changes back."""
    from sqlalchemy_guard.fixes.downgrade import written

    both, calls = violation.subject
    edits = written(context.source, both, calls)
    applicability = violation.applicability or Applicability.UNSAFE
    return (
        Fix("Write what takes the changes back", applicability, {context.file_id: edits}) if edits else None
    )
