"""A collection that is loaded by a join in a statement with a limit.

## What it does
Reports `joinedload()` of a collection, and mappings with `lazy="joined"` in this file or another one, in statements with
`limit()`, `offset()`, `slice()` or `fetch()`, for `select()` and `Query`. A single row (`limit(1)`, `first()`) is left alone.

## Why is this bad?
The limit must count objects, not the rows of the join. SQLAlchemy puts the whole statement into a subquery and joins the
collection to that, which many databases execute slowly; each object is sent once for every member of its collection.
`selectinload()` reads the page as it is and the collections of its objects in one more statement.

## Example
```python
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, joinedload
from sqlalchemy.orm import mapped_column, relationship


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    orders: Mapped[list["Order"]] = relationship()


class Order(Base):
    __tablename__ = "order"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))


def page(session: Session, number: int) -> list[User]:
    users = select(User).options(joinedload(User.orders)).order_by(User.id)
    return session.scalars(users.limit(50).offset(number * 50)).unique().all()
```

## Use instead
```python
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, selectinload
from sqlalchemy.orm import mapped_column, relationship


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    orders: Mapped[list["Order"]] = relationship()


class Order(Base):
    __tablename__ = "order"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))


def page(session: Session, number: int) -> list[User]:
    users = select(User).options(selectinload(User.orders)).order_by(User.id)
    return session.scalars(users.limit(50).offset(number * 50)).unique().all()
```

## Fix safety
Safe: the same objects come with the same collections; these are read by a second statement. No fix where the option has
arguments of its own (`innerjoin=`) or stands in another function.

## References
- [The zen of joined eager loading](https://docs.sqlalchemy.org/en/20/orm/queryguide/relationships.html#the-zen-of-joined-eager-loading)
- [What kind of loading to use?](https://docs.sqlalchemy.org/en/20/orm/queryguide/relationships.html#what-kind-of-loading-to-use)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.imports import instead, need
from sqlalchemy_guard.fixes.layout import reflow
from sqlalchemy_guard.fixes.local_names import bound_in
from sqlalchemy_guard.project.eager import JoinedCollection, joined_collections
from sqlalchemy_guard.project.pages import QUERY_TERMINALS, page_of
from sqlalchemy_guard.project.statements import EXECUTIONS, fact_of
from sqlalchemy_guard.rules.api import Applicability, Fix, Related, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.project.statements import Statement

rule = Rule("SAG317", Severity.WARNING, Applicability.SAFE)

_SINGLE = (".first", ".one", ".one_or_none", ".scalar")


@rule.on_call(*EXECUTIONS, *QUERY_TERMINALS, "flask_sqlalchemy.SQLAlchemy.paginate")
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a joined collection in a statement that is read page by page."""
    fact = call.fact
    value = _executed(call)
    if value is None or call.name.endswith(_SINGLE):
        return
    for form in context.statements.of(value, context.file).statements:
        is_page = call.name.endswith(".paginate") or page_of(form) is not None
        found = _collection(context, form) if is_page and form.kind in ("select", "query") else None
        if found is not None:
            yield _violation(context, fact, form, found, likely=call.likely or form.likely)
            return


def _executed(call: LibraryCall) -> Value | None:
    value = call.fact.value
    if call.name.startswith("sqlalchemy.orm.Query."):
        return getattr(value.func, "base", None)
    return value.args[0] if value.args else value.keyword("statement") or value.keyword("select")


def _collection(context: Context, form: Statement) -> JoinedCollection | None:
    found = joined_collections(context.statements, form)
    return next((one for one in found if one.strategy == "joinedload"), None)


def _violation(
    context: Context, fact: CallFact, form: Statement, found: JoinedCollection, *, likely: bool
) -> Violation:
    option = (
        fact_of(context.file, found.option)
        if found.option is not None and found.file is context.file
        else None
    )
    if option is not None and option.function is not fact.function:
        option = None
    source = (
        fact_of(context.file, form.source) if found.option is None and form.file is context.file else None
    )
    if source is not None and (source.function is not fact.function or len(found.path) > 1):
        source = None
    spelled = context.query_knowledge(fact.chunk).spelling(found.owner) if source is not None else None
    can_fix = (option is not None and not option.node.keywords) or spelled is not None
    how = "`joinedload()`" if found.option is not None else 'the mapping (`lazy="joined"`)'
    related: list[Related] = []
    if found.option is None:
        place = context.mapping_place(found.owner, found.name)
        related += [place] if place is not None else []
    applicability = Applicability.UNSAFE if likely else Applicability.SAFE
    return context.at_call(
        rule,
        option or fact,
        f"`{found.owner.name}.{found.name}` is a collection that {how} joins to a page of rows, which takes a subquery and "
        "repeats each object: load it with `selectinload()`",
        applicability=applicability if can_fix else None,
        related=tuple(related),
        subject=(option, source, f"{spelled}.{found.name}"),
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Load the collection with a statement of its own."""
    option, made, attribute = violation.subject
    source, statements = context.source, context.module_statements()
    imported: tuple[Edit, ...] = ()
    if violation.applicability is None:
        return None
    if option is not None:
        func, shift = option.node.func, option.chunk.shift
        end = source.end(func, shift)
        if isinstance(func, ast.Attribute):
            edits = [Edit(end - len(func.attr), end, "selectinload")]
        else:
            new = instead(
                source,
                statements,
                "sqlalchemy.orm",
                "joinedload",
                "selectinload",
                taken=bound_in(option.function),
            )
            imported = new.edits
            edits = [Edit(source.start(func, shift), end, new.expression)]
        laid = reflow(source, option.statement, edits, shift)
    else:
        new = need(source, statements, "sqlalchemy.orm", "selectinload", taken=bound_in(made.function))
        imported = new.edits
        end = source.end(made.node, made.chunk.shift)
        edits = [Edit(end, end, f".options({new.expression}({attribute}))")]
        laid = reflow(source, made.statement, edits, made.chunk.shift)
    return Fix(
        "Load with `selectinload()`", violation.applicability, {context.file.file_id: (*imported, *laid)}
    )
