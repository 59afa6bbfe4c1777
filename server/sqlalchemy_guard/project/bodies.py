"""The statements of functions and classes, whether their chunk was cut or not.

This module must never know what the statements mean.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.memos import values_in
from sqlalchemy_guard.facts.units import WHOLE
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy_guard.facts.declarations import CallFact, ClassFacts, FunctionFacts
    from sqlalchemy_guard.facts.file import FileFacts
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.answers import Key
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.syntax.chunk import Chunk


_KEPT = 64
"""Chunks: those of one large function, and of what it calls."""
_NODES: dict[Chunk, list[ast.AST]] = {}
"""By chunk of a cut function its nodes; the chunk that was asked for last stands last."""


def body_of(facts: FunctionFacts | ClassFacts) -> list[tuple[Chunk, ast.stmt]]:
    """The statements of a definition's body, each with the chunk it belongs to."""
    chunk = facts.chunk
    if chunk.children is not None and chunk.body and chunk.body[0] is facts.header:
        return [(child, statement) for child in chunk.children for statement in child.body]
    return [(chunk, statement) for statement in facts.header.body]


def own_nodes(facts: FunctionFacts) -> Iterator[tuple[Chunk, ast.AST]]:
    """The nodes of a function's body without those of definitions inside."""
    chunk = facts.chunk
    if chunk.children is not None and chunk.body and chunk.body[0] is facts.header:
        for child in chunk.children:
            for node in _nodes_in(child):
                yield child, node
    else:
        for node in _below(facts.header.body):
            yield chunk, node


def _nodes_in(chunk: Chunk) -> list[ast.AST]:
    nodes = _NODES.pop(chunk, None)
    if nodes is None:
        nodes = list(_below(chunk.body))
        while len(_NODES) >= _KEPT:
            del _NODES[next(iter(_NODES))]
    _NODES[chunk] = nodes
    return nodes


def _below(statements: list[ast.stmt]) -> Iterator[ast.AST]:
    todo: list[ast.AST] = [*reversed(statements)]
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            todo.extend([*ast.iter_child_nodes(node)][::-1])


def blocks(body: Sequence[ast.stmt]) -> Iterator[Sequence[ast.stmt]]:
    """The blocks of a function, the outermost first."""
    yield body
    for statement in body:
        for part in ast.walk(statement):
            for name in ("body", "orelse", "finalbody"):
                found = getattr(part, name, None)
                if isinstance(found, list) and found:
                    yield found


def root_name(node: ast.AST) -> str:
    """The name that a dotted expression, with calls in it or not, starts with; empty for other expressions."""
    while isinstance(node, (ast.Attribute, ast.Call, ast.Await)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def values_of(function: FunctionFacts, facts: FileFacts) -> Mapping[ast.expr, Value]:
    """The symbolic value of every expression of a function's body.

    Whoever keeps what it concludes from them rests on the key `*body.` with the function's qualified name.
    """
    facts.watched.add(function.qualname)
    if function.chunk.children is None:
        return values_in(function.chunk)
    found: dict[ast.expr, Value] = {}
    for child in function.chunk.children:
        if child.children is None:
            found |= values_in(child)
    return found


def rests_on_all(resolver: Resolver, file: SourceFile) -> None:
    """Note that what is concluded rests on all of a file: on what its functions do, and not only on what others see."""
    file.facts.is_watched = True
    resolver.keys.add(whole(file.file_id))


def whole(file_id: str) -> Key:
    """The key of what rests on all of a file."""
    return file_id, WHOLE


def is_docstring(statement: ast.stmt) -> bool:
    """Whether a statement is a bare string."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


@dataclass(slots=True, eq=False)
class ImportFact:
    """A `from` import at the level of the module, in branches and `try` blocks too."""

    node: ast.ImportFrom
    siblings: list[ast.stmt]
    chunk: Chunk


def imports_of(chunk: Chunk) -> Iterator[ImportFact]:
    """The `from` imports of a chunk of the module's level."""
    todo: list[list[ast.stmt]] = [chunk.body]
    while todo:
        block = todo.pop()
        for statement in block:
            if isinstance(statement, ast.ImportFrom):
                yield ImportFact(statement, block, chunk)
            elif isinstance(statement, (ast.If, ast.Try)):
                todo.extend((statement.body, statement.orelse))
                if isinstance(statement, ast.Try):
                    todo.extend((*(handler.body for handler in statement.handlers), statement.finalbody))


def in_main_block(call: CallFact) -> bool:
    """Whether a call stands under `if __name__ == "__main__":` itself: it runs once, in a script."""
    frames = call.frame.outwards() if call.frame is not None and call.function is None else ()
    tests = [getattr(frame.node, "test", None) for frame in frames if frame.kind == "if"]
    return any(
        isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"
        for test in tests
    )
