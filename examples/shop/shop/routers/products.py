"""The catalogue over HTTP."""

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict

from shop.db import DbSession
from shop.repositories.products import ProductRepository

router = APIRouter(prefix="/products", tags=["products"])


class ProductOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    sku: str
    name: str
    price_cents: int
    stock: int


@router.get("", response_model=list[ProductOut])
def search(session: DbSession, term: str | None = None, max_price_cents: int | None = None):
    return ProductRepository(session).search(term, max_price_cents)


@router.get("/cheapest", response_model=list[ProductOut])
def cheapest(session: DbSession, limit: int = 10):
    return ProductRepository(session).cheapest(limit)


@router.get("/{sku}", response_model=ProductOut)
def read(session: DbSession, sku: str):
    product = ProductRepository(session).by_sku(sku)
    if product is None:
        raise HTTPException(404, f"no product {sku}")
    return product
