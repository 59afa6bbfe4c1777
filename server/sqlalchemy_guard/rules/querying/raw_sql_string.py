"""A plain string as SQL: SQLAlchemy 2 executes `text()` and statements only.

## What it does
Reports strings that are handed to `execute()`, `scalar()`, `scalars()` and `stream()` of sessions and connections, also
through variables and functions. Cursors of the driver and `exec_driver_sql()` take strings and are left alone, as are
projects for 1.4.

## Why is this bad?
The call raises `ObjectNotExecutableError` (an `ArgumentError` on sessions). A string is also passed to the driver as it
is, so that the form of its parameters depends on the database.

## Example
```python
from sqlalchemy.orm import Session


def rename(session: Session, old: str, new: str) -> None:
    session.execute("UPDATE tag SET name = :new WHERE name = :old", {"old": old, "new": new})
```

## Use instead
```python
from sqlalchemy import text
from sqlalchemy.orm import Session


def rename(session: Session, old: str, new: str) -> None:
    session.execute(
        text("UPDATE tag SET name = :new WHERE name = :old"), {"old": old, "new": new}
    )
```

## Fix safety
Safe: the same SQL is sent. Colons that meant themselves are escaped, `%(name)s` becomes `:name`. Unsafe where the session is
known by its name only, and where a doubled `%%` may have stood for one. There is no fix for positional parameters (`%s`,
`?`): give them names, or call `exec_driver_sql()` on the connection. Where a value is put into the string, `sql-interpolation`
speaks instead.

## References
- [Using textual SQL](https://docs.sqlalchemy.org/en/20/core/sqlelement.html#sqlalchemy.sql.expression.text)
- [`Connection.exec_driver_sql()`](https://docs.sqlalchemy.org/en/20/core/connections.html#sqlalchemy.engine.Connection.exec_driver_sql)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.raw_sql import as_text
from sqlalchemy_guard.project.interpolations import dangers
from sqlalchemy_guard.project.sql_text import texts_of
from sqlalchemy_guard.project.statements import EXECUTIONS
from sqlalchemy_guard.project.types import Instance, Literal, known
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.text.edit import Edit

rule = Rule("SAG307", Severity.ERROR, Applicability.SAFE, modern=True)

_ARGUMENTS = ("statement", "object_")


@rule.on_call(*EXECUTIONS)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a string that is executed."""
    value, node = _sql(call)
    if value is None or node is None or context.target_version == "1.4" or not _is_string(context, value):
        return
    if (
        not context.is_test()
        and dangers(context.resolver, value, context.file, call.fact.function) is not None
    ):
        return
    edits, doubtful = _edits(context, call, value, node)
    applicability = None
    if edits is not None:
        applicability = Applicability.UNSAFE if doubtful or call.likely else Applicability.SAFE
    name = call.name.rpartition(".")[2]
    yield context.at_call(
        rule,
        call.fact,
        f"`{name}()` takes no plain string, SQLAlchemy 2 raises: wrap the SQL in `text()`",
        node=node,
        applicability=applicability,
        subject=(call, value, node),
    )


def _sql(call: LibraryCall) -> tuple[Value | None, ast.expr | None]:
    """The argument that is executed."""
    value, node = call.fact.value, call.fact.node
    if value.args and node.args:
        return value.args[0], node.args[0]
    for keyword in node.keywords:
        if keyword.arg in _ARGUMENTS:
            return value.keyword(keyword.arg), keyword.value
    return None, None


def _is_string(context: Context, value: Value) -> bool:
    """Whether an argument is a string on every path."""
    kinds = list(known(context.type_of(value)))
    return bool(kinds) and all(
        isinstance(kind.value, str)
        if isinstance(kind, Literal)
        else isinstance(kind, Instance) and kind.ref == "builtins.str"
        for kind in kinds
    )


def _edits(
    context: Context, call: LibraryCall, value: Value, node: ast.expr
) -> tuple[tuple[Edit, ...] | None, bool]:
    """The edits, and whether the SQL may be another one with them."""
    texts = [text.text for text in texts_of(context.resolver, value, context.file)]
    edits = as_text(context.source, context.module_statements(), call.fact, node, texts)
    return edits, any("%%" in text for text in texts)


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Wrap the string."""
    if violation.applicability is None:
        return None
    edits, doubtful = _edits(context, *violation.subject)
    if edits is None:
        return None
    title = "Wrap in `text()`" + (" (`%%` stays doubled)" if doubtful else "")
    return Fix(title, violation.applicability, {context.file.file_id: edits})
