"""The fix of n-plus-one, proven by running both sides against SQLAlchemy: the same values from fewer statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session
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


class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    users: Mapped[list["User"]] = relationship(back_populates="team")


class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    team: Mapped[Team | None] = relationship(back_populates="users")
    posts: Mapped[list["Post"]] = relationship(back_populates="user", order_by="Post.id")

    @property
    def titles(self) -> list[str]:
        return [post.title for post in self.posts]


class Post(Base):
    __tablename__ = "post"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    user: Mapped[User] = relationship(back_populates="posts")
    tags: Mapped[list["Tag"]] = relationship(order_by="Tag.id")


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id"))
"""
HEAD = """\
from sqlalchemy import select
from sqlalchemy.orm import Session, aliased, selectinload

from models import Post, Team, User


"""
BODIES = [
    "return [[post.title for post in user.posts] for user in session.scalars(select(User).order_by(User.id))]",
    "return [[post.title for post in user.posts] for user in session.query(User).order_by(User.id).all()]",
    "return [user.titles for user in session.query(User).order_by(User.id)]",
    "return [user.team.name if user.team else None for user in session.scalars(select(User).order_by(User.id)).all()]",
    "return [row.User.team and row[0].team.name for row in session.execute(select(User, User.id).order_by(User.id))]",
    "return [[t.name for p in u.posts for t in p.tags] for u in session.scalars(select(User).order_by(User.id))]",
    "return [post.user.team.name for post in session.scalars(select(Post).order_by(Post.id)) if post.user.team]",
    "users = session.scalars(select(User).options(selectinload(User.posts)).order_by(User.id))\n"
    "    return [[len(post.tags) for post in user.posts] for user in users]",
    "users = session.scalars(select(User).options(selectinload(User.team)).order_by(User.id))\n"
    "    return [[post.title for post in user.posts] for user in users]",
    "team = session.get(Team, 1)\n    return [[post.title for post in user.posts] for user in team.users]",
    "query = session.query(User)\n    query = query.filter(User.id > 1).order_by(User.id)\n"
    "    return [len(user.posts) for user in query]",
    "author = aliased(User)\n    users = session.scalars(select(author).order_by(author.id)).all()\n"
    "    return [len(user.posts) for user in users]",
    "statement = select(User).order_by(User.name).distinct()\n"
    "    return sorted(user.team.name for user in session.scalars(statement) if user.team)",
    "result = {}\n    for number, user in enumerate(sorted(session.scalars(select(User)), key=lambda user: user.id)):\n"
    "        result[number] = len(user.posts)\n    return result",
    "return {user.id: len(user.posts) for user in session.execute(select(User)).scalars().all()}",
]


def source(body: str) -> str:
    return f"{HEAD}def run(session: Session) -> object:\n    {body}\n"


def outcome(text: str) -> tuple[object, int]:
    """What the function gives, and how many statements it executes."""
    models: dict[str, Any] = {}
    exec(compile(MODELS, "models.py", "exec", dont_inherit=True), models)
    scope: dict[str, Any] = {name: models[name] for name in ("Post", "Tag", "Team", "User")}
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("from models import"))
    exec(compile(kept, "example.py", "exec", dont_inherit=True), scope)
    engine = create_engine("sqlite://", poolclass=StaticPool)
    models["Base"].metadata.create_all(engine)
    with Session(engine) as session:
        teams = [models["Team"](name=name) for name in ("red", "blue", "green")]
        for number in range(6):
            posts = [
                models["Post"](title=f"{number}.{each}", tags=[models["Tag"](name=f"t{each}")])
                for each in range(number % 3)
            ]
            team = teams[number % 3] if number else None
            session.add(models["User"](name=f"u{number % 4}", team=team, posts=posts))
        session.commit()
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    with Session(engine) as session:
        return scope["run"](session), len(statements)


@pytest.mark.parametrize("body", BODIES)
def test_both_sides_give_the_same_and_the_fixed_one_asks_less(
    body: str, make_project: Callable[..., Project]
) -> None:
    before = source(body)
    project = make_project({"example.py": before, "models.py": MODELS})
    assert any(violation.rule.code == "SAG303" for _, _, violation in project.violations()), before
    after = project.fixed_by(Applicability.SAFE, {"SAG303"})["example.py"]
    assert after != before
    expected, many = outcome(before)
    found, few = outcome(after)
    assert found == expected
    assert few < many
    fixed = make_project({"example.py": after, "models.py": MODELS})
    assert not [violation for _, _, violation in fixed.violations() if violation.rule.code == "SAG303"], after
