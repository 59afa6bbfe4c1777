"""A relationship that is loaded lazily after its session was closed: reading it raises `DetachedInstanceError`.

## What it does
Reports reads of lazily loaded relationships and of deferred columns behind the `with` block of the session that loaded the
object, or in the functions that get the object from one which closes its session; templates, methods, serializers and response
models, which are filled when the function has returned, read relationships too. What loads the object, its loader options and
`lazy=` of the mapping are followed across files; where one of them is not understood, nothing is said.

## Why is this bad?
An object without a session cannot load anything: SQLAlchemy raises `DetachedInstanceError: Parent instance is not bound
to a Session`. What is needed later must be loaded while the session is open.

Left alone are relationships that a loader option names or that are read while the session is open, objects that another
session gets by `add` or `merge`, sessions of a `scoped_session`, and what a generator hands out.

## Example
```python
# path: models.py
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    posts: Mapped[list["Post"]] = relationship()


class Post(Base):
    __tablename__ = "post"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
```

```python
# path: report.py
from models import User
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session


def count_posts(engine: Engine) -> int:
    with Session(engine) as session:
        users = session.scalars(select(User)).all()
    return sum(len(user.posts) for user in users)
```

## Use instead
```python
# path: report.py
from models import User
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, selectinload


def count_posts(engine: Engine) -> int:
    with Session(engine) as session:
        users = session.scalars(select(User).options(selectinload(User.posts))).all()
    return sum(len(user.posts) for user in users)
```

## Fix safety
Safe: the statement gives the same objects, and what raised gives a value. Collections are loaded by `selectinload`, scalar
relationships by `joinedload`. Unsafe where the session is known by its name only. No fix where the statement or the class cannot
be named.

## References
- [Detached objects](https://docs.sqlalchemy.org/en/20/errors.html#error-bhk3)
- [Relationship loading techniques](https://docs.sqlalchemy.org/en/20/orm/queryguide/relationships.html)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes import loading
from sqlalchemy_guard.project.detached import closing_of
from sqlalchemy_guard.project.file_roles import is_test_file
from sqlalchemy_guard.project.reads import LazyRead, chain_of
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context

rule = Rule("SAG312", Severity.ERROR, Applicability.SAFE)


@rule.on(LazyRead)
def check(context: Context, read: LazyRead) -> Iterator[Violation]:
    """Report a lazy load that no session can do any more."""
    load, site = read.source.load, read.site
    if load.likely and context.settings.inference == "proven":
        return
    closing = closing_of(read, context.workspace)
    if closing is None:
        return
    if is_test_file(context.file.file_id) or any(is_test_file(file.file_id) for file, _ in read.source.calls):
        return
    plans = loading.plans((read, *read.along), context.workspace, anywhere=True)
    applicability = None
    if plans:
        applicability = Applicability.UNSAFE if load.likely else Applicability.SAFE
    owner = read.source.ref[1].rpartition(".")[2]
    name = f"`{owner}.{read.info.name}`"
    if read.reader:
        further = f" and {len(read.along)} more" if read.along else ""
        name = f"`{read.reader}` reads {name}{further}, which"
    advice = f"load it with the object: {loading.texts(plans)}" if plans else "load it with the object"
    yield context.violation(
        rule,
        site.chunk,
        site.node,
        f"{name} is not loaded, and loading it here raises `DetachedInstanceError`, as its session is closed; {advice}",
        statement=site.statement,
        applicability=applicability,
        related=(
            *context.explained(chain_of(read, context.workspace)),
            context.related(*closing, "the session is closed here"),
        ),
        subject=plans,
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Add a loader option to the statement that loads the object."""
    made: tuple[loading.Plan, ...] = violation.subject
    edits = loading.edits(made, context.workspace, context.parent)
    if edits is None or violation.applicability is None:
        return None
    return Fix(loading.title(made), violation.applicability, edits)
