"""Engine options of Flask-SQLAlchemy where they are written down, as facts.

They stand in configuration classes and modules, in `app.config[…]`, and in `SQLAlchemy(engine_options=…)`.
This module must never judge them.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.units import ITEMS
from sqlalchemy_guard.facts.values import Const
from sqlalchemy_guard.project.index import IMPORTS
from sqlalchemy_guard.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.units import Unit
    from sqlalchemy_guard.project.resolve import Resolver
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.syntax.chunk import Chunk

KEY = "SQLALCHEMY_ENGINE_OPTIONS"
_URL = "SQLALCHEMY_DATABASE_URI"
_EXTENSIONS = ("flask_sqlalchemy", "flask_appbuilder", "quart_sqlalchemy")


@dataclass(slots=True, eq=False)
class EngineOptions:
    """A mapping of engine options, with the entries that can be read.

    Attributes:
        node: The dict display, or the call of `dict` with keywords only.
        entries: The values by key.
        database: The database's URL where it stands beside the options, "" when it does not.
    """

    node: ast.Dict | ast.Call
    entries: dict[str, ast.expr]
    database: str
    statement: ast.stmt
    chunk: Chunk

    @property
    def pool(self) -> str | None:
        """The last part of the pool class's name, None when none is given."""
        given = self.entries.get("poolclass")
        if given is None:
            return None
        return (
            given.attr
            if isinstance(given, ast.Attribute)
            else given.id
            if isinstance(given, ast.Name)
            else "?"
        )

    @property
    def has_no_pool(self) -> bool:
        """Whether connections are not pooled, or only one is ever held."""
        memory = self.database in ("sqlite://", "sqlite:///", "sqlite:///:memory:")
        return memory or self.pool in ("NullPool", "StaticPool")


def options_of(unit: Unit) -> Iterator[EngineOptions]:
    """The engine options that a unit writes down completely: a `**mapping` in them hides the rest."""
    if unit.kind == "leaf":
        yield from _assigned(unit.chunk, unit.chunk.body)
    for item in unit.item_sets:
        if type(item.key) is Const and item.key.value == KEY and isinstance(item.statement, ast.Assign):
            yield from _read(item.statement.value, "", item.statement, item.chunk)
    for call in unit.calls:
        for keyword in call.node.keywords:
            if keyword.arg in (KEY, "engine_options"):
                yield from _read(keyword.value, "", call.statement, call.chunk)


def _assigned(chunk: Chunk, block: list[ast.stmt]) -> Iterator[EngineOptions]:
    """Assignments to the name in a module or class body, branches included."""
    database = ""
    for statement in block:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target, value = statement.targets[0], statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            target, value = statement.target, statement.value
        else:
            if isinstance(statement, (ast.ClassDef, ast.If, ast.Try)):
                yield from _assigned(chunk, statement.body)
                yield from _assigned(chunk, getattr(statement, "orelse", []))
            continue
        name = target.id if isinstance(target, ast.Name) else ""
        if name == _URL and isinstance(value, ast.Constant) and isinstance(value.value, str):
            database = value.value
        elif name == KEY:
            yield from _read(value, database, statement, chunk)


def _read(value: ast.expr, database: str, statement: ast.stmt, chunk: Chunk) -> Iterator[EngineOptions]:
    entries: dict[str, ast.expr] = {}
    if isinstance(value, ast.Dict):
        for key, item in zip(value.keys, value.values, strict=True):
            if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
                return
            entries[key.value] = item
        yield EngineOptions(value, entries, database, statement, chunk)
    elif isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "dict":
        if not value.args and all(keyword.arg is not None for keyword in value.keywords):
            entries = {keyword.arg or "": keyword.value for keyword in value.keywords}
            yield EngineOptions(value, entries, database, statement, chunk)


def is_filled_later(resolver: Resolver, file: File, key: str) -> bool:
    """Whether some code of a file assigns to an item of that name: the options may get it there."""
    resolver.keys.add((file.file_id, ITEMS))
    items = (item for unit in file.facts.units() for item in unit.item_sets)
    return any(type(item.key) is Const and item.key.value == key for item in items)


def uses_flask_sqlalchemy(workspace: Workspace) -> bool:
    """Whether any file of the workspace imports the extension that reads these options."""
    workspace.resolver.keys.add((IMPORTS, ""))
    return any(
        module.partition(".")[0] in _EXTENSIONS
        for file in workspace.known_files()
        for module in file.facts.imported_modules()
    )
