"""The preview: the SQL of statements in functions, with what is known and what is not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sqlalchemy_guard.cli.main import main
from sqlalchemy_guard.sql.ddl import DIALECTS
from sqlalchemy_guard.sql.preview import Variant, preview
from tests.project.test_incremental_check import Editor
from tests.support.fixture import Project

if TYPE_CHECKING:
    from pathlib import Path

MODELS = """
from sqlalchemy import ForeignKey, String
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

class Base(DeclarativeBase):
    pass

class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    active: Mapped[bool]
    posts: Mapped[list["Post"]] = relationship(back_populates="author")

    @hybrid_property
    def low(self):
        return self.name

    @low.expression
    def low(cls):
        return func.lower(cls.name)

class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    author: Mapped[User] = relationship(back_populates="posts", lazy="selectin")
"""
MODELS = MODELS.replace("import ForeignKey, String", "import ForeignKey, func")
HEAD = """
from sqlalchemy import and_, delete, exists, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session, aliased, contains_eager, joinedload, selectinload
from models import Base, Post, User
import helpers
"""
HELPERS = """
from sqlalchemy import select
from models import User

def active():
    return select(User).where(User.active)

def page(statement, number):
    return statement.limit(20).offset(number)
"""
USERS = "SELECT users.id, users.name, users.active FROM users"
POSTS = "SELECT posts.id, posts.title, posts.author_id FROM posts"


def variants(tmp_path: Path, body: str, dialect: str = "postgresql") -> list[Variant]:
    """The variants of the line with a comment `# here`."""
    text = HEAD + body
    project = Project(tmp_path, {"models.py": MODELS, "helpers.py": HELPERS, "main.py": text})
    line = next(number for number, one in enumerate(text.splitlines()) if one.endswith("# here"))
    return preview(project.workspace, project.report("main.py").file_id, line, dialect)


def flat(one: Variant) -> str:
    return " ".join(one.sql.split())


@pytest.mark.parametrize(
    ("code", "sql", "rows"),
    [
        ("s.scalars(select(User).where(User.id == user_id))", f"{USERS} WHERE users.id = :user_id", "User"),
        ("s.execute(select(User.id, User.name))", "SELECT users.id, users.name FROM users", "tuple[int, str]"),
        ("s.scalar(select(func.count()).select_from(User))", "SELECT count(*) AS count_1 FROM users", "int"),
        ("s.query(User).filter_by(name='x', active=True).first()", f"{USERS} WHERE users.name = 'x' AND users.active = true LIMIT 1", "User"),  # noqa: E501
        ("s.query(User).get(user_id)", f"{USERS} WHERE users.id = :user_id", "User"),
        ("s.query(User).filter(User.low == 'a').all()", f"{USERS} WHERE lower(users.name) = 'a'", "User"),
        ("User.query.order_by(User.name.desc()).all()", f"{USERS} ORDER BY users.name DESC", "User"),
        ("s.query(User).filter(User.id.in_([1, 2])).delete()", "DELETE FROM users WHERE users.id IN (1, 2)", ""),
        ("s.query(User).filter(User.id == 1).update({'name': 'x'})", "UPDATE users SET name='x' WHERE users.id = 1", ""),
        ("s.execute(update(User).where(User.id == user_id).values(name=user.name))", "UPDATE users SET name=:name WHERE users.id = :user_id", ""),  # noqa: E501
        ("s.get(User, user_id)", f"{USERS} WHERE users.id = :user_id", "User"),
        ("s.scalars(helpers.page(helpers.active(), 3))", f"{USERS} WHERE users.active LIMIT 20 OFFSET 3", "User"),
        ("s.scalars(select(Post).join(Post.author).where(User.name.like('a%')))", f"{POSTS} JOIN users ON users.id = posts.author_id WHERE users.name LIKE 'a%'", "Post"),  # noqa: E501
        ("s.scalars(select(Post).where(Post.author.has(User.active)))", f"{POSTS} WHERE EXISTS (SELECT 1 FROM users WHERE users.id = posts.author_id AND users.active)", "Post"),  # noqa: E501
        ("s.scalars(select(User).where(or_(User.name == name, User.active.is_(False))))", f"{USERS} WHERE users.name = :name OR users.active IS false", "User"),  # noqa: E501
        ("s.scalars(select(User).where(User.id.in_(user_ids)))", f"{USERS} WHERE users.id IN (:user_ids)", "User"),
        ("s.scalars(select(Post).where(Post.author == user))", f"{POSTS} WHERE :author_is_user", "Post"),
        ("s.execute(text('SELECT 1'))", "SELECT 1", ""),
        ("s.execute(pg_insert(User).values(id=1).on_conflict_do_nothing())", "INSERT INTO users (id) VALUES (1) ON CONFLICT DO NOTHING", ""),  # noqa: E501
        ("s.scalars(select(aliased(User, name='u')))", "SELECT u.id, u.name, u.active FROM users AS u", "User"),
    ],
)  # fmt: skip
def test_sql_of_one_statement(tmp_path: Path, code: str, sql: str, rows: str) -> None:
    (one,) = variants(tmp_path, f"def f(s, user, user_id, user_ids, name):\n    return {code}  # here\n")
    assert flat(one) == sql
    assert (one.rows, one.unknown, one.error) == (rows, (), "")


def test_each_way_through_the_function_is_a_variant(tmp_path: Path) -> None:
    found = variants(
        tmp_path,
        """
class Repository:
    def __init__(self, session: Session):
        self.session = session

    async def search(self, name=None, newest=False):
        statement = select(User)
        if name:
            statement = statement.where(User.name == name)
        if newest:
            statement = statement.order_by(User.id.desc())
        return (await self.session.scalars(statement)).all()  # here
""",
    )
    assert {one.when: flat(one) for one in found} == {
        ("name", "newest"): f"{USERS} WHERE users.name = :name ORDER BY users.id DESC",
        ("name", "not (newest)"): f"{USERS} WHERE users.name = :name",
        ("not (name)", "newest"): f"{USERS} ORDER BY users.id DESC",
        ("not (name)", "not (newest)"): USERS,
    }


def test_a_loop_that_is_left_somewhere_runs_once(tmp_path: Path) -> None:
    """Nobody knows when; what comes behind it, and in it, is seen without going round for ever."""
    body = (
        "def f(s):\n    number = 0\n    while True:\n"
        "        rows = s.scalars(select(User).limit(20).offset(number)).all()  # loop\n"
        "        if not rows:\n            break\n        number += 20\n"
        "    return s.scalars(select(Post))  # here\n"
    )
    (one,) = variants(tmp_path / "1", body)
    assert flat(one) == POSTS
    (one,) = variants(tmp_path / "2", body.replace("# here", "").replace("# loop", "# here"))
    assert flat(one) == f"{USERS} LIMIT 20 OFFSET 0"
    steps = 0

    def counted() -> None:
        nonlocal steps
        steps += 1

    project = Project(tmp_path / "3", {"models.py": MODELS, "helpers.py": HELPERS, "main.py": HEAD + body})
    line = HEAD.count("\n") + body[: body.index("# here")].count("\n")
    assert preview(project.workspace, project.report("main.py").file_id, line, "postgresql", counted)
    assert steps < 40


def test_generic_repositories_and_statements_deep_inside(tmp_path: Path) -> None:
    body = """
from typing import Generic, TypeVar

M = TypeVar("M")

class Repository(Generic[M]):
    model: type[M]

    def base(self):
        return select(self.model)

class Users(Repository[User]):
    model = User

    def ids(self, s, groups, wanted):
        if not wanted:
            return []
        if groups.broken:
            raise ValueError
        for group in groups:
            print(group)
            if group.kind == "a":
                name = group.name
            elif group.kind == "b":
                with s.begin():
                    try:
                        name = "x"
                    except KeyError:
                        name = group.other
                        return s.scalars(self.base().with_only_columns(User.id).where(User.name == name))  # here
"""
    (one,) = variants(tmp_path, body)
    assert flat(one) == "SELECT users.id FROM users WHERE users.name = :name"


def test_loaders_say_what_they_add(tmp_path: Path) -> None:
    body = """
def f(s):
    return s.scalars(select(User).options(selectinload(User.posts).joinedload(Post.author)))  # here
"""
    (one,) = variants(tmp_path, body)
    assert one.added == ("1 SELECT by selectinload(User.posts)", "JOIN by joinedload(Post.author)")
    (other,) = variants(tmp_path, "def f(s):\n    return s.scalars(select(Post))  # here\n")
    assert other.added == ("1 SELECT by lazy='selectin' of Post.author",)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    (one,) = variants(
        tmp_path,
        "def f(s, *filters, order):\n    return s.scalars(select(User).where(*filters).order_by(order))  # here\n",
    )
    assert flat(one) == USERS
    assert one.unknown == ("*filters", "order_by(order)")


@pytest.mark.parametrize(
    "code",
    [
        "s.scalars(select(model))",
        "s.query(model).all()",
        "s.execute(select(User).select_from(model))",
        "s.execute(select(User).join(model))",
        "s.execute(delete(model))",
        "s.execute(statement)",
        "s.execute(text(statement))",
        "print(model)",
    ],
)
def test_a_statement_of_unknown_tables_is_not_shown(tmp_path: Path, code: str) -> None:
    assert variants(tmp_path, f"def f(s, model, statement):\n    return {code}  # here\n") == []


def test_unlinked_tables_and_dialects(tmp_path: Path) -> None:
    (one,) = variants(tmp_path, "def f(s):\n    return s.execute(select(User.id, Post.id))  # here\n")
    assert one.unlinked == ("posts and users",)
    body = "def f(s):\n    return s.scalars(select(User).distinct(User.name))  # here\n"
    assert "DISTINCT ON" in variants(tmp_path, body)[0].sql
    refused = variants(
        tmp_path,
        "def f(s):\n    return s.execute(pg_insert(User).values(id=1).on_conflict_do_nothing())  # here\n",
        "mysql",
    )
    assert (refused[0].sql, bool(refused[0].error)) == ("", True)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect(tmp_path: Path, dialect: str) -> None:
    (one,) = variants(
        tmp_path,
        "def f(s, n):\n    return s.scalars(select(User).order_by(User.id).limit(n))  # here\n",
        dialect,
    )
    assert one.sql
    assert one.error == ""


def test_what_python_computes_is_no_null(tmp_path: Path) -> None:
    body = """
import datetime
import uuid
from sqlalchemy.orm import Mapped, mapped_column

class Thing(Base):
    __tablename__ = "things"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    name: Mapped[str | None]
    changed: Mapped[datetime.datetime] = mapped_column(onupdate=datetime.datetime.now)

def f(s, key):
    return s.execute(update(Thing).where(Thing.id == key).values(name=None))  # here
"""
    (one,) = variants(tmp_path, body)
    assert flat(one) == "UPDATE things SET name=NULL, changed=:changed WHERE things.id = :key"
    (other,) = variants(tmp_path, body.replace("update(Thing).where(Thing.id == key)", "insert(Thing)"))
    assert flat(other) == "INSERT INTO things (id, name) VALUES (:id, NULL)"


@pytest.mark.parametrize(
    ("file", "old", "new", "shown"),
    [
        ("helpers.py", "where(User.active)", "where(User.id == 3)", "users.id = 3"),
        ("models.py", "func.lower(cls.name)", "func.upper(cls.name)", "upper(users.name)"),
        ("main.py", "User.low ==", "User.name !=", "users.name != "),
        ("main.py", "import helpers", "import others as helpers", "users.id > 5"),
        (
            "models.py",
            "    name: Mapped[str]",
            "    name: Mapped[str] = mapped_column('n')",
            "lower(users.n)",
        ),
    ],
)
def test_an_edit_anywhere_is_seen(tmp_path: Path, file: str, old: str, new: str, shown: str) -> None:
    text = f"{HEAD}\ndef f(s):\n    return s.scalars(helpers.active().where(User.low == 'a'))\n"
    others = HELPERS.replace("where(User.active)", "where(User.id > 5)")
    texts = {"models.py": MODELS, "helpers.py": HELPERS, "others.py": others, "main.py": text}
    for name, one in texts.items():
        (tmp_path / name).write_text(one)
    editor = Editor(tmp_path, texts)

    def sql() -> str:
        line = len(text.splitlines()) - 1
        return flat(preview(editor.workspace, editor.ids["main.py"], line, "postgresql")[0])

    before = sql()
    assert "users.active" in before and "lower(users.name) = 'a'" in before  # noqa: PT018
    lines = editor.documents[file].lines
    row = next(number for number, one in enumerate(lines) if old in one)
    editor.replace(file, row, row + 1, lines[row].replace(old, new))
    assert shown in sql()
    editor.replace(file, row, row + 1, lines[row].replace(new, old))
    assert sql() == before


def test_long_lists_are_broken(tmp_path: Path) -> None:
    columns = ", ".join(f"User.name.label('the_name_number_{n}')" for n in range(6))
    (one,) = variants(tmp_path, f"def f(s):\n    return s.execute(select({columns}))  # here\n")
    assert one.sql.splitlines()[:3] == [
        "SELECT",
        "    users.name AS the_name_number_0,",
        "    users.name AS the_name_number_1,",
    ]
    assert one.sql.splitlines()[-1] == "FROM users"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (tmp_path / "models.py").write_text(MODELS)
    path = tmp_path / "main.py"
    path.write_text(HEAD + "def f(s, n):\n    return s.scalars(select(Post).limit(n))\n")
    place = f"{path}:{len(path.read_text().splitlines())}"
    assert main(["sql", place]) == 0
    assert capsys.readouterr().out == (
        "SELECT posts.id, posts.title, posts.author_id\nFROM posts\nLIMIT :n\n"
        "-- rows: Post\n-- + 1 SELECT by lazy='selectin' of Post.author\n"
    )
    assert main(["sql", place, "--format", "json", "--dialect", "sqlite"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["parameters"] == ["n"]
    assert main(["sql", f"{path}:1"]) == 1
    assert "no statement" in capsys.readouterr().err
    assert main(["sql", "nothing"]) == 2
