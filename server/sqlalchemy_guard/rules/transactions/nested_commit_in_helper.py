"""A helper that commits the transaction of its callers.

## What it does
Reports `commit()` on a session that was passed in, in a function whose callers commit the same session themselves. Helpers that
commit only when an argument says so, that have `commit` in their name, that commit in batches, and helpers whose callers leave the
commit to them, are left alone. A project shows one of them, the one with the most such callers, and names the others beside it: who
owns the transaction is decided once. A helper with a comment that silences the rule is not among them.

## Why is this bad?
Whoever commits decides what belongs together. Here two functions do: what the caller did before is saved although what follows may
fail, its objects expire in the middle, and its own rollback undoes only half.

## Example
```python no-fix
from sqlalchemy.orm import Session


def add_event(session: Session, event):
    session.add(event)
    session.commit()


def register(session: Session, user, event):
    session.add(user)
    add_event(session, event)
    session.commit()
```

## Use instead
```python
from sqlalchemy.orm import Session


def add_event(session: Session, event):
    session.add(event)
    session.flush()


def register(session: Session, user, event):
    session.add(user)
    add_event(session, event)
    session.commit()
```

## Fix safety
No fix: which of the two owns the transaction is not in the code.

## References
- [When do I construct a Session, when do I commit it, and when do I close it?](https://docs.sqlalchemy.org/en/20/orm/session_basics.html#when-do-i-construct-a-session-when-do-i-commit-it-and-when-do-i-close-it)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Param
from sqlalchemy_guard.project.courses import receiver_of
from sqlalchemy_guard.project.nested_commits import nested_commits, own_commit, owners_of
from sqlalchemy_guard.rules.api import Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.project.nested_commits import NestedCommit
    from sqlalchemy_guard.rules.api import Related

rule = Rule("SAG408", Severity.WARNING, None)

_OWNERS = 3
"""So many of the callers are shown."""
_OTHERS = 50
"""So many of the other helpers are shown."""


@rule.on_call("sqlalchemy.orm.Session.commit", "sqlalchemy.ext.asyncio.AsyncSession.commit")
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report the commit of a helper whose callers commit, too: of one helper for all of the project."""
    fact, function = call.fact, call.fact.function
    if function is None or type(receiver_of(fact)) is not Param:
        return
    first = own_commit(context.workspace, function, context.file)
    if first is None or first.node is not fact.node:
        return
    owners = owners_of(context.workspace, function, context.file)
    if not owners:
        return
    found = nested_commits(context.workspace, context.file.file_id, rule.code)
    mine = (context.file.file_id, function.qualname)
    shown = [each for each in found if not each.is_silenced]
    silenced = any(each.is_silenced and (each.file_id, each.qualname) == mine for each in found)
    if not silenced and shown and (shown[0].file_id, shown[0].qualname) != mine:
        return
    related = [
        context.related(file, commit.chunk, commit.node, f"`{commit.function.name}()` commits, too")
        for commit, file in owners[:_OWNERS]
        if commit.function is not None
    ]
    others = [] if silenced else shown[1:]
    related += [place for each in others[:_OTHERS] if (place := _place(context, each)) is not None]
    message = (
        f"`{function.name}()` commits the transaction of its callers, which commit it themselves;"
        f" flush here, and leave the commit to the one who began{_also(others)}"
    )
    yield context.at_call(rule, fact, message, related=tuple(dict.fromkeys(related)))


def _also(others: list[NestedCommit]) -> str:
    """How the message goes on about the other helpers of the project."""
    if len(others) > 1:
        return f" ({len(others)} other helpers of this project do the same)"
    return f" (so does `{others[0].name}()`)" if others else ""


def _place(context: Context, helper: NestedCommit) -> Related | None:
    """Where another helper is defined."""
    file = context.workspace.file(helper.file_id)
    facts = file.facts.function(helper.qualname) if file is not None else None
    if file is None or facts is None:
        return None
    name = context.name_of(facts.chunk, facts.header, file.document.lines)
    return context.related(file, facts.chunk, name, f"`{helper.name}()` commits its callers' transaction")
