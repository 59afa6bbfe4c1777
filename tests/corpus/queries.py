"""Queries of both generations, with comments in awkward places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, desc, func, or_, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, joinedload, mapped_column, relationship

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True)
    orders: Mapped[list[Order]] = relationship(back_populates="user")


class Order(Base):
    __tablename__ = "order"
    id: Mapped[int] = mapped_column(primary_key=True)
    total: Mapped[int]
    user: Mapped[User] = relationship(back_populates="orders")


def everything(session: Session) -> list[User]:
    return session.query(User).all()


def one_by_one(session: Session, wanted: int) -> User | None:
    # by primary key
    return session.query(User).get(wanted)  # None when there is none


def filtered(session: Session, name: str) -> User:
    return (
        session.query(User)  # the entity
        .filter(User.name == name)  # by name
        # only those that are active
        .filter_by(active=True)
        .order_by(desc(User.id))
        .first()
    )


def paged(session: Session, page: int = 0) -> list[User]:
    query = session.query(User).options(joinedload(User.orders)).limit(10).offset(page * 10)
    return query.all()


def looped(session: Session) -> Iterator[str]:
    for user in session.query(User).filter(or_(User.active, User.name == "root")):
        yield user.name
    for name, total in session.query(User.name, func.sum(Order.total)).join(User.orders).group_by(User.name):
        yield f"{name}: {total} ¥ 💴"


def counted(session: Session) -> int:
    return session.query(User).filter(and_(User.active, User.id > 1)).count()


def single(session: Session, name: str) -> User:
    a = session.query(User).filter_by(name=name).one(); b = session.query(User).filter_by(name=name).one_or_none()
    return a or b


def scalar(session: Session) -> int | None:
    return session.query(func.max(User.id)).scalar()


def modern(session: Session, names: Iterable[str]) -> list[User]:
    first = session.execute(select(User)).scalars().all()
    second = session.execute(
        select(User)
        .where(User.name.in_(names))  # any of them
        .order_by(User.id)
    ).scalars().first()  # or None
    third = session.execute(select(User).limit(1)).scalar_one_or_none()
    fourth = session.execute(select(User.name, User.id)).all()  # two columns: rows
    fifth = [row[0] for row in session.execute(select(User))]
    return [*first, second, third, *fifth] if fourth else []


def suppressed(session: Session) -> list[User]:
    found = session.query(User).all()  # noqa: SAG301
    nothing = len(found)  # noqa: SAG301
    other = nothing + 1  # a reason  # noqa: E501, SAG302
    return found[other:]


class NotSession:
    def query(self, *anything): return self
    def all(self): return []


def silent(session: NotSession):
    return session.query(User).all()
