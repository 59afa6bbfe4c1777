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
from sqlalchemy_guard.facts.values import Attr, Call, Enter, Ref, Sequence, Value
from sqlalchemy_guard.fixes.blocks import delete_statement, wrap
from sqlalchemy_guard.project.bodies import body_of, own_nodes
from sqlalchemy_guard.project.calls import session_kind
from sqlalchemy_guard.project.externals import FACTORIES, REGISTRIES, SESSIONS
from sqlalchemy_guard.project.sessions import maker_kind
from sqlalchemy_guard.project.types import Instance, known
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.text.edit import Edit

rule = Rule("SAG108", Severity.ERROR, Applicability.UNSAFE)

_CACHES = frozenset({"functools.lru_cache", "functools.cache"})
_WORKERS = frozenset({"threading.Thread", "threading.Timer", "multiprocessing.Process"})
_EXECUTORS = frozenset(
    {
        "concurrent.futures.ThreadPoolExecutor",
        "concurrent.futures.ProcessPoolExecutor",
        "multiprocessing.Pool",
    }
)
_HAND_OVER = frozenset({"submit", "map", "apply_async", "starmap"})


@rule.on_call(*(f"{name}()" for name in sorted(FACTORIES)), *sorted(SESSIONS))
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a session that a module or class keeps."""
    fact = call.fact
    if fact.function is not None or context.is_test() or context.is_migration():
        return
    name, in_class = _kept_as(fact), _in_class(fact)
    if name is None or maker_kind(context.resolver, fact.value, context.file) is None:
        return
    if in_class:
        yield context.at_call(
            rule,
            fact,
            f"Session `{name}` belongs to the class: all its instances share one transaction; {_ADVICE}",
        )
        return
    if _is_script(context):
        return
    readers, elsewhere = _readers(context, name), _imported(context, name)
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
    if function.returned is not None and _is_cached(context, function):
        if maker_kind(context.resolver, function.returned, context.file):
            node = context.name_of(function.chunk, function.header)
            message = f"`{function.name}()` gives the same cached session to everybody; {_ADVICE}"
            yield context.violation(rule, function.chunk, node, message, statement=function.header)
    for fact in function.calls:
        for given in _handed_over(context, fact):
            if _is_plain_session(context, given):
                message = (
                    f"This session is handed to another thread or process, which must make its own; {_ADVICE}"
                )
                yield context.at_call(rule, fact, message)
                break


def _kept_as(fact: CallFact) -> str | None:
    statement = fact.statement
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and statement.value is fact.node:
        target: ast.expr = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign) and statement.value is fact.node:
        target = statement.target
    else:
        return None
    return target.id if isinstance(target, ast.Name) else None


def _in_class(fact: CallFact) -> bool:
    frame = fact.frame
    while frame is not None:
        if frame.kind == "class":
            return True
        frame = frame.parent
    return False


def _is_script(context: Context) -> bool:
    """Whether the module runs by itself: it asks for `__main__`."""
    return any(
        isinstance(part, ast.Constant) and part.value == "__main__"
        for placed in context.module_statements()
        if isinstance(placed.node, ast.If)
        for part in ast.walk(placed.node.test)
    )


def _readers(context: Context, name: str) -> list[FunctionFacts]:
    """The functions of the file that read a name of the module."""
    found = []
    for unit in context.file.facts.units():
        for function in unit.functions:
            nodes = [
                node for _, node in own_nodes(function) if isinstance(node, ast.Name) and node.id == name
            ]
            own = function.parameter(name) is not None or any(isinstance(n.ctx, ast.Store) for n in nodes)
            if nodes and not own:
                found.append(function)
    return found


def _imported(context: Context, name: str) -> bool:
    """Whether another file of the workspace imports a name of this one."""
    for file_id in context.workspace.dependents(context.file.file_id):
        other = context.workspace.file(file_id)
        if other is None or other is context.file:
            continue
        context.resolver.keys.add((file_id, name))
        for binding in other.facts.names.get(name, ()):
            value = binding.value
            if type(value) is Ref and value.module and value.name == name:
                if context.resolver.sources.modules.find(value.module, file_id) == context.file.file_id:
                    return True
    return False


def _is_cached(context: Context, function: FunctionFacts) -> bool:
    for decorator in function.decorators:
        value = decorator.func if type(decorator) is Call else decorator
        if context.resolver.external_name(value, context.file) in _CACHES:
            return True
    return False


def _handed_over(context: Context, fact: CallFact) -> Iterator[Value]:
    """What a call gives to another thread or process."""
    func = fact.value.func
    if context.resolver.external_name(func, context.file) in _WORKERS:
        for _, value in fact.value.keywords:
            if type(value) is Sequence:
                yield from value.items
    elif type(func) is Attr and func.name in _HAND_OVER:
        made = func.base.base if type(func.base) is Enter else func.base
        if type(made) is Call and context.resolver.external_name(made.func, context.file) in _EXECUTORS:
            yield from fact.value.args[1:]
            yield from (value for _, value in fact.value.keywords)


def _is_plain_session(context: Context, value: Value) -> bool:
    """Whether a value is proven to be a session, not a registry of them."""
    type_ = context.type_of(value)
    options = [option for option in known(type_) if isinstance(option, Instance)]
    return (
        bool(options)
        and session_kind(context.resolver, type_) is not None
        and not any(option.likely or option.ref in REGISTRIES for option in options)
    )


def _can_make_own(context: Context, fact: CallFact, name: str, readers: list[FunctionFacts]) -> bool:
    """Whether each function that reads the name can make a session of its own, and nobody else reads it."""
    is_async = maker_kind(context.resolver, fact.value, context.file) == "async"
    for function in readers:
        if function.yielded is not None or (is_async and not function.is_async) or function.nested:
            return False
        if len({chunk.shift for chunk, _ in body_of(function)}) != 1:
            return False
    inside = sum(
        isinstance(node, ast.Name) and node.id == name
        for function in readers
        for _, node in own_nodes(function)
    )
    everywhere = 0
    for chunk in context.file.syntax.chunks:
        todo = [chunk]
        while todo:
            part = todo.pop()
            todo.extend(part.children or ())
            for statement in part.body:
                for node in ast.walk(statement):
                    everywhere += isinstance(node, ast.Name) and node.id == name
                    if isinstance(node, ast.Global) and name in node.names:
                        return False
    return everywhere == inside + 1


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
    for function in _readers(context, name):
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
