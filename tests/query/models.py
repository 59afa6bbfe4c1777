"""A small but rich mapping, as SQLAlchemy 2 declares it. `models_classic` is the same mapping as 1.4 declares it.

Imports SQLAlchemy; what is tested never does.
"""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import (
    JSON,
    Column,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    String,
    Table,
    Text,
    func,
    select,
)
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    backref,
    column_property,
    deferred,
    mapped_column,
    relationship,
    synonym,
)


class Base(DeclarativeBase):
    pass


# No primary key: the same pair may stand in it twice.
user_tags = Table(
    "user_tags",
    Base.metadata,
    Column("user_id", ForeignKey("users.id")),
    Column("tag_id", ForeignKey("tags.id")),
)


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(30))
    nick: Mapped[str | None] = mapped_column(String(30))
    settings: Mapped[dict | None] = mapped_column(JSON)
    addresses: Mapped[list[Address]] = relationship(back_populates="user", order_by="Address.id")
    tags: Mapped[list[Tag]] = relationship(secondary=user_tags, back_populates="users")
    profile: Mapped[Profile | None] = relationship(back_populates="user", uselist=False)
    orders: Mapped[list[Order]] = relationship(
        back_populates="customer", lazy="selectin", order_by="Order.id"
    )
    name_length: Mapped[int] = column_property(func.length(name))
    words: AssociationProxy[list[str]] = association_proxy("tags", "word")
    called = synonym("name")

    @hybrid_property
    def shout(self) -> str:
        return self.name + "!"


class Address(Base):
    __tablename__ = "addresses"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(30))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    user: Mapped[User | None] = relationship(back_populates="addresses")


class Tag(Base):
    __tablename__ = "tags"
    id: Mapped[int] = mapped_column(primary_key=True)
    word: Mapped[str] = mapped_column(String(30))
    uses: Mapped[int] = column_property(
        select(func.count())
        .select_from(user_tags)
        .where(user_tags.c.tag_id == id)
        .correlate_except(user_tags)
        .scalar_subquery()
    )
    users: Mapped[list[User]] = relationship(secondary=user_tags, back_populates="tags")


class Profile(Base):
    """Two rows of one user: the mapping says one, the database does not."""

    __tablename__ = "profiles"
    id: Mapped[int] = mapped_column(primary_key=True)
    bio: Mapped[str] = mapped_column(String(30))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    user: Mapped[User] = relationship(back_populates="profile")


class Order(Base):
    """Loads its customer by a join: to one row, which adds none."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    total: Mapped[int]
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    customer: Mapped[User | None] = relationship(back_populates="orders", lazy="joined")
    lines: Mapped[list[Line]] = relationship(back_populates="order", order_by="Line.number")


class Line(Base):
    __tablename__ = "lines"
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    product: Mapped[str] = mapped_column(String(30))
    order: Mapped[Order] = relationship(back_populates="lines")


class Node(Base):
    __tablename__ = "nodes"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(30))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("nodes.id"))
    parent: Mapped[Node | None] = relationship(back_populates="children", remote_side="Node.id")
    children: Mapped[list[Node]] = relationship(back_populates="parent", order_by="Node.id")


class Company(Base):
    """Loads its employees by a join: every query of it needs unique()."""

    __tablename__ = "companies"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(30))
    employees: Mapped[list[Employee]] = relationship(
        back_populates="company", lazy="joined", order_by="Employee.id"
    )


class Contract(Base):
    """Loads its company by a join, and through it the employees."""

    __tablename__ = "contracts"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(30))
    company_id: Mapped[int | None] = mapped_column(ForeignKey("companies.id"))
    company: Mapped[Company | None] = relationship(lazy="joined")


class Employee(Base):
    __tablename__ = "employees"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(30))
    kind: Mapped[str] = mapped_column(String(30))
    company_id: Mapped[int | None] = mapped_column(ForeignKey("companies.id"))
    company: Mapped[Company | None] = relationship(back_populates="employees")
    __mapper_args__: ClassVar = {"polymorphic_on": "kind", "polymorphic_identity": "employee"}


class Manager(Employee):
    __tablename__ = "managers"
    id: Mapped[int] = mapped_column(ForeignKey("employees.id"), primary_key=True)
    bonus: Mapped[int]
    __mapper_args__: ClassVar = {"polymorphic_identity": "manager"}


class Vehicle(Base):
    __tablename__ = "vehicles"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(30))
    wheels: Mapped[int]
    __mapper_args__: ClassVar = {"polymorphic_on": "kind", "polymorphic_identity": "vehicle"}


class Car(Vehicle):
    doors: Mapped[int | None]
    __mapper_args__: ClassVar = {"polymorphic_identity": "car"}


class Paper(Base):
    __tablename__ = "papers"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(30))


class Letter(Paper):
    __tablename__ = "letters"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    title: Mapped[str] = mapped_column(String(30))
    stamp: Mapped[str] = mapped_column(String(30))
    __mapper_args__: ClassVar = {"concrete": True}


class Part(Base):
    """Refers to a composite key."""

    __tablename__ = "parts"
    __table_args__ = (ForeignKeyConstraint(["order_id", "number"], ["lines.order_id", "lines.number"]),)
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int | None]
    number: Mapped[int | None]
    line: Mapped[Line | None] = relationship(backref=backref("parts", lazy="subquery"))


class Person(Base):
    """Knows others, and is known by them: many-to-many with itself."""

    __tablename__ = "persons"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(30))
    mood: Mapped[str | None] = mapped_column(Enum("glad", "sad", name="moods"))
    note: Mapped[str | None] = deferred(mapped_column(Text))
    friends: Mapped[list[Person]] = relationship(
        secondary=lambda: friendships,
        primaryjoin=lambda: Person.id == friendships.c.left_id,
        secondaryjoin=lambda: Person.id == friendships.c.right_id,
        backref="admirers",
    )


friendships = Table(
    "friendships",
    Base.metadata,
    Column("left_id", ForeignKey("persons.id"), primary_key=True),
    Column("right_id", ForeignKey("persons.id"), primary_key=True),
)


class Shape(Base):
    """Its queries join every subclass."""

    __tablename__ = "shapes"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(30))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    person: Mapped[Person | None] = relationship(lazy="selectin")
    __mapper_args__: ClassVar = {
        "polymorphic_on": "kind",
        "polymorphic_identity": "shape",
        "with_polymorphic": "*",
    }


class Circle(Shape):
    __tablename__ = "circles"
    id: Mapped[int] = mapped_column(ForeignKey("shapes.id"), primary_key=True)
    radius: Mapped[int]
    __mapper_args__: ClassVar = {"polymorphic_identity": "circle"}


MODELS = (
    *(User, Address, Tag, Profile, Order, Line, Node, Company, Contract),
    *(Employee, Manager, Vehicle, Car, Paper, Letter, Part, Person, Shape, Circle),
)


__all__ = ["MODELS", "Base", "friendships", "select", "user_tags", *(model.__name__ for model in MODELS)]
