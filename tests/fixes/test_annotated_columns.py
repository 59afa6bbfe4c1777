"""Annotating columns must not change the schema: both sides are built by SQLAlchemy and compared table by table."""

from __future__ import annotations

import re
import sys
import types
from typing import TYPE_CHECKING

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import configure_mappers
from sqlalchemy.schema import CreateTable

from sqlalchemy_guard.rules.api import Applicability

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import MetaData

    from tests.support.fixture import Project

MODELS = """
import datetime
import enum
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy import JSON, Boolean, Column, Date, DateTime, Enum, Float, ForeignKey, Identity, Index, Integer
from sqlalchemy import Interval, LargeBinary, Numeric, PrimaryKeyConstraint, String, Text, Time, Uuid, func
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.ext.mutable import MutableDict, MutableList
from sqlalchemy.orm import declarative_base, declared_attr, mapped_column, relationship

Base = declarative_base(metadata=sa.MetaData(naming_convention={"pk": "pk_%(table_name)s"}))
Stamp = DateTime(timezone=True)


class Colour(enum.Enum):
    red = 1
    blue = 2


class Trimmed(sa.TypeDecorator):
    impl = String(40)
    cache_ok = True

    def process_result_value(self, value, dialect) -> str | None:
        return value and value.strip()


class Plain(sa.types.TypeDecorator):
    impl = Integer
    cache_ok = True


class Stamps:
    created_at = Column(Stamp, default=datetime.datetime.now, nullable=False)
    updated_at = Column(Stamp, onupdate=func.now())

    @declared_attr
    def owner(cls):
        return Column(Integer)

    @declared_attr
    def parent_key(cls):
        'Where it comes from.'
        return Column("PK", ForeignKey("parent.KEY"), nullable=False, index=True)

    @declared_attr
    def origin(cls):
        return relationship("Parent", foreign_keys=cls.parent_key, remote_side="Parent.key")

    @declared_attr
    def checked(cls):
        name = "checked"
        return Column(name, Boolean)


class Parent(Stamps, Base):
    __tablename__ = "parent"

    id = Column(Integer, primary_key=True)
    key = Column("KEY", Uuid, unique=True, default=uuid4)
    name = Column(String(50), nullable=False, index=True, comment="what it is called")
    nick = sa.Column(sa.Unicode(5), nullable=True)
    text = mapped_column(Text)
    flag = Column(Boolean, server_default=sa.text("false"), nullable=False)
    date = Column(Date)
    due = Column(sa.Date, nullable=False)
    at = Column(Time)
    long = Column(Interval)
    price = Column(Numeric(10, 2))
    ratio = Column(Float)
    exact = Column(Numeric(asdecimal=False))
    raw = Column(LargeBinary)
    data = Column(JSON, nullable=False)
    more = Column(JSON().with_variant(postgresql.JSONB(), "postgresql"))
    extra = Column(MutableDict.as_mutable(JSON))
    tags = Column(MutableList.as_mutable(JSON), nullable=False)
    labels = Column(postgresql.ARRAY(String).with_variant(JSON, "sqlite", "mysql"))
    colour = Column(Enum(Colour), nullable=False)
    shade = Column(Enum("dark", "light", name="shade"))
    tiny = Column(mysql.TINYINT().with_variant(Integer, "sqlite", "postgresql"))
    trimmed = Column(Trimmed)
    plain = Column(Plain, nullable=False)
    kind = Column(String, nullable=False)

    __table_args__ = (Index("ix_low", func.lower(nick)), Index("ix_due", due, date), sa.CheckConstraint("ratio > 0"))
    __mapper_args__ = {"polymorphic_on": kind, "polymorphic_identity": "parent"}
    children = relationship("Child", foreign_keys="Child.parent_id", order_by="Child.rank", back_populates="parent")


class Special(Parent):
    __mapper_args__ = {"polymorphic_identity": "special"}
    only = Column(Integer)


class Child(Base):
    __tablename__ = "child"
    __table_args__ = (PrimaryKeyConstraint("parent_id", "rank"),)

    parent_id = Column(Integer, ForeignKey("parent.id", ondelete="CASCADE"))
    rank = Column(Integer)
    other = Column(ForeignKey("parent.KEY"))
    parent = relationship(Parent, foreign_keys=[parent_id], back_populates="children")


class Token(sa.TypeDecorator[datetime.date]):
    impl = String(40)
    cache_ok = True

    def process_result_value(self, value, dialect):
        return value and datetime.date.fromisoformat(value)


class Grandchild(Base):
    __tablename__ = "grandchild"

    id = Column(postgresql.UUID(as_uuid=False).with_variant(String(36), "sqlite"), primary_key=True)
    follows = Column(sa.ForeignKey("child.other"), nullable=False)
    again = Column(ForeignKey("grandchild.id"))
    early = Column(ForeignKey("numbered.id"), index=True)
    until = Column(Token, nullable=False)
    vector = Column(postgresql.TSVECTOR().with_variant(Text, "sqlite"))
    card = Column(postgresql.MACADDR().with_variant(String, "sqlite"))


class Numbered(Base):
    __tablename__ = "numbered"

    id = Column(Integer, primary_key=True)
    number = Column(Integer, Identity(start=5))
"""


_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def schema(text: str, name: str) -> dict[str, list[str]]:
    """What SQLAlchemy makes of the models: every table in two dialects, and every column in full."""
    module = types.ModuleType(name)
    sys.modules[name] = module
    try:
        exec(compile(text, name, "exec"), module.__dict__)
        configure_mappers()
        metadata: MetaData = module.__dict__["Base"].metadata
        return {
            table.name: [
                _ADDRESS.sub("", line)
                for line in [
                    *(str(CreateTable(table).compile(dialect=d.dialect())) for d in (sqlite, postgresql)),
                    *(
                        f"{column!r} {column.key} {column.default!r:.40} {column.onupdate!r:.40}"
                        for column in table.columns
                    ),
                    *sorted(_ADDRESS.sub("", repr(index)) for index in table.indexes),
                    *sorted(_ADDRESS.sub("", repr(constraint)) for constraint in table.constraints),
                ]
            ]
            for table in metadata.sorted_tables
        }
    finally:
        del sys.modules[name]


def test_annotated_columns_give_the_same_tables(make_project: Callable[..., Project]) -> None:
    for head in ("", "from __future__ import annotations\n"):
        text = head + MODELS
        project = make_project({"models.py": text}, ["SAG202"])
        fixed = project.fixed_by(Applicability.SAFE, ["SAG202"])["models.py"]
        # What a method makes with statements of its own is left to its author.
        left = [line for line in fixed.splitlines() if " Column(" in line and "def" not in line]
        assert [line.strip() for line in left] == ["return Column(name, Boolean)"]
        assert "def parent_key(cls) -> Mapped[UUID]:" in fixed
        assert schema(fixed, "models_after") == schema(text, "models_before")


def test_annotations_say_what_the_columns_hold(make_project: Callable[..., Project]) -> None:
    project = make_project({"models.py": MODELS}, ["SAG202"])
    fixed = project.fixed_by(Applicability.SAFE, ["SAG202"])["models.py"]
    for expected in (
        "id: Mapped[int] = mapped_column(Integer, primary_key=True)",
        "date: Mapped[datetime.date | None] = mapped_column(Date)",
        "tags: Mapped[list[Any]] = mapped_column(",
        "extra: Mapped[dict[str, Any] | None] = mapped_column(",
        "colour: Mapped[Colour] = mapped_column(Enum(Colour), nullable=False)",
        "exact: Mapped[float | None] = mapped_column(Numeric(asdecimal=False))",
        "trimmed: Mapped[str | None] = mapped_column(Trimmed)",
        "plain: Mapped[int] = mapped_column(Plain, nullable=False)",
        "rank: Mapped[int] = mapped_column(Integer)",
        'other: Mapped[UUID | None] = mapped_column(ForeignKey("parent.KEY"))',
        'follows: Mapped[UUID] = mapped_column(sa.ForeignKey("child.other"), nullable=False)',
        'again: Mapped[str | None] = mapped_column(ForeignKey("grandchild.id"))',
        'early: Mapped[int | None] = mapped_column(ForeignKey("numbered.id"), index=True)',
        "until: Mapped[datetime.date] = mapped_column(Token, nullable=False)",
        "number: Mapped[int] = mapped_column(Integer, Identity(start=5))",
    ):
        assert expected in fixed, f"{expected}\n{fixed}"
