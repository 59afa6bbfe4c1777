"""A loop that only adds objects to a session.

## What it does
Reports `for` loops whose only statement is `session.add(…)`. Off by default.

## Why is this bad?
`add_all()` says the same in one line and cannot grow a query or a commit per object unnoticed.

## Example
```python
from sqlalchemy.orm import Session


def save(session: Session, users):
    for user in users:
        session.add(user)
```

## Use instead
```python
from sqlalchemy.orm import Session


def save(session: Session, users):
    session.add_all(users)
```

## Fix safety
Safe: `add_all()` adds the objects one by one, in the same order. No fix where the loop's variable is read behind the loop, the
session depends on it, a comment stands in the loop, or the call does not fit on one line.

## References
- [Session.add_all](https://docs.sqlalchemy.org/en/20/orm/session_api.html#sqlalchemy.orm.Session.add_all)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.blocks import replace_statement
from sqlalchemy_guard.project.bodies import own_nodes
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.context import Context
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.calls import LibraryCall

rule = Rule("SAG407", Severity.HINT, Applicability.SAFE, default=False)


@rule.on_call("sqlalchemy.orm.Session.add", "sqlalchemy.ext.asyncio.AsyncSession.add")
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report an `add` that is all a loop does."""
    fact = call.fact
    loop = fact.frame.node if fact.frame is not None else None
    if not isinstance(loop, ast.For) or loop.orelse or fact.node.keywords or len(fact.node.args) != 1:
        return
    if loop.body != [fact.statement] or not isinstance(fact.statement, ast.Expr):
        return
    if fact.statement.value is not fact.node or isinstance(fact.node.args[0], ast.Starred):
        return
    applicability = None
    if _can_fix(context, fact, loop):
        applicability = Applicability.UNSAFE if call.likely else Applicability.SAFE
    message = "The loop only adds objects; say `add_all()`"
    yield context.at_call(rule, fact, message, applicability=applicability, subject=(fact, loop))


def _can_fix(context: Context, fact: CallFact, loop: ast.For) -> bool:
    if fact.function is None or not isinstance(fact.node.func, ast.Attribute):
        return False
    bound = {part.id for part in ast.walk(loop.target) if isinstance(part, ast.Name)}
    if any(isinstance(part, ast.Name) and part.id in bound for part in ast.walk(fact.node.func)):
        return False
    if any(isinstance(part, (ast.Await, ast.Yield, ast.NamedExpr)) for part in ast.walk(fact.node.args[0])):
        return False
    nodes = [node for _, node in own_nodes(fact.function)]
    inside = {part for node in nodes if _binds(node, bound) for part in ast.walk(node)}
    if any(isinstance(node, ast.Name) and node.id in bound and node not in inside for node in nodes):
        return False
    source, shift = context.source, fact.chunk.shift
    start = source.start(loop, shift)
    text = _call(source, fact, loop)
    if "\n" in text or len(source.margin(start)) + len(text) > source.line_length:
        return False
    return not source.comments(start, source.line_end(source.end(loop, shift)))


def _call(source: Source, fact: CallFact, loop: ast.For) -> str:
    """The call of `add_all()` that does what the loop does."""
    shift, argument = fact.chunk.shift, fact.node.args[0]
    items = source.segment(loop.iter, shift)
    if isinstance(loop.iter, ast.Tuple):
        alone = ast.parse(f"f({items})", mode="eval").body
        if not isinstance(alone, ast.Call) or len(alone.args) != 1:
            items = f"({items})"
    elif not isinstance(
        loop.iter, (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.List, ast.ListComp)
    ):
        # An expression that binds less than a call's argument or a generator's iterable.
        items = f"({items})"
    plain = (
        isinstance(argument, ast.Name) and isinstance(loop.target, ast.Name) and argument.id == loop.target.id
    )
    if not plain:
        items = f"{source.segment(argument, shift)} for {source.segment(loop.target, shift)} in {items}"
    return f"{source.segment(fact.node.func, shift)}_all({items})"


def _binds(node: ast.AST, names: set[str]) -> bool:
    """Whether a loop or comprehension binds all these names for what is in it."""
    targets: list[ast.expr] = []
    if isinstance(node, (ast.For, ast.AsyncFor)):
        targets = [node.target]
    elif isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
        targets = [generator.target for generator in node.generators]
    parts = {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}
    return names <= parts


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Replace the loop by `add_all`."""
    fact, loop = violation.subject
    source, shift = context.source, fact.chunk.shift
    text = _call(source, fact, loop)
    edits = replace_statement(source, loop, text, shift)
    if edits is None or violation.applicability is None:
        return None
    return Fix("Write `add_all()`", violation.applicability, {context.file.file_id: edits})
