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
Safe when the commit ends the body of a `for` loop that nothing leaves early, and that works on values and on the session alone:
a call that reaches out of the program, or of which nothing is known, may fail after some items are done for good. Otherwise the
fix is unsafe: what was committed before an error is then rolled back with the rest. Where statements follow the commit it
becomes a `flush()`, which gives them keys and defaults, and the commit comes after the loop. No fix for a loop with `return`,
which would leave without committing, nor for a commit in a called function.

## References
- [Session basics: committing](https://docs.sqlalchemy.org/en/20/orm/session_basics.html#committing)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.blocks import delete_statement, insert_behind, is_followed_by, move_behind
from sqlalchemy_guard.project.calls import LibraryCall, LoopCall
from sqlalchemy_guard.project.effects import COMMITS, commit_path
from sqlalchemy_guard.project.loop_effects import reaches_out
from sqlalchemy_guard.project.loops import deliberate, head_of, later_like, leaves_early, tail_of
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact, Frame

rule = Rule("SAG401", Severity.WARNING, Applicability.SAFE)


@rule.on_call(*COMMITS)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a commit that stands in a loop."""
    # What tests set up costs nobody anything.
    loop = None if context.is_test() else _loop(context, call.fact)
    if loop is None:
        return
    message = (
        "`commit()` in a loop commits once per iteration; add everything first and commit once after the loop"
    )
    applicability, besides = _applicability(call, loop), None
    if applicability is Applicability.SAFE:
        besides = reaches_out(context.resolver, call.fact, loop, context.file)
    yield context.at_call(
        rule,
        call.fact,
        message,
        applicability=applicability if besides is None else Applicability.UNSAFE,
        related=(context.related(context.file, loop.chunk, head_of(loop.node), "the loop"),),
        subject=(call.fact, loop, besides),
    )


@rule.on(LoopCall)
def check_call(context: Context, call: LoopCall) -> Iterator[Violation]:
    """Report a call in a loop that comes to commit a session it was given."""
    # Most calls commit nothing, and that is found out sooner than what the loop is for.
    path = None if context.is_test() else commit_path(context.resolver, call.function, call.fact)
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
    """The innermost loop around a call, None when one of the loops means it, or when the loop only makes a function."""
    loops = list(fact.loops())
    if not loops or fact.frame is None or any(frame.kind == "lambda" for frame in fact.frame.outwards()):
        return None
    if any(deliberate(context.resolver, fact, loop, context.file) for loop in loops):
        return None
    return loops[0]


def _applicability(call: LibraryCall, loop: Frame) -> Applicability | None:
    node, fact = loop.node, call.fact
    if not isinstance(node, (ast.For, ast.AsyncFor, ast.While)) or loop.chunk is not fact.chunk:
        return None
    if not isinstance(fact.statement, ast.Expr) or any(
        isinstance(part, ast.Return) for part in ast.walk(node)
    ):
        return None
    block = tail_of(node, fact.statement)
    if block is None:
        return None if "Connection" in call.name else Applicability.UNSAFE
    early = leaves_early(node)
    plain = block is node.body and not isinstance(node, ast.While) and not node.orelse
    return Applicability.SAFE if plain and not early and not call.likely else Applicability.UNSAFE


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Move the commit behind the loop; leave a flush where what follows may need keys."""
    fact, loop, besides = violation.subject
    source, statement, shift = context.source, fact.statement, fact.chunk.shift
    text = source.segment(statement, shift)
    block = tail_of(loop.node, statement)
    committed = is_followed_by(source, loop.node, text, shift)
    edits: tuple[Edit, ...] | None
    if block is not None:
        title = "Commit once after the loop"
        if besides is not None:
            title += f" (nothing of it is kept when `{besides}()` fails)"
        edits = (
            delete_statement(source, statement, block, shift)
            if committed
            else move_behind(source, statement, block, loop.node, shift)
        )
    else:
        title = "Flush in the loop and commit once after it"
        end = source.end(fact.node.func, shift)
        flushed = Edit(end - len("commit"), end, "flush")
        if committed:
            edits = (flushed,)
        elif (last := later_like(loop.node, statement)) is not None:
            # That one is moved first, or stays and commits this as well.
            skips = any(isinstance(part, ast.Continue) for part in ast.walk(loop.node))
            edits = (flushed,) if last in loop.node.body and not skips else None
        else:
            behind = insert_behind(source, loop.node, text, shift)
            edits = (flushed, *behind) if behind is not None else None
    if edits is None or violation.applicability is None:
        return None
    return Fix(title, violation.applicability, {context.file.file_id: edits})
