"""Every place of the workspace that means one mapped attribute, or nothing where a single place is not certain.

For renames: a place that is missed breaks the application, and so does one that was another attribute of that name. Strings,
names of parameters and fields of other classes may be what serializers, templates or forms go by, so that they end the search.
This module must never guess.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.memos import values_in
from sqlalchemy_guard.facts.values import UNKNOWN, Const, Value
from sqlalchemy_guard.project.bodies import body_of
from sqlalchemy_guard.project.query_references import leaves_of
from sqlalchemy_guard.project.types import ClassType, Instance, known
from sqlalchemy_guard.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy_guard.project.columns import BareColumn, Column
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.syntax.chunk import Chunk

_TEMPLATES = ("render_template", "TemplateResponse", "render_template_string", "render", "get_template")
_BY_COLUMN = frozenset(
    {"Index", "UniqueConstraint", "PrimaryKeyConstraint", "ForeignKeyConstraint", "ForeignKey"}
)
"""What names columns by their name in the table, which stays."""
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class AttributeUse(NamedTuple):
    """A place that means the attribute: an attribute access, a name in the class's body, or a keyword of its constructor."""

    file: File
    chunk: Chunk
    node: ast.Attribute | ast.Name | ast.keyword


def uses_of(workspace: Workspace, column: Column | BareColumn) -> list[AttributeUse] | None:
    """All places that mean a column's attribute, its own declaration left out; None when one of them is not certain."""
    owner = (column.file.file_id, column.owner.qualname)
    if any(next(workspace.calls_of(name, None), None) is not None for name in _TEMPLATES):
        # Templates name attributes too, in files of their own.
        return None
    search = _Search(workspace, owner, column)
    files, is_all = workspace.naming(column.name)
    if not is_all:
        return None
    for file in files:
        for chunk in leaves_of(file):
            lines = file.document.lines[chunk.start : chunk.end]
            if any(column.name in line for line in lines) and not search.look(file, chunk):
                return None
    return search.found


def may_be_named_at_run_time(workspace: Workspace, column: Column | BareColumn) -> bool:
    """Whether names of attributes come from data somewhere: `getattr(row, name)`, `User(**values)`."""
    for name in ("getattr", "setattr", "attrgetter"):
        for call, _ in workspace.calls_of(name, None):
            named = call.args[-1 if name == "attrgetter" else 1 :][:1]
            if not named or type(named[0]) is not Const:
                return True
    return any(call.has_mapping for call, _ in workspace.calls_of(column.owner.name, None))


class _Search:
    def __init__(self, workspace: Workspace, owner: tuple[str, str], column: Column | BareColumn) -> None:
        self.workspace = workspace
        self.owner = owner
        self.column = column
        self.name = column.name
        self.found: list[AttributeUse] = []

    def look(self, file: File, chunk: Chunk) -> bool:
        """Take the places of one chunk; False when one is not certain."""
        values: Mapping[ast.expr, Value] | None = None
        for statement in chunk.body:
            allowed = self._by_column(file, statement)
            for node, parent in _with_parents(statement):
                if not _mentions(node, self.name) or (isinstance(node, ast.Constant) and id(node) in allowed):
                    continue
                if self._is_declaration(file, node):
                    continue
                if isinstance(node, (ast.Attribute, ast.keyword)):
                    values = values_in(chunk) if values is None else values
                    func = (
                        parent.func
                        if isinstance(node, ast.keyword) and isinstance(parent, ast.Call)
                        else None
                    )
                    base = node.value if isinstance(node, ast.Attribute) else func
                    if base is None or not self._is_ours(
                        values.get(base, UNKNOWN), file, called=func is not None
                    ):
                        return False
                    self.found.append(AttributeUse(file, chunk, node))
                elif isinstance(node, ast.Name) and self._in_body(file, node, chunk):
                    self.found.append(AttributeUse(file, chunk, node))
                else:
                    return False
        return True

    def _is_declaration(self, file: File, node: ast.AST) -> bool:
        statement = self.column.statement
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        return file is self.workspace.file(self.owner[0]) and node is target

    def _is_ours(self, value: Value, file: File, *, called: bool) -> bool:
        """Whether a value is surely the class, a class below it, or one of their objects."""
        resolver = self.workspace.resolver
        options = list(known(resolver.type_of(value, file)))
        for option in options:
            fits = isinstance(option, ClassType) or (isinstance(option, Instance) and not called)
            if (
                not fits
                or not isinstance(option, ClassType | Instance)
                or (isinstance(option, Instance) and option.likely)
            ):
                return False
            if self.owner not in resolver.ancestors(ClassType(option.ref)):
                return False
            member = resolver.member(ClassType(option.ref), self.name)
            if member is None or member.owner.qualname != self.owner[1]:
                return False
        return bool(options)

    def _in_body(self, file: File, node: ast.Name, chunk: Chunk) -> bool:
        """Whether a name is read in the body of the class itself, outside of its functions."""
        facts = file.facts.class_(self.owner[1]) if file.file_id == self.owner[0] else None
        if facts is None or not isinstance(node.ctx, ast.Load):
            return False
        return any(
            part is chunk and not isinstance(statement, _DEFINITIONS) and node in ast.walk(statement)
            for part, statement in body_of(facts)
        )

    def _by_column(self, file: File, statement: ast.stmt) -> set[int]:
        """Strings that name the column in its table, which keeps its name."""
        found: set[int] = set()
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                func = node.func
                last = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
                if last in _BY_COLUMN:
                    found.update(id(each) for each in ast.walk(node) if isinstance(each, ast.Constant))
        return found


def _mentions(node: ast.AST, name: str) -> bool:
    """Whether a node says the name, or text that has it in it."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and name in node.value
    for field in ("id", "attr", "arg", "name", "rest"):
        if getattr(node, field, None) == name:
            return True
    names = getattr(node, "names", None)
    return isinstance(names, list) and name in names


def _with_parents(statement: ast.stmt) -> Iterator[tuple[ast.AST, ast.AST]]:
    todo: list[tuple[ast.AST, ast.AST]] = [(statement, statement)]
    while todo:
        node, parent = todo.pop()
        yield node, parent
        todo.extend((child, node) for child in ast.iter_child_nodes(node))
