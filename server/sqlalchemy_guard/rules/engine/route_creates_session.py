"""A request handler that makes its own session although the project has a dependency for it.

## What it does
Reports handlers that make a session where their request has one of the same kind: of FastAPI and Litestar where a dependency or a
plugin gives it, of Starlette, Sanic and aiohttp where a middleware keeps it on the request, of Flask and Quart beside
Flask-SQLAlchemy's `db.session` or one on `g`. Background work, life spans, WebSockets and handlers that take a session besides
are left alone.

## Why is this bad?
One session per request is what makes a request one transaction. A second one in the handler does not see what the first has not
committed, commits on its own, holds a second connection, and tests cannot replace it by overriding the dependency.

## Example
```python
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

SessionLocal = sessionmaker()
app = FastAPI()


def get_db():
    with SessionLocal() as session:
        yield session


SessionDep = Annotated[Session, Depends(get_db)]


@app.get("/users")
def count_users():
    with SessionLocal() as session:
        return session.scalar(text("SELECT count(*) FROM users"))
```

## Use instead
```python
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

SessionLocal = sessionmaker()
app = FastAPI()


def get_db():
    with SessionLocal() as session:
        yield session


SessionDep = Annotated[Session, Depends(get_db)]


@app.get("/users")
def count_users(session: SessionDep):
    return session.scalar(text("SELECT count(*) FROM users"))
```

## Fix safety
Unsafe: the session lives until the end of the request, and who gives it may commit. Offered for a handler with one `with` block of
its own.

## References
- [FastAPI: dependencies with yield](https://fastapi.tiangolo.com/tutorial/dependencies/dependencies-with-yield/)
- [Litestar: dependency injection](https://docs.litestar.dev/latest/usage/dependency-injection.html)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.declarations import FunctionFacts
from sqlalchemy_guard.fixes.blocks import dedent
from sqlalchemy_guard.fixes.session_parameter import Given, given_by_parameter, given_by_request
from sqlalchemy_guard.project.applications import belong_together
from sqlalchemy_guard.project.calls import session_kind
from sqlalchemy_guard.project.file_roles import is_test_file
from sqlalchemy_guard.project.flask_options import uses_flask_sqlalchemy
from sqlalchemy_guard.project.handlers import SessionDependency, session_dependency
from sqlalchemy_guard.project.request_sessions import RequestSession, request_named, request_session
from sqlalchemy_guard.project.routes import framework_of
from sqlalchemy_guard.project.sessions import maker_kind
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.project.resolve import SourceFile

rule = Rule("SAG110", Severity.WARNING, Applicability.UNSAFE)


@rule.on(FunctionFacts)
def check(context: Context, function: FunctionFacts) -> Iterator[Violation]:
    """Report the first session that a handler makes."""
    if context.is_test():
        return
    calls = context.resolver.calls_in(function, context.file)
    made = [fact for fact in calls if maker_kind(context.resolver, fact.value, context.file)]
    framework = framework_of(context.resolver, function, context.file, sockets=False) if made else None
    if framework is None or _takes_session(context, function):
        return
    kind = maker_kind(context.resolver, made[0].value, context.file) or "sync"
    found = _session_of(context, function, framework, kind)
    if found is None and not (framework in ("flask", "quart") and uses_flask_sqlalchemy(context.workspace)):
        return
    if isinstance(found, RequestSession) and function.parameter(found.parameter) is not None:
        return
    block = _block(made[0], kind) if found is not None and len(made) == 1 else None
    advice = _advice(function, found)
    yield context.at_call(
        rule,
        made[0],
        f"`{function.name}()` makes a session of its own beside the one that each request has; {advice}",
        applicability=Applicability.UNSAFE if block is not None else None,
        subject=(made[0], block, found),
    )


def _session_of(
    context: Context, function: FunctionFacts, framework: str, kind: str
) -> SessionDependency | RequestSession | None:
    """What gives the handler the session of its request."""

    def is_ours(file: SourceFile) -> bool:
        """Whether a file is of the same application: no test, no other program of the workspace."""
        other = None if is_test_file(file.file_id) else context.workspace.file(file.file_id)
        return other is not None and belong_together(context.workspace, other, context.file)

    dependency = session_dependency(context.resolver, kind, is_ours) if framework == "fastapi" else None
    return dependency or request_session(context.workspace, function, context.file, framework, kind, is_ours)


def _advice(function: FunctionFacts, found: SessionDependency | RequestSession | None) -> str:
    if found is None:
        return "use `db.session`"
    if isinstance(found, SessionDependency):
        return f"take `{found.alias}`" if found.alias else "take it from the dependency"
    if found.parameter:
        return f"take it as the parameter `{found.parameter}`"
    return f"use `{found.expression.format(request=request_named(function) or 'request')}`"


def _takes_session(context: Context, function: FunctionFacts) -> bool:
    return any(
        parameter.annotation is not None
        and session_kind(context.resolver, context.resolver.instance_of(parameter.annotation, context.file))
        for parameter in function.parameters
    )


def _block(fact: CallFact, kind: str) -> ast.With | ast.AsyncWith | None:
    """The `with` block that has the session and nothing else."""
    statement = fact.statement
    if isinstance(statement, (ast.With, ast.AsyncWith)) and statement.items[0].context_expr is fact.node:
        named = isinstance(statement.items[0].optional_vars, ast.Name) and len(statement.items) == 1
        return statement if named and isinstance(statement, ast.AsyncWith) is (kind == "async") else None
    return None


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Take the request's session, and take the block's statements out of it."""
    fact, block, found = violation.subject
    source, shift = context.source, fact.chunk.shift
    outwards = dedent(source, block.body, shift)
    given: Given | None
    if isinstance(found, SessionDependency):
        given = given_by_parameter(found, block, fact, context.workspace, context.file, source)
    else:
        given = given_by_request(found, block, fact, context.file, source)
    if outwards is None or given is None:
        return None
    start = source.line_start(source.start(block, shift))
    body = source.line_start(source.start(block.body[0], shift))
    margin = source.margin(start)
    kept = "".join(
        f"{margin}{source.text[comment.start : comment.end]}{source.newline}"
        for comment in source.comments(start, body)
    )
    bound = f"{margin}{given.statement}{source.newline}" if given.statement else ""
    edits = (*given.edits, Edit(start, body, kept + bound), *outwards)
    title = f"Take the session as `{given.title}`, which lives until the end of the request"
    return Fix(title, Applicability.UNSAFE, {context.file.file_id: edits})
