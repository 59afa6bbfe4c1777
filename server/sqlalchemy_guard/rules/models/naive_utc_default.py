"""Column default that writes the time of UTC without saying that it is UTC.

## What it does
Reports `datetime.utcnow` as `default=`, `onupdate=`, `insert_default=` or `default_factory=` of a column, directly, in a lambda,
or through a function of yours that returns it.

## Why is this bad?
`utcnow` is deprecated since Python 3.12: its result has no time zone, so that Python takes it for local time as soon as it
is compared, formatted or converted. An aware time means the same everywhere.

## Example
```python
from datetime import datetime

from sqlalchemy import Column, DateTime, Integer, MetaData, Table

events = Table(
    "events",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("happened_at", DateTime(timezone=True), default=datetime.utcnow),
)
```

## Use instead
```python
from datetime import datetime, timezone

from sqlalchemy import Column, DateTime, Integer, MetaData, Table

events = Table(
    "events",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column(
        "happened_at",
        DateTime(timezone=True),
        default=lambda: datetime.now(timezone.utc),
    ),
)
```

## Fix safety
Unsafe: a column without `timezone=True` may refuse aware values (asyncpg) or drop the zone, and code that compares the values
with naive ones must change too.

## References
- [datetime.utcnow](https://docs.python.org/3/library/datetime.html#datetime.datetime.utcnow)
- [DateTime](https://docs.sqlalchemy.org/en/20/core/type_basics.html#sqlalchemy.types.DateTime)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Call, Function, Value
from sqlalchemy_guard.fixes.arguments import replace_argument
from sqlalchemy_guard.fixes.imports import need
from sqlalchemy_guard.project.column_calls import COLUMN_CALLS
from sqlalchemy_guard.project.types import FunctionType, options
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.project.resolve import SourceFile

rule = Rule("SAG210", Severity.WARNING, Applicability.UNSAFE)

_UTCNOW = "datetime.datetime.utcnow"
_KEYWORDS = ("default", "onupdate", "insert_default", "default_factory")


@rule.on_call(*COLUMN_CALLS)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report defaults that are naive times of UTC."""
    if context.is_migration():
        return
    fact = call.fact
    for keyword, (name, value) in zip(fact.node.keywords, fact.value.keywords, strict=True):
        if name not in _KEYWORDS or not _gives_utcnow(context, value, context.file):
            continue
        node = keyword.value
        spelled = node.body.func if isinstance(node, ast.Lambda) and isinstance(node.body, ast.Call) else node
        mendable = isinstance(spelled, ast.Attribute) and spelled.attr == "utcnow"
        yield context.at_call(
            rule,
            fact,
            f"`{name}` is UTC without a time zone, which Python takes for local time; use an aware time",
            node=node,
            applicability=Applicability.UNSAFE if mendable else None,
            subject=(fact, keyword, spelled),
        )


def _gives_utcnow(context: Context, value: Value, file: SourceFile) -> bool:
    """Whether calling a value gives what `datetime.utcnow()` gives."""
    if type(value) is Function:
        return _is_utcnow(context, value.result, file)
    if context.resolver.external_name(value, file) == _UTCNOW:
        return True
    for option in options(context.type_of(value, file)):
        if isinstance(option, FunctionType):
            source = context.resolver.sources.file(option.file_id)
            function = source.facts.function(option.qualname) if source is not None else None
            if function is not None and source is not None and function.returned is not None:
                return _is_utcnow(context, function.returned, source)
    return False


def _is_utcnow(context: Context, value: Value, file: SourceFile) -> bool:
    return (
        type(value) is Call and not value.args and context.resolver.external_name(value.func, file) == _UTCNOW
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Pass a lambda that gives an aware time."""
    fact, keyword, spelled = violation.subject
    class_ = context.source.segment(spelled.value, fact.chunk.shift)
    frame = fact.frame
    taken: set[str] = set()
    if frame is not None and isinstance(frame.node, ast.FunctionDef):
        taken = {argument.arg for argument in frame.node.args.args}
    imported = need(context.source, context.module_statements(), "datetime", "timezone", taken=taken)
    text = f"{keyword.arg}=lambda: {class_}.now({imported.expression}.utc)"
    statement = None if hasattr(fact.statement, "body") else fact.statement
    edits = replace_argument(context.source, fact.node, keyword, text, fact.chunk.shift, statement)
    title = "Use an aware time: code that reads naive values must change too"
    return Fix(title, Applicability.UNSAFE, {context.file.file_id: (*edits, *imported.edits)})
