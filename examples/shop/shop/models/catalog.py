"""What is for sale."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from shop.models.base import Base, Timestamps


class Product(Timestamps, Base):
    __tablename__ = "products"

    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(String(32), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    price_cents: Mapped[int]
    stock: Mapped[int] = mapped_column(default=0, server_default="0")
