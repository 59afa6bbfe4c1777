"""Ordering over HTTP."""

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel
from sqlalchemy import select

from shop.db import DbSession, ReportSession
from shop.models import Customer
from shop.repositories.orders import OrderRepository
from shop.services.checkout import Checkout, OutOfStock

router = APIRouter(prefix="/orders", tags=["orders"])


class OrderIn(BaseModel):
    email: str
    basket: dict[int, int]


@router.post("", status_code=201)
def place(session: DbSession, order: OrderIn) -> dict[str, int]:
    customer = session.execute(select(Customer).where(Customer.email == order.email)).scalar_one_or_none()
    if customer is None:
        raise HTTPException(404, f"no customer {order.email}")
    try:
        placed = Checkout(session).place(customer, order.basket)
    except OutOfStock as error:
        raise HTTPException(409, f"not enough of product {error}") from error
    return {"id": placed.id}


@router.get("/recent")
def recent(session: DbSession, email: str) -> list[int]:
    customer = session.scalars(select(Customer).where(Customer.email == email)).one()
    return [order.id for order in OrderRepository(session).recent(customer)]


@router.get("/turnover")
def turnover(session: ReportSession) -> dict[str, int]:
    return dict(OrderRepository(session).turnover())
