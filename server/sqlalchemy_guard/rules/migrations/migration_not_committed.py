"""A revision that Git does not have: it exists on this machine only.

## What it does
Reports revision files that are not in Git's index, and revisions whose parent is not. What Git knows is read from its own files;
nothing is run. Silent outside a working tree.

## Why is this bad?
The models are pushed without their migration: everybody else, and the deployment, miss a column. When a later revision follows the
one that was forgotten, `alembic upgrade` fails everywhere but here.

## Example
A checkout whose index does not have the file:
```toml
# path: .git/HEAD
ref: refs/heads/main
```

```python no-fix
# path: alembic/versions/8b20_stock.py
import sqlalchemy as sa
from alembic import op

revision = "8b20"
down_revision = "3f1c"


def upgrade():
    op.add_column("product", sa.Column("stock", sa.Integer()))


def downgrade():
    op.drop_column("product", "stock")
```

## Use instead
```sh
git add alembic/versions/8b20_stock.py
```

## Fix safety
No fix: what is added to a commit is yours to say.

## References
- [Alembic: tutorial](https://alembic.sqlalchemy.org/en/latest/tutorial.html)
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sqlalchemy_guard.migrations.history import environments_of
from sqlalchemy_guard.project.revision_names import RevisionName, named_in
from sqlalchemy_guard.rules.api import Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context

rule = Rule("SAG510", Severity.WARNING, None)


@rule.on(RevisionName)
def check(context: Context, name: RevisionName) -> Iterator[Violation]:
    """Report revisions that are not in the index."""
    if _is_tracked(context, context.file_id) is False:
        message = "This revision is not in Git: without it the models and the database of everybody else differ; `git add` it"
        yield context.violation(rule, name.chunk, name.node, message, statement=name.statement)
        return
    for environment, revision in environments_of(context.workspace, context.file_id):
        for parent in environment.graph.parents(revision):
            if _is_tracked(context, parent.file_id) is False:
                bindings = context.file.facts.names["down_revision"]
                said = named_in(bindings[-1], "down_revision") or name
                file = os.path.basename(parent.file_id)
                message = (
                    f"This revision follows `{parent.id}`, whose file `{file}` is not in Git; `git add` it"
                )
                yield context.violation(rule, said.chunk, said.node, message, statement=said.statement)


def _is_tracked(context: Context, file_id: str) -> bool | None:
    """Whether a file is in the index; None where that is not known."""
    folder, name = os.path.split(file_id)
    found = context.workspace.git(folder) if os.path.isabs(folder) else None
    return name in found.tracked if found is not None and found.tracked is not None else None
