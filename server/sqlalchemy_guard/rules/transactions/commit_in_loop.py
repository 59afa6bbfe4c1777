"""`commit()` once per iteration: a transaction, a flush to disk and a reload for every item.

## What it does
Reports commits that run in every iteration of a loop, directly or in a function that the loop calls, in this file or another.

## Why is this bad?
Every commit waits for the disk and expires all loaded objects, so the next iteration reads them again. An error in the middle
leaves half of the work done. Add everything, then commit once.

## Example
```python
from sqlalchemy.orm import Session


def rename(session: Session, users: list[User]) -> None:
    for user in users:
        user.name = user.name.title()
        session.commit()
```

## Use instead
```python
from sqlalchemy.orm import Session


def rename(session: Session, users: list[User]) -> None:
    for user in users:
        user.name = user.name.title()
    session.commit()
```

## Fix safety
Safe when the commit ends the body of a `for` loop that nothing leaves early. Otherwise the fix is unsafe: what was
committed before an error is then rolled back with the rest. A commit in a called function has no fix.

## References
- [Session basics: committing](https://docs.sqlalchemy.org/en/20/orm/session_basics.html#committing)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.blocks import move_behind
from sqlalchemy_guard.project.calls import LibraryCall, LoopCall
from sqlalchemy_guard.project.effects import COMMITS, commit_path
from sqlalchemy_guard.project.loops import deliberate
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.check import Context
    from sqlalchemy_guard.facts.declarations import CallFact, Frame

rule = Rule("SAG401", Severity.WARNING, Applicability.SAFE)


@rule.on_call(*COMMITS)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a commit that stands in a loop."""
    loop = _loop(context, call.fact)
    if loop is None:
        return
    message = (
        "`commit()` in a loop commits once per iteration; add everything first and commit once after the loop"
    )
    applicability = _applicability(call, loop)
    yield context.at_call(rule, call.fact, message, applicability=applicability, subject=(call.fact, loop))


@rule.on(LoopCall)
def check_call(context: Context, call: LoopCall) -> Iterator[Violation]:
    """Report a call in a loop that comes to commit a session it was given."""
    if context.is_test():
        return
    # Few functions commit: asked first, hardly any loop has to be looked at.
    path = commit_path(context.resolver, call.function, call.fact)
    if path is None or _loop(context, call.fact) is None:
        return
    name = call.function.qualname.rpartition(".")[2]
    message = (
        f"`{name}()` commits, so this loop commits once per iteration; commit once after the loop instead"
    )
    related = tuple(
        context.related(
            file, fact.chunk, fact.node, "commits here" if fact is path.steps[-1][1] else "calls it here"
        )
        for file, fact in path.steps
    )
    yield context.at_call(rule, call.fact, message, node=call.fact.node.func, related=related)


def _loop(context: Context, fact: CallFact) -> Frame | None:
    """The innermost loop around a call, None when one of the loops means it."""
    loops = list(fact.loops())
    if any(deliberate(context.resolver, fact, loop, context.file) for loop in loops):
        return None
    return loops[0] if loops else None


def _applicability(call: LibraryCall, loop: Frame) -> Applicability | None:
    node, statement = loop.node, call.fact.statement
    if not isinstance(node, (ast.For, ast.AsyncFor)) or statement not in node.body:
        return None
    if statement is not node.body[-1] or call.likely:
        # What follows may read what was committed: a refresh, a key, a message to somebody else.
        return None if statement is not node.body[-1] else Applicability.UNSAFE
    leaves = (ast.Break, ast.Continue, ast.Return, ast.Try, ast.Raise)
    early = any(isinstance(part, leaves) for part in ast.walk(node))
    return Applicability.UNSAFE if early or node.orelse else Applicability.SAFE


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Move the commit behind the loop."""
    fact, loop = violation.subject
    node = loop.node
    edits = move_behind(context.source, fact.statement, node.body, node, fact.chunk.shift)
    if edits is None or violation.applicability is None:
        return None
    return Fix("Commit once after the loop", violation.applicability, {context.file.file_id: edits})
