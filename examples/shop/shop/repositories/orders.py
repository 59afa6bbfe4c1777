"""Queries about orders and those who placed them."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from shop.models import Customer, Order, OrderLine, OrderStatus


class OrderRepository:
    def __init__(self, session: Session) -> None:
        self.session = session

    def get(self, order_id: int) -> Order | None:
        return self.session.get(Order, order_id, options=[selectinload(Order.lines)])

    def open_count(self) -> int:
        return self.session.query(Order).filter_by(status=OrderStatus.OPEN).count()

    def recent(self, customer: Customer, limit: int = 5) -> list[Order]:
        return customer.orders.order_by(Order.id.desc()).limit(limit).all()

    def waiting_emails(self) -> list[str]:
        waiting = (
            select(Customer.email)
            .join(Order, Order.customer_id == Customer.id)
            .where(Order.status == OrderStatus.OPEN)
            .distinct()
            .order_by(Customer.email)
        )
        return [row[0] for row in self.session.execute(waiting)]

    def turnover(self) -> Sequence[tuple[str, int]]:
        turnover = func.sum(OrderLine.quantity * OrderLine.price_cents)
        statement = (
            select(Order.status, turnover).join(Order.lines).group_by(Order.status).order_by(Order.status)
        )
        return [(status, cents) for status, cents in self.session.execute(statement)]
