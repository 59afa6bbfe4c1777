"""Pipeline that starts the application, or tests its database, without running the migrations first.

## What it does
Reports where CI workflows, Dockerfiles, Compose files, Procfiles, Kubernetes manifests, the files of Fly, Render, Heroku and
Railway, and entry scripts start an application that has Alembic migrations, or run its tests against a database server, and
nothing runs `alembic upgrade head` (or `flask db upgrade`) before. Scripts, Makefile targets and sessions of tox and nox that are
called are followed. An application that several documents start is reported once, where to act: in the file of the platform that
can run a command before each release, else in the manifest, the image, the Compose file or the script.

Silent where anything that deploys the application may migrate, where Python code does it, for tests that make their tables
themselves or use a database in memory, and for applications that are not those of the migrations. Workers such as Celery are not
looked at: they start beside the application.

## Why is this bad?
The new release meets the old schema: queries name columns that are not there yet, and the first requests fail. Tests that never
run the migrations pass on a schema that production will not have.

## Example
```python
# path: alembic/env.py
from alembic import context

from shop.models import Base

target_metadata = Base.metadata


def run_migrations_online(connection):
    context.configure(connection=connection, target_metadata=target_metadata)
    context.run_migrations()
```

```ini
# path: alembic.ini
[alembic]
script_location = alembic
```

```python
# path: shop/models.py
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    pass
```

```python
# path: shop/main.py
from fastapi import FastAPI

from shop.models import Base

app = FastAPI()
```

```dockerfile
# path: Dockerfile
FROM python:3.13-slim
WORKDIR /code
COPY . .
CMD ["uvicorn", "shop.main:app", "--host", "0.0.0.0"]
```

## Use instead
```dockerfile
# path: Dockerfile
FROM python:3.13-slim
WORKDIR /code
COPY . .
CMD ["sh", "-c", "alembic upgrade head && exec uvicorn shop.main:app --host 0.0.0.0"]
```

## Fix safety
Unsafe: from now on the migrations run there, which needs the database and its URL; several replicas that start at once migrate at
once, which a job that runs before them does not.

## References
- [Alembic: running the first migration](https://alembic.sqlalchemy.org/en/latest/tutorial.html#running-our-first-migration)
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sqlalchemy_guard.documents.facts import UnmigratedRun
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import PlainContext
    from sqlalchemy_guard.rules.api import Related

rule = Rule("SAG509", Severity.WARNING, Applicability.UNSAFE)


@rule.on(UnmigratedRun)
def check(context: PlainContext, run: UnmigratedRun) -> Iterator[Violation]:
    """Report the command that starts or tests."""
    from sqlalchemy_guard.fixes.upgrade_step import edits_of

    command, step = run.command, run.step
    upgrade = run.upgrade or "alembic upgrade head"
    if run.what == "test":
        words = (
            f"`{run.tool}` runs against a database that has no migrations in it: the schema that is tested is not the one "
            f"that production gets; run `{upgrade}` before"
        )
    else:
        words = (
            f"`{run.tool}` starts the application and nothing runs its migrations (`{run.environment}`) before: "
            f"a new release meets the old schema; run `{upgrade}` first"
        )
    related: tuple[Related, ...] = ()
    if run.origin is not None:
        name = os.path.basename(run.origin.file_id)
        place = context.place(*run.origin, f"`{run.tool}` is called here, in `{name}`")
        related = (place,) if place is not None else ()
    others = (context.place(*each, "The same application is started here") for each in run.elsewhere)
    related += tuple(place for place in others if place is not None)
    edits = edits_of(context.document, run)
    yield context.violation(
        rule,
        command.start,
        command.end,
        words,
        first=step.start if run.document.kind not in ("shell", "jenkins") else command.start,
        applicability=Applicability.UNSAFE if edits else None,
        related=related,
        subject=run,
    )


@rule.fix
def fix(context: PlainContext, violation: Violation) -> Fix | None:
    """Run the migrations before, in the form of the document."""
    from sqlalchemy_guard.fixes.upgrade_step import edits_of

    run: UnmigratedRun = violation.subject
    edits = edits_of(context.document, run)
    title = f"Run `{run.upgrade}` before"
    return Fix(title, Applicability.UNSAFE, {context.file_id: edits}) if edits else None
