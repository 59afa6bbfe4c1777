"""Commits in loops, and loops around commits that are meant."""
import time

from sqlalchemy import create_engine, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

engine = create_engine("postgresql://localhost/shop", pool_pre_ping=True, pool_size=10, max_overflow=20)
factory = sessionmaker(engine)


class Base(DeclarativeBase): pass  # a body on the line


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def add_all(session: Session, names: list[str]) -> None:
    for name in names:  # each
        session.add(Item(name=name))
        session.commit()  # each time


def add_last(session: Session, names: list[str]) -> None:
    for name in names:
        session.add(Item(name=name))
        # the reason of the commit
        session.commit()
    else:
        print("done")


async def add_async(session: AsyncSession, names: list[str]) -> None:
    async for name in names:
        session.add(Item(name=name))
        await session.commit()


def save(session: Session, item: Item) -> None:
    session.add(item)
    session.commit()


def add_through(session: Session, names: list[str]) -> None:
    for name in names:
        save(session, Item(name=name))


def chunked(session: Session, names: list[str]) -> None:
    for number, name in enumerate(names):
        session.add(Item(name=name))
        if number % 1000 == 0:
            session.commit()
    session.commit()


def worker() -> None:
    while True:
        with factory() as session:
            session.execute(text("select 1"))
            session.commit()
        time.sleep(1)


def guarded(session: Session, names: list[str]) -> list[str]:
    failed = []
    for name in names:
        try:
            session.add(Item(name=name))
            session.commit()
        except ValueError:  # this one only
            session.rollback()
            failed.append(name)
    return failed


def reads_between(session: Session) -> None:
    for item in session.scalars(select(Item)):
        item.name = item.name.strip()
        session.commit()
        print(item.id)


def create() -> None:
    Base.metadata.create_all(engine)
