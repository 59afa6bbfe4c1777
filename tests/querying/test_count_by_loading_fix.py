"""The safe fixes of count-by-loading, run on SQLAlchemy beside the old code: the same numbers and truths."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from sqlalchemy_guard.rules.api import Applicability

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.fixture import Project

HEAD = """\
from sqlalchemy import ForeignKey, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, joinedload


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    orders: Mapped[list["Order"]] = relationship()


class Order(Base):
    __tablename__ = "order"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))


"""
SYNC = [
    "len(session.query(User).filter(User.name == name).all())",
    "len(session.query(User).options(joinedload(User.orders)).order_by(User.id).all())",
    "len(session.query(User).filter(User.orders.any()).limit(1).all())",
    "len(session.query(User.name).join(User.orders).distinct().all())",
    "len(session.scalars(select(User).join(User.orders)).all())",
    "len(session.scalars(select(User).filter_by(name=name).order_by(User.id)).all())",
    "len(session.execute(select(User.name, Order.id).join(User.orders).offset(1).limit(5)).all())",
    "bool(session.query(User).filter(User.name == name).all())",
    "session.query(User).filter(User.name == name).first() is None",
    "session.scalars(select(User).where(User.name == name).order_by(User.id)).first() is not None",
    "not session.scalars(select(User.name).where(User.name == name)).all()",
    "len(session.scalars(select(User).where(User.name == name).limit(0)).all()) > 0",
]
ASYNC = [
    "len((await session.scalars(select(User).where(User.name == name))).all())",
    "(await session.execute(select(User).where(User.name == name))).scalars().first() is None",
]
NAMES = ["ann", "bob", "nobody", None]


def _rows(namespace: dict[str, Any]) -> list[Any]:
    user, order = namespace["User"], namespace["Order"]
    return [
        user(name="ann", orders=[order(), order()]),
        user(name="bob", orders=[order()]),
        user(name="bob"),
        user(name=None),
    ]


def _modules(text: str, make_project: Callable[..., Project]) -> list[dict[str, Any]]:
    """The names of the module before and after the fix."""
    project = make_project({"app.py": text}, ["SAG309"])
    fixed = project.fixed_by(Applicability.SAFE, ["SAG309"])["app.py"]
    assert fixed != text
    modules = []
    for each in (text, fixed):
        namespace: dict[str, Any] = {"__name__": "app"}
        exec(compile(each, "app.py", "exec", dont_inherit=True), namespace)
        modules.append(namespace)
    return modules


@pytest.mark.parametrize("code", SYNC)
def test_both_sides_give_the_same(code: str, make_project: Callable[..., Project]) -> None:
    text = f"{HEAD}def run(session: Session, name: str | None):\n    return {code}\n"
    modules = _modules(text, make_project)
    for name in NAMES:
        answers = []
        for module in modules:
            engine = create_engine("sqlite://", poolclass=StaticPool)
            module["Base"].metadata.create_all(engine)
            with Session(engine) as session:
                session.add_all(_rows(module))
                session.flush()
                answers.append(module["run"](session, name))
        assert answers[0] == answers[1]


@pytest.mark.parametrize("code", ASYNC)
def test_both_sides_give_the_same_when_awaited(code: str, make_project: Callable[..., Project]) -> None:
    text = f"{HEAD}async def run(session: AsyncSession, name: str | None):\n    return {code}\n"
    modules = _modules(text, make_project)

    async def answer(module: dict[str, Any], name: str | None) -> object:
        engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
        async with engine.begin() as connection:
            await connection.run_sync(module["Base"].metadata.create_all)
        async with AsyncSession(engine) as session:
            session.add_all(_rows(module))
            await session.flush()
            found = await module["run"](session, name)
        await engine.dispose()
        return found

    for name in NAMES:
        assert asyncio.run(answer(modules[0], name)) == asyncio.run(answer(modules[1], name))
