import datetime
import decimal
import enum
import uuid
from typing import Annotated, Any, Literal, NewType, Optional

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, MetaData, String, UniqueConstraint, func, text
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    backref,
    column_property,
    declared_attr,
    mapped_column,
    relationship,
    synonym,
)
from sqlalchemy.schema import conv
from sqlalchemy.testing.schema import mapped_column as column_for_tests

intpk = Annotated[int, mapped_column(primary_key=True)]
str50 = Annotated[str, 50]
required_name = Annotated[str, mapped_column(String(30), nullable=False, index=True)]
UserId = NewType("UserId", int)


class Status(enum.Enum):
    active = "a"
    gone = "g"


class Kind(str, enum.Enum):
    SMALL = "small"
    LARGE = "large"


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        str: String(200),
        datetime.datetime: sa.DateTime(timezone=True),
        dict[str, Any]: pg.JSONB,
        UserId: sa.BigInteger,
        decimal.Decimal: sa.Numeric(10, 2),
    }


class Stamped:
    created: Mapped[datetime.datetime] = mapped_column(
        default=datetime.datetime.utcnow, server_default=func.now()
    )
    updated: Mapped[datetime.datetime | None] = mapped_column(onupdate=func.now())


class Named:
    @declared_attr.directive
    def __tablename__(cls) -> str:
        return cls.__name__.lower() + "s"

    @declared_attr
    def owner_id(cls) -> Mapped[int | None]:
        return mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))

    @declared_attr
    def owner(cls) -> Mapped[Optional["Account"]]:
        return relationship("Account", foreign_keys=[cls.owner_id])


class Account(Stamped, Base):
    __tablename__ = "accounts"
    __table_args__ = (
        UniqueConstraint("name", "email"),
        Index("ix_lower", func.lower("name"), unique=True),
        sa.CheckConstraint("id > 0", name="positive"),
        {"comment": "all accounts"},
    )

    id: Mapped[intpk]
    name: Mapped[required_name]
    email: Mapped[str | None] = mapped_column(unique=True, comment="where to write")
    balance: Mapped[decimal.Decimal] = mapped_column(server_default=text("0"))
    status: Mapped[Status] = mapped_column(default=Status.active)
    kind: Mapped[Kind | None]
    raw: Mapped[Kind] = mapped_column(
        sa.Enum(Kind, name="raw_kind", values_callable=lambda e: [m.value for m in e], native_enum=False)
    )
    level: Mapped[Literal["low", "high"]]
    extra: Mapped[dict[str, Any]]
    token: Mapped[uuid.UUID] = mapped_column(default=uuid.uuid4)
    other: Mapped[UserId]
    flag: Mapped[bool] = mapped_column(server_default=sa.false())
    tags: Mapped[list[str]] = mapped_column(pg.ARRAY(String))
    shown = synonym("name")
    size = column_property(sa.literal(1))
    members: Mapped[list["Member"]] = relationship(
        back_populates="account",
        foreign_keys="Member.account_id",
        order_by="Member.id.desc()",
        cascade="all, delete-orphan",
    )
    partner_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    partner: Mapped[Optional["Account"]] = relationship(
        remote_side="Account.id", backref=backref("partners", lazy="selectin")
    )

    @hybrid_property
    def upper(self) -> str:
        return self.name.upper()

    @upper.inplace.expression
    @classmethod
    def _upper(cls):
        return func.upper(cls.name)


class Member(Named, Base):
    id: Mapped[intpk]
    account_id: Mapped[int] = mapped_column(ForeignKey(Account.id))
    account: Mapped[Account] = relationship(
        back_populates="members", primaryjoin="Member.account_id == Account.id", lazy="joined"
    )
    groups: Mapped[set["Group"]] = relationship(secondary="member_groups", back_populates="members")


class Group(Named, Base):
    id: Mapped[intpk]
    members: Mapped[list[Member]] = relationship(secondary=lambda: member_groups, back_populates="groups")


member_groups = sa.Table(
    "member_groups",
    Base.metadata,
    sa.Column("member_id", ForeignKey("members.id"), primary_key=True),
    sa.Column("group_id", sa.ForeignKey("groups.id"), primary_key=True),
)


class Data(MappedAsDataclass, DeclarativeBase):
    pass


class Point(Data, kw_only=True):
    __tablename__ = "points"
    id: Mapped[int] = mapped_column(init=False, primary_key=True)
    x: Mapped[float] = mapped_column(default=1.5, kw_only=True)
    y: Mapped[float | None] = mapped_column(default=None, repr=False)


class Animal(Base):
    __tablename__ = "animals"
    id: Mapped[intpk]
    type: Mapped[str50]
    __mapper_args__ = {"polymorphic_on": "type", "polymorphic_identity": "animal"}


class Dog(Animal):
    barks: Mapped[bool | None]
    __mapper_args__ = {"polymorphic_identity": "dog"}


class Cat(Animal):
    __tablename__ = "cats"
    id: Mapped[int] = mapped_column(ForeignKey("animals.id"), primary_key=True)
    lives: Mapped[int] = mapped_column(default=9)
    __mapper_args__ = {"polymorphic_identity": Kind.SMALL}


class Concrete(Animal):
    __tablename__ = "concretes"
    id: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str]
    __mapper_args__ = {"concrete": True}


class Checked(Base):
    __tablename__ = "checked"
    __table_args__ = (CheckConstraint("id > 0", name=conv("positive")),)
    id: Mapped[int] = column_for_tests(Integer, primary_key=True)
