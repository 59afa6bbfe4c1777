"""Rewrite a call that is handed interpolated SQL: the values become bound parameters, imports included.

The text may stand at the call, or get a name first that serves nothing else. This module must never judge a value itself:
`project.origins` does.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.uses import body, sole_use
from sqlalchemy_guard.facts.values import Attr, Call, Joined, Mapping, Sequence, Value
from sqlalchemy_guard.fixes.imports import Imported, Placed, need
from sqlalchemy_guard.fixes.layout import reflow
from sqlalchemy_guard.fixes.local_names import bound_in
from sqlalchemy_guard.fixes.sql_binding import Binding, Judged, bind
from sqlalchemy_guard.project.origins import Origin, Origins
from sqlalchemy_guard.project.types import Instance, known
from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.text.edit import Edit, sort_edits

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.fixes.source import Source
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.syntax.chunk import Chunk


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


class Written(NamedTuple):
    """Where the SQL is written: at the call, or where a name that serves nothing else gets it."""

    node: ast.expr
    chunk: Chunk
    statement: ast.stmt


def _written(subject: Subject) -> Written:
    fact, node = subject.fact, subject.node
    if not isinstance(node, ast.Name) or fact.function is None:
        return Written(node, fact.chunk, fact.statement)
    function = fact.function
    for chunk, statements in body(function.header, function.chunk):
        for inner in (part for statement in statements for part in ast.walk(statement)):
            match inner:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == node.id:
                    use = sole_use(function.header, function.chunk, inner, name)
                    if use is not None and use.node is node:
                        return Written(value, chunk, inner)
    return Written(node, fact.chunk, fact.statement)


def binding_of(
    source: Source, resolver: Resolver, file: SourceFile, subject: Subject
) -> tuple[Binding, Written] | None:
    """How the values of a call's text are bound, and where the text is written; None when they cannot be."""
    written = _written(subject)
    values: dict[str, Value] = {}
    argument = subject.fact.value.args[0] if subject.fact.value.args else None
    if argument is not None:
        _pair(argument, written.node, values)
    origins = Origins(resolver)

    def judge(node: ast.expr) -> Judged:
        value = values.get(ast.dump(node))
        if value is None:
            return Judged(isinstance(node, ast.Constant), None)
        kinds = list(known(resolver.type_of(value, file)))
        stays = origins.of(value, file) is Origin.HARMLESS
        if not kinds:
            return Judged(stays, None)
        is_text = all(isinstance(kind, Instance) and kind.ref == "builtins.str" for kind in kinds)
        return Judged(stays, "text" if is_text else "object")

    binding = bind(source, written.node, written.chunk.shift, judge, escapes=subject.is_raw)
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


def bound_edits(
    source: Source, chunks: list[Chunk], subject: Subject, found: tuple[Binding, Written]
) -> tuple[Edit, ...] | None:
    """The edits that bind the values.

    Args:
        source: The text.
        chunks: The top level of the file, for imports.
        subject: The call.
        found: What `binding_of` gave.
    """
    binding, written = found
    fact, shift = subject.fact, subject.fact.chunk.shift
    imported: tuple[Edit, ...] = ()
    bindparam = "bindparam"
    if binding.lists:
        needed = _need(source, chunks, fact, "bindparam")
        bindparam, imported = needed.expression, needed.edits
    if subject.is_text:
        end = source.end(fact.node, shift)
        around = [Edit(end, end, binding.call(bindparam))]
    else:
        needed = _need(source, chunks, fact, "text")
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
    return sort_edits([*imported, *edits])


def _need(source: Source, chunks: list[Chunk], fact: CallFact, name: str) -> Imported:
    """Make a name of SQLAlchemy available where the call stands."""
    statements = [Placed(statement, chunk.shift) for chunk in chunks for statement in chunk.body]
    return need(source, statements, "sqlalchemy", name, taken=bound_in(fact.function))
