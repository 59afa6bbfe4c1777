"""Tables across files: names, schemas, columns, which `MetaData`, and what is still true after an edit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sqlalchemy_guard.project.tables import Table, all_tables, is_closed, place_of, tables_named
from sqlalchemy_guard.project.types import Instance
from tests.support.fixture import Project

if TYPE_CHECKING:
    from pathlib import Path

BASE = """\
from datetime import datetime
from typing import Annotated

from sqlalchemy import ForeignKey, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

key = Annotated[int, mapped_column(primary_key=True)]
owner = Annotated[int, mapped_column(ForeignKey("user.id"), index=True)]


class Base(DeclarativeBase):
    metadata = MetaData(schema="app")


class Stamps:
    made: Mapped[datetime]

    @declared_attr
    def by(cls) -> Mapped[int]:
        return mapped_column("made_by", ForeignKey("user.id"), nullable=True)
"""


def tables(tmp_path: Path, files: dict[str, str]) -> dict[str, Table]:
    found = all_tables(Project(tmp_path, files).workspace)
    return {table.name or "?": table for table in found}


def test_mixins_annotated_types_and_schemas(tmp_path: Path) -> None:
    found = tables(
        tmp_path,
        {
            "base.py": BASE,
            "models.py": """\
from base import Base, Stamps, key, owner
from sqlalchemy import Column, ForeignKey, Index, Integer, Table, UniqueConstraint
from sqlalchemy.orm import Mapped, deferred, mapped_column


class User(Base):
    __tablename__ = "user"
    __table_args__ = {"schema": "app"}

    id: Mapped[key]
    name: Mapped[str | None]
    photo = deferred(Column("picture", Integer, nullable=False))


class Order(Stamps, Base):
    __tablename__ = "order"
    __table_args__ = (UniqueConstraint("user_id", "made"), Index("ix", "made_by"), {"schema": "sales"})

    id: Mapped[key]
    user_id: Mapped[owner]


Order.late = Column(Integer)
tags = Table("tags", Base.metadata, Column("order_id", ForeignKey("sales.order.id"), primary_key=True))
""",
        },
    )
    user, order, tags = found["user"], found["order"], found["tags"]
    assert user.schema is None, "the schema of the MetaData is the default one"
    assert order.schema == "sales"
    assert list(user.columns) == ["id", "name", "picture"]
    assert [user.columns[name].nullable for name in user.columns] == [False, True, False]
    assert [each.name for each in user.primary_key()] == ["id"]
    assert list(order.columns) == ["id", "user_id", "late", "made", "made_by"]
    assert order.columns["made_by"].attribute == "by"
    assert order.columns["made_by"].nullable is True
    assert order.columns["user_id"].flag("index") is True
    assert order.columns["user_id"].python == Instance("builtins.int")
    assert [key.text for key in order.columns["user_id"].foreign_keys] == ["user.id"]
    assert [(each.kind, each.columns) for each in order.constraints] == [
        ("unique", ("user_id", "made")),
        ("index", ("made_by",)),
    ]
    assert {table.metadata for table in found.values()} == {user.metadata}
    assert tags.columns["order_id"].primary_key
    assert all(table.is_complete and table.has_all_arguments for table in found.values())


def test_inheritance(tmp_path: Path) -> None:
    found = tables(
        tmp_path,
        {
            "base.py": BASE,
            "people.py": """\
from base import Base, key
from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column


class Record(Base):
    __abstract__ = True
    number: Mapped[int]


class Person(Record):
    __tablename__ = "person"
    id: Mapped[key]
    kind: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind"}


class Guest(Person):
    nights: Mapped[int | None]


class Member(Person):
    __tablename__ = "member"
    id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    since: Mapped[int]


class Stranger(Person):
    __tablename__ = "stranger"
    __mapper_args__ = {"concrete": True}
    id: Mapped[key]
""",
        },
    )
    assert sorted(found) == ["member", "person", "stranger"]
    assert list(found["person"].columns) == ["id", "kind", "number", "nights"]
    assert [name for _, name in found["person"].classes] == ["Person", "Guest"]
    assert list(found["member"].columns) == ["id", "since"]
    assert list(found["stranger"].columns) == ["id"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return cls.__name__.lower()", "httplogentry"),
        ('return f"app_{cls.__name__.lower()}s"', "app_httplogentrys"),
        ('return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()', "h_t_t_p_log_entry"),
        ('return CAMEL.sub("_", cls.__name__).lower()', "http_log_entry"),
        ("return helper(cls.__name__)", "log-entry"),
        (
            'if has_inherited_table(cls):\n            return None\n        return "t_" + cls.__name__',
            "t_HTTPLogEntry",
        ),
        ("return inflect(cls.__name__)", None),
        ('return re.sub("(a+)+$", "", cls.__name__)', None),
        ("while True:\n            pass", None),
    ],
)
def test_names_that_functions_make(tmp_path: Path, body: str, expected: str | None) -> None:
    found = tables(
        tmp_path,
        {
            "helpers.py": """\
import re


def helper(name):
    \"\"\"Without the first word.\"\"\"
    words = re.split("(?=[A-Z][a-z])", name)
    return "-".join([word.lower() for word in words if not word.startswith("HTTP")])
""",
            "models.py": f"""\
import re

from helpers import helper
from inflection import underscore as inflect
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, has_inherited_table, mapped_column

CAMEL = re.compile("(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Base(DeclarativeBase):
    @declared_attr.directive
    def __tablename__(cls) -> str:
        {body}


class HTTPLogEntry(Base):
    id: Mapped[int] = mapped_column(primary_key=True)
""",
        },
    )
    assert list(found) == [expected or "?"]


def test_flask_and_sqlmodel_name_tables_themselves(tmp_path: Path) -> None:
    found = tables(
        tmp_path,
        {
            "shop.py": """\
from flask_sqlalchemy import SQLAlchemy
from sqlmodel import Field, SQLModel

db = SQLAlchemy()


class OrderItem(db.Model):
    id = db.Column(db.Integer, primary_key=True)


class Remote(db.Model):
    __bind_key__ = "other"
    id = db.Column(db.Integer, primary_key=True)


class HeroTeam(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(index=True)
    age: int | None = None


links = db.Table("links", db.Column("item_id", db.ForeignKey("order_item.id")))
""",
        },
    )
    assert sorted(found) == ["heroteam", "links", "order_item", "remote"]
    assert found["links"].metadata == found["order_item"].metadata
    assert found["remote"].metadata != found["order_item"].metadata
    assert [column.nullable for column in found["heroteam"].columns.values()] == [False, False, True]


def test_two_bases_are_two_worlds(tmp_path: Path) -> None:
    text = """\
from sqlalchemy import Column, Integer
from sqlalchemy.orm import declarative_base

Base = declarative_base()


class User(Base):
    __tablename__ = "user"
    id = Column(Integer, primary_key=True)
"""
    workspace = Project(tmp_path, {"one.py": text, "two.py": text}).workspace
    one, two = tables_named(workspace, "user")
    assert one.metadata != two.metadata
    assert one.metadata is not None
    assert is_closed(workspace, one.metadata)
    place = place_of(workspace, two)
    assert place is not None
    assert place.node.lineno == 7


@pytest.mark.parametrize(
    ("more", "closed"),
    [
        ("", True),
        ("Base.metadata.reflect(engine)", False),
        ("MetaData().reflect(engine)", True),
        ("Table(make(), Base.metadata)", False),
        ("class Other(Base):\n    __tablename__ = make()\n    id = Column(Integer, primary_key=True)", False),
    ],
)
def test_what_may_hold_tables_that_nobody_sees(tmp_path: Path, more: str, closed: bool) -> None:
    project = Project(
        tmp_path,
        {
            "models.py": f"""\
from settings import engine, make
from sqlalchemy import Column, Integer, MetaData, Table
from sqlalchemy.orm import declarative_base

Base = declarative_base()


class User(Base):
    __tablename__ = "user"
    id = Column(Integer, primary_key=True)


{more}
"""
        },
    )
    (user,) = tables_named(project.workspace, "user")
    assert user.metadata is not None
    assert is_closed(project.workspace, user.metadata) is closed
