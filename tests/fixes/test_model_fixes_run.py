"""Fixes of models are run: both sides are built by SQLAlchemy, and their tables and rows compared."""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, configure_mappers
from sqlalchemy.schema import CreateIndex, CreateTable

from sqlalchemy_guard.rules.api import Applicability

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.fixture import Project

RENAMED = """\
from sqlalchemy import Column, ForeignKey, Index, Integer, String, UniqueConstraint, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"
    __table_args__ = (UniqueConstraint("fullName", "age"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    fullName: Mapped[str] = mapped_column(String(50), index=True)
    age: Mapped[int] = mapped_column()
    lastSeen = Column(Integer)
    Index("ix_both", lastSeen, age)


class Pet(Base):
    __tablename__ = "pet"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(ForeignKey("user.fullName"))


def ask(session):
    session.add(User(fullName="Ada", age=3, lastSeen=7))
    session.flush()
    user = session.scalars(select(User).where(User.fullName == "Ada", User.lastSeen > 1)).one()
    return user.age, session.execute(select(User.fullName, User.lastSeen)).one()
"""

STAMPED = """\
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class One(Base):
    __tablename__ = "one"
    id: Mapped[int] = mapped_column(primary_key=True)


class Two(Base):
    __tablename__ = "two"
    id: Mapped[int] = mapped_column(primary_key=True)


class Three(Base):
    __tablename__ = "three"
    id: Mapped[int] = mapped_column(primary_key=True)


class Four(Base):
    __tablename__ = "four"
    id: Mapped[int] = mapped_column(primary_key=True)
"""


@pytest.fixture
def run() -> Iterator[Callable[[str], dict[str, Any]]]:
    """Runs a text as a module of its own; gives its names."""
    made: list[str] = []

    def execute(text: str) -> dict[str, Any]:
        name = f"models_that_ran_{len(made)}"
        module = types.ModuleType(name)
        sys.modules[name] = module
        made.append(name)
        exec(compile(text, name, "exec"), module.__dict__)
        configure_mappers()
        return module.__dict__

    yield execute
    for name in made:
        del sys.modules[name]


def tables(base: Any) -> list[str]:
    """Everything that the database sees of the models."""
    return [
        str(made.compile(dialect=dialect.dialect()))
        for table in base.metadata.sorted_tables
        for dialect in (sqlite, postgresql)
        for made in (
            CreateTable(table),
            *map(CreateIndex, sorted(table.indexes, key=lambda each: str(each.name))),
        )
    ]


def test_renamed_attributes_keep_tables_and_rows(
    make_project: Callable[..., Project], run: Callable[[str], dict[str, Any]]
) -> None:
    fixed = make_project({"models.py": RENAMED}, ["SAG206"]).fixed_by(Applicability.SAFE, ["SAG206"])[
        "models.py"
    ]
    assert "fullName:" not in fixed
    assert "User.last_seen > 1" in fixed
    before, after = run(RENAMED), run(fixed)
    assert tables(after["Base"]) == tables(before["Base"])
    answers = []
    for names in (before, after):
        engine = create_engine("sqlite://")
        names["Base"].metadata.create_all(engine)
        with Session(engine) as session:
            age, row = names["ask"](session)
            answers.append((age, tuple(row)))
        engine.dispose()
    assert answers == [(3, ("Ada", 7))] * 2


def test_the_mixin_sets_both_timestamps(
    make_project: Callable[..., Project], run: Callable[[str], dict[str, Any]]
) -> None:
    codes = ["SAG207", "SAG208"]
    fixed = make_project({"models.py": STAMPED}, codes).fixed_by(Applicability.UNSAFE, codes)["models.py"]
    assert fixed.count("created_at") == 1, "one mixin, not a pair of columns in each class"
    names = run(fixed)
    engine = create_engine("sqlite://")
    names["Base"].metadata.create_all(engine)
    assert {column["name"] for column in inspect(engine).get_columns("three")} == {
        "id",
        "created_at",
        "updated_at",
    }
    with Session(engine) as session:
        session.add(row := names["Three"]())
        session.commit()
        assert row.created_at is not None
        assert row.updated_at is not None
    engine.dispose()
