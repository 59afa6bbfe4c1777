"""What runs in the background."""

import time
from collections.abc import Callable
from datetime import datetime

from shop.db import SessionFactory
from shop.models import Customer, Order, OrderStatus
from shop.services.checkout import Checkout


def cancel_abandoned(before: datetime) -> int:
    """Cancel the orders that nobody paid, and put their goods back."""
    with SessionFactory() as session:
        checkout = Checkout(session)
        abandoned = (
            session.query(Order).filter(Order.status == OrderStatus.OPEN, Order.created_at < before).all()
        )
        for order in abandoned:
            order.status = OrderStatus.CANCELLED
            checkout.put_back(order)
            session.commit()
        return len(abandoned)


def merge_customers(pairs: list[tuple[int, int]]) -> None:
    """Hand the orders of duplicates over. Each pair stands alone: one that fails must not undo the others."""
    for keep, duplicate in pairs:
        with SessionFactory.begin() as session:
            session.query(Order).filter(Order.customer_id == duplicate).update({"customer_id": keep})
            session.delete(session.get_one(Customer, duplicate))


def work(next_order: Callable[[], int | None], idle_seconds: float = 1.0) -> None:
    """Mark orders as paid for ever, as the payment provider reports them."""
    with SessionFactory() as session:
        while True:
            order_id = next_order()
            if order_id is None:
                time.sleep(idle_seconds)
                continue
            session.get_one(Order, order_id).status = OrderStatus.PAID
            session.commit()
