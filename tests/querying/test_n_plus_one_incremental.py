"""Findings about lazy loads follow edits in the other files that they rest on, each edit typed into an open document."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sqlalchemy_guard.text.document import Document

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.fixture import Project

FILES = {
    "models.py": """\
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

    @property
    def author(self) -> object:
        found = self.user
        return str(found)
""",
    "queries.py": """\
from models import Post, User
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload


def all_users(session: Session) -> list[User]:
    return session.scalars(select(User)).all()


def all_posts(session: Session) -> list[Post]:
    return session.scalars(select(Post)).all()
""",
    "texts.py": """\
from models import User


def text(user: User, long: bool = False) -> str:
    return f"{user.name}: {len(user.posts)}"
""",
    "views.py": """\
from queries import all_posts, all_users
from sqlalchemy.orm import Session
from texts import text


def show(session: Session) -> None:
    for user in all_users(session):
        print(text(user))
    for post in all_posts(session):
        print(post.author)
""",
}
EDITS = [
    # The body of a property, of which no call and no result changes.
    ("models.py", "found = self.user\n", "found = self.id\n"),
    (
        "models.py",
        'relationship(back_populates="user")',
        'relationship(back_populates="user", lazy="selectin")',
    ),
    ("models.py", 'user: Mapped[User] = relationship(back_populates="posts")', "user: Mapped[User]"),
    ("queries.py", "select(User)", "select(User).options(selectinload(User.posts))"),
    ("queries.py", "select(Post)", "select(Post).options(joinedload(Post.user))"),
    ("queries.py", "select(User)", "select(User).limit(1)"),
    ("views.py", "print(text(user))", "print(user.id)"),
    ("views.py", "for user in all_users(session):", "for user in all_users(session)[:1]:"),
    ("texts.py", "len(user.posts)", "user.id"),
]


def found(project: Project) -> list[tuple[object, ...]]:
    return [
        (path, violation.rule.code, violation.span, violation.message, violation.applicability)
        for path, _, violation in project.violations()
        if violation.rule.code.startswith("SAG3")
    ]


def typed(project: Project, path: str, old: str, new: str) -> None:
    """Replace a text in an open document, and open it first where it is not."""
    file_id = next(file_id for file_id in project.workspace.documents if file_id.endswith(path))
    document = project.workspace.documents[file_id]
    if not project.workspace.is_open(file_id):
        project.workspace.open(file_id, Document.from_text(file_id, document.text, 1))
        document = project.workspace.documents[file_id]
    at = document.text.index(old)
    start, end = document.position(at), document.position(at + len(old))
    changed, edit = document.replace(*start, *end, new, "utf-32")
    project.workspace.change(file_id, changed, [edit])


@pytest.mark.parametrize(("path", "old", "new"), EDITS)
def test_findings_follow_edits_in_other_files(
    path: str, old: str, new: str, make_project: Callable[..., Project]
) -> None:
    project = make_project(FILES)
    before = found(project)
    assert {each[0] for each in before} == {"texts.py", "views.py"}
    typed(project, path, old, new)
    after = found(project)
    fresh = make_project({**FILES, path: FILES[path].replace(old, new, 1)})
    assert after == found(fresh)
    assert after != before
    typed(project, path, new, old)
    assert found(project) == before
