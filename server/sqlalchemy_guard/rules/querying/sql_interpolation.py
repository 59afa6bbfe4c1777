"""Values written into SQL text: a crafted value becomes SQL, and every value is a new statement to the database.

## What it does
Reports SQL that f-strings, `%`, `format()`, `+`, `join()` or `string.Template` put together, directly or through
names and functions of the workspace, where it reaches `text()`, `execute()` and its kin, `exec_driver_sql()`,
`op.execute()`, `literal_column()` or `DDL()`. What stands in the place of a value is reported unless the code itself
proves it harmless. A name of a table or column cannot be bound, and mostly comes from the code: it is reported only
where it plainly comes from outside, that is from a request, the command line, or a parameter of a route or command.

Silent on constants (also of other files and of classes), numbers (`int()`, `len()`, parameters annotated `int`),
members of enumerations, entries of literal mappings, parameters that the function checks (`if x not in ALLOWED`,
`match`, a call such as `validate_name(x)`), names read off tables, mappers and inspectors, quoted identifiers,
compiled statements, settings, template strings given to `tstring()`, and in tests.

## Why is this bad?
Whoever chooses the value chooses the statement: a quote in it ends the literal, and the rest runs as SQL. Even
harmless values break on a name like `O'Brien`, and keep the database and SQLAlchemy from reusing the statement.

## Example
```python
from sqlalchemy import text
from sqlalchemy.orm import Session


def find(session: Session, name: str) -> int | None:
    return session.scalar(text(f"SELECT id FROM users WHERE name = '{name}'"))
```

## Use instead
```python
from sqlalchemy import text
from sqlalchemy.orm import Session


def find(session: Session, name: str) -> int | None:
    return session.scalar(
        text("SELECT id FROM users WHERE name = :name").bindparams(name=name)
    )
```

## Fix safety
Safe where all of the text is written at the call, every interpolated value can be bound, and a literal held it in
quotes. Unsafe where the bound value may mean something else than its text: strings outside of quotes, and objects
such as dates inside. Names, format specifications, `DDL()`, `literal_column()`, `exec_driver_sql()` and statements
that take no parameters have no fix.

## References
- [Bound parameters of `text()`](https://docs.sqlalchemy.org/en/20/core/sqlelement.html#sqlalchemy.sql.expression.text)
- [SQL injection](https://owasp.org/www-community/attacks/SQL_Injection)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy_guard.facts.uses import body, sole_use
from sqlalchemy_guard.facts.values import (
    Attr,
    Call,
    Item,
    Joined,
    Mapping,
    Param,
    Ref,
    Sequence,
    Typed,
    Value,
)
from sqlalchemy_guard.fixes.imports import Imported, Placed, need
from sqlalchemy_guard.fixes.layout import reflow
from sqlalchemy_guard.fixes.sql_binding import Binding, Judged, bind
from sqlalchemy_guard.project.origins import Origin, Origins
from sqlalchemy_guard.project.sql_scan import HOLE, Position, can_bind, placeholders
from sqlalchemy_guard.project.sql_text import Interpolated, SqlText, texts_of
from sqlalchemy_guard.project.types import Instance, known
from sqlalchemy_guard.rules.api import Applicability, Fix, Rule, Severity, Violation
from sqlalchemy_guard.text.edit import Edit, sort_edits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.check import Context
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.project.calls import LibraryCall
    from sqlalchemy_guard.syntax.chunk import Chunk

rule = Rule("SAG306", Severity.ERROR, Applicability.SAFE)

_EXECUTIONS = tuple(
    f"{owner}.{method}"
    for owner, methods in {
        "sqlalchemy.orm.Session": "execute scalars scalar exec",
        "sqlalchemy.ext.asyncio.AsyncSession": "execute scalars scalar exec stream stream_scalars",
        "sqlalchemy.Connection": "execute scalars scalar",
        "sqlalchemy.ext.asyncio.AsyncConnection": "execute scalars scalar stream",
        "sqlalchemy.Engine": "execute",
        "alembic.op": "execute",
    }.items()
    for method in methods.split()
)
_UNBOUND = (
    "sqlalchemy.Connection.exec_driver_sql",
    "sqlalchemy.ext.asyncio.AsyncConnection.exec_driver_sql",
    "sqlalchemy.literal_column",
    "sqlalchemy.DDL",
)
_CLAUSES = tuple(
    f"sqlalchemy.{owner}.{method}"
    for owner in ("orm.Query", "Select")
    for method in ("filter", "where", "having", "order_by", "group_by", "from_statement")
)
_ARGUMENTS = ("text", "statement", "sqltext", "clause", "object_")


class Subject(NamedTuple):
    """What the fix needs.

    Attributes:
        fact: The call.
        node: Its argument.
        is_text: Whether it is `text()` itself.
        is_raw: Whether colons in the SQL stand for themselves.
    """

    fact: CallFact
    node: ast.expr
    is_text: bool
    is_raw: bool


@rule.on_call("sqlalchemy.text", *_EXECUTIONS, *_UNBOUND, *_CLAUSES)
def check(context: Context, call: LibraryCall) -> Iterator[Violation]:
    """Report a call whose SQL text holds a value, or a name that came from outside."""
    if context.is_test():
        return
    value, node = _sql(call)
    if value is None or node is None:
        return
    found: dict[str, Position] = {}
    binds = True
    for text in texts_of(context.resolver, value, context.file):
        if not text.holes or text.text.strip() == HOLE or not any(char.isalpha() for char in text.text):
            continue
        binds = binds and can_bind(text.text)
        for name, position in _offenders(context, text):
            if found.get(name) is not Position.VALUE:
                found[name] = position
    if not found:
        return
    is_raw = "Connection." in call.name and len(call.fact.node.args) == 1
    subject = Subject(call.fact, node, call.name == "sqlalchemy.text", is_raw)
    binding = None
    if binds and (subject.is_text or call.name in _EXECUTIONS) and Position.NAME not in found.values():
        made = _binding(context, subject)
        binding = made[0] if made is not None else None
    applicability = None
    if binding is not None:
        safe = not binding.doubt and not call.likely
        applicability = Applicability.SAFE if safe else Applicability.UNSAFE
    yield context.at_call(
        rule, call.fact, _message(found, binding), node=node, applicability=applicability, subject=subject
    )


def _sql(call: LibraryCall) -> tuple[Value | None, ast.expr | None]:
    """The argument that holds the SQL."""
    value, node = call.fact.value, call.fact.node
    if value.args and node.args:
        return value.args[0], node.args[0]
    for keyword in node.keywords:
        if keyword.arg in _ARGUMENTS:
            return value.keyword(keyword.arg), keyword.value
    return None, None


def _offenders(context: Context, text: SqlText) -> Iterator[tuple[str, Position]]:
    """What is reported of a text: how it is called, and whether it is a value or a name."""
    origins = Origins(context.resolver)
    bindable = can_bind(text.text)
    for place, hole in zip(placeholders(text.text), text.holes, strict=True):
        if hole.value is None or place.position is Position.BIND:
            continue
        is_value = bindable and place.position in (Position.VALUE, Position.LIST)
        origin = origins.of(hole.value, hole.file)
        if is_value and origin is not Origin.HARMLESS and not _is_list_of_binds(hole):
            yield _described(hole.value), Position.VALUE
        elif not is_value and origin is Origin.OUTSIDE:
            yield _described(hole.value), Position.NAME


def _is_list_of_binds(hole: Interpolated) -> bool:
    """Whether the value's own name says that it holds placeholders (`IN ({placeholders})`)."""
    return (
        any(word in _described(hole.value).lower() for word in ("placeholder", "bind"))
        if hole.value
        else False
    )


def _described(value: Value | None) -> str:
    """How the code calls a value, as far as its symbolic form tells."""
    match value:
        case Typed(value=inner):
            return _described(inner)
        case Param(name=name) | Ref(name=name):
            return name
        case Attr(base=base, name=name):
            before = _described(base)
            return f"{before}.{name}" if before else name
        case Item(base=base):
            return f"{_described(base)}[…]" if _described(base) else ""
        case Call(func=func):
            return f"{_described(func)}()" if _described(func) else ""
    return ""


def _message(found: dict[str, Position], binding: Binding | None) -> str:
    """What is wrong, why, and what to do."""
    values = [name for name, position in found.items() if position is Position.VALUE]
    names = _listed(values or list(found))
    if values:
        what = (
            f"{names} becomes part of the SQL, so a crafted value changes the statement"
            if names
            else ("A value becomes part of the SQL, so a crafted one changes the statement")
        )
        name = binding.names[0] if binding is not None else "name"
        return f'{what}; bind it: `text("… :{name}").bindparams({name}=…)`'
    what = names or "A name"
    return (
        f"{what} comes from outside and becomes part of the SQL; names cannot be bound: "
        "look it up in a mapping of the allowed ones"
    )


def _listed(names: list[str]) -> str:
    shown = [f"`{name}`" for name in names if name]
    return " and ".join(shown[:2]) if len(shown) <= 2 else f"{', '.join(shown[:2])} and others"


class _Written(NamedTuple):
    """Where the SQL is written: at the call, or where a name that serves nothing else gets it."""

    node: ast.expr
    chunk: Chunk
    statement: ast.stmt


def _written(subject: Subject) -> _Written:
    fact, node = subject.fact, subject.node
    if not isinstance(node, ast.Name) or fact.function is None:
        return _Written(node, fact.chunk, fact.statement)
    function = fact.function
    for chunk, statements in body(function.header, function.chunk):
        for inner in (part for statement in statements for part in ast.walk(statement)):
            match inner:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == node.id:
                    use = sole_use(function.header, function.chunk, inner, name)
                    if use is not None and use.node is node:
                        return _Written(value, chunk, inner)
    return _Written(node, fact.chunk, fact.statement)


def _binding(context: Context, subject: Subject) -> tuple[Binding, _Written] | None:
    written = _written(subject)
    values: dict[str, Value] = {}
    argument = subject.fact.value.args[0] if subject.fact.value.args else None
    if argument is not None:
        _pair(argument, written.node, values)
    origins = Origins(context.resolver)

    def judge(node: ast.expr) -> Judged:
        value = values.get(ast.dump(node))
        if value is None:
            return Judged(isinstance(node, ast.Constant), None)
        kinds = list(known(context.type_of(value)))
        stays = origins.of(value, context.file) is Origin.HARMLESS
        if not kinds:
            return Judged(stays, None)
        is_text = all(isinstance(kind, Instance) and kind.ref == "builtins.str" for kind in kinds)
        return Judged(stays, "text" if is_text else "object")

    binding = bind(context.source, written.node, written.chunk.shift, judge, escapes=subject.is_raw)
    return (binding, written) if binding is not None else None


def _pair(value: Value, node: ast.expr, found: dict[str, Value]) -> None:
    """The symbolic values of the expressions that a text interpolates, by the dump of their nodes."""
    match value, node:
        case Joined(parts=parts), ast.JoinedStr(values=nodes) if len(parts) == len(nodes):
            for part, inner in zip(parts, nodes, strict=True):
                if isinstance(inner, ast.FormattedValue):
                    found[ast.dump(inner.value)] = part
        case Joined(how="+", parts=(left, right)), ast.BinOp():
            _pair(left, node.left, found)
            _pair(right, node.right, found)
        case Joined(how="%", parts=(_, Sequence(items=items))), ast.BinOp(right=ast.Tuple(elts=nodes)):
            for item, inner in zip(items, nodes, strict=False):
                found[ast.dump(inner)] = item
        case Joined(how="%", parts=(_, Mapping(entries=entries))), ast.BinOp(right=ast.Dict(values=nodes)):
            for (_, item), inner in zip(entries, nodes, strict=False):
                found[ast.dump(inner)] = item
        case Joined(how="%", parts=(_, right)), ast.BinOp():
            found[ast.dump(node.right)] = right
        case Call(func=Attr(name="format")), ast.Call():
            for arg, inner in zip(value.args, node.args, strict=False):
                found[ast.dump(inner)] = arg
            for (_, item), named in zip(value.keywords, node.keywords, strict=False):
                found[ast.dump(named.value)] = item
        case _:
            found[ast.dump(node)] = value


@rule.fix
def fix(context: Context, violation: Violation) -> Fix | None:
    """Bind the values."""
    subject = violation.subject
    found = _binding(context, subject)
    if found is None or violation.applicability is None:
        return None
    binding, written = found
    source, fact, shift = context.source, subject.fact, subject.fact.chunk.shift
    imported: tuple[Edit, ...] = ()
    bindparam = "bindparam"
    if binding.lists:
        needed = _need(context, fact, "bindparam")
        bindparam, imported = needed.expression, needed.edits
    if subject.is_text:
        end = source.end(fact.node, shift)
        around = [Edit(end, end, binding.call(bindparam))]
    else:
        needed = _need(context, fact, "text")
        if needed.edits and imported:
            return None
        imported = (*imported, *needed.edits)
        start, end = source.start(subject.node, shift), source.end(subject.node, shift)
        around = [Edit(start, start, f"{needed.expression}("), Edit(end, end, f"){binding.call(bindparam)}")]
    if written.statement is fact.statement:
        edits = reflow(source, fact.statement, sort_edits([*around, *binding.edits]), shift)
    else:
        edits = (
            *reflow(source, written.statement, sort_edits(binding.edits), written.chunk.shift),
            *reflow(source, fact.statement, around, shift),
        )
    title = f"Bind {_listed([f':{name}' for name in binding.names])}"
    if binding.doubt:
        title += f" ({binding.doubt})"
    return Fix(title, violation.applicability, {context.file.file_id: sort_edits([*imported, *edits])})


def _need(context: Context, fact: CallFact, name: str) -> Imported:
    """Make a name of SQLAlchemy available where the call stands."""
    statements = [
        Placed(statement, chunk.shift) for chunk in context.file.syntax.chunks for statement in chunk.body
    ]
    taken: set[str] = set()
    if fact.function is not None:
        taken.update(parameter.name for parameter in fact.function.parameters)
        for _, nodes in body(fact.function.header, fact.function.chunk):
            for part in (part for statement in nodes for part in ast.walk(statement)):
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                    taken.add(part.id)
    return need(context.source, statements, "sqlalchemy", name, taken=taken)
