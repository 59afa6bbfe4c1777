"""A relationship that is loaded lazily in a loop: one more SELECT for every object.

## What it does
Reports reads of lazily loaded relationships and of deferred columns that happen once for each object of a loop or comprehension:
in the loop itself, in a property or method of the object, in a function that it calls, in a Jinja template that is given the
rows, or in a serializer: response models of FastAPI, Pydantic models that take attributes, Marshmallow schemas. The rows, the
loader options of their statement and `lazy=` of the mapping are followed across files; where one of them is not understood,
nothing is said.

## Why is this bad?
One statement loads the rows, and then one more statement runs for each of them. A page with a hundred rows waits for the
database a hundred and one times. Loader options fetch the related objects with the rows, in one or two statements.

A scalar relationship costs one SELECT for each different object at its other end, as the session remembers those that it
has seen.

Left alone are relationships that any loader option names (`lazyload` and `raiseload` too), the way back from a collection to the
object that owns it, reads right before the loop is left, and loops over a handful of rows. Tests and migrations are not looked at.

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
    posts: Mapped[list["Post"]] = relationship(back_populates="user")


class Post(Base):
    __tablename__ = "post"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    user: Mapped[User] = relationship(back_populates="posts")
```

```python
# path: report.py
from models import User
from sqlalchemy import select
from sqlalchemy.orm import Session


def count_posts(session: Session) -> int:
    users = session.scalars(select(User)).all()
    return sum(len(user.posts) for user in users)
```

## Use instead
```python
# path: report.py
from models import User
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload


def count_posts(session: Session) -> int:
    users = session.scalars(select(User).options(selectinload(User.posts))).all()
    return sum(len(user.posts) for user in users)
```

## Fix safety
Safe: the statement gives the same objects, and reading the relationship gives what it gave before. Collections are loaded
by `selectinload`, scalar relationships by `joinedload`; `selectinload` too where the statement locks, groups or is distinct.
Unsafe where the session is known by its name only. No fix where the statement or the class cannot be named.

## References
- [Relationship loading techniques](https://docs.sqlalchemy.org/en/20/orm/queryguide/relationships.html)
- [Select IN loading](https://docs.sqlalchemy.org/en/20/orm/queryguide/relationships.html#select-in-loading)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes import loading
from sqlalchemy_guard.project.detached import closing_of
from sqlalchemy_guard.project.file_roles import is_migration_file, is_test_file
from sqlalchemy_guard.project.reads import LazyRead, chain_of
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context

rule = Rule("SAG303", Severity.WARNING, Applicability.SAFE)


@rule.on(LazyRead)
def check(context: Context, read: LazyRead) -> Iterator[Violation]:
    """Report a lazy load that a loop repeats."""
    load, site = read.source.load, read.site
    if not read.is_repeated or load.is_async or (load.likely and context.settings.inference == "proven"):
        return
    if site.in_except or (read.loop is not None and site.leaves and read.loop is site.loops[0]):
        return
    places = (context.file.file_id, load.file.file_id, *(file.file_id for file, _ in read.source.calls))
    if any(is_test_file(place) or is_migration_file(place) for place in places) or context.is_migration():
        return
    if closing_of(read, context.workspace) is not None:
        # Nothing is loaded there at all: another rule's business.
        return
    plans = loading.plans((read, *read.along), context.workspace)
    if read.outside is not None and read.source.alone and not plans:
        # What hangs on one object that somebody else loads for many callers is theirs to decide.
        return
    applicability = None
    if plans:
        applicability = Applicability.UNSAFE if load.likely else Applicability.SAFE
    yield context.violation(
        rule,
        site.chunk,
        site.node,
        _message(read, plans),
        statement=site.statement,
        applicability=applicability,
        related=context.explained(chain_of(read, context.workspace)),
        subject=plans,
    )


def _message(read: LazyRead, plans: tuple[loading.Plan, ...]) -> str:
    owner = read.source.ref[1].rpartition(".")[2]
    name = f"`{owner}.{read.info.name}`"
    verb = "is loaded lazily here"
    if read.reader:
        further = f" and {len(read.along)} more" if read.along else ""
        name, verb = f"`{read.reader}` reads {name}{further}", "lazily"
    if read.along:
        cost = f"{verb}, each of which costs one SELECT for every object of the loop"
    elif read.info.collection is False:
        target = read.info.target
        other = f"`{target.name}`" if target is not None else "object"
        cost = f"{verb}, which costs one SELECT for every different {other} of the loop"
    else:
        cost = f"{verb}, which costs one SELECT for every `{owner}` of the loop"
    last = loading.texts(plans) if plans else "a loader option"
    return f"{name} {cost}; load {'them' if read.along else 'it'} with the rows: {last}"


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Add a loader option to the statement that loads the rows."""
    made: tuple[loading.Plan, ...] = violation.subject
    edits = loading.edits(made, context.workspace, context.parent)
    if edits is None or violation.applicability is None:
        return None
    return Fix(loading.title(made), violation.applicability, edits)
