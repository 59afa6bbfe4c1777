"""Fills an empty shop: `python -m shop.seed`."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.orm import Session

from shop.db import SessionFactory
from shop.models import Customer, Product


def migrate() -> None:
    """Bring the database to the newest revision."""
    command.upgrade(Config(Path(__file__).parent.parent / "alembic.ini"), "head")


def fill(session: Session) -> None:
    """Add three products and two customers; the caller commits."""
    for number, name in enumerate(["Kettle", "Teapot", "Tea"], start=1):
        session.add(Product(sku=f"T{number}", name=name, price_cents=1000 * number, stock=10))
    session.add_all([Customer(email=f"{name.lower()}@example.org", name=name) for name in ("Ada", "Grace")])


def main() -> None:
    migrate()
    with SessionFactory() as session:
        if session.query(Product).count() == 0:
            fill(session)
            session.commit()  # noqa: SAG401
        for product in session.query(Product).order_by(Product.sku):
            print(f"{product.sku}  {product.name:<8} {product.price_cents / 100:8.2f}  {product.stock} left")


if __name__ == "__main__":
    main()
