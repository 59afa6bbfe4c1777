"""Database URLs with a user's password in them, as facts.

This module must never judge them.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import dataclass
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.units import Unit
    from sqlalchemy_guard.syntax.chunk import Chunk

_URL = lazy_pattern(
    r"(?P<dialect>postgresql|postgres|mysql|mariadb|oracle|mssql|cockroachdb|redshift|snowflake|db2|firebird|clickhouse)"
    r"(?:\+\w+)?://(?P<user>[^:/@\s]+):(?P<password>[^@/\s]+)@"
)
_PLACEHOLDER = lazy_pattern(r"[<>${}%*\[\]]|^x+$|^\.+$", re.IGNORECASE)
_NOBODYS = frozenset(
    {
        "password", "passwd", "pass", "pw", "pwd", "secret", "changeme", "change_me", "changethis", "tiger", "example",
        "mypassword", "my_password", "yourpassword", "your_password", "your-password", "dbpassword", "db_password",
        "userpass", "masterkey", "test", "testing", "dev",
    }
)  # fmt: skip


@dataclass(slots=True, eq=False)
class DatabaseUrl:
    """A string of the code that is a database URL with a password.

    Attributes:
        node: The string or f-string.
        statement: The statement it stands in.
        chunk: That statement's.
    """

    node: ast.Constant | ast.JoinedStr
    statement: ast.stmt
    chunk: Chunk


def is_secret(password: str, user: str = "") -> bool:
    """Whether a password may be one: neither a placeholder nor a word that everybody writes in examples."""
    return (
        bool(password)
        and password.lower() not in _NOBODYS
        and password.lower() != user.lower()
        and _PLACEHOLDER.search(password) is None
        and _PLACEHOLDER.search(user) is None
    )


def has_secret(url: str) -> bool:
    """Whether a URL of a database, as it is written, has a password in it that may be one."""
    found = _URL.match(url)
    return found is not None and is_secret(found["password"], found["user"])


def urls_of(unit: Unit, lines: list[str]) -> Iterator[DatabaseUrl]:
    """The database URLs with passwords in a unit."""
    for statement in unit.chunk.body:
        first = statement.lineno - 1 + unit.chunk.shift
        last = (statement.end_lineno or statement.lineno) + unit.chunk.shift
        if not any("://" in line and "@" in line for line in lines[first:last]):
            continue
        for inner, node in _strings(statement):
            if has_secret(_beginning(node)):
                yield DatabaseUrl(node, inner, unit.chunk)


def _strings(statement: ast.stmt) -> Iterator[tuple[ast.stmt, ast.Constant | ast.JoinedStr]]:
    """The strings of a statement, those of statements inside with the innermost one."""
    todo: list[tuple[ast.stmt, ast.AST]] = [(statement, statement)]
    while todo:
        around, node = todo.pop()
        if isinstance(node, ast.JoinedStr):
            yield around, node
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield around, node
        around = node if isinstance(node, ast.stmt) else around
        todo.extend((around, child) for child in ast.iter_child_nodes(node))


def _beginning(node: ast.Constant | ast.JoinedStr) -> str:
    """The text as far as it is written out; a placeholder stands for what is put in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
