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
from shop.models import Base

context.configure(target_metadata=Base.metadata)
context.run_migrations()
```

```python
# path: shop/models.py
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    pass
```

```python
# path: alembic/versions/3f1c_initial.py
revision = "3f1c"
down_revision = None


def upgrade():
    pass


def downgrade():
    pass
```

```python
# path: alembic/versions/8b20_add_price.py
revision = "8b20"
down_revision = "3f1d"


def upgrade():
    pass


def downgrade():
    pass
```

## Use instead
```python
# path: alembic/versions/8b20_add_price.py
revision = "8b20"
down_revision = "3f1c"


def upgrade():
    pass


def downgrade():
    pass
```

## Fix safety
Unsafe: a revision that is put behind another one is skipped, or asked for again, where a database has seen it already.

## References
- [Alembic: working with branches](https://alembic.sqlalchemy.org/en/latest/branches.html)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.revisions import relinked
from sqlalchemy_guard.migrations.branches import fork_of, loose_heads
from sqlalchemy_guard.migrations.history import environments_of, is_complete, is_elsewhere
from sqlalchemy_guard.project.revision_names import RevisionName, named_in
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.migrations.graph import Graph
    from sqlalchemy_guard.migrations.history import Environment
    from sqlalchemy_guard.migrations.revision import Revision
    from sqlalchemy_guard.rules.api import Related

rule = Rule("SAG508", Severity.ERROR, Applicability.UNSAFE)


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
        meant = _nearest(graph, revision, reference)
        hint = f"; did you mean `{meant}`?" if meant else ": its file is missing, or was never committed"
        words = f"`{name}` is `{reference}`, which no revision is{hint}"
        yield from _at(context, name, words, (reference, meant) if meant else None)


def _nearest(graph: Graph, revision: Revision, reference: str) -> str | None:
    """The id that is written almost like the reference and that nothing follows yet."""
    from difflib import get_close_matches

    free = [each.id for each in graph.heads if each is not revision]
    found = get_close_matches(reference, free, 2, 0.7)
    return found[0] if len(found) == 1 else None


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
    heads = loose_heads(environment.graph)
    kept = heads[0]
    if revision.id == kept.id:
        return
    others = [head for head in heads if head.id != revision.id]
    named = " and ".join(f"`{head.id}`" for head in (*others, revision))
    fork = fork_of(environment.graph, revision, kept) if len(heads) == 2 else None
    yield context.violation(
        rule,
        name.chunk,
        name.node,
        f"{named} are heads beside each other, so `alembic upgrade head` fails; merge them (`alembic merge heads`)",
        statement=name.statement,
        related=_places(context, others),
        applicability=Applicability.UNSAFE if fork is not None else None,
        subject=(fork.file_id, fork.down[0], kept.id) if fork is not None else None,
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
    """Put a revision behind another one."""
    file_id, old, new = violation.subject
    edits = relinked(context.workspace, file_id, old, new)
    title = f"Put it behind `{new}`" if file_id == context.file_id else f"Put its branch behind `{new}`"
    return Fix(title, Applicability.UNSAFE, {file_id: edits}) if edits else None
