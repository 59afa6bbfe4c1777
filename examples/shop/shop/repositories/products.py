"""Queries about products."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop.models import Product


class ProductRepository:
    def __init__(self, session: Session) -> None:
        self.session = session

    def get(self, product_id: int) -> Product | None:
        return self.session.query(Product).get(product_id)

    def by_sku(self, sku: str) -> Product | None:
        return self.session.query(Product).filter(Product.sku == sku).one_or_none()

    def cheapest(self, limit: int = 10) -> list[Product]:
        return self.session.query(Product).order_by(Product.price_cents, Product.id).limit(limit).all()

    def in_stock(self) -> Sequence[Product]:
        statement = select(Product).where(Product.stock > 0).order_by(Product.name)
        return self.session.execute(statement).scalars().all()

    def sold_out(self) -> Sequence[Product]:
        return self.session.scalars(select(Product).where(Product.stock == 0).order_by(Product.name)).all()

    def search(self, term: str | None = None, max_price_cents: int | None = None) -> list[Product]:
        query = self.session.query(Product)
        if term:
            query = query.filter(Product.name.icontains(term))
        if max_price_cents is not None:
            query = query.filter(Product.price_cents <= max_price_cents)
        return query.order_by(Product.name).all()

    def save(self, product: Product) -> Product:
        self.session.add(product)
        self.session.commit()
        return product
