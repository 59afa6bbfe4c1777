"""`Session(engine)` where a session factory would do.

## What it does
Reports sessions that functions construct from an engine directly. Tests, scripts, migrations, functions that give the
session to their callers, and sessions on a connection or on an engine that was passed in are left alone. Off by default.

## Why is this bad?
Each place that says `Session(engine)` decides anew which engine and which options the project's sessions have. A `sessionmaker`
says it once, and has `begin()` besides.

## Example
```python
from sqlalchemy import text
from sqlalchemy.orm import Session

from database import engine


def count_users():
    with Session(engine) as session:
        return session.scalar(text("SELECT count(*) FROM users"))
```

```python
# path: database.py
from sqlalchemy import create_engine

engine = create_engine(
    "postgresql://localhost/shop", pool_size=10, max_overflow=20, pool_pre_ping=True
)
```

## Use instead
```python
from sqlalchemy import text
from sqlalchemy.orm import sessionmaker

from database import engine


SessionLocal = sessionmaker(engine)


def count_users():
    with SessionLocal() as session:
        return session.scalar(text("SELECT count(*) FROM users"))
```

```python
# path: database.py
from sqlalchemy import create_engine

engine = create_engine(
    "postgresql://localhost/shop", pool_size=10, max_overflow=20, pool_pre_ping=True
)
```

## Fix safety
Safe: the factory makes the same sessions. A factory of the module that makes the very same is taken, else one is made in front of
the function, where all arguments are literals and names that the module bound before.

## References
- [Using a sessionmaker](https://docs.sqlalchemy.org/en/20/orm/session_basics.html#using-a-sessionmaker)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Either, Enter, same
from sqlalchemy_guard.fixes.arguments import replace_node
from sqlalchemy_guard.fixes.hoist import insertion, place_in_front
from sqlalchemy_guard.fixes.imports import need
from sqlalchemy_guard.fixes.naming import fresh
from sqlalchemy_guard.project.bodies import rests_on_all
from sqlalchemy_guard.project.courses import plain
from sqlalchemy_guard.project.externals import SESSIONS
from sqlalchemy_guard.project.factories import class_of, engine_given, factory_like, is_async
from sqlalchemy_guard.project.lasting import depends_on_call
from sqlalchemy_guard.project.runs import is_script
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG105", Severity.HINT, Applicability.SAFE, default=False)


@rule.on_call(*sorted(SESSIONS))
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a construction from an engine."""
    fact = call.fact
    if fact.function is None or context.is_test() or context.is_migration():
        return
    if is_script(context.resolver, context.file):
        return
    if engine_given(context.resolver, fact.value, context.file) is None or depends_on_call(fact.value):
        return
    if _is_handed_out(fact):
        return
    known = factory_like(context.resolver, fact.value, context.file)
    around = place_in_front(context.file, fact) if known is None and _is_first(context, fact) else None
    yield context.at_call(
        rule,
        fact,
        "A session constructed by hand repeats how the project's sessions are made; call a `sessionmaker`",
        applicability=Applicability.SAFE if known is not None or around is not None else None,
        subject=(fact, known, around),
    )


def _is_handed_out(fact: CallFact) -> bool:
    """Whether the function gives the session to its callers: it is the project's factory."""
    function = fact.function
    for given in (function.yielded, function.returned) if function is not None else ():
        for option in given.options if type(given) is Either else (given,):
            made = plain(option) if option is not None else None
            if made is not None and same(made.base if type(made) is Enter else made, fact.value):
                return True
    return False


def _is_first(context: Context, fact: CallFact) -> bool:
    """Whether no other call of the file above this one will bring the factory that this one can use then."""
    rests_on_all(context.resolver, context.file)
    for unit in context.file.facts.units():
        for other in unit.calls:
            if other.node is fact.node:
                return True
            if (
                other.function is not None
                and engine_given(context.resolver, other.value, context.file) is not None
            ):
                if class_of(context.resolver, other.value, context.file) in SESSIONS:
                    return False
    return True


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Call the factory, made in front of the function where there is none."""
    fact, known, around = violation.subject
    source, shift = context.source, fact.chunk.shift
    class_ = class_of(context.resolver, fact.value, context.file)
    if class_ is None:
        return None
    if known is not None:
        edits = replace_node(source, fact.node, f"{known}()", shift, fact.statement)
        return Fix(f"Call `{known}()`", Applicability.SAFE, {context.file.file_id: edits})
    module, maker = (
        ("sqlalchemy.ext.asyncio", "async_sessionmaker")
        if is_async(class_)
        else ("sqlalchemy.orm", "sessionmaker")
    )
    imported = need(source, context.module_statements(), module, maker)
    name = fresh("AsyncSessionLocal" if is_async(class_) else "SessionLocal", context.file.facts.names)
    inside = source.text[source.opening(fact.node, shift) + 1 : source.end(fact.node, shift) - 1]
    if "\n" in inside or source.comments(source.start(fact.node, shift), source.end(fact.node, shift)):
        return None
    if class_.startswith("sqlmodel."):
        inside += f", class_={source.segment(fact.node.func, shift)}"
    made = insertion(source, f"{name} = {imported.expression}({inside})", around)
    edits = (*imported.edits, made, *replace_node(source, fact.node, f"{name}()", shift, fact.statement))
    title = f"Make the factory `{name}` and call it"
    return Fix(title, Applicability.SAFE, {context.file.file_id: edits})
