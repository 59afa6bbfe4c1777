"""Revisions that are written: from the project's own template, as Black would, and they run on the real Alembic, both ways."""

from __future__ import annotations

import ast
import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import alembic
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from sqlalchemy_guard.migrations.drift import drifts
from sqlalchemy_guard.migrations.render import Rendered, RenderError, render
from sqlalchemy_guard.migrations.template import NotUnderstood, fill
from tests.migrations.support import opened
from tests.migrations.test_replay import USERS
from tests.migrations.truth import REAL_ENV, chain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy_guard.migrations.drift import Drift
    from sqlalchemy_guard.project.workspace import Workspace

GENERIC = (Path(alembic.__file__).parent / "templates/generic/script.py.mako").read_text(encoding="utf-8")
ENV = """\
from alembic import context
from models import Base

context.configure(target_metadata=Base.metadata, render_as_batch=True)
context.run_migrations()
"""
MODELS = """\
from sqlalchemy import Enum, ForeignKey, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    full_name: Mapped[str] = mapped_column(String(50), unique=True)
    email: Mapped[str | None] = mapped_column(String(200), index=True)
    state: Mapped[str | None] = mapped_column(String(10), server_default="new")
    age: Mapped[int] = mapped_column(index=True)
    active: Mapped[bool] = mapped_column(default=True)


class Post(Base):
    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    title: Mapped[str | None] = mapped_column(Text)


class Tag(Base):
    __tablename__ = "tags"

    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(Enum("a", "b", name="kinds"))
"""


def project(
    folder: Path, models: str = MODELS, url: str = "sqlite://", **more: str
) -> tuple[Workspace, Drift]:
    """A project with one revision, and its drift."""
    files = chain(USERS) | {
        "alembic/env.py": ENV,
        "alembic.ini": f"[alembic]\nscript_location = alembic\nsqlalchemy.url = {url}\n{more.pop('ini', '')}",
        "alembic/script.py.mako": more.pop("template", GENERIC),
        "models.py": models,
    }
    workspace = opened(folder, files)
    (found,) = drifts(workspace)
    return workspace, found


def made(folder: Path, **more: Any) -> Rendered:
    """The revision of the project."""
    workspace, found = project(folder, **more)
    now = datetime.datetime(2026, 5, 4, 3, 2, 1, tzinfo=datetime.UTC)
    return render(workspace, found, "Names and ages", now=now, revision="abcdef012345")


def test_it_runs_both_ways(tmp_path: Path) -> None:
    """The real Alembic runs it on a database with rows, finds nothing more to do, and takes it back."""
    rendered = made(tmp_path)
    Path(rendered.path).write_text(rendered.text, encoding="utf-8")
    (tmp_path / "alembic/env.py").write_text(REAL_ENV, encoding="utf-8")
    url = f"sqlite:///{(tmp_path / 'db.sqlite').as_posix()}"
    config = Config()
    config.set_main_option("script_location", str(tmp_path / "alembic"))
    config.set_main_option("sqlalchemy.url", url)
    command.upgrade(config, "r1")
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO users (id, name) VALUES (1, 'a'), (2, 'b')"))
    command.upgrade(config, "head")
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT full_name, age, active FROM users ORDER BY id")).all()
        assert [tuple(row) for row in rows] == [("a", 0, 1), ("b", 0, 1)]
        keys = sa.inspect(connection).get_foreign_keys("posts")
        assert keys[0]["options"] == {"ondelete": "SET NULL"}
    command.downgrade(config, "r1")
    with engine.connect() as connection:
        names = {column["name"] for column in sa.inspect(connection).get_columns("users")}
        assert names == {"id", "name", "email", "state"}
        assert "tags" not in sa.inspect(connection).get_table_names()


def test_it_puts_the_history_in_step(tmp_path: Path) -> None:
    """With the revision in place nothing differs any more, on either database."""
    for url in ("sqlite://", "postgresql://x"):
        folder = tmp_path / url[:4]
        rendered = made(folder, url=url)
        workspace = opened(folder, {f"alembic/versions/{Path(rendered.path).name}": rendered.text})
        (again,) = drifts(workspace)
        assert [finding.message for finding in again.findings] == []


def test_the_project_says_how(tmp_path: Path) -> None:
    """Its template, the names of its files and their folder."""
    rendered = made(
        tmp_path, ini="file_template = %%(year)d_%%(month).2d-%%(rev)s_%%(slug)s\ntruncate_slug_length = 8\n"
    )
    assert Path(rendered.path).name == "2026_05-abcdef012345_names_.py"
    assert Path(rendered.path).parent == tmp_path / "alembic/versions"
    assert 'revision: str = "abcdef012345"' in rendered.text
    assert 'down_revision: Union[str, Sequence[str], None] = "r1"' in rendered.text
    assert "Create Date: 2026-05-04 03:02:01+00:00" in rendered.text
    assert rendered.text.startswith('"""Names and ages\n')


def test_a_template_that_is_more_than_values(tmp_path: Path) -> None:
    """It is not run: the default stands in, and that is said."""
    rendered = made(tmp_path, template="<% import os; os.system('touch trace') %>\n" + GENERIC)
    assert any("script.py.mako was not used" in note for note in rendered.notes)
    assert 'down_revision = "r1"' in rendered.text
    ast.parse(rendered.text)


def test_concurrent_indexes(tmp_path: Path) -> None:
    """Where the project builds indexes without locking, so does the revision."""
    files = chain(
        USERS,
        'op.create_index("ix_s", "users", ["state"], postgresql_concurrently=True)\nop.drop_index("ix_s", "users")',
    )
    models = MODELS.replace(
        "title: Mapped[str | None] = mapped_column(Text)",
        "title: Mapped[str | None] = mapped_column(Text, index=True)",
    )
    ini = "[alembic]\nscript_location = alembic\nsqlalchemy.url = postgresql://x\n"
    workspace = opened(tmp_path, files | {"alembic/env.py": ENV, "alembic.ini": ini, "models.py": models})
    (found,) = drifts(workspace)
    text = render(workspace, found, "x").text
    assert "with op.get_context().autocommit_block():" in text
    assert "postgresql_concurrently=True" in text


def test_nothing_to_write(tmp_path: Path) -> None:
    """No empty revisions."""
    rendered = made(tmp_path)
    workspace = opened(tmp_path, {f"alembic/versions/{Path(rendered.path).name}": rendered.text})
    (found,) = drifts(workspace)
    with pytest.raises(RenderError, match="in step"):
        render(workspace, found, "again")


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("${a} ${b | comma,n}\n## gone\n${repr(c)}", 'x 1, 2\n("y",)'),
        ("${d if d else 'pass'} ${d or a}", "pass x"),
        ("a\\\nb ${a|n}", "ab x"),
        ("<%doc>\n${what} % else\n</%doc>\n${repr(d)} 100%", "None 100%"),
    ],
)
def test_templates(template: str, text: str) -> None:
    """The forms that templates of revisions are made of."""
    values: Mapping[str, Any] = {"a": "x", "b": [1, 2], "c": ("y",), "d": None}
    assert fill(template, values) == text


@pytest.mark.parametrize(
    "template",
    [
        "${a.b}",
        "${open('x')}",
        "${a | h}",
        "% for x in y:\n% endfor",
        "<%def name='x()'></%def>",
        "${zzz}",
        "${(}",
    ],
)
def test_other_templates(template: str) -> None:
    """Whatever is more is not understood, and nothing is run."""
    with pytest.raises(NotUnderstood):
        fill(template, {"a": "x", "y": []})
