"""Gift cards: being written, and not yet part of the application."""

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from shop.models.base import Base, Timestamps


class GiftCard(Timestamps, Base):
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(16), unique=True)
    balance_cents: Mapped[int]
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"), index=True)
