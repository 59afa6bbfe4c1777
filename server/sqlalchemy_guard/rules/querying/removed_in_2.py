"""A form of SQLAlchemy 1.x that version 2 has removed.

## What it does
Reports what the migration guide lists as gone: `select([…])`, `case([…])`, clauses as arguments of `select()`,
`update()`, `delete()` and `insert()`, `engine.execute()`, `execute()` on a statement, values as keywords of `execute()`,
`row["name"]`, `relation()`, `mapper()`, `Query.from_self()`, `with_labels()`, `as_scalar()`, `Table(autoload=True)`,
`create_all()` without an engine, `begin(subtransactions=True)`, `and_()` without arguments and more. Projects for 1.4 are
left alone.

## Why is this bad?
The call raises as soon as it runs on SQLAlchemy 2, or it warns that it will be gone.

## Example
```python
from sqlalchemy import Connection, case, select


def ages(connection: Connection) -> list[str]:
    kind = case([(person.c.age < 18, "minor")], else_="adult")
    rows = connection.execute(select([person.c.name, kind], person.c.age > 0))
    return [row["name"] for row in rows]
```

## Use instead
```python
from sqlalchemy import Connection, case, select


def ages(connection: Connection) -> list[str]:
    kind = case((person.c.age < 18, "minor"), else_="adult")
    rows = connection.execute(select(person.c.name, kind).where(person.c.age > 0))
    return [row.name for row in rows]
```

## Fix safety
Safe: the new form is what the migration guide names, and gives the same SQL and values. Unsafe where the object is known
by its name only. No fix where the new form depends on what is meant (`from_self()`, `mapper()`, metadata without an
engine).

## References
- [Migrating to SQLAlchemy 2.0](https://docs.sqlalchemy.org/en/20/changelog/migration_20.html)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.modern import modernized
from sqlalchemy_guard.project.removed import JUDGES, Removed, removed
from sqlalchemy_guard.project.row_keys import RowKey
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG315", Severity.ERROR, Applicability.SAFE, modern=True)


@rule.on_call(*JUDGES)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a call that SQLAlchemy 2 does not take."""
    if context.target_version == "1.4":
        return
    found = removed(call, context.resolver, context.file)
    if found is None:
        return
    applicability = None
    if found.rewrite is not None and _edits(context, (call, found)) is not None:
        applicability = Applicability.UNSAFE if call.likely else Applicability.SAFE
    state = "is deprecated" if found.deprecated else "is gone in SQLAlchemy 2, the call fails"
    yield context.at_call(
        rule,
        call.fact,
        f"`{found.what}` {state}: {found.instead}",
        node=found.node,
        applicability=applicability,
        subject=(call, found),
    )


@rule.on(RowKey)
def check_row(context: Context, key: RowKey) -> Iterator[Violation]:
    """Report a row that is read like a mapping."""
    if context.target_version == "1.4":
        return
    yield context.violation(
        rule,
        key.chunk,
        key.node,
        f"`row[{key.key!r}]` fails in SQLAlchemy 2, a row is a tuple: read `{key.written}`",
        applicability=Applicability.SAFE,
        subject=key,
    )


def _edits(context: Context, subject: tuple[LibraryCall, Removed]) -> tuple[Edit, ...] | None:
    call, found = subject
    if found.rewrite is None:
        return None
    return modernized(context.source, context.module_statements(), context.parent, call.fact, found.rewrite)


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Write the form of 2.x."""
    subject = violation.subject
    if violation.applicability is None:
        return None
    edits: tuple[Edit, ...] | None
    if isinstance(subject, RowKey):
        shift = subject.chunk.shift
        start = context.source.end(subject.node.value, shift)
        end = context.source.end(subject.node, shift)
        bracket = context.source.text.index("[", start)
        new = f".{subject.key}" if subject.is_attribute else "._mapping["
        edits = (Edit(bracket, end if subject.is_attribute else bracket + 1, new),)
    else:
        edits = _edits(context, subject)
    title = "Write the form of SQLAlchemy 2"
    return Fix(title, violation.applicability, {context.file.file_id: edits}) if edits else None
