"""Which names of its own block a statement binds or changes. This module must never evaluate anything."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.sql import harmless

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPOUND = (
    ast.If,
    ast.Try,
    ast.TryStar,
    ast.For,
    ast.While,
    ast.With,
    ast.AsyncFor,
    ast.AsyncWith,
    ast.Match,
)
TYPING_ONLY = ("TYPE_CHECKING", "typing.TYPE_CHECKING", "t.TYPE_CHECKING")


def bound_names(statement: ast.stmt) -> dict[str, None]:
    """The names of its own block that a statement binds or changes, in order."""
    return dict.fromkeys(_bound(statement))


def _bound(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield from _targets(target)
    elif isinstance(statement, (ast.AnnAssign, ast.AugAssign)):
        if not (isinstance(statement, ast.AnnAssign) and statement.value is None):
            yield from _targets(statement.target)
    elif isinstance(statement, (ast.Import, ast.ImportFrom)):
        for alias in statement.names:
            if alias.name != "*":
                yield alias.asname or alias.name.partition(".")[0]
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        function = statement.value.func
        if isinstance(function, ast.Attribute) and function.attr in _CHANGING:
            yield from _targets(function.value)
    elif isinstance(statement, COMPOUND):
        if isinstance(statement, ast.If) and ast.unparse(statement.test) in TYPING_ONLY:
            # Names for the type checker: what really binds them, if anything does, comes first.
            for inner in (*statement.orelse, *statement.body):
                yield from _bound(inner)
            return
        if isinstance(statement, (ast.For, ast.AsyncFor)):
            yield from _targets(statement.target)
        for inner in inner_statements(statement):
            yield from _bound(inner)


_CHANGING = harmless.CHANGING | {"append_column", "append_constraint"}


def _targets(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, (ast.Tuple, ast.List)):
        for one in target.elts:
            yield from _targets(one)
    elif isinstance(target, (ast.Attribute, ast.Subscript, ast.Starred)):
        yield from _targets(target.value)


def inner_statements(statement: ast.stmt) -> Iterator[ast.stmt]:
    """The statements directly inside of another one, of all its blocks."""
    for field in ("body", "orelse", "finalbody"):
        yield from getattr(statement, field, ())
    for handler in getattr(statement, "handlers", ()):
        yield from handler.body
    for case in getattr(statement, "cases", ()):
        yield from case.body
