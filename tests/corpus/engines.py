# -*- coding: utf-8 -*-
"""Engines and factories in every way they are written."""
import os  # the environment
from sqlalchemy import create_engine as make_engine, text, event  # three of them
import sqlalchemy
import sqlalchemy as sa
from sqlalchemy.ext import asyncio as sa_asyncio
from sqlalchemy.ext.asyncio import (
    AsyncSession,  # typed below
    async_sessionmaker,
    create_async_engine,  # the async one
)
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import NullPool

URL = os.environ.get("DATABASE_URL", "postgresql://localhost/shop")  # default for developers

# a bare call
plain = make_engine(URL)

# trailing comma, comments between the arguments
spread = sqlalchemy.create_engine(
    URL,  # where
    echo=False,  # quiet
    # the next line is commented out on purpose
    # pool_size=5,
)

no_comma = sa.create_engine(
    URL,
    echo=bool(os.environ.get("ECHO"))  # no comma after this one
)

one_line = sa.create_engine(URL, echo=True,)
starred = sa.create_engine(URL, **{"echo": True})
options = {"echo": True}
from_mapping = sa.create_engine(URL, **options)
explicit = sa.create_engine(URL, pool_pre_ping=False, pool_size=5, max_overflow=0)  # somebody decided
pooled = sa.create_engine(URL, pool_pre_ping=True, pool_size=5)  # half configured
unpooled = sa.create_engine(URL, poolclass=NullPool)
memory = sa.create_engine("sqlite://")
on_disk = sa.create_engine("sqlite:///shop.db", connect_args={"check_same_thread": False})
asynchronous = create_async_engine(URL.replace("postgresql", "postgresql+asyncpg"), echo=True)  # 🐍 async
through_module = sa_asyncio.create_async_engine(url=URL)
nested = [make_engine(u) for u in (URL, URL + "_replica")]
chained = make_engine(URL).execution_options(isolation_level="AUTOCOMMIT")

Session = sessionmaker(plain)
AsyncFactory = async_sessionmaker(asynchronous, expire_on_commit=False, class_=AsyncSession)


def engine_for(tenant: str, *, echo=False):
    """Per tenant."""
    url = f"{URL}_{tenant}"; return make_engine(url, echo=echo)  # two statements on a line


@event.listens_for(plain, "connect")
def on_connect(connection, record):  # noqa: ARG001
    pass


if __name__ == "__main__":
    with make_engine(URL).connect() as c: print(c.execute(text("select 1")).scalar())
