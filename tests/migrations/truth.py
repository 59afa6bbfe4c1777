"""A history run twice: by the real Alembic on SQLite, and replayed without a database. It never holds a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from sqlalchemy_guard.migrations.configured import Configured
from sqlalchemy_guard.migrations.history import history
from sqlalchemy_guard.migrations.replay import replay
from tests.migrations.support import ENV, opened

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy_guard.migrations.replay import Replay
    from sqlalchemy_guard.migrations.state import Schema
    from sqlalchemy_guard.project.workspace import Workspace

REAL_ENV = """\
from alembic import context
from sqlalchemy import create_engine, pool

engine = create_engine(context.config.get_main_option("sqlalchemy.url"), poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=context.config.attributes.get("metadata"))
    with context.begin_transaction():
        context.run_migrations()
"""


def body(id_: str, down: str | None, upgrade: str, before: str = "") -> str:
    """The text of a revision with this upgrade, written without indentation."""
    inner = "".join(f"    {line}\n" if line else "\n" for line in upgrade.strip("\n").split("\n"))
    return (
        f"import sqlalchemy as sa\nfrom alembic import context, op\n\nrevision = {id_!r}\ndown_revision = {down!r}\n{before}\n\n"
        f"def upgrade():\n{inner}\n\ndef downgrade():\n    pass\n"
    )


def chain(*upgrades: str, before: str = "") -> dict[str, str]:
    """The files of a history of one revision behind the other, named `r1`, `r2` …"""
    files = {"alembic/env.py": ENV, "alembic.ini": "[alembic]\nscript_location = alembic\n"}
    for number, upgrade in enumerate(upgrades, 1):
        down = f"r{number - 1}" if number > 1 else None
        files[f"alembic/versions/r{number}.py"] = body(f"r{number}", down, upgrade, before)
    return files


def replayed(folder: Path, files: dict[str, str], dialect: str = "sqlite", metadata: Any = None) -> Replay:
    """The history of these files, replayed."""
    workspace: Workspace = opened(folder, files)
    (environment,) = history(workspace)
    return replay(workspace, environment, dialect, metadata)


class Truth(NamedTuple):
    """What a database looks like after a history.

    Attributes:
        shape: Its tables as plain data.
        differences: What Alembic finds against the models.
    """

    shape: dict[str, Any]
    differences: list[Any]


def executed(folder: Path, files: dict[str, str], metadata: Any = None) -> Truth:
    """The same history run by Alembic on a new SQLite database."""
    place = folder / "real"
    for path, text in files.items():
        target = place / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(REAL_ENV if path.endswith("env.py") else text, encoding="utf-8")
    config = Config()
    config.set_main_option("script_location", str(place / "alembic"))
    url = f"sqlite:///{(place / 'db.sqlite').as_posix()}"
    config.set_main_option("sqlalchemy.url", url)
    config.attributes["metadata"] = metadata
    command.upgrade(config, "head")
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    with engine.connect() as connection:
        differences = []
        if metadata is not None:
            context = MigrationContext.configure(connection, opts={"target_metadata": metadata})
            differences = compare_metadata(context, metadata)
        return Truth(_reflected(sqlalchemy.inspect(connection)), differences)


def _reflected(inspector: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in inspector.get_table_names():
        if name == "alembic_version":
            continue
        found[name] = {
            "columns": {
                column["name"]: (_type(column["type"]), column["nullable"], column["default"] is not None)
                for column in inspector.get_columns(name)
            },
            "primary": tuple(inspector.get_pk_constraint(name)["constrained_columns"]),
            "indexes": {
                (index["name"], tuple(index["column_names"]), bool(index["unique"]))
                for index in inspector.get_indexes(name)
            },
            "uniques": {
                (one["name"], tuple(one["column_names"])) for one in inspector.get_unique_constraints(name)
            },
            "keys": {
                (
                    one["name"],
                    tuple(one["constrained_columns"]),
                    one["referred_table"],
                    tuple(one["referred_columns"]),
                    one.get("options", {}).get("ondelete"),
                )
                for one in inspector.get_foreign_keys(name)
            },
        }
    return found


def _type(type_: Any) -> str:
    return str(type_.compile(dialect=sqlalchemy.dialects.sqlite.dialect())).split(" COLLATE")[0]


def shape_of(schema: Schema) -> dict[str, Any]:
    """Records in the form in which a reflected database is compared with them."""
    found: dict[str, Any] = {}
    for key, table in schema.tables.items():
        found[key[1]] = {
            "columns": {
                column.name: (_type(column.type), column.nullable, column.default is not None)
                for column in table.columns
            },
            "primary": next((one.columns for one in table.of_kind("primary")), ()),
            "indexes": {(index.name, index.columns, index.unique) for index in table.indexes},
            "uniques": {(one.name, one.columns) for one in table.of_kind("unique")},
            "keys": {
                (one.name, one.columns, one.target[1], one.target_columns, dict(one.options).get("ondelete"))
                for one in table.of_kind("foreignkey")
            },
        }
    return found


def nothing_special() -> Configured:
    """What an `env.py` without options configures."""
    return Configured(is_known=True)
