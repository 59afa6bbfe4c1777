"""`schema`: the DDL and the data of rebuilt models."""

from __future__ import annotations

import builtins
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from sqlalchemy_guard.cli.main import main
from sqlalchemy_guard.sql import ddl, models
from tests.support.fixture import Project

SOURCES = Path(__file__).with_name("models")

MODELS = """
import enum
from elsewhere import Secret
from sqlalchemy import ForeignKey, Index, String, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Color(enum.Enum):
    red = "r"
    blue = "b"


class User(Base):
    __tablename__ = "users"
    __table_args__ = (Index("ix_low", func.lower("name")),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), comment="shown to all")
    color: Mapped[Color]
    secret = mapped_column(Secret, nullable=False)
    boss_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
"""


def written(tmp_path: Path, text: str = MODELS) -> Path:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (tmp_path / "models.py").write_text(text)
    return tmp_path


def test_sql(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", str(written(tmp_path))]) == 0
    out = capsys.readouterr().out
    assert out == (
        "CREATE TYPE color AS ENUM ('red', 'blue');\n\n"
        "-- users.secret: its type (Secret) could not be told\n"
        "CREATE TABLE users (\n"
        "    id SERIAL NOT NULL,\n"
        "    name VARCHAR(50) NOT NULL,\n"
        "    secret UNKNOWN NOT NULL,\n"
        "    color color NOT NULL,\n"
        "    boss_id INTEGER,\n"
        "    PRIMARY KEY (id),\n"
        "    FOREIGN KEY(boss_id) REFERENCES users (id) ON DELETE SET NULL\n"
        ");\n\n"
        "CREATE INDEX ix_low ON users (lower('name'));\n\n"
        "COMMENT ON COLUMN users.name IS 'shown to all';\n\n"
    )


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", str(written(tmp_path)), "--format", "json"]) == 0
    (table,) = json.loads(capsys.readouterr().out)
    assert (table["name"], table["model"], table["base"], table["row"]) == ("users", "User", "Base", 17)
    assert table["unknown"] == ["users.secret: its type (Secret) could not be told"]
    columns = {column["name"]: column for column in table["columns"]}
    assert columns["secret"]["type"] is None
    assert columns["boss_id"]["foreign_keys"] == ["users.id"]
    assert (columns["name"]["type"], columns["name"]["row"]) == ("String(length=50)", 21)


def test_without_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", str(written(tmp_path, "x = 1\n"))]) == 2
    assert "no models under" in capsys.readouterr().err


def test_without_sqlalchemy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **keywords: Any) -> Any:
        if name == "sqlalchemy":
            raise ImportError(name)
        return real(name, *args, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    assert main(["schema", str(written(tmp_path))]) == 2
    assert "install sqlalchemy-guard[schema]" in capsys.readouterr().err


@pytest.mark.parametrize("dialect", ddl.DIALECTS)
@pytest.mark.parametrize("name", ["declarative", "legacy", "flask_models", "sql_models"])
def test_every_dialect_says_every_table(tmp_path: Path, name: str, dialect: str) -> None:
    schema = models.rebuild(Project(tmp_path, {"main.py": (SOURCES / f"{name}.py").read_text()}).workspace)
    created = [one for one in ddl.statements(schema, dialect) if "CREATE TABLE" in one]
    refused = [
        one
        for one in ddl.statements(schema, dialect)
        if one.startswith("-- ") and "CREATE" not in one and ": " in one
    ]
    assert len(created) + len([one for one in refused if " tables" not in one]) >= len(schema.tables)


def test_sqlite_takes_what_is_said(tmp_path: Path) -> None:
    schema = models.rebuild(
        Project(tmp_path, {"main.py": (SOURCES / "flask_models.py").read_text()}).workspace
    )
    connection = sqlite3.connect(":memory:")
    for statement in ddl.statements(schema, "sqlite"):
        connection.execute(statement)
    names = {row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")}
    assert names == {"blog_post", "post_tags", "tag", "http_server_log"}
    connection.close()


ELSEWHERE = """
from sqlalchemy import Enum, ForeignKey, Integer
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Other(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    __table_args__ = {"schema": "people"}
    id: Mapped[int] = mapped_column(primary_key=True)
    role_id: Mapped[int] = mapped_column(Integer, ForeignKey("library_roles.id"))
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    boss_id: Mapped[int | None] = mapped_column(ForeignKey("people.users.id"))
    state = mapped_column(Enum("a", "b", name="states"))


class Job(Other):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    state = mapped_column(Enum("a", "b", name="states"))
"""


def test_keys_to_tables_of_others(tmp_path: Path) -> None:
    """They are left out, and said to be; schemas and types come first, and once."""
    schema = models.rebuild(Project(tmp_path, {"main.py": ELSEWHERE}).workspace)
    made = list(ddl.statements(schema, "postgresql"))
    kinds = [
        next(line for line in one.splitlines() if not line.startswith("--"))
        for one in made
        if "CREATE" in one
    ]
    assert kinds == [
        "CREATE SCHEMA IF NOT EXISTS people",
        "CREATE TYPE states AS ENUM ('a', 'b')",
        "CREATE TABLE people.users (",
        "CREATE TABLE jobs (",
    ]
    (users,) = (one for one in made if "people.users (" in one)
    assert "-- people.users: the foreign key to library_roles.id is left out: no model has that\n" in users
    assert "-- people.users.team_id: its type (of what it refers to) could not be told\n" in users
    assert "role_id INTEGER NOT NULL" in users
    assert users.count("FOREIGN KEY") == 1
    assert any("CREATE TABLE" in one and "users" in one for one in ddl.statements(schema, "sqlite"))
