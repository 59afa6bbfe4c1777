"""The fixes of lazy-load-in-async, detached-lazy-load and query-in-loop, proven by running both sides against SQLAlchemy."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import MissingGreenlet, StatementError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import DetachedInstanceError
from sqlalchemy.pool import StaticPool

from sqlalchemy_guard.rules.api import Applicability

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.fixture import Project

MODELS = """\
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    posts: Mapped[list["Post"]] = relationship(back_populates="user")


class Post(Base):
    __tablename__ = "post"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    user: Mapped[User] = relationship(back_populates="posts")
"""
IMPORTS = "from models import Post, User\nfrom sqlalchemy import Engine, select\n"
ASYNC = [
    "return [len(user.posts) for user in await session.scalars(select(User).order_by(User.id))]",
    "return [len(user.posts) for user in (await session.execute(select(User).order_by(User.id))).scalars().all()]",
    "user = await session.get(User, 2)\n    return [post.id for post in user.posts]",
    "post = await session.scalar(select(Post).where(Post.id == 2))\n    return post.user.name",
]
DETACHED = [
    "with Session(engine) as session:\n        users = session.scalars(select(User).order_by(User.id)).all()\n"
    "    return [len(user.posts) for user in users]",
    "with Session(engine) as session:\n        post = session.get(Post, 2)\n    return post.user.name",
    "with Session(engine) as session:\n        user = session.query(User).filter(User.id == 3).one()\n"
    "    return len(user.posts)",
]
KEYED = [
    "result = []\n    for number in numbers:\n        user = session.get(User, number)\n"
    "        result.append(user.name if user else None)\n    return result",
    "result = []\n    for number in numbers:\n"
    "        result.append(session.query(User).filter(User.id == number).one_or_none())\n"
    "    return [user and user.name for user in result]",
    "result = []\n    pairs = [(number, number) for number in numbers]\n    for pair in pairs:\n"
    "        result.append(session.get(User, pair[0]))\n    return [user and user.name for user in result]",
]


def load(text: str) -> dict[str, Any]:
    """The names of a module whose models are made anew."""
    scope: dict[str, Any] = {}
    exec(compile(MODELS, "models.py", "exec", dont_inherit=True), scope)
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("from models import"))
    exec(compile(kept, "example.py", "exec", dont_inherit=True), scope)
    return scope


def fill(session: Session, scope: dict[str, Any]) -> None:
    for number in range(4):
        posts = [scope["Post"]() for _ in range(number)]
        session.add(scope["User"](name=f"u{number}", posts=posts))
    session.commit()


def fixed(project: Project, code: str, applicability: Applicability) -> str:
    assert any(violation.rule.code == code for _, _, violation in project.violations())
    return project.fixed_by(applicability, {code})["example.py"]


@pytest.mark.parametrize("body", ASYNC)
def test_what_raised_in_an_asynchronous_session_gives_a_value(
    body: str, make_project: Callable[..., Project]
) -> None:
    before = (
        f"{IMPORTS}from sqlalchemy.ext.asyncio import AsyncSession\n\n\n"
        f"async def run(session: AsyncSession) -> object:\n    {body}\n"
    )
    after = fixed(make_project({"models.py": MODELS, "example.py": before}), "SAG311", Applicability.SAFE)

    async def outcome(text: str) -> object:
        scope = load(text)
        engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
        async with engine.begin() as connection:
            await connection.run_sync(scope["Base"].metadata.create_all)
        async with AsyncSession(engine) as session:
            await session.run_sync(fill, scope)
        try:
            async with AsyncSession(engine) as session:
                return await scope["run"](session)
        finally:
            await engine.dispose()

    with pytest.raises((MissingGreenlet, StatementError), match="greenlet_spawn"):
        asyncio.run(outcome(before))
    assert asyncio.run(outcome(after)) in ([0, 1, 2, 3], [1], "u2")


def database(scope: dict[str, Any]) -> Engine:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    scope["Base"].metadata.create_all(engine)
    with Session(engine) as session:
        fill(session, scope)
    return engine


@pytest.mark.parametrize("body", DETACHED)
def test_what_raised_without_a_session_gives_a_value(body: str, make_project: Callable[..., Project]) -> None:
    before = (
        f"{IMPORTS}from sqlalchemy.orm import Session\n\n\ndef run(engine: Engine) -> object:\n    {body}\n"
    )
    after = fixed(make_project({"models.py": MODELS, "example.py": before}), "SAG312", Applicability.SAFE)
    scope = load(before)
    with pytest.raises(DetachedInstanceError):
        scope["run"](database(scope))
    scope = load(after)
    assert scope["run"](database(scope)) in ([0, 1, 2, 3], "u2", 2)


@pytest.mark.parametrize("body", KEYED)
def test_one_statement_gives_what_one_per_iteration_gave(
    body: str, make_project: Callable[..., Project]
) -> None:
    before = (
        f"{IMPORTS}from sqlalchemy.orm import Session\n\n\n"
        f"def run(session: Session, numbers: list[int]) -> object:\n    {body}\n"
    )
    after = fixed(make_project({"models.py": MODELS, "example.py": before}), "SAG310", Applicability.UNSAFE)
    results: list[tuple[object, int]] = []
    for text in (before, after):
        scope = load(text)
        engine = database(scope)
        statements: list[str] = []

        def note(
            _one: object, _two: object, statement: str, *_rest: object, into: list[str] = statements
        ) -> None:
            into.append(statement)

        event.listen(engine, "before_cursor_execute", note)
        with Session(engine) as session:
            results.append((scope["run"](session, [1, 3, 9]), len(statements)))
    assert results[0][0] == results[1][0] == ["u0", "u2", None]
    assert (results[0][1], results[1][1]) == (3, 1)
