"""A small but rich mapping, and data that shows differences: duplicates, empty collections, NULLs, many rows.

Imports SQLAlchemy; what is tested never does.
"""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import JSON, Column, ForeignKey, Integer, String, Table, create_engine, func, select
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, column_property, mapped_column, relationship
from sqlalchemy.pool import StaticPool


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


MODELS = (
    *(User, Address, Tag, Profile, Order, Line, Node, Company, Contract),
    *(Employee, Manager, Vehicle, Car, Paper, Letter),
)


def fill(session: Session) -> None:
    """The data of every test."""
    session.add_all(
        [
            User(id=1, name="ann", nick="a", settings={"x": 1}),
            User(id=2, name="bob", nick=None, settings=None),
            User(id=3, name="ann", nick="a3", settings={"x": [2]}),
            User(id=4, name="dan", nick=None),
            Address(id=1, email="x", user_id=1),
            Address(id=2, email="y", user_id=1),
            Address(id=3, email="x", user_id=2),
            Address(id=4, email="z", user_id=None),
            Tag(id=1, word="red"),
            Tag(id=2, word="blue"),
            Tag(id=3, word="lone"),
            Profile(id=1, bio="b1", user_id=1),
            Profile(id=2, bio="b2", user_id=1),
            *(Order(id=n, total=n % 3, customer_id=n % 4 or None) for n in range(1, 12)),
            *(Line(order_id=n, number=m, product="p") for n in (1, 2, 3) for m in (1, 2)),
            Node(id=1, name="root"),
            Node(id=2, name="leaf", parent_id=1),
            Node(id=3, name="leaf", parent_id=1),
            Node(id=4, name="deep", parent_id=2),
            Company(id=1, name="acme"),
            Company(id=2, name="void"),
            Contract(id=1, title="c", company_id=1),
            Contract(id=2, title="d", company_id=None),
            Employee(id=1, name="eve", company_id=1),
            Manager(id=2, name="max", company_id=1, bonus=5),
            Manager(id=3, name="mia", company_id=None, bonus=7),
            Vehicle(id=1, wheels=2),
            Car(id=2, wheels=4, doors=5),
            Car(id=3, wheels=4, doors=None),
            Paper(id=1, title="p"),
            Letter(id=1, title="l", stamp="s"),
        ]
    )
    session.flush()
    pairs = [(1, 1), (1, 2), (1, 1), (2, 1)]
    session.execute(user_tags.insert(), [{"user_id": user, "tag_id": tag} for user, tag in pairs])
    session.commit()


def engine(*, empty: bool = False):
    """An in-memory database with the tables and, unless it is to be empty, the data."""
    made = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(made)
    if not empty:
        with Session(made) as session:
            fill(session)
    return made


__all__ = ["MODELS", "Base", "engine", "select", "user_tags", *(model.__name__ for model in MODELS)]
