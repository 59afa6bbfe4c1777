"""The web application: `uvicorn shop.main:app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from shop.db import engine
from shop.models import Base
from shop.routers import orders, products


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    Base.metadata.create_all(engine)
    yield
    engine.dispose()


app = FastAPI(title="Shop", lifespan=lifespan)
app.include_router(products.router)
app.include_router(orders.router)
