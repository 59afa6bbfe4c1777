"""Models from before 2.0, with everything around them that one finds in old code."""
from __future__ import annotations

import datetime as dt  # used by the defaults

from sqlalchemy import Boolean, Column, DateTime, ForeignKey, Integer, MetaData, String, Table  # noqa: I001
from sqlalchemy.ext.declarative import declarative_base, declared_attr  # moved in 2.0
from sqlalchemy.orm import backref, relationship

convention = {
    "ix": "ix_%(column_0_label)s",  # indexes
    "uq": "uq_%(table_name)s_%(column_0_name)s",
}
metadata = MetaData(naming_convention=convention)


class Everything:
    """What every model has."""

    @declared_attr
    def created(cls):  # noqa: N805
        return Column(DateTime, default=dt.datetime.now)

    @declared_attr
    def updated(cls):  # noqa: N805
        return Column(DateTime, onupdate=dt.datetime.now)


# The base of all models.
# It took us years to agree on this line.
Base = declarative_base(metadata=metadata, cls=Everything)  # do not move

association = Table(
    "association", Base.metadata,
    Column("left_id", ForeignKey("left.id")),
    Column("right_id", ForeignKey("right.id")),
)


class Left(Base):
    __tablename__ = "left"
    id = Column(Integer, primary_key=True)
    name = Column(String(50), nullable=False)  # shown in lists
    rights = relationship(
        "Right",
        secondary=association,
        lazy="dynamic",  # there are many
        backref=backref("lefts", lazy="dynamic"),
    )
    others = relationship("Other", lazy='dynamic', back_populates="left"); flag = Column(Boolean)


class Right(Base):
    """Its table has no name."""

    id = Column(Integer, primary_key=True)


class HTTPServerLog2(Base):  # acronyms and digits
    # nothing but a key

    id = Column(Integer, primary_key=True)


class Other(Base):
    __tablename__ = "other"
    id = Column(Integer, primary_key=True)
    left_id = Column(ForeignKey("left.id"))
    left = relationship(Left, back_populates="others")


class Child(Other):
    """Single-table inheritance: no table of its own."""

    __mapper_args__ = {"polymorphic_identity": "child"}


class Abstract(Base):
    __abstract__ = True


def rights_of(left: Left) -> list[Right]:
    return left.rights.filter(Right.id > 3).order_by(Right.id).all()  # a Query
