"""A bulk `delete()` or `update()` without any criterion.

## What it does
Reports the execution of `delete(X)` and `update(X)` and calls of `Query.delete()` and `Query.update()` that no `where()`,
`filter()` or join restricts. Tests, migrations, tables that are called temporary, and functions whose name says that they empty a
table (`truncate`, `clear`, `purge`, `reset`, …) are left alone. So are queries where the workspace makes them of a class of its own
that changes what a query does: it may add a criterion. The rule is off unless it is selected.

## Why is this bad?
It changes every row of the table. A criterion that was forgotten, or lost on one of several branches, is not noticed before
the data is gone.

## Example
```python
from sqlalchemy import delete
from sqlalchemy.orm import Session


def log_out(session: Session, user_id: int) -> None:
    session.execute(delete(Login))
```

## Use instead
```python no-fix
from sqlalchemy import delete
from sqlalchemy.orm import Session


def log_out(session: Session, user_id: int) -> None:
    session.execute(delete(Login).where(Login.user_id == user_id))
```

## Fix safety
There is no fix: only the author knows the criterion.

## References
- [ORM-enabled INSERT, UPDATE, and DELETE statements](https://docs.sqlalchemy.org/en/20/orm/queryguide/dml.html)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call
from sqlalchemy_guard.project.keyed_queries import parts
from sqlalchemy_guard.project.statements import EXECUTIONS
from sqlalchemy_guard.project.types import ClassType, known
from sqlalchemy_guard.rules.api import Rule, Severity, Violation
from sqlalchemy_guard.text.words import snake_case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.project.resolve import SourceFile
    from sqlalchemy_guard.project.statements import Statement

rule = Rule("SAG320", Severity.INFORMATION, None, default=False)

_RESTRICTING = (
    "where",
    "filter",
    "filter_by",
    "join",
    "outerjoin",
    "select_from",
    "from_statement",
    "with_parent",
    "get",
)
_EMPTYING = (
    "truncate",
    "clear",
    "purge",
    "reset",
    "wipe",
    "flush",
    "empty",
    "clean",
    "delete_all",
    "remove_all",
    "all",
)


_TEMPORARY = frozenset({"temp", "tmp", "temporary", "staging", "scratch"})


@rule.on_call(*EXECUTIONS, "sqlalchemy.orm.Query.delete", "sqlalchemy.orm.Query.update")
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a bulk write that nothing restricts."""
    fact = call.fact
    is_query = call.name.startswith("sqlalchemy.orm.Query.")
    if is_query:
        value = getattr(fact.value.func, "base", None)
    else:
        value = fact.value.args[0] if fact.value.args else fact.value.keyword("statement")
    if value is None or context.is_test() or context.is_migration() or _is_named_so(call):
        return
    if is_query and _adds_criteria(context, value):
        return
    forms = context.statements.of(value, context.file)
    method = call.name.rpartition(".")[2] if is_query else None
    if any(_is_temporary(context, *entity) for form in forms.statements for entity in form.entities):
        return
    for form in forms.statements if forms.complete else ():
        if not is_query and form.kind not in ("update", "delete"):
            return
        if not form.has(*_RESTRICTING) and not _is_by_key(call, form):
            what = method or form.kind
            verb = "deletes" if what == "delete" else "changes"
            yield context.at_call(
                rule, fact, f"This {what}() {verb} every row of the table: add a criterion with `where()`"
            )
            return


def _is_temporary(context: Context, entity: Value, file: SourceFile) -> bool:
    """Whether a table is called temporary where it is written to, or comes from something that is."""
    made, _ = context.resolver.definition_of(entity, file)
    return any(
        not _TEMPORARY.isdisjoint(snake_case(getattr(part, "name", "") or "").split("_"))
        for whole in (entity, made)
        for part in parts(whole)
    )


def _adds_criteria(context: Context, query: Value) -> bool:
    """Whether queries here are, or may be, of a class that adds criteria by itself."""
    from sqlalchemy_guard.project.query_sessions import own_query_class

    asked, root = [query], query
    while type(root) in (Call, Attr):
        if type(root) is Call:
            asked.extend(root.args)
            root = root.func
        elif type(root) is Attr:
            root = root.base
        asked.append(root)
    refs: set[object] = set()
    for value in asked:
        for option in known(context.type_of(value)):
            if isinstance(option, ClassType):
                if "sqlalchemy.orm.Query" in context.resolver.ancestors(option):
                    # `OwnQuery([Entity], session)`.
                    return True
                refs.update(context.resolver.ancestors(option))
    return own_query_class(context.workspace, of=frozenset(refs)) is not False


def _is_named_so(call: LibraryCall) -> bool:
    """Whether the function around says that it empties tables."""
    function = call.fact.function
    words = function.name.lower() if function is not None else ""
    return any(
        word in words.split("_") or words.startswith(word) or words.endswith(word) for word in _EMPTYING
    )


def _is_by_key(call: LibraryCall, form: Statement) -> bool:
    """Whether it is an update of many rows by primary key, whose keys are the parameters."""
    return form.kind == "update" and (
        len(call.fact.value.args) > 1 or not form.has("values", "ordered_values")
    )
