"""What `env.py` tells Alembic to compare with: the arguments of `context.configure`, read by the evaluator.

The functions of `env.py` that configure are evaluated, not run: connections and configurations are unknown values there. This
module must never connect to anything.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import sqlalchemy

from sqlalchemy_guard.records import dataclass, field
from sqlalchemy_guard.sql import flask
from sqlalchemy_guard.sql.natives import Unknown, callback
from sqlalchemy_guard.sql.program import Module
from sqlalchemy_guard.sql.values import MISSING, Function, Host, Opaque, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.migrations.history import Environment
    from sqlalchemy_guard.project.workspace import Workspace
    from sqlalchemy_guard.sql.evaluator import Evaluator
    from sqlalchemy_guard.syntax.chunk import Chunk


_FLASK_MIGRATE = "configure_args"
"""Where Flask-Migrate keeps the options that it hands to `configure`: batch mode is among them unless the application objects."""
_BIND_KEY = "bind_key"
"""How Flask-SQLAlchemy says which database a class or a table belongs to."""


@dataclass(slots=True, eq=False)
class Configured:
    """What an environment compares, and how.

    Attributes:
        metadata: The tables of the models; several where Alembic gets a list. Empty where it is not known.
        is_known: Whether `target_metadata` could be read.
        options: Plain options of `configure`: "compare_type", "compare_server_default", "render_as_batch", "version_table" …
        include_object: The filter of objects; gives None where the answer is not known. None without one.
        include_name: The filter of names, alike.
    """

    metadata: list[sqlalchemy.MetaData] = field(default_factory=list)
    is_known: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    include_object: Callable[..., bool | None] | None = None
    include_name: Callable[..., bool | None] | None = None


class _Context(Host):
    """`alembic.context` while `env.py` is read: remembers what it is configured with."""

    def __init__(self) -> None:
        self.given: dict[str, Value] = {}

    def configure(self, *_: Value, **keywords: Value) -> Value:
        """`context.configure(…)`: what several calls say is put together, the last one counts."""
        self.given.update(keywords)
        return None

    def is_offline_mode(self) -> Value:
        """The models are compared online."""
        return False

    def begin_transaction(self) -> Value:
        """`with context.begin_transaction()`."""
        return Host()

    def run_migrations(self, **_: Value) -> Value:
        """Nothing is run."""
        return None


class _Migrated(Host):
    """The extension object as Flask-Migrate gives it to `env.py`: one metadata, under the key None too."""

    def __init__(self, database: flask.Database) -> None:
        self._database = database

    def get(self, name: str) -> Value:
        """An attribute of the extension object."""
        if name != "metadatas":
            return self._database.get(name)
        metadata = self._database.get("metadata")
        return {None: metadata} if isinstance(metadata, sqlalchemy.MetaData) else Opaque("db.metadatas")


class _Migrate(Host):
    """What Flask-Migrate registers with the application."""

    def __init__(self, database: Host) -> None:
        self.db = database


class _Application(Host):
    """`flask.current_app` while `env.py` is read: knows the extension object that is migrated."""

    def __init__(self, database: Host) -> None:
        self.extensions = {"migrate": _Migrate(database)}


def _application(workspace: Workspace, evaluator: Evaluator, environment: Environment) -> Host | None:
    """The application whose database is migrated; None where it has several databases, each with a metadata of its own."""
    database = flask.only_database(evaluator)
    if database is None or any(
        _BIND_KEY in file.document.text for file in workspace.known_files() if file.file_id != environment.env
    ):
        return None
    return _Application(_Migrated(database))


def configured(workspace: Workspace, evaluator: Evaluator, environment: Environment) -> Configured:
    """What the `env.py` of an environment configures.

    Args:
        workspace: All files.
        evaluator: The one that rebuilt the models, so that their `MetaData` is the one that `env.py` names.
        environment: Whose `env.py`.
    """
    context = _Context()
    before = dict(evaluator.hosts)
    evaluator.hosts["alembic.context"] = context
    if (application := _application(workspace, evaluator, environment)) is not None:
        evaluator.hosts["flask.current_app"] = application
    try:
        file = workspace.file(environment.env)
        if file is None:
            return Configured()
        # Not the evaluator's own module of that file: it may have been edited since.
        module = Module(evaluator, file, "env")
        for name in module.names():
            statements = module.statements_of(name)
            if any(
                isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)) and _configures(chunk, one)
                for chunk, one in statements
            ):
                function = module.get(name)
                if isinstance(function, Function) and "offline" not in name:
                    evaluator.run(function)
        module.run_effects(frozenset({"configure"}))
        target = context.given.get("target_metadata", MISSING)
        if target is MISSING or isinstance(target, Opaque):
            named = module.get("target_metadata")
            target = target if named is MISSING else named
    finally:
        evaluator.hosts = before
    found = _read(evaluator, context.given, target)
    if _FLASK_MIGRATE in file.document.text:
        found.options.setdefault("render_as_batch", True)
    return found


def _configures(chunk: Chunk, function: ast.stmt) -> bool:
    """Whether a function calls something called `configure`; of one that was cut, its body stands in its parts."""
    is_cut = chunk.children is not None and chunk.body == [function]
    statements = [one for part in chunk.parts() for one in part.body] if is_cut else [function]
    return any(
        isinstance(node, ast.Attribute) and node.attr == "configure"
        for statement in statements
        for node in ast.walk(statement)
    )


def _read(evaluator: Evaluator, given: dict[str, Value], target: Value) -> Configured:
    targets = list(target) if isinstance(target, (list, tuple)) else [target]
    found = Configured(
        [one for one in targets if isinstance(one, sqlalchemy.MetaData)],
        bool(targets) and all(isinstance(one, sqlalchemy.MetaData) for one in targets),
        {name: value for name, value in given.items() if type(value) in (bool, str, int)},
    )
    found.include_object = _filter(evaluator, given.get("include_object"))
    found.include_name = _filter(evaluator, given.get("include_name"))
    if "include_symbol" in given:
        found.options["include_symbol"] = True
    return found


def _filter(evaluator: Evaluator, value: Value) -> Callable[..., bool | None] | None:
    """A filter of the user's as a function: None is its answer where the real one is not known."""
    if value is None:
        return None
    if not isinstance(value, Function):
        return lambda *_: None
    run = callback(evaluator, value)

    def ask(*args: Any) -> bool | None:
        try:
            answer = run(*args)
        except Unknown:
            return None
        return bool(answer) if isinstance(answer, (bool, int, str, type(None))) else None

    return ask
