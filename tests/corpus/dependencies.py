"""Session dependencies of a FastAPI application: right ones, wrong ones, and one that is half right."""
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy import create_engine, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, sessionmaker

app = FastAPI()
engine = create_engine("postgresql://localhost/shop", pool_pre_ping=True, pool_size=10, max_overflow=20)
async_engine = create_async_engine(
    "postgresql+asyncpg://localhost/shop", pool_pre_ping=True, pool_size=10, max_overflow=20
)
SessionLocal = sessionmaker(engine)
AsyncLocal = async_sessionmaker(async_engine, expire_on_commit=False)


def get_db() -> Iterator[Session]:
    db = SessionLocal()  # opened here
    # handed out
    yield db
    db.close()  # never reached after an exception


def get_db_forgotten():
    db = SessionLocal()
    yield db  # and never closed


def get_db_right():
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()


def get_db_with() -> Iterator[Session]:
    with SessionLocal() as db:
        yield db


async def get_async() -> AsyncIterator[AsyncSession]:
    session = AsyncLocal()
    yield session
    await session.close()


async def get_async_right() -> AsyncIterator[AsyncSession]:
    async with AsyncLocal() as session:
        yield session


Db = Annotated[Session, Depends(get_db)]


@app.get("/")
def index(db: Db, other: Session = Depends(get_db_forgotten)):
    return db.execute(select(1)).scalar(), other.execute(select(2)).scalar()
