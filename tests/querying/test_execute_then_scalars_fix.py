"""The fix of execute-then-scalars, proven by running both sides against SQLAlchemy, sync and async."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import ForeignKey, create_engine
from sqlalchemy.exc import InvalidRequestError, MultipleResultsFound, NoResultFound
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.pool import StaticPool

from sqlalchemy_guard.rules.api import Applicability

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.fixture import Project

ERRORS = (NoResultFound, MultipleResultsFound, InvalidRequestError)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    posts: Mapped[list[Post]] = relationship(lazy="joined")


class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))


HEAD = """\
from sqlalchemy import bindparam, func, select, text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session

from models import Post, User

"""
MODELS = """\
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
"""
SYNC = [
    "return session.execute(select(User.name)).scalars().all()",
    "return session.execute(select(User.name)).scalars().first()",
    "return session.execute(select(User.name).where(User.id == 1)).scalars().one()",
    "return session.execute(select(User.name).where(User.id == 9)).scalars().one_or_none()",
    "return session.execute(select(User.name).where(User.id == 9)).scalars().one()",
    "return session.execute(select(User.name)).scalars().one()",
    "return session.execute(select(User.name)).scalar()",
    "return session.execute(select(User.name).where(User.id == 9)).scalar()",
    "return session.execute(select(User.name, User.id)).scalars(0).all()",
    "return [user.id for user in session.execute(select(User)).unique().scalars()]",
    "return [user.id for user in session.execute(select(User)).unique().scalars().all()]",
    "return [user.id for user in session.execute(select(User)).scalars().unique()]",
    "return [user.id for user in session.execute(select(User)).scalars()]",
    "return list(session.execute(select(User.id).where(User.id > bindparam('low')), {'low': 1}).scalars())",
    "return session.execute(text('SELECT name FROM users ORDER BY id')).scalars().all()",
    "return session.execute(select(func.count()).select_from(Post), execution_options={'a': 1}).scalar()",
    "return [row[0] for row in session.execute(select(User.name))]",
    "return [row[0] for row in session.execute(select(User.name)).all()]",
    "return [name for (name,) in session.execute(select(User.name))]",
    "return {row[0] for row in session.execute(select(User.name))}",
    "result = session.execute(select(User.name))\n    return result.scalars().all()",
    "stmt = select(User.name)\n    result = session.execute(stmt)  # all of them\n    return result.scalars().all()",
    "result = session.execute(select(User))\n    return [user.id for user in result.unique().scalars()]",
]
SILENT = [
    "return session.execute(select(User.name).where(User.id == 1)).scalar_one()",
    "return session.execute(select(User.name).where(User.id == 9)).scalar_one_or_none()",
    "return session.execute(select(User.id, User.name)).scalars(1).all()",
    "return [row[1] for row in session.execute(select(User.id, User.name))]",
    "return [row[0] for row in session.execute(select(User.id, User.name))]",
    "return [row[0] for row in session.execute(select(User.id)) if row[0] > 1]",
    "result = session.execute(select(User.name))\n    return result.keys(), result.scalars().all()",
    "result = session.execute(select(User.name))\n    return [result.scalars().all() for result in [result]]",
    "result = session.execute(select(User.name))\n    if result:\n        result = None\n    return result.scalars()",
]


def module(body: str, kind: str = "Session") -> str:
    keyword = "async def" if kind.startswith("Async") else "def"
    return f"{HEAD}\n{keyword} run(session: {kind}):\n    {body}\n"


def as_async(body: str) -> str:
    if "result = " in body:
        return body.replace("= session.execute", "= await session.execute")
    return body.replace("session.execute(", "(await session.execute(", 1)


def closed(body: str) -> str:
    """The parenthesis behind the awaited call."""
    start = body.index("(await session.execute(") + len("(await session.execute")
    depth = 0
    for at in range(start, len(body)):
        depth += (body[at] == "(") - (body[at] == ")")
        if depth == 0:
            return f"{body[: at + 1]}){body[at + 1 :]}"
    raise AssertionError(body)


def fixed(make_project: Callable[..., Project], source: str) -> str:
    project = make_project({"example.py": source, "models.py": MODELS})
    found = [v for _, _, v in project.violations() if v.rule.code == "SAG302"]
    assert len(found) == 1, source
    after = project.fixed_by(Applicability.SAFE, {"SAG302"})["example.py"]
    assert "execute(" not in after
    return after


def prepare(session: Session) -> None:
    Base.metadata.create_all(session.connection())
    session.add_all([User(name=name, posts=[Post(), Post()]) for name in ("ann", "bob", "bob")])
    session.flush()
    session.expunge_all()


def function(source: str) -> Any:
    text = source.replace("from models import Post, User\n", "")
    scope: dict[str, Any] = {"User": User, "Post": Post}
    exec(compile(text, "example.py", "exec"), scope)
    return scope["run"]


def outcome(call: Callable[[], Any]) -> object:
    """What a call gives, or the class of the error that the statement's result was asked to raise."""
    try:
        return call()
    except ERRORS as error:
        return type(error)


@pytest.mark.parametrize("body", SYNC)
def test_both_sides_give_the_same(body: str, make_project: Callable[..., Project]) -> None:
    before = module(body)
    after = fixed(make_project, before)
    with Session(create_engine("sqlite://", poolclass=StaticPool)) as session:
        prepare(session)
        expected = outcome(lambda: function(before)(session))
        assert outcome(lambda: function(after)(session)) == expected
    assert after.count("#") == before.count("#")


@pytest.mark.parametrize("body", [body for body in SYNC if "select(User))" not in body])
def test_connections_too(body: str, make_project: Callable[..., Project]) -> None:
    before = module(body, "Connection")
    after = fixed(make_project, before)
    with Session(create_engine("sqlite://", poolclass=StaticPool)) as session:
        prepare(session)
        connection = session.connection()
        expected = outcome(lambda: function(before)(connection))
        assert outcome(lambda: function(after)(connection)) == expected


@pytest.mark.parametrize("body", SYNC)
def test_async_both_sides_give_the_same(body: str, make_project: Callable[..., Project]) -> None:
    awaited = as_async(body)
    before = module(closed(awaited) if "(await" in awaited else awaited, "AsyncSession")
    after = fixed(make_project, before)

    async def run() -> tuple[object, object]:
        engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
        results: list[object] = []
        async with AsyncSession(engine) as session:
            await session.run_sync(prepare)
            for source in (before, after):
                try:
                    results.append(await function(source)(session))
                except ERRORS as error:
                    results.append(type(error))
        await engine.dispose()
        return results[0], results[1]

    expected, got = asyncio.run(run())
    assert got == expected


@pytest.mark.parametrize("body", SILENT)
def test_no_shorter_form_is_claimed(body: str, make_project: Callable[..., Project]) -> None:
    project = make_project({"example.py": module(body), "models.py": MODELS})
    assert [v.message for _, _, v in project.violations() if v.rule.code == "SAG302"] == []
