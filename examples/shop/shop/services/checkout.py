"""Turning a basket into an order."""

from collections.abc import Mapping

from sqlalchemy import text, update
from sqlalchemy.orm import Session

from shop.models import Customer, Order, OrderLine, Product
from shop.repositories.products import ProductRepository


class OutOfStock(Exception):
    """There is not enough of a product left."""


class Checkout:
    def __init__(self, session: Session) -> None:
        self.session = session
        self.products = ProductRepository(session)

    def place(self, customer: Customer, basket: Mapping[int, int]) -> Order:
        """Order the basket's quantities by product id. The caller's session is committed."""
        order = Order(customer=customer)
        self.session.add(order)
        for product_id, quantity in basket.items():
            product = self.products.get(product_id)
            if product is None or product.stock < quantity:
                self.session.rollback()
                raise OutOfStock(product_id)
            order.lines.append(OrderLine(product=product, quantity=quantity, price_cents=product.price_cents))
            self._take(product_id, quantity)
        self.session.commit()
        return order

    def _take(self, product_id: int, quantity: int) -> None:
        self.session.execute(text(f"UPDATE products SET stock = stock - {quantity} WHERE id = {product_id}"))

    def put_back(self, order: Order) -> None:
        """Return what an order holds to the shelves; the caller commits."""
        for line in order.lines:
            more = update(Product).where(Product.id == line.product_id)
            self.session.execute(more.values(stock=Product.stock + line.quantity))
