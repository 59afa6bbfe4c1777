"""Who buys."""

from typing import TYPE_CHECKING

from sqlalchemy import String
from sqlalchemy.orm import DynamicMapped, Mapped, mapped_column, relationship

from shop.models.base import Base, Timestamps

if TYPE_CHECKING:
    from shop.models.orders import Order


class Customer(Timestamps, Base):
    __tablename__ = "customers"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(320), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    orders: DynamicMapped["Order"] = relationship(back_populates="customer", lazy="dynamic")
