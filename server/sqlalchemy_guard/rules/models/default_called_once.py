"""Column default that is computed once, when the module is imported, and then given to every row.

## What it does
Reports `default=`, `onupdate=` and `insert_default=` of a column that call a clock or a generator of random values at import
(`datetime.now()`, `uuid4()`, a function of yours that returns them), and mutable literals such as `{}` and `[]`. Silent on SQL
expressions such as `func.now()` and in migrations.

## Why is this bad?
The call runs when the class body runs: all rows get the start time of the process, or the same identifier. A mutable literal
is one object that all new rows share, so that changing one row in memory changes the default of the next.

## Example
```python
from datetime import datetime

from sqlalchemy import Column, DateTime, Integer, MetaData, Table

events = Table(
    "events",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("happened_at", DateTime, default=datetime.now()),
)
```

## Use instead
```python
from datetime import datetime

from sqlalchemy import Column, DateTime, Integer, MetaData, Table

events = Table(
    "events",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("happened_at", DateTime, default=datetime.now),
)
```

## Fix safety
Safe: the schema stays, and each row gets the value that the code spells.

## References
- [Python-executed functions](https://docs.sqlalchemy.org/en/20/core/defaults.html#python-executed-functions)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.arguments import replace_argument
from sqlalchemy_guard.project.column_calls import COLUMN_CALLS
from sqlalchemy_guard.project.columns import is_dataclass
from sqlalchemy_guard.project.types import ClassType
from sqlalchemy_guard.project.volatile import is_volatile
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG209", Severity.ERROR, Applicability.SAFE)

_DISPLAYS = {ast.List: "list", ast.Dict: "dict", ast.Set: "set"}


@rule.on_call(*COLUMN_CALLS)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report defaults that are computed at import."""
    if context.is_migration():
        return
    fact = call.fact
    for keyword, (name, value) in zip(fact.node.keywords, fact.value.keywords, strict=True):
        if name not in ("default", "onupdate", "insert_default"):
            continue
        text = context.source.segment(keyword.value, fact.chunk.shift)
        if is_volatile(context.resolver, value, context.file):
            message = f"`{name}={_short(text)}` is called once, at import: every row gets the same value; pass a callable"
        elif call.name != "sqlmodel.Field" and _is_mutable(context, keyword.value):
            message = f"`{name}={_short(text)}` is one object that all new rows share; pass a callable"
        else:
            continue
        replacement = _replacement(context, call, keyword)
        yield context.at_call(
            rule,
            fact,
            message,
            node=keyword.value,
            applicability=Applicability.SAFE if replacement is not None else None,
            subject=(fact, keyword, replacement),
        )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 40 else f"{line[:37]}…"


def _is_mutable(context: Context, node: ast.expr) -> bool:
    return type(node) in _DISPLAYS or _constructor(context, node) is not None


def _constructor(context: Context, node: ast.expr) -> str | None:
    """The class that an empty `dict()`, `list()` or `set()` calls."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.args and not node.keywords:
        name = node.func.id
        return name if name in _DISPLAYS.values() and name not in context.file.facts.names else None
    return None


def _replacement(context: Context, call: LibraryCall, keyword: ast.keyword) -> str | None:
    """The argument as it should be, None when it cannot be said."""
    fact, node = call.fact, keyword.value
    text = context.source.segment(node, fact.chunk.shift)
    name = keyword.arg
    if name == "default" and (call.name == "sqlmodel.Field" or _in_dataclass(context, fact)):
        name = "default_factory"
    empty = isinstance(node, (ast.List, ast.Dict)) and not ast.unparse(node).strip("[]{} ")
    if empty and context.source.comments(*_extent(context, fact, node)):
        return None
    if empty:
        builtin = _DISPLAYS[type(node)]
        return f"{name}={builtin}" if builtin not in context.file.facts.names else f"{name}=lambda: {text}"
    if isinstance(node, ast.Call) and not node.args and not node.keywords:
        if isinstance(node.func, (ast.Name, ast.Attribute)) and _is_path(node.func):
            return f"{name}={context.source.segment(node.func, fact.chunk.shift)}"
    if any(isinstance(inner, (ast.Yield, ast.YieldFrom, ast.Await)) for inner in ast.walk(node)):
        return None
    if fact.function is None and fact.frame is not None and fact.frame.kind == "class":
        # A lambda does not see the names of the class body around it.
        owner = context.file.facts.class_(_class_name(fact))
        own = {*owner.attributes, *owner.methods, *owner.classes} if owner is not None else set()
        if any(isinstance(inner, ast.Name) and inner.id in own for inner in ast.walk(node)):
            return None
    return f"{name}=lambda: {text}"


def _extent(context: Context, fact: CallFact, node: ast.expr) -> tuple[int, int]:
    return context.source.start(node, fact.chunk.shift), context.source.end(node, fact.chunk.shift)


def _is_path(node: ast.expr) -> bool:
    """Whether an expression is a dotted name, which may be read at import without calling anything."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _class_name(fact: CallFact) -> str:
    frame = fact.frame
    return frame.node.name if frame is not None and isinstance(frame.node, ast.ClassDef) else ""


def _in_dataclass(context: Context, fact: CallFact) -> bool:
    name = _class_name(fact)
    if not name or context.file.facts.class_(name) is None:
        return False
    return is_dataclass(context.resolver, ClassType((context.file.file_id, name)))


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Pass the callable."""
    fact, keyword, replacement = violation.subject
    edits = replace_argument(
        context.source, fact.node, keyword, replacement, fact.chunk.shift, _simple(fact.statement)
    )
    return Fix("Pass a callable", Applicability.SAFE, {context.file.file_id: edits})


def _simple(statement: ast.stmt) -> ast.stmt | None:
    """The statement, unless it is a whole definition, whose layout is nobody's business here."""
    return None if hasattr(statement, "body") else statement
