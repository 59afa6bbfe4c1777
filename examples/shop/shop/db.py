"""The engines, the session factories, and the sessions that requests get."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

from shop.settings import database_url, replica_url

engine = create_engine(database_url())
SessionFactory = sessionmaker(engine)

# Reports read from the replica and must not take the shop's connections.
replica = create_engine(replica_url(), pool_pre_ping=True, pool_size=5, max_overflow=5)
ReplicaSession = sessionmaker(replica)


def get_session() -> Iterator[Session]:
    session = SessionFactory()
    yield session
    session.close()


def get_replica_session() -> Iterator[Session]:
    with ReplicaSession() as session:
        yield session


DbSession = Annotated[Session, Depends(get_session)]
ReportSession = Annotated[Session, Depends(get_replica_session)]
