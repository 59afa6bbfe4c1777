"""The mapping of `models` as SQLAlchemy 1.4 declares it: `Column` in every class, nothing annotated.

Imports SQLAlchemy; what is tested never does.
"""

# ruff: noqa: RUF012
from __future__ import annotations

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
from sqlalchemy.ext.associationproxy import association_proxy
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import backref, column_property, declarative_base, deferred, relationship, synonym

Base = declarative_base()

# No primary key: the same pair may stand in it twice.
user_tags = Table(
    "user_tags",
    Base.metadata,
    Column("user_id", ForeignKey("users.id")),
    Column("tag_id", ForeignKey("tags.id")),
)


class User(Base):
    __tablename__ = "users"
    id = Column(Integer, primary_key=True)
    name = Column(String(30), nullable=False)
    nick = Column(String(30))
    settings = Column(JSON)
    addresses = relationship("Address", back_populates="user", order_by="Address.id")
    tags = relationship("Tag", secondary=user_tags, back_populates="users")
    profile = relationship("Profile", back_populates="user", uselist=False)
    orders = relationship("Order", back_populates="customer", lazy="selectin", order_by="Order.id")
    name_length = column_property(func.length(name))
    words = association_proxy("tags", "word")
    called = synonym("name")

    @hybrid_property
    def shout(self):
        return self.name + "!"


class Address(Base):
    __tablename__ = "addresses"
    id = Column(Integer, primary_key=True)
    email = Column(String(30), nullable=False)
    user_id = Column(Integer, ForeignKey("users.id"))
    user = relationship("User", back_populates="addresses")


class Tag(Base):
    __tablename__ = "tags"
    id = Column(Integer, primary_key=True)
    word = Column(String(30), nullable=False)
    uses = column_property(
        select(func.count())
        .select_from(user_tags)
        .where(user_tags.c.tag_id == id)
        .correlate_except(user_tags)
        .scalar_subquery()
    )
    users = relationship("User", secondary=user_tags, back_populates="tags")


class Profile(Base):
    """Two rows of one user: the mapping says one, the database does not."""

    __tablename__ = "profiles"
    id = Column(Integer, primary_key=True)
    bio = Column(String(30), nullable=False)
    user_id = Column(Integer, ForeignKey("users.id"), nullable=False)
    user = relationship("User", back_populates="profile")


class Order(Base):
    """Loads its customer by a join: to one row, which adds none."""

    __tablename__ = "orders"
    id = Column(Integer, primary_key=True)
    total = Column(Integer, nullable=False)
    customer_id = Column(Integer, ForeignKey("users.id"))
    customer = relationship("User", back_populates="orders", lazy="joined")
    lines = relationship("Line", back_populates="order", order_by="Line.number")


class Line(Base):
    __tablename__ = "lines"
    order_id = Column(Integer, ForeignKey("orders.id"), primary_key=True)
    number = Column(Integer, primary_key=True)
    product = Column(String(30), nullable=False)
    order = relationship("Order", back_populates="lines")


class Node(Base):
    __tablename__ = "nodes"
    id = Column(Integer, primary_key=True)
    name = Column(String(30), nullable=False)
    parent_id = Column(Integer, ForeignKey("nodes.id"))
    parent = relationship("Node", back_populates="children", remote_side="Node.id")
    children = relationship("Node", back_populates="parent", order_by="Node.id")


class Company(Base):
    """Loads its employees by a join: every query of it needs unique()."""

    __tablename__ = "companies"
    id = Column(Integer, primary_key=True)
    name = Column(String(30), nullable=False)
    employees = relationship("Employee", back_populates="company", lazy="joined", order_by="Employee.id")


class Contract(Base):
    """Loads its company by a join, and through it the employees."""

    __tablename__ = "contracts"
    id = Column(Integer, primary_key=True)
    title = Column(String(30), nullable=False)
    company_id = Column(Integer, ForeignKey("companies.id"))
    company = relationship("Company", lazy="joined")


class Employee(Base):
    __tablename__ = "employees"
    id = Column(Integer, primary_key=True)
    name = Column(String(30), nullable=False)
    kind = Column(String(30), nullable=False)
    company_id = Column(Integer, ForeignKey("companies.id"))
    company = relationship("Company", back_populates="employees")
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "employee"}


class Manager(Employee):
    __tablename__ = "managers"
    id = Column(Integer, ForeignKey("employees.id"), primary_key=True)
    bonus = Column(Integer, nullable=False)
    __mapper_args__ = {"polymorphic_identity": "manager"}


class Vehicle(Base):
    __tablename__ = "vehicles"
    id = Column(Integer, primary_key=True)
    kind = Column(String(30), nullable=False)
    wheels = Column(Integer, nullable=False)
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "vehicle"}


class Car(Vehicle):
    doors = Column(Integer)
    __mapper_args__ = {"polymorphic_identity": "car"}


class Paper(Base):
    __tablename__ = "papers"
    id = Column(Integer, primary_key=True)
    title = Column(String(30), nullable=False)


class Letter(Paper):
    __tablename__ = "letters"
    id = Column(Integer, primary_key=True)
    title = Column(String(30), nullable=False)
    stamp = Column(String(30), nullable=False)
    __mapper_args__ = {"concrete": True}


class Part(Base):
    """Refers to a composite key."""

    __tablename__ = "parts"
    __table_args__ = (ForeignKeyConstraint(["order_id", "number"], ["lines.order_id", "lines.number"]),)
    id = Column(Integer, primary_key=True)
    order_id = Column(Integer)
    number = Column(Integer)
    line = relationship("Line", backref=backref("parts", lazy="subquery"))


friendships = Table(
    "friendships",
    Base.metadata,
    Column("left_id", ForeignKey("persons.id"), primary_key=True),
    Column("right_id", ForeignKey("persons.id"), primary_key=True),
)


class Person(Base):
    """Knows others, and is known by them: many-to-many with itself."""

    __tablename__ = "persons"
    id = Column(Integer, primary_key=True)
    name = Column(String(30), nullable=False)
    mood = Column(Enum("glad", "sad", name="moods"))
    note = deferred(Column(Text))
    friends = relationship(
        "Person",
        secondary=friendships,
        primaryjoin=id == friendships.c.left_id,
        secondaryjoin=id == friendships.c.right_id,
        backref="admirers",
    )


class Shape(Base):
    """Its queries join every subclass."""

    __tablename__ = "shapes"
    id = Column(Integer, primary_key=True)
    kind = Column(String(30), nullable=False)
    person_id = Column(Integer, ForeignKey("persons.id"))
    person = relationship("Person", lazy="selectin")
    __mapper_args__ = {
        "polymorphic_on": "kind",
        "polymorphic_identity": "shape",
        "with_polymorphic": "*",
    }


class Circle(Shape):
    __tablename__ = "circles"
    id = Column(Integer, ForeignKey("shapes.id"), primary_key=True)
    radius = Column(Integer, nullable=False)
    __mapper_args__ = {"polymorphic_identity": "circle"}


MODELS = (
    *(User, Address, Tag, Profile, Order, Line, Node, Company, Contract),
    *(Employee, Manager, Vehicle, Car, Paper, Letter, Part, Person, Shape, Circle),
)


__all__ = ["MODELS", "Base", "friendships", "select", "user_tags", *(model.__name__ for model in MODELS)]
