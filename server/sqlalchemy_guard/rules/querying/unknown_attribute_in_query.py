"""A query that names an attribute which the mapped class does not have.

## What it does
Reports `User.nmae` in `select()`, `where()`, `order_by()`, `join()`, loader options and the like, `filter_by(nmae=…)`,
`order_by("nmae")` and `update(User).values(nmae=…)`, where the class has no column, relationship, hybrid, proxy or other
attribute of that name: also not from its bases and mixins, from `backref` in other files, or by assignment. Classes that
may get more (unknown bases, reflection, automap, metaclasses, `__getattr__`) are left alone.

## Why is this bad?
The query raises `AttributeError` or `InvalidRequestError` when it is built, which a branch that is seldom taken hides.

## Example
```python
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]


def named(email: str):
    return select(User).where(User.emial == email)


def found(email: str):
    return select(User).filter_by(emial=email)
```

## Use instead
```python
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    created_at = None
    updated_at = None


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]


def named(email: str):
    return select(User).where(User.email == email)


def found(email: str):
    return select(User).filter_by(email=email)
```

## Fix safety
Safe: the query cannot run today. There is no fix where no attribute has a name like it.

## References
- [ORM mapped class overview](https://docs.sqlalchemy.org/en/20/orm/mapping_styles.html)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.layout import reflow
from sqlalchemy_guard.fixes.naming import nearest
from sqlalchemy_guard.project.mapped_names import MappedNames
from sqlalchemy_guard.project.query_call import QueryCall
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.fixes.source import Located
    from sqlalchemy_guard.project.mapped_names import Mention

rule = Rule("SAG318", Severity.ERROR, Applicability.SAFE)


@rule.on(QueryCall)
def check(context: Context, query: QueryCall) -> Iterator[Violation]:
    """Report names that no mapped class has."""
    fact = query.fact
    for mention in MappedNames(context.statements).unknown(fact, context.file):
        node = _node(context, query, mention)
        if node is None or _is_asked_for(fact, mention.name):
            continue
        names = [each for each in mention.known if not each.startswith("_")]
        meant = nearest(mention.name, names)
        hint = f"; did you mean `{meant}`?" if meant else ""
        yield context.at_call(
            rule,
            fact,
            f"`{mention.model.name}` has no attribute `{mention.name}`, the query raises{hint}",
            node=node,
            applicability=Applicability.SAFE if meant else None,
            subject=(fact, node, meant),
        )


def _is_asked_for(fact: CallFact, name: str) -> bool:
    """Whether the call runs only where `hasattr(…, "name")` has found the attribute."""
    for frame in fact.frame.outwards() if fact.frame is not None else ():
        test = getattr(frame.node, "test", None)
        if frame.kind == "if" and isinstance(test, ast.expr):
            for part in ast.walk(test):
                if (
                    isinstance(part, ast.Call)
                    and isinstance(part.func, ast.Name)
                    and part.func.id == "hasattr"
                    and any(isinstance(arg, ast.Constant) and arg.value == name for arg in part.args)
                ):
                    return True
    return False


def _node(context: Context, query: QueryCall, mention: Mention) -> Located | None:
    """Where the name stands among the arguments."""
    call = query.fact.node
    if mention.how == "keyword":
        return next((one for one in call.keywords if one.arg == mention.name), None)
    if mention.how == "text":
        return next(
            (one for one in call.args if isinstance(one, ast.Constant) and one.value == mention.name), None
        )
    knowledge = context.query_knowledge(query.fact.chunk)
    for arg in [*call.args, *(one.value for one in call.keywords)]:
        for node in ast.walk(arg):
            if (
                isinstance(node, ast.Attribute)
                and node.attr == mention.name
                and knowledge.value(node.value) == mention.base
            ):
                return node
    return None


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Write the name that was meant."""
    fact, node, meant = violation.subject
    source, shift = context.source, fact.chunk.shift
    if meant is None:
        return None
    if isinstance(node, ast.keyword):
        start = source.start(node, shift)
        edit = Edit(start, start + len(node.arg or ""), meant)
    elif isinstance(node, ast.Attribute):
        end = source.end(node, shift)
        edit = Edit(end - len(node.attr), end, meant)
    else:
        end = source.end(node, shift)
        quote = source.text[end - 1]
        edit = Edit(source.start(node, shift), end, f"{quote}{meant}{quote}")
    edits = reflow(source, fact.statement, [edit], shift)
    return Fix(f"Write `{meant}`", Applicability.SAFE, {context.file.file_id: edits})
