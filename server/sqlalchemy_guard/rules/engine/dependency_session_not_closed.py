"""A dependency that yields a session and does not close it on every path.

## What it does
Reports generator functions (FastAPI dependencies, context managers) that make a session, yield it, and close it neither by
`with` nor in a `finally` block.

## Why is this bad?
When the request fails, the code behind `yield` does not run. The session keeps its connection, and after as many errors
as the pool has connections the application stands still.

## Example
```python
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker()


def get_db():
    db = SessionLocal()
    yield db
    db.close()
```

## Use instead
```python
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker()


def get_db():
    with SessionLocal() as db:
        yield db
```

## Fix safety
Safe: `with` closes the session exactly where `close()` stood, and also after an error.

## References
- [FastAPI: dependencies with yield](https://fastapi.tiangolo.com/tutorial/dependencies/dependencies-with-yield/)
- [Opening and closing a session](https://docs.sqlalchemy.org/en/20/orm/session_basics.html#opening-and-closing-a-session)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.declarations import FunctionFacts
from sqlalchemy_guard.facts.values import Call
from sqlalchemy_guard.fixes.managed import manage
from sqlalchemy_guard.project.bodies import body_of
from sqlalchemy_guard.project.dependencies import Leak, leaked_session
from sqlalchemy_guard.project.runs import is_fixture
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context

rule = Rule("SAG109", Severity.ERROR, Applicability.SAFE)


@rule.on(FunctionFacts)
def check(context: Context, function: FunctionFacts) -> Iterator[Violation]:
    """Report a generator that yields a session of its own which an error leaves open."""
    if function.yielded is None or context.is_test():
        return
    if is_fixture(context.resolver, function, context.file):
        return
    leak = leaked_session(context.resolver, function, context.file)
    if leak is None or (leak.likely and context.settings.inference == "proven"):
        return
    message = f"`{function.name}` yields a session that stays open when the request fails; make it in a `with` block"
    certainty = Applicability.UNSAFE if leak.likely else Applicability.SAFE
    yield context.violation(
        rule,
        leak.chunk,
        leak.node,
        message,
        applicability=certainty if _can_wrap(function, leak) else None,
        subject=(function, leak),
    )


def _can_wrap(function: FunctionFacts, leak: Leak) -> bool:
    """Whether the session is assigned once, by a statement of the function's own block, from a plain call."""
    statements = [statement for _, statement in body_of(function)]
    return leak.assignment is not None and leak.assignment in statements and type(leak.value) is Call


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Put everything behind the assignment into `with … as name:` and drop a closing `close()`."""
    function, leak = violation.subject
    body = body_of(function)
    chunks = {chunk for chunk, _ in body}
    statements = [statement for _, statement in body]
    assignment = leak.assignment
    if len(chunks) != 1 or not isinstance(assignment, ast.Assign) or violation.applicability is None:
        return None
    rest = statements[statements.index(assignment) + 1 :]
    closing = rest[-1] if len(rest) > 1 and _closes(rest[-1], leak.name) else None
    edits = manage(
        context.source,
        assignment,
        statements,
        rest[:-1] if closing is not None else rest,
        [(closing, statements)] if closing is not None else [],
        is_async=leak.is_async,
        shift=leak.chunk.shift,
    )
    if edits is None:
        return None
    keyword = "async with" if leak.is_async else "with"
    title = f"Make the session in `{keyword}`"
    return Fix(title, violation.applicability, {context.file.file_id: edits})


def _closes(statement: ast.stmt, name: str) -> bool:
    call = statement.value if isinstance(statement, ast.Expr) else None
    call = call.value if isinstance(call, ast.Await) else call
    return (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in ("close", "aclose")
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == name
    )
