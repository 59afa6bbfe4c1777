"""A second engine for the same database.

## What it does
Reports an engine of an application for a URL that another engine of the same application has: the same text, the same variable of
the environment, or the same attribute of the settings. The first one is shown beside it. Tests, migrations, scripts, commands,
engines without a pool, and engines in branches that exclude each other are left alone.

## Why is this bad?
Every engine has a pool. Two for one database hold twice the connections, of which each can use half only, and settings that are
given to one, such as time-outs and events, are missing from the other. Import the one that is there.

## Example
```python no-fix
# path: database.py
from sqlalchemy import create_engine

URL = "postgresql://localhost/shop"
engine = create_engine(URL, pool_size=10, max_overflow=20, pool_pre_ping=True)
```

```python no-fix
# path: reports.py
from sqlalchemy import create_engine

from database import URL

engine = create_engine(URL, pool_size=10, max_overflow=20, pool_pre_ping=True)
```

## Use instead
```python
# path: database.py
from sqlalchemy import create_engine

URL = "postgresql://localhost/shop"
engine = create_engine(URL, pool_size=10, max_overflow=20, pool_pre_ping=True)
```

```python
# path: reports.py
from database import engine
```

## Fix safety
No fix: the two engines may differ in their options on purpose.

## References
- [Engine configuration](https://docs.sqlalchemy.org/en/20/core/engines.html)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.project.applications import MadeEngine, belong_together, counts, engines_like, url_key
from sqlalchemy_guard.rules.api import Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG103", Severity.WARNING, None)


@rule.on_call("sqlalchemy.create_engine", "sqlalchemy.ext.asyncio.create_async_engine")
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report every engine but the first one of an application."""
    mine = MadeEngine(call.fact, context.file)
    key = url_key(context.resolver, call.fact.value, context.file)
    if key is None or not counts(context.resolver, mine):
        return
    before = [
        made
        for made in engines_like(context.workspace, call.name, key)
        if made.place < mine.place and belong_together(context.workspace, made.file, context.file)
    ]
    if not before:
        return
    first = min(before, key=lambda made: made.place)
    related = (
        context.related(first.file, first.fact.chunk, first.fact.node, "the first engine for this URL"),
    )
    message = "A second engine, with a second pool, for the same database; import the one that is there"
    yield context.at_call(rule, call.fact, message, node=call.fact.node.func, related=related)
