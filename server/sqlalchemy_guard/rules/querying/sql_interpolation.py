"""Values written into SQL text: a crafted value becomes SQL, and every value is a new statement to the database.

## What it does
Reports SQL that f-strings, `%`, `format()`, `+`, `join()` or `string.Template` put together, directly or through
names and functions of the workspace, where it reaches `text()`, `execute()` and its kin, `exec_driver_sql()`,
`op.execute()`, `literal_column()` or `DDL()`. What stands in the place of a value is reported unless the code itself
proves it harmless. A name of a table or column cannot be bound, and mostly comes from the code: it is reported only
where it plainly comes from outside, that is from a request, the command line, or a parameter of a route or command.

Silent on constants (also of other files and of classes), numbers (`int()`, `len()`, parameters annotated `int`),
members of enumerations, entries of literal mappings, parameters that the function checks (`if x not in ALLOWED`,
`match`, a call such as `validate_name(x)`), names read off tables, mappers and inspectors, quoted identifiers,
compiled statements, settings, template strings given to `tstring()`, and in tests.

## Why is this bad?
Whoever chooses the value chooses the statement: a quote in it ends the literal, and the rest runs as SQL. Even
harmless values break on a name like `O'Brien`, and keep the database and SQLAlchemy from reusing the statement.

## Example
```python
from sqlalchemy import text
from sqlalchemy.orm import Session


def find(session: Session, name: str) -> int | None:
    return session.scalar(text(f"SELECT id FROM users WHERE name = '{name}'"))
```

## Use instead
```python
from sqlalchemy import text
from sqlalchemy.orm import Session


def find(session: Session, name: str) -> int | None:
    return session.scalar(
        text("SELECT id FROM users WHERE name = :name").bindparams(name=name)
    )
```

## Fix safety
Safe where all of the text is written at the call, every interpolated value can be bound, and a literal held it in
quotes. Unsafe where the bound value may mean something else than its text: strings outside of quotes, and objects
such as dates inside. Names, format specifications, `DDL()`, `literal_column()`, `exec_driver_sql()` and statements
that take no parameters have no fix.

## References
- [Bound parameters of `text()`](https://docs.sqlalchemy.org/en/20/core/sqlelement.html#sqlalchemy.sql.expression.text)
- [SQL injection](https://owasp.org/www-community/attacks/SQL_Injection)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.sql_call import Subject, binding_of, bound_edits
from sqlalchemy_guard.project.interpolations import Dangers, dangers
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG306", Severity.ERROR, Applicability.SAFE)

_EXECUTIONS = tuple(
    f"{owner}.{method}"
    for owner, methods in {
        "sqlalchemy.orm.Session": "execute scalars scalar exec",
        "sqlalchemy.ext.asyncio.AsyncSession": "execute scalars scalar exec stream stream_scalars",
        "sqlalchemy.Connection": "execute scalars scalar",
        "sqlalchemy.ext.asyncio.AsyncConnection": "execute scalars scalar stream",
        "sqlalchemy.Engine": "execute",
        "alembic.op": "execute",
    }.items()
    for method in methods.split()
)
_UNBOUND = (
    "sqlalchemy.Connection.exec_driver_sql",
    "sqlalchemy.ext.asyncio.AsyncConnection.exec_driver_sql",
    "sqlalchemy.literal_column",
    "sqlalchemy.DDL",
)
_CLAUSES = tuple(
    f"sqlalchemy.{owner}.{method}"
    for owner in ("orm.Query", "Select")
    for method in ("filter", "where", "having", "order_by", "group_by", "from_statement")
)
_DECLARING = frozenset(
    {"server_default", "server_onupdate", "postgresql_where", "sqlite_where", "mssql_where"}
)
_ARGUMENTS = ("text", "statement", "sqltext", "clause", "object_")


@rule.on_call("sqlalchemy.text", *_EXECUTIONS, *_UNBOUND, *_CLAUSES)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a call whose SQL text holds a value, or a name that came from outside."""
    if context.is_test():
        return
    if _is_schema(context, call):
        return
    value, node = _sql(call)
    found = dangers(context.resolver, value, context.file, call.fact.function) if value is not None else None
    if found is None or node is None:
        return
    is_raw = "Connection." in call.name and len(call.fact.node.args) == 1
    subject = Subject(call.fact, node, call.name == "sqlalchemy.text", is_raw)
    applicability, name = None, "name"
    if found.can_bind and not found.names and (subject.is_text or call.name in _EXECUTIONS):
        made = binding_of(context.source, context.resolver, context.file, subject)
        if made is not None:
            is_safe = not made[0].doubt and not call.likely
            applicability = Applicability.SAFE if is_safe else Applicability.UNSAFE
            name = made[0].names[0]
    yield context.at_call(
        rule, call.fact, _message(found, name), node=node, applicability=applicability, subject=subject
    )


def _is_schema(context: Context, call: LibraryCall) -> bool:
    """Whether the text is part of how a table is declared, which runs before anybody can send a value."""
    parent = context.parent(call.fact.chunk, call.fact.node)
    return isinstance(parent, ast.keyword) and parent.arg in _DECLARING


def _sql(call: LibraryCall) -> tuple[Value | None, ast.expr | None]:
    """The argument that holds the SQL."""
    value, node = call.fact.value, call.fact.node
    if value.args and node.args:
        return value.args[0], node.args[0]
    for keyword in node.keywords:
        if keyword.arg in _ARGUMENTS:
            return value.keyword(keyword.arg), keyword.value
    return None, None


def _message(found: Dangers, name: str) -> str:
    """What is wrong, why, and what to do."""
    if found.values:
        subject = _listed(found.values)
        what = (
            f"{subject} {'becomes' if len(found.values) == 1 else 'become'} part of the SQL, "
            "so a crafted value changes the statement"
            if subject
            else "A value becomes part of the SQL, so a crafted one changes the statement"
        )
        return f'{what}; bind it: `text("… :{name}").bindparams({name}=…)`'
    verbs = "comes from outside and becomes" if len(found.names) == 1 else "come from outside and become"
    return (
        f"{_listed(found.names) or 'A name'} {verbs} part of the SQL; names cannot be bound: "
        "look it up in a mapping of the allowed ones"
    )


def _listed(names: tuple[str, ...]) -> str:
    shown = [f"`{name}`" for name in names if name]
    return " and ".join(shown[:2]) if len(shown) <= 2 else f"{', '.join(shown[:2])} and others"


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Bind the values."""
    subject = violation.subject
    found = binding_of(context.source, context.resolver, context.file, subject)
    if found is None or violation.applicability is None:
        return None
    edits = bound_edits(context.source, context.file.syntax.chunks, subject, found)
    title = f"Bind {_listed(tuple(f':{name}' for name in found[0].names))}"
    if found[0].doubt:
        title += f" ({found[0].doubt})"
    return Fix(title, violation.applicability, {context.file.file_id: edits}) if edits else None
