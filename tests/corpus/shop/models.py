from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import DynamicMapped, Mapped, mapped_column, relationship

from .database import Base


class Customer(Base):
    __tablename__ = "customer"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    invoices: DynamicMapped[Invoice] = relationship(back_populates="customer")  # many


class Invoice(Base):
    # the name is missing
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    customer: Mapped[Customer] = relationship(back_populates="invoices")
