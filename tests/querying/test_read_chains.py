"""What explains an N+1 read is shown in the order in which it happens, from the query to the relationship."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

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


class Post(Base):
    __tablename__ = "post"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    user: Mapped["User"] = relationship()

    @property
    def author(self):
        return self.user.name

    @property
    def label(self):
        return self.author.upper()

    def as_dict(self):
        return {"label": self.label}
"""
HEAD = """\
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Post


"""
LAZY = ("models.py", 'user: Mapped["User"] = relationship()', "the relationship is lazy")
READ = ("models.py", "self.user", "the relationship is read here")
AUTHOR = ("models.py", "self.author", "`author` is read here")
LABEL = ("models.py", "self.label", "`label` is read here")
QUERY = ("views.py", "select(Post)", "the rows are loaded here")

CASES = [
    (
        "def plain(session: Session):\n    for post in session.scalars(select(Post)):\n        print(post.user)\n",
        [QUERY, ("views.py", "session.scalars(select(Post))", "the loop"), LAZY],
    ),
    (
        "def two(session: Session):\n    return [post.label for post in session.scalars(select(Post))]\n",
        [QUERY, ("views.py", "session.scalars(select(Post))", "the loop"), AUTHOR, READ, LAZY],
    ),
    (
        "def method(session: Session):\n    return [post.as_dict() for post in session.scalars(select(Post))]\n",
        [QUERY, ("views.py", "session.scalars(select(Post))", "the loop"), LABEL, AUTHOR, READ, LAZY],
    ),
    (
        "def render(post):\n    return post.user\n\n\n"
        "def handed(session: Session):\n    return [render(post) for post in session.scalars(select(Post))]\n",
        [QUERY, ("views.py", "render(post)", "an object is passed on here"), LAZY],
    ),
    (
        "def key(session: Session):\n"
        "    return sorted(session.scalars(select(Post)), key=lambda post: post.user.name)\n",
        [QUERY, ("views.py", "lambda post: post.user.name", "the loop"), LAZY],
    ),
]


@pytest.mark.parametrize(("body", "chain"), CASES, ids=[body.split("(")[0] for body, _ in CASES])
def test_the_chain_of_a_read(
    body: str, chain: list[tuple[str, str, str]], make_project: Callable[..., Project]
) -> None:
    texts = {"models.py": MODELS, "views.py": HEAD + body}
    found = [
        violation for _, _, violation in make_project(texts).violations() if violation.rule.code == "SAG303"
    ]
    assert len(found) == 1
    told = []
    for place in found[0].related:
        name = "models.py" if place.path.endswith("models.py") else "views.py"
        line = texts[name].splitlines()[place.span.line]
        told.append((name, line[place.span.column : place.span.end_column], place.message))
    assert told == chain
