"""A request handler that makes its own session although the project has a dependency for it.

## What it does
Reports handlers of FastAPI, Starlette and Litestar that make a session where the workspace has a dependency that gives one of the
same kind, and handlers of Flask and Quart that make one beside Flask-SQLAlchemy's `db.session`. Background work, life spans,
WebSockets and handlers that take a session besides are left alone.

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
Unsafe: the session lives until the end of the request, and the dependency may commit. Offered for a handler of FastAPI with one
`with` block of its own.

## References
- [FastAPI: dependencies with yield](https://fastapi.tiangolo.com/tutorial/dependencies/dependencies-with-yield/)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.declarations import FunctionFacts
from sqlalchemy_guard.fixes.blocks import dedent
from sqlalchemy_guard.fixes.parameters import add_first
from sqlalchemy_guard.fixes.session_parameter import annotation_for
from sqlalchemy_guard.project.applications import belong_together
from sqlalchemy_guard.project.calls import session_kind
from sqlalchemy_guard.project.file_roles import is_test_file
from sqlalchemy_guard.project.flask_options import uses_flask_sqlalchemy
from sqlalchemy_guard.project.handlers import framework_of, session_dependency
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
    if context.is_test() or not function.decorators or "websocket" in str(function.decorators):
        return
    calls = context.resolver.calls_in(function, context.file)
    made = [fact for fact in calls if maker_kind(context.resolver, fact.value, context.file)]
    framework = framework_of(context.resolver, function, context.file) if made else None
    if framework is None or _takes_session(context, function):
        return
    kind = maker_kind(context.resolver, made[0].value, context.file) or "sync"
    dependency = session_dependency(context.resolver, kind, lambda file: _is_ours(context, file))
    if dependency is not None:
        advice = f"take `{dependency.alias}`" if dependency.alias else "take it from the dependency"
    elif framework in ("flask", "quart") and uses_flask_sqlalchemy(context.workspace):
        advice = "use `db.session`"
    else:
        return
    can_fix = framework == "fastapi" and dependency is not None and len(made) == 1
    block = _block(made[0], kind) if can_fix else None
    yield context.at_call(
        rule,
        made[0],
        f"`{function.name}()` makes a session of its own beside the one that each request has; {advice}",
        applicability=Applicability.UNSAFE if block is not None else None,
        subject=(function, made[0], block, dependency),
    )


def _is_ours(context: Context, file: SourceFile) -> bool:
    """Whether a file is of the same application: no test, no other program of the workspace."""
    other = None if is_test_file(file.file_id) else context.workspace.file(file.file_id)
    return other is not None and belong_together(context.workspace, other, context.file)


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
    """Take the session as a parameter, and take the block's statements out of it."""
    function, fact, block, dependency = violation.subject
    source, shift = context.source, fact.chunk.shift
    name = block.items[0].optional_vars.id
    outwards = dedent(source, block.body, shift)
    taken = annotation_for(dependency, context.workspace, context.file, context.source)
    if outwards is None or taken is None or function.parameter(name) is not None:
        return None
    start = source.line_start(source.start(block, shift))
    body = source.line_start(source.start(block.body[0], shift))
    margin = source.margin(start)
    kept = "".join(
        f"{margin}{source.text[comment.start : comment.end]}{source.newline}"
        for comment in source.comments(start, body)
    )
    annotation, imports = taken
    parameter = add_first(source, function.header, f"{name}: {annotation}", function.chunk.shift)
    edits = (*imports, *parameter, Edit(start, body, kept), *outwards)
    title = f"Take the session as `{name}: {annotation}`, which lives until the end of the request"
    return Fix(title, Applicability.UNSAFE, {context.file.file_id: edits})
