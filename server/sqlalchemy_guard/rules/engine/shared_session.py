"""One session that several threads, tasks or requests use.

## What it does
Reports a session made at module level that functions or other modules use, one in a class body, one that is a default argument,
one that a cached function returns, and one handed to a thread, a process or an executor. Registries (`scoped_session`,
`async_scoped_session`, Flask-SQLAlchemy's `db.session`), factories, scripts and tests are left alone.

## Why is this bad?
A session is one transaction and one set of objects. Shared by requests, each commits or rolls back the other's half-done work,
rows go stale for the life of the process, and after one failed flush every user of it gets `PendingRollbackError`.

## Example
```python
from sqlalchemy import text
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker()
session = SessionLocal()


def count_users():
    return session.scalar(text("SELECT count(*) FROM user"))
```

## Use instead
```python
from sqlalchemy import text
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker()


def count_users():
    with SessionLocal() as session:
        return session.scalar(text("SELECT count(*) FROM user"))
```

## Fix safety
Unsafe: each function works in a transaction of its own, which is rolled back where it does not commit, and objects are detached
at its end. Offered where one file alone uses the session, in functions that can each make their own.

## References
- [Is the Session thread-safe?](https://docs.sqlalchemy.org/en/20/orm/session_basics.html#is-the-session-thread-safe-is-asyncsession-safe-to-share-in-concurrent-tasks)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.declarations import FunctionFacts
from sqlalchemy_guard.fixes.blocks import delete_statement, wrap
from sqlalchemy_guard.project.bodies import body_of, rests_on_all
from sqlalchemy_guard.project.calls import is_proven_session
from sqlalchemy_guard.project.externals import FACTORIES, SESSIONS
from sqlalchemy_guard.project.runs import is_cached, is_script
from sqlalchemy_guard.project.sessions import bound_name, maker_kind
from sqlalchemy_guard.project.shared import handed_to_worker, is_imported, is_read_only_by, readers_of
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.text.edit import Edit

rule = Rule("SAG108", Severity.ERROR, Applicability.UNSAFE)


@rule.on_call(*(f"{name}()" for name in sorted(FACTORIES)), *sorted(SESSIONS))
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a session that a module or class keeps."""
    fact = call.fact
    if fact.function is not None or context.is_test() or context.is_migration():
        return
    name = bound_name(fact)
    if name is None or maker_kind(context.resolver, fact.value, context.file) is None:
        return
    if _in_class(fact):
        yield context.at_call(
            rule,
            fact,
            f"Session `{name}` belongs to the class: all its instances share one transaction; {_ADVICE}",
        )
        return
    if is_script(context.resolver, context.file):
        return
    rests_on_all(context.resolver, context.file)
    readers = readers_of(context.file, name)
    elsewhere = is_imported(context.workspace, context.file, name)
    if not readers and not elsewhere:
        return
    can_fix = not elsewhere and _can_make_own(context, fact, name, readers)
    yield context.at_call(
        rule,
        fact,
        f"Session `{name}` lives as long as the module: everybody who uses it shares one transaction; {_ADVICE}",
        applicability=Applicability.UNSAFE if can_fix else None,
        subject=(fact, name),
    )


_ADVICE = "make a session where the work is done"


@rule.on(FunctionFacts)
def check_function(context: Context, function: FunctionFacts) -> Iterator[Violation]:
    """Report default arguments, cached sessions, and sessions handed to another thread or process."""
    if context.is_test():
        return
    for parameter in function.parameters:
        if parameter.default is not None and maker_kind(context.resolver, parameter.default, context.file):
            message = f"The default of `{parameter.name}` is made once and shared by all calls; {_ADVICE}"
            yield context.violation(rule, function.chunk, parameter.node, message, statement=function.header)
    if function.returned is not None and is_cached(context.resolver, function, context.file):
        if maker_kind(context.resolver, function.returned, context.file):
            node = context.name_of(function.chunk, function.header)
            message = f"`{function.name}()` gives the same cached session to everybody; {_ADVICE}"
            yield context.violation(rule, function.chunk, node, message, statement=function.header)
    for fact in context.resolver.calls_in(function, context.file):
        for given in handed_to_worker(context.resolver, fact, context.file):
            if is_proven_session(context.resolver, context.type_of(given)):
                message = (
                    f"This session is handed to another thread or process, which must make its own; {_ADVICE}"
                )
                yield context.at_call(rule, fact, message)
                break


def _in_class(fact: CallFact) -> bool:
    frame = fact.frame
    while frame is not None and frame.kind != "class":
        frame = frame.parent
    return frame is not None


def _can_make_own(context: Context, fact: CallFact, name: str, readers: list[FunctionFacts]) -> bool:
    """Whether each function that reads the name can make a session of its own, and nobody else reads it."""
    is_async = maker_kind(context.resolver, fact.value, context.file) == "async"
    for function in readers:
        if function.yielded is not None or (is_async and not function.is_async) or function.nested:
            return False
        if len({chunk.shift for chunk, _ in body_of(function)}) != 1:
            return False
    return is_read_only_by(context.file, name, readers)


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Remove the module's session and make one in each function that uses it."""
    fact, name = violation.subject
    shift, source = fact.chunk.shift, context.source
    is_async = maker_kind(context.resolver, fact.value, context.file) == "async"
    header = f"{'async with' if is_async else 'with'} {source.segment(fact.node, shift)} as {name}:"
    siblings = [placed.node for placed in context.module_statements()]
    if fact.statement not in siblings or "\n" in header:
        return None
    gone = delete_statement(source, fact.statement, siblings, shift)
    if gone is None:
        return None
    edits: list[Edit] = [*gone]
    rests_on_all(context.resolver, context.file)
    for function in readers_of(context.file, name):
        body = body_of(function)
        users = [index for index, (_, statement) in enumerate(body) if _mentions(statement, name)]
        inside = [statement for _, statement in body[users[0] : users[-1] + 1]]
        wrapped = wrap(source, inside, header, body[users[0]][0].shift)
        if wrapped is None:
            return None
        edits.extend(wrapped)
    title = "Make a session in each function, which gives each its own transaction"
    return Fix(title, Applicability.UNSAFE, {context.file.file_id: tuple(edits)})


def _mentions(statement: ast.stmt, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(statement))
