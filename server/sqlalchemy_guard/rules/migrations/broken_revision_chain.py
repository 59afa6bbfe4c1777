"""A history that Alembic refuses to run: several heads, an unknown parent, an id that is there twice, a cycle.

## What it does
Reads the revisions of every Alembic environment of the workspace, in all its version folders, and reports
- heads beside each other that no branch label tells apart,
- a `down_revision` or `depends_on` that names no revision,
- revisions with the same id,
- revisions that follow themselves.

Silent where a version folder is not in the workspace, because the revision may be there.

## Why is this bad?
`alembic upgrade head` stops with an error, mostly in the deployment that comes after two branches were merged: each added a
revision behind the same parent, and nothing in the merge was a conflict.

## Example
```python
# path: alembic/env.py
from alembic import context

context.configure(url="sqlite://", target_metadata=None)
context.run_migrations()
```

```python
# path: alembic/versions/3f1c_product.py
import sqlalchemy as sa
from alembic import op

revision = "3f1c"
down_revision = None


def upgrade():
    op.create_table("product", sa.Column("id", sa.Integer(), primary_key=True))


def downgrade():
    op.drop_table("product")
```

```python
# path: alembic/versions/8b20_price.py
import sqlalchemy as sa
from alembic import op

revision = "8b20"
down_revision = "3f1c"


def upgrade():
    op.add_column("product", sa.Column("price", sa.Integer()))


def downgrade():
    op.drop_column("product", "price")
```

```python
# path: alembic/versions/9d41_stock.py
import sqlalchemy as sa
from alembic import op

revision = "9d41"
down_revision = "3f1c"


def upgrade():
    op.add_column("product", sa.Column("stock", sa.Integer()))


def downgrade():
    op.drop_column("product", "stock")
```

## Use instead
```python
# path: alembic/versions/c76642fed414_merge_heads.py
\"\"\"Merge 8b20 and 9d41

Revision ID: c76642fed414
Revises: 8b20, 9d41
\"\"\"

revision = "c76642fed414"
down_revision = ("8b20", "9d41")
branch_labels = None
depends_on = None


def upgrade():
    pass


def downgrade():
    pass
```

## Fix safety
Safe where heads are merged: a revision is written that does nothing but follow all of them, as `alembic merge heads` does.
Unsafe where a `down_revision` is corrected: a database that has seen the revision may have taken another way.

## References
- [Alembic: working with branches](https://alembic.sqlalchemy.org/en/latest/branches.html)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.revisions import merged, relinked
from sqlalchemy_guard.migrations.branches import loose_heads, nearest
from sqlalchemy_guard.migrations.history import environments_of, is_complete, is_elsewhere
from sqlalchemy_guard.migrations.review import is_released
from sqlalchemy_guard.project.revision_names import RevisionName, named_in
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.migrations.history import Environment
    from sqlalchemy_guard.migrations.revision import Revision
    from sqlalchemy_guard.rules.api import Related

rule = Rule("SAG508", Severity.ERROR, Applicability.SAFE)


@rule.on(RevisionName)
def check(context: Context, name: RevisionName) -> Iterator[Violation]:
    """Report what is wrong with a revision's place in its history."""
    for environment, revision in environments_of(context.workspace, context.file_id):
        graph = environment.graph
        found = [
            *_unknown(context, environment, revision),
            *_duplicate(context, name, environment, revision),
        ]
        if revision in graph.cyclic:
            words = f"`{revision.id}` follows itself, through others or directly: Alembic cannot order the revisions"
            found += _at(context, "down_revision", words)
        if not found and graph.heads and revision in loose_heads(graph):
            found += _heads(context, name, environment, revision)
        if found:
            yield from found
            return


def _unknown(context: Context, environment: Environment, revision: Revision) -> Iterator[Violation]:
    graph, workspace = environment.graph, context.workspace
    for reference in graph.missing(revision):
        if not is_complete(workspace, environment) or is_elsewhere(workspace, reference):
            continue
        name = "down_revision" if reference in revision.down else "depends_on"
        meant = nearest(graph, revision, reference)
        hint = f"; did you mean `{meant}`?" if meant else ": its file is missing, or was never committed"
        words = f"`{name}` is `{reference}`, which no revision is{hint}"
        yield from _at(context, name, words, (reference, meant) if meant else None)


def _duplicate(
    context: Context, name: RevisionName, environment: Environment, revision: Revision
) -> Iterator[Violation]:
    same = environment.graph.duplicates.get(revision.id, ())
    if same:
        others = [each for each in same if each.file_id != revision.file_id]
        words = f"The id `{revision.id}` is there twice: Alembic takes one of these revisions and never sees the other"
        yield context.violation(
            rule, name.chunk, name.node, words, statement=name.statement, related=_places(context, others)
        )


def _heads(
    context: Context, name: RevisionName, environment: Environment, revision: Revision
) -> Iterator[Violation]:
    workspace = context.workspace
    # The one that is released stays where it is; what came on a branch is reported.
    heads = sorted(
        loose_heads(environment.graph), key=lambda head: is_released(workspace, head.file_id) is not True
    )
    kept = heads[0]
    if revision.id == kept.id:
        return
    others = [head for head in heads if head.id != revision.id]
    named = " and ".join(f"`{head.id}`" for head in (*others, revision))
    merges = revision.id == heads[1].id
    yield context.violation(
        rule,
        name.chunk,
        name.node,
        f"{named} are heads beside each other, so `alembic upgrade head` fails; merge them (`alembic merge heads`)",
        statement=name.statement,
        related=_places(context, others),
        applicability=Applicability.SAFE if merges else None,
        subject=tuple(head.id for head in heads),
    )


def _places(context: Context, revisions: list[Revision]) -> tuple[Related, ...]:
    found = []
    for revision in revisions:
        file = context.workspace.file(revision.file_id)
        said = named_in(file.facts.names["revision"][-1], "revision") if file is not None else None
        if file is not None and said is not None:
            found.append(context.related(file, said.chunk, said.node, f"`{revision.id}` is here"))
    return tuple(found)


def _at(
    context: Context, name: str, message: str, better: tuple[str, str] | None = None
) -> Iterator[Violation]:
    bindings = context.file.facts.names.get(name, ())
    said = named_in(bindings[-1], name) if bindings else None
    if said is not None:
        yield context.violation(
            rule,
            said.chunk,
            said.node,
            message,
            statement=said.statement,
            applicability=Applicability.UNSAFE if better is not None else None,
            subject=(context.file_id, *better) if better is not None else None,
        )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Merge the heads, or name the revision that was meant."""
    if violation.applicability is Applicability.SAFE:
        made = merged(context.workspace, context.file_id, violation.subject)
        if made is None:
            return None
        edits = {made[0]: (Edit(0, 0, made[1]),)}
        return Fix("Write the revision that merges them", Applicability.SAFE, edits, frozenset(edits))
    file_id, old, new = violation.subject
    linked = relinked(context.workspace, file_id, old, new)
    return Fix(f"Put it behind `{new}`", Applicability.UNSAFE, {file_id: linked}) if linked else None
