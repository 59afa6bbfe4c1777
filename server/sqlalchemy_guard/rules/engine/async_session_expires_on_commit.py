"""An asynchronous session that expires its objects on commit.

## What it does
Reports factories of asynchronous sessions, and sessions made without one, that do not set `expire_on_commit=False`, outside
tests. An explicit `expire_on_commit=True` with a comment at it is left alone, and so are options that cannot be read.

## Why is this bad?
After a commit every attribute is loaded again when it is next read. An asynchronous session cannot load on attribute access:
the read fails with `MissingGreenlet`, typically when a response is made from an object that was just saved.

## Example
```python
from sqlalchemy.ext.asyncio import async_sessionmaker

AsyncSessionLocal = async_sessionmaker()
```

## Use instead
```python
from sqlalchemy.ext.asyncio import async_sessionmaker

AsyncSessionLocal = async_sessionmaker(expire_on_commit=False)
```

## Fix safety
Unsafe: objects keep after a commit what was loaded before it, so values that the database or another transaction changes
meanwhile are seen only after `await session.refresh(…)`.

## References
- [Preventing implicit IO when using AsyncSession](https://docs.sqlalchemy.org/en/20/orm/extensions/asyncio.html#asyncio-orm-avoid-lazyloads)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Const
from sqlalchemy_guard.fixes.arguments import add_keyword, replace_value
from sqlalchemy_guard.project.bodies import rests_on_all
from sqlalchemy_guard.project.engines import entries_of
from sqlalchemy_guard.project.externals import ASYNC_SESSIONS, FACTORIES
from sqlalchemy_guard.project.types import ClassType, Instance, known
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG112", Severity.WARNING, Applicability.UNSAFE)

_OPTION = "expire_on_commit"


@rule.on_call(*sorted(FACTORIES), *sorted(ASYNC_SESSIONS))
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a factory or session whose options are all known and do not keep objects alive."""
    if context.is_test() or context.is_migration() or not _makes_async_sessions(context, call):
        return
    fact = call.fact
    given, is_open = _option(context, fact)
    if given is None and (is_open or _is_set_later(context)):
        return
    if given is not None and (
        type(given) is not Const or given.value is not True or _has_comment(context, fact)
    ):
        return
    message = (
        "Asynchronous session expires its objects on commit: reading them afterwards fails with `MissingGreenlet`; "
        "set `expire_on_commit=False`"
    )
    written = any(keyword.arg == _OPTION for keyword in fact.node.keywords)
    applicability = Applicability.UNSAFE if given is None or written else None
    yield context.at_call(rule, fact, message, node=fact.node.func, applicability=applicability)


def _makes_async_sessions(context: Context, call: LibraryCall) -> bool:
    """Whether the sessions are the library's asynchronous ones; a subclass with a constructor may set the option itself."""
    if call.name not in FACTORIES:
        made = context.type_of(call.fact.value.func)
        return all(isinstance(option, ClassType) and isinstance(option.ref, str) for option in known(made))
    for factory in known(context.type_of(call.fact.value)):
        for session in factory.args if isinstance(factory, Instance) else ():
            if not isinstance(session, Instance):
                return False
            if isinstance(session.ref, str):
                return session.ref in ASYNC_SESSIONS
            class_ = ClassType(session.ref)
            ancestors = context.resolver.ancestors(class_)
            own = context.resolver.member(class_, "__init__")
            return own is None and any(ref in ASYNC_SESSIONS for ref in ancestors)
    return False


def _option(context: Context, fact: CallFact) -> tuple[Value | None, bool]:
    """The value of the option, and whether it may come from a mapping that cannot be read."""
    given, is_open = fact.value.keyword(_OPTION), False
    for name, value in fact.value.keywords:
        if name is None:
            entries = entries_of(context.resolver, value, context.file)
            is_open = is_open or entries is None
            given = given or (entries or {}).get(_OPTION)
    return given, is_open


def _is_set_later(context: Context) -> bool:
    """Whether the file gives the option to a factory's `configure()`, or to the factory when it makes a session."""
    rests_on_all(context.resolver, context.file)
    for unit in context.file.facts.units():
        for fact in unit.calls:
            if fact.value.keyword(_OPTION) is None:
                continue
            func = fact.value.func
            if type(func) is Attr and func.name == "configure":
                return True
            if any(
                isinstance(one, Instance) and one.ref in FACTORIES for one in known(context.type_of(func))
            ):
                return True
    return False


def _has_comment(context: Context, fact: CallFact) -> bool:
    """Whether a comment stands in the call or at its end."""
    source, shift = context.source, fact.chunk.shift
    start, end = source.opening(fact.node, shift), source.line_end(source.end(fact.node, shift))
    return bool(source.comments(start, end))


@rule.fix
def fix(context: Context, violation: Violation) -> Fix:
    """Add the keyword, or turn the one that is there off."""
    fact = violation.subject
    shift = fact.chunk.shift
    given = next((keyword for keyword in fact.node.keywords if keyword.arg == _OPTION), None)
    edits = (
        add_keyword(context.source, fact.node, _OPTION, "False", shift, fact.statement)
        if given is None
        else replace_value(context.source, given, "False", shift, fact.statement)
    )
    title = "Add `expire_on_commit=False`, which keeps loaded values after a commit"
    return Fix(title, Applicability.UNSAFE, {context.file.file_id: edits})
