import re

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, DateTime, ForeignKey, Integer, MetaData, String, Table
from sqlalchemy.ext.declarative import declared_attr
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import (
    as_declarative,
    backref,
    declarative_base,
    deferred,
    foreign,
    registry,
    relationship,
    remote,
)
from sqlalchemy.types import JSON, TypeDecorator


class CustomBase:
    @declared_attr
    def __tablename__(cls):
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    id = Column(Integer, primary_key=True)


metadata = MetaData(schema="shop")
Base = declarative_base(cls=CustomBase, metadata=metadata)


class Secret(TypeDecorator):
    impl = String
    cache_ok = True

    def __init__(self, length, *args, **kwargs):
        super().__init__(length * 2, *args, **kwargs)

    def process_bind_param(self, value, dialect):
        return value


def money(name=None, **kwargs):
    kwargs.setdefault("nullable", False)
    return Column(sa.Numeric(12, 2), **kwargs)


class Auditing:
    changed = Column(DateTime, default=sa.func.now(), onupdate=sa.func.now())

    @declared_attr
    def __table_args__(cls):
        return (sa.Index("ix_%s_changed" % cls.__tablename__, "changed"), {"comment": cls.__name__})


class OrderItem(Auditing, Base):
    price = money(server_default="0")
    secret = Column(Secret(20), nullable=False)
    data = deferred(Column(MutableDict.as_mutable(JSON(none_as_null=True))))
    active = Column("is_active", Boolean, default=True, nullable=False)
    order_id = Column(Integer, ForeignKey("shop.order.id"), index=True)


class Order(Base):
    items = relationship(
        "OrderItem", backref=backref("order", lazy="joined"), cascade="all", order_by=OrderItem.id
    )
    first = relationship(
        OrderItem,
        primaryjoin=lambda: remote(foreign(OrderItem.order_id)) == Order.id,
        viewonly=True,
        uselist=False,
    )


Order.total = Column(Integer, nullable=False)

for kind in ("user", "group"):
    Table(
        f"{kind}_order",
        metadata,
        Column(f"{kind}_id", Integer, primary_key=True),
        Column("order_id", ForeignKey("shop.order.id")),
    )


@as_declarative()
class Second:
    number = Column(Integer, primary_key=True)


class Thing(Second):
    __tablename__ = "things"


mapper_registry = registry()


@mapper_registry.mapped
class Decorated:
    __tablename__ = "decorated"
    id = Column(Integer, primary_key=True)
    others = relationship(
        "Decorated",
        secondary="links",
        primaryjoin="Decorated.id == links.c.a",
        secondaryjoin="links.c.b == Decorated.id",
    )


links = Table(
    "links",
    mapper_registry.metadata,
    Column("a", ForeignKey("decorated.id")),
    Column("b", ForeignKey("decorated.id")),
)
registry_metadata = mapper_registry.metadata


class Reflected(Base):
    __table__ = Table(
        "explicit", Base.metadata, Column("id", Integer, primary_key=True), Column("label", String(3))
    )
