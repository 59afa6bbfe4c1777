"""`execute()` for rows of one value: `scalars()` or `scalar()` of the session gives the values themselves.

## What it does
Reports `execute(…).scalars()` and `execute(…).scalar()` on sessions and connections, also where the result has a
name that is used only once, and comprehensions such as `[row[0] for row in session.execute(…)]`.

## Why is this bad?
`session.scalars(statement)` and `session.scalar(statement)` say in one call that only one value of a row is wanted. A
comprehension over `row[0]` unpacks by hand, row by row, what SQLAlchemy unpacks in one go.

`execute(…).scalar_one()` and `scalar_one_or_none()` are left alone: they are the shortest form there is. So are
results whose rows are used in any other way.

## Example
```python
from sqlalchemy import func, select
from sqlalchemy.orm import Session


def report(session: Session) -> tuple[list[User], int | None]:
    users = session.execute(select(User).order_by(User.name)).scalars().all()
    count = session.execute(select(func.count()).select_from(User)).scalar()
    return users, count
```

## Use instead
```python
from sqlalchemy import func, select
from sqlalchemy.orm import Session


def report(session: Session) -> tuple[list[User], int | None]:
    users = session.scalars(select(User).order_by(User.name)).all()
    count = session.scalar(select(func.count()).select_from(User))
    return users, count
```

## Fix safety
Safe: `scalars()` and `scalar()` execute the statement and unpack its result the same way; parameters, execution
options and `unique()` are kept. Unsafe where the session is known by its name only. Tests that replace `execute` by a
mock must be changed with it.

## References
- [`Session.scalars()`](https://docs.sqlalchemy.org/en/20/orm/session_api.html#sqlalchemy.orm.Session.scalars)
- [Selecting ORM entities](https://docs.sqlalchemy.org/en/20/orm/queryguide/select.html#selecting-orm-entities)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy_guard.facts.uses import sole_use
from sqlalchemy_guard.fixes.layout import reflow
from sqlalchemy_guard.project.types import Instance, known
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.check import Context
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.syntax.chunk import Chunk

rule = Rule("SAG302", Severity.WARNING, Applicability.SAFE)

_COLLECTORS = ("all", "fetchall")
_PRIVATE = frozenset({"_parent_execute_state", "_add_event"})


class Chain(NamedTuple):
    """What is done with the result of `execute()`.

    Attributes:
        method: The method that does the same in one call.
        uniques: Calls of `unique()` that stand before `step`.
        step: The call of `scalars()` or `scalar()`.
        chunk: The chunk of `step`, which need not be that of the execution.
        statement: The statement around `step`.
    """

    method: str
    uniques: tuple[ast.Call, ...]
    step: ast.Call
    chunk: Chunk
    statement: ast.stmt


class Unpacking(NamedTuple):
    """A comprehension that takes the only value out of each row."""

    node: ast.ListComp | ast.SetComp
    chunk: Chunk


@rule.on_call(
    "sqlalchemy.orm.Session.execute",
    "sqlalchemy.ext.asyncio.AsyncSession.execute",
    "sqlalchemy.Connection.execute",
    "sqlalchemy.ext.asyncio.AsyncConnection.execute",
)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report an execution of which only the first values are used."""
    fact = call.fact
    if any(keyword.arg in _PRIVATE for keyword in fact.node.keywords) or not isinstance(
        fact.node.func, ast.Attribute
    ):
        return
    applicability = Applicability.UNSAFE if call.likely else Applicability.SAFE
    result = _result(context, fact)
    if result is None:
        return
    unpacking = _unpacking(context, result, fact)
    if unpacking is not None:
        message = (
            "Rows are unpacked by hand although each holds one value; `scalars()` gives the values themselves"
        )
        yield context.at_call(
            rule, fact, message, node=unpacking.node, applicability=applicability, subject=(fact, unpacking)
        )
        return
    chain = _steps(context, result, fact.chunk, fact.statement) or _named(context, result, fact)
    if chain is None:
        return
    message = (
        f"`execute().{chain.method}()` is `{chain.method}()` in two steps; call `{chain.method}()` directly"
    )
    end = chain.step if chain.chunk is fact.chunk and chain.statement is fact.statement else None
    yield context.at_call(
        rule,
        fact,
        message,
        node=fact.node,
        end=end,
        applicability=applicability,
        subject=(fact, chain),
    )


def _result(context: Context, fact: CallFact) -> ast.expr | None:
    """The node whose value is the result: the call, awaited where it must be."""
    parent = context.parent(fact.chunk, fact.node)
    if isinstance(parent, ast.Await):
        return parent
    kinds = known(context.type_of(fact.value))
    return (
        fact.node
        if any(isinstance(kind, Instance) and kind.ref == "sqlalchemy.Result" for kind in kinds)
        else None
    )


def _steps(context: Context, node: ast.expr, chunk: Chunk, statement: ast.stmt) -> Chain | None:
    """`.scalars()` or `.scalar()` on a result, behind any number of `.unique()`."""
    uniques: list[ast.Call] = []
    while True:
        link = context.parent(chunk, node)
        call = context.parent(chunk, link) if isinstance(link, ast.Attribute) else None
        if not isinstance(link, ast.Attribute) or not isinstance(call, ast.Call) or call.func is not link:
            return None
        if link.attr == "unique":
            uniques.append(call)
        elif link.attr == "scalars" and not call.keywords and all(_is_zero(arg) for arg in call.args):
            return Chain("scalars", tuple(uniques), call, chunk, statement)
        elif link.attr == "scalar" and not uniques:
            return Chain("scalar", (), call, chunk, statement)
        else:
            return None
        node = call


def _is_zero(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == 0 and node.value is not False


def _named(context: Context, result: ast.expr, fact: CallFact) -> Chain | None:
    """The same for a result that gets a name first, when the name serves nothing else."""
    statement = fact.statement
    if (
        not isinstance(statement, ast.Assign)
        or statement.value is not result
        or len(statement.targets) != 1
        or not isinstance(target := statement.targets[0], ast.Name)
        or fact.function is None
    ):
        return None
    use = sole_use(fact.function.header, fact.function.chunk, statement, target.id)
    if use is None:
        return None
    around: ast.AST | None = use.node
    while around is not None and not isinstance(around, ast.stmt):
        around = context.parent(use.chunk, around)
    chain = _steps(context, use.node, use.chunk, around) if around is not None else None
    # A name for a single value would be a name for something else.
    return chain if chain is not None and chain.method == "scalars" else None


def _unpacking(context: Context, result: ast.expr, fact: CallFact) -> Unpacking | None:
    """`[row[0] for row in result]`, `[x for (x,) in result]`, with or without `.all()`."""
    iterated: ast.AST = result
    link = context.parent(fact.chunk, result)
    if isinstance(link, ast.Attribute) and link.attr in _COLLECTORS:
        call = context.parent(fact.chunk, link)
        if not isinstance(call, ast.Call):
            return None
        iterated = call
    generator = context.parent(fact.chunk, iterated)
    if not isinstance(generator, ast.comprehension) or generator.iter is not iterated or generator.ifs:
        return None
    node = context.parent(fact.chunk, generator)
    if not isinstance(node, (ast.ListComp, ast.SetComp)) or len(node.generators) != 1:
        return None
    match generator.target, node.elt:
        case ast.Name(id=row), ast.Subscript(value=ast.Name(id=read), slice=index) if (
            row == read and _is_zero(index)
        ):
            pass
        case (
            (ast.Tuple(elts=[ast.Name(id=item)]) | ast.List(elts=[ast.Name(id=item)])),
            ast.Name(id=read),
        ) if item == read:
            pass
        case _:
            return None
    return Unpacking(node, fact.chunk) if _has_one_value(context, fact) else None


def _has_one_value(context: Context, fact: CallFact) -> bool:
    """Whether the rows are known to hold a single value."""
    statement = fact.value.args[0] if fact.value.args else fact.value.keyword("statement")
    kinds = list(known(context.type_of(statement))) if statement is not None else []
    return bool(kinds) and all(
        isinstance(kind, Instance) and kind.ref == "sqlalchemy.Select" and len(kind.args) == 1
        for kind in kinds
    )


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Name the shorter method and drop the step, or the comprehension around the result."""
    fact, use = violation.subject
    if violation.applicability is None:
        return None
    edits = (
        _without_comprehension(context, fact, use)
        if isinstance(use, Unpacking)
        else _without_step(context, fact, use)
    )
    method = "scalars" if isinstance(use, Unpacking) else use.method
    return Fix(f"Use `{method}()`", violation.applicability, {context.file.file_id: edits}) if edits else None


def _renamed(source: Source, fact: CallFact, method: str) -> Edit:
    """`execute` becomes another method."""
    end = source.end(fact.node.func, fact.chunk.shift)
    return Edit(end - len("execute"), end, method)


def _without_step(context: Context, fact: CallFact, chain: Chain) -> tuple[Edit, ...]:
    source = context.source
    rename = _renamed(source, fact, chain.method)
    removed = _removal(source, chain.step, chain.chunk.shift)
    if chain.statement is not fact.statement or chain.chunk is not fact.chunk:
        there = reflow(source, chain.statement, (removed,), chain.chunk.shift)
        return (*reflow(source, fact.statement, (rename,), fact.chunk.shift), *there)
    edits = [rename, removed]
    awaited = chain.step.func.value if isinstance(chain.step.func, ast.Attribute) else None
    if isinstance(awaited, ast.Await) and not _is_operand(context.parent(chain.chunk, chain.step)):
        opening = source.start(awaited, chain.chunk.shift) - 1
        if source.text[opening] == "(" and removed.start == source.end(awaited, chain.chunk.shift) + 1:
            edits = [Edit(opening, opening + 1, ""), rename, Edit(removed.start - 1, removed.end, "")]
    return reflow(source, fact.statement, tuple(edits), fact.chunk.shift)


def _is_operand(parent: ast.AST | None) -> bool:
    """Whether `await …` would need parentheses in this place."""
    return isinstance(
        parent,
        (
            ast.Attribute,
            ast.Subscript,
            ast.Call,
            ast.Await,
            ast.BinOp,
            ast.UnaryOp,
            ast.Starred,
            ast.FormattedValue,
        ),
    ) and not (isinstance(parent, ast.Call))


def _removal(source: Source, call: ast.Call, shift: int) -> Edit:
    """Take a link out of a chain, but not the comments in front of it."""
    function = call.func
    assert isinstance(function, ast.Attribute)
    start, end = source.end(function.value, shift), source.end(call, shift)
    dot = source.end(function, shift) - len(function.attr)
    for token in source.tokens(start, dot):
        # Parentheses around the value, and comments, end in front of the link.
        if token.kind in ("close", "comment"):
            start = token.end
    return Edit(start, end, "")


def _without_comprehension(context: Context, fact: CallFact, use: Unpacking) -> tuple[Edit, ...]:
    source, shift = context.source, fact.chunk.shift
    node = use.node
    start, end = source.start(node, shift), source.end(node, shift)
    result = node.generators[0].iter
    inner = fact.node
    if any(
        not source.start(inner, shift) <= comment.start < source.end(inner, shift)
        for comment in source.comments(start, end)
    ):
        return ()
    rename = _renamed(source, fact, "scalars")
    begin = source.start(inner, shift)
    call = source.text[begin : rename.start] + rename.new + source.text[rename.end : source.end(inner, shift)]
    is_async = any(isinstance(part, ast.Await) and part.value is inner for part in ast.walk(result))
    if isinstance(node, ast.SetComp):
        new = f"set(await {call})" if is_async else f"set({call})"
    else:
        new = f"(await {call}).all()" if is_async else f"{call}.all()"
    return reflow(source, fact.statement, (Edit(start, end, new),), shift)
