"""What the tests of `syntax` compare: a tree of chunks as one dump with absolute positions, and its
invariants."""

from __future__ import annotations

import ast
import copy
from typing import TYPE_CHECKING

from sqlalchemy_guard.syntax.parents import parents_in
from sqlalchemy_guard.syntax.tree import walk

if TYPE_CHECKING:
    from sqlalchemy_guard.syntax.chunk import Chunk
    from sqlalchemy_guard.syntax.syntax import Syntax


def statements(chunks: list[Chunk]) -> list[ast.stmt]:
    """The statements at their absolute lines, cut definitions put together again."""
    result: list[ast.stmt] = []
    for chunk in chunks:
        for node in chunk.body:
            node = copied(node)
            ast.increment_lineno(node, chunk.shift)
            if chunk.children is not None:
                assert isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                node.body = statements(chunk.children)
                node.end_lineno, node.end_col_offset = node.body[-1].end_lineno, node.body[-1].end_col_offset
            result.append(node)
    return result


def copied(node: ast.stmt) -> ast.stmt:
    """A copy of a statement, however deep: `copy.deepcopy` runs into the end of the stack, on some Pythons sooner."""
    root = copy.copy(node)
    todo: list[ast.AST] = [root]
    while todo:
        each = todo.pop()
        for name, value in ast.iter_fields(each):
            if isinstance(value, list):
                fresh = [copy.copy(one) if isinstance(one, ast.AST) else one for one in value]
                setattr(each, name, fresh)
                todo.extend(one for one in fresh if isinstance(one, ast.AST))
            elif isinstance(value, ast.AST):
                child = copy.copy(value)
                setattr(each, name, child)
                todo.append(child)
    return root


def dump(body: list[ast.stmt]) -> list[object]:
    """Everything in the nodes and their places, in the order of a walk: `ast.dump` without its depth."""
    found: list[object] = []
    todo: list[object] = list(reversed(body))
    while todo:
        node = todo.pop()
        if isinstance(node, list):
            found.append(len(node))
            todo.extend(reversed(node))
        elif isinstance(node, ast.AST):
            found.append((type(node).__name__, *(getattr(node, name, None) for name in node._attributes)))
            todo.extend(value for _, value in reversed(list(ast.iter_fields(node))))
        else:
            found.append((type(node), repr(node)))
    return found


def names(syntax: Syntax) -> set[str]:
    """The names of all definitions in the tree, and the targets of simple assignments."""
    found: set[str] = set()
    for chunk in walk(syntax.chunks):
        for statement in chunk.body:
            for node in ast.walk(statement):
                if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    found.add(node.name)
                elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    found.add(node.id)
    return found


def check(syntax: Syntax) -> bool:
    """Assert what must always hold; True where the document is valid for the running Python."""
    lines = syntax.document.lines
    _tiles(syntax.chunks, 0, len(lines), None)
    for chunk in walk(syntax.chunks):
        for node in chunk.body:
            assert chunk.start <= node.lineno - 1 + chunk.shift < chunk.end
        assert (chunk.problem is not None) == bool(chunk.broken)
        for line in chunk.broken:
            assert chunk.start <= line + chunk.shift < chunk.end
        assert parents_in(chunk) == {
            child: node
            for each in chunk.body
            for node in ast.walk(each)
            for child in ast.iter_child_nodes(node)
            if child._fields
        }
    try:
        whole = ast.parse(syntax.document.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    assert syntax.problems == []
    assert dump(statements(syntax.chunks)) == dump(whole.body)
    return True


def _tiles(chunks: list[Chunk], start: int, end: int, parent: Chunk | None) -> None:
    assert chunks
    for chunk in chunks:
        assert chunk.start == start
        assert chunk.end > start
        assert chunk.parent is parent
        start = chunk.end
        if chunk.children is not None:
            assert len(chunk.body) == 1
            assert chunk.children[0].start > chunk.start
            _tiles(chunk.children, chunk.children[0].start, chunk.end, chunk)
    assert start == end
