"""Drift from end to end: the command, the rule, and what makes either of them look again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sqlalchemy_guard.check import Checker
from sqlalchemy_guard.cli.main import main
from sqlalchemy_guard.fix import single
from sqlalchemy_guard.migrations import drift as drift_module
from sqlalchemy_guard.migrations.drift import drifts
from sqlalchemy_guard.migrations.known import refresh
from sqlalchemy_guard.text.document import Document
from sqlalchemy_guard.vfs import canonical
from tests.migrations.support import opened
from tests.migrations.test_render import ENV, MODELS
from tests.migrations.test_replay import USERS
from tests.migrations.truth import chain

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy_guard.project.workspace import Workspace
    from sqlalchemy_guard.rules.api import Violation

IN_STEP = """\
from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), unique=True)
    email: Mapped[str | None] = mapped_column(String(100), index=True)
    state: Mapped[str | None] = mapped_column(String(10), server_default="new")


class Post(Base):
    __tablename__ = "posts"
    __table_args__ = (UniqueConstraint("user_id", "title", name="uq_posts"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str | None] = mapped_column(Text)
"""


def files(models: str, *upgrades: str) -> dict[str, str]:
    """A project on PostgreSQL."""
    return chain(*(upgrades or (USERS,))) | {
        "alembic/env.py": ENV,
        "alembic.ini": "[alembic]\nscript_location = alembic\nsqlalchemy.url = postgresql+asyncpg://x\n",
        "pyproject.toml": "",
        "models.py": models,
    }


def messages(workspace: Workspace) -> list[str]:
    """What differs in the only environment."""
    (found,) = drifts(workspace)
    assert found.problem == ""
    return [finding.message for finding in found.findings]


def test_in_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0."""
    opened(tmp_path, files(IN_STEP))
    assert main(["drift", str(tmp_path)]) == 0
    assert "in step with the models" in capsys.readouterr().out


def test_differences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, one line for each with its place; JSON has the same."""
    opened(
        tmp_path,
        files(
            IN_STEP.replace('ondelete="CASCADE"', 'ondelete="SET NULL"').replace("String(50)", "String(80)")
        ),
    )
    assert main(["drift", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert (
        "models.py:13:5: `users.name` is `VARCHAR(80)` in the model and `VARCHAR(50)` in the migrations"
        in out
    )
    assert "ON DELETE SET NULL in the model, CASCADE there" in out
    assert main(["drift", str(tmp_path), "--output-format", "json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert [(one["kind"], one["row"]) for one in found["differences"]] == [
        ("type", 13),
        ("change_foreignkey", 23),
    ]
    assert found["dialects"] == ["postgresql"]
    assert found["problem"] is None


def test_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The revision is written, and puts both in step."""
    opened(tmp_path, files(MODELS))
    assert main(["drift", str(tmp_path), "--write", "-m", "Everything"]) == 1
    written = list((tmp_path / "alembic/versions").glob("*_everything.py"))
    assert len(written) == 1
    assert main(["drift", str(tmp_path)]) == 0
    assert main(["drift", str(tmp_path), "--write"]) == 2
    capsys.readouterr()


def test_one_type_of_many_columns(tmp_path: Path) -> None:
    """The values of an enum type are the database's once, and so is what differs."""
    models = IN_STEP.replace("import ForeignKey", "import Enum, ForeignKey").replace(
        "    state: Mapped",
        "    one: Mapped[str | None] = mapped_column(Enum('a', 'b', name='level'))\n"
        "    two: Mapped[str | None] = mapped_column(Enum('a', 'b', name='level'))\n    state: Mapped",
    )
    revision = """
    op.add_column("users", sa.Column("one", sa.Enum("a", name="level")))
    op.add_column("users", sa.Column("two", sa.Enum("a", name="level")))
"""
    workspace = opened(tmp_path, files(models, USERS, revision))
    assert messages(workspace) == [
        "the values of the enum of `users.one` differ: `b` is in no migration; so in 2 columns: users.one, users.two"
    ]
    assert main(["drift", str(tmp_path), "--write", "-m", "more levels"]) == 1
    written = next(
        text for path in tmp_path.rglob("*.py") if "more levels" in (text := path.read_text(encoding="utf-8"))
    )
    assert written.count("ADD VALUE") == 1


CHECKED = """
class Place(Base):
    __tablename__ = "places"

    id: Mapped[int] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(CheckConstraint("size > 0", name="ck_places_size"))
"""
PLACES = """
    op.create_table(
        "places",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("size", sa.Integer(){inline}, nullable=False),
    )
"""
INLINE = ', sa.CheckConstraint("size > 0", name="ck_places_size")'


@pytest.mark.parametrize(
    ("revision", "reported"),
    [
        (PLACES.format(inline=INLINE), 0),
        (
            PLACES.format(inline="")
            + '    op.create_check_constraint("ck_places_size", "places", "size > 0")\n',
            0,
        ),
        (PLACES.format(inline=""), 1),
    ],
)
def test_checks_of_columns(tmp_path: Path, revision: str, reported: int) -> None:
    """A check that a column is given is the column's, in the models as in revisions."""
    models = IN_STEP.replace("import ForeignKey", "import CheckConstraint, ForeignKey") + CHECKED
    found = messages(opened(tmp_path, files(models, USERS, revision)))
    assert len(found) == reported, found


@pytest.mark.parametrize(
    ("addition", "reported"),
    [
        ("    op.add_geospatial_column('users', sa.Column('place', sa.Text()))\n", 0),
        (
            "    with op.batch_alter_table('users') as batch:\n"
            "        batch.add_geospatial_column(sa.Column('place', sa.Text()))\n",
            0,
        ),
        ("    op.add_any_column('users', 'place')\n", 0),
        ("    op.add_any_column('posts', 'place')\n", 1),
    ],
)
def test_operations_of_others(tmp_path: Path, addition: str, reported: int) -> None:
    """Those of GeoAlchemy are known; what any other one did to the tables that it names nobody knows."""
    models = IN_STEP.replace(
        "    state: Mapped", "    place: Mapped[str | None] = mapped_column(Text)\n    state: Mapped"
    )
    found = messages(opened(tmp_path, files(models, USERS, addition)))
    assert len(found) == reported, found


def test_keys_to_a_table_that_was_exchanged(tmp_path: Path) -> None:
    """Which table they mean after a rename and a drop depends on the database."""
    exchange = """
    op.rename_table("users", "users_old")
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(50), unique=True, nullable=False),
        sa.Column("email", sa.String(100)),
        sa.Column("state", sa.String(10), server_default="new"),
    )
    op.create_index("ix_users_email", "users", ["email"])
    op.drop_table("users_old")
"""
    assert messages(opened(tmp_path, files(IN_STEP, USERS, exchange))) == []


@pytest.mark.parametrize(
    ("upgrades", "words"),
    [
        (('op.add_column("users", sa.Column("x", sa.Integer))',), "its history is not whole"),
        # Every step is for another database than the one that is assumed.
        (
            (
                'if op.get_context().dialect.name == "oracle":\n        op.create_index("by_name", "users", ["name"])',
            ),
            "create none of the models' tables",
        ),
        ((USERS, "pass"), "which no revision is"),
    ],
)
def test_histories_that_cannot_be_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], upgrades: tuple[str, ...], words: str
) -> None:
    """Exit code 2, and why; the rule is silent."""
    made = files(IN_STEP, *upgrades)
    if len(upgrades) > 1:
        del made["alembic/versions/r1.py"]
    workspace = opened(tmp_path, made)
    assert main(["drift", str(tmp_path)]) == 2
    assert words in capsys.readouterr().out
    assert violations(workspace, tmp_path) == []


def test_a_history_that_asks_for_servers_is_not_one_of_sqlite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The engine of a try-out on SQLite does not say which database the migrations are for."""
    ask = 'if op.get_context().dialect.name in ["mysql", "postgresql"]:\n        '
    made = files(IN_STEP, ask + 'op.create_index("by_name", "users", ["name"])', ask + "pass")
    made["alembic.ini"] = "[alembic]\nscript_location = alembic\n"
    made["app.py"] = 'from sqlalchemy import create_engine\n\nengine = create_engine("sqlite:///try.db")\n'
    workspace = opened(tmp_path, made)
    assert main(["drift", str(tmp_path)]) == 2
    assert "its history is not whole" in capsys.readouterr().out
    assert violations(workspace, tmp_path) == []


def test_tables_of_tests_need_no_migration(tmp_path: Path) -> None:
    """The tests make them where they need them."""
    model = "class {0}(Base):\n    __tablename__ = '{0}'\n    id = Column(Integer, primary_key=True)\n"
    made = files(IN_STEP)
    for name in ("tests/test_a", "more"):
        made[f"{name}.py"] = (
            "from sqlalchemy import Column, Integer\nfrom models import Base\n" + model.format(name[-1])
        )
    (message,) = messages(opened(tmp_path, made))
    assert message == "no migration creates the table `e`"


def violations(workspace: Workspace, folder: Path) -> list[Violation]:
    """What the rule says about the models."""
    report = Checker(workspace).check(canonical(str(folder / "models.py")))
    assert report.internal == []
    return [one for one in report.violations if one.rule.code == "SAG502"]


def test_many_tables_with_one_cause(tmp_path: Path) -> None:
    """The column of a mixin is one finding, with the tables named."""
    models = IN_STEP.replace(
        "class User(Base):", "class Tenant:\n    tenant: Mapped[int | None]\n\n\nclass User(Tenant, Base):"
    ).replace("class Post(Base):", "class Post(Tenant, Base):")
    (message,) = messages(opened(tmp_path, files(models)))
    assert "no migration adds the column" in message
    assert "in 2 tables: posts, users" in message


def test_what_env_py_leaves_out(tmp_path: Path) -> None:
    """`include_object` is asked, without running it."""
    made = files(
        IN_STEP.replace("String(80)", "String(50)")
        + "\n\nclass Extra(Base):\n    __tablename__ = 'x_extra'\n    id: Mapped[int] = mapped_column(primary_key=True)\n"
    )
    made["alembic/env.py"] = ENV.replace(
        "context.configure(",
        "def include_object(object, name, type_, reflected, compare_to):\n"
        '    return not (type_ == "table" and name.startswith("x_"))\n\n\n'
        "context.configure(include_object=include_object, ",
    )
    assert messages(opened(tmp_path, made)) == []


LONG = "".join(f"    logger.info('step {number}')\n" for number in range(40))
IN_A_FUNCTION = f"""\
from alembic import context
from flask import current_app
from models import Base


def include_object(object, name, type_, reflected, compare_to):
    return name != "extras"


def run_migrations_online():
{LONG}    context.configure(
        target_metadata=Base.metadata,
        include_object=include_object,
        **current_app.extensions["migrate"].configure_args,
    )
    context.run_migrations()


run_migrations_online()
"""


def test_a_long_function_configures(tmp_path: Path) -> None:
    """What a function of `env.py` configures counts however long it is; Flask-Migrate's options ask for batch mode."""
    made = files(IN_STEP, USERS, '    op.create_table("extras", sa.Column("id", sa.Integer()))\n')
    made["alembic/env.py"] = IN_A_FUNCTION
    workspace = opened(tmp_path, made)
    assert messages(workspace) == []
    (found,) = drifts(workspace)
    assert found.configured.options["render_as_batch"] is True


FLASK_MODELS = """\
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData

db = SQLAlchemy()
other = MetaData()
reports = db.Table("reports", other, db.Column("id", db.Integer, primary_key=True))


class User(db.Model):
    __tablename__ = "users"
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80), nullable=False)
"""
SECOND_DATABASE = """

second = SQLAlchemy()


class Visit(second.Model):
    id = second.Column(second.Integer, primary_key=True)
"""
FLASK_ENV = """\
from alembic import context
from flask import current_app

target_db = current_app.extensions["migrate"].db


def get_metadata():
    if hasattr(target_db, "metadatas"):
        return target_db.metadatas[None]
    return target_db.metadata


def run_migrations_online():
    context.configure(target_metadata=get_metadata())
    context.run_migrations()


run_migrations_online()
"""


@pytest.mark.parametrize(
    ("said", "added", "is_known"),
    [
        ("get_metadata()", "", True),
        ('current_app.extensions["migrate"].db.metadata', "", True),
        ("get_metadata()", '    __bind_key__ = "elsewhere"\n', False),
        ("get_metadata()", SECOND_DATABASE, False),
    ],
)
def test_the_application_knows_what_is_migrated(
    tmp_path: Path, said: str, added: str, is_known: bool
) -> None:
    """Flask-Migrate's metadata is that of the one extension object, unless keys spread the models over databases."""
    columns = '        sa.Column("id", sa.Integer(), primary_key=True),\n'
    made = files(FLASK_MODELS + added, f'    op.create_table(\n        "users",\n{columns}    )\n')
    made["alembic/env.py"] = FLASK_ENV.replace("metadata=get_metadata()", f"metadata={said}")
    (found,) = drifts(opened(tmp_path, made))
    assert found.configured.is_known is is_known
    assert bool(found.problem) is not is_known
    if is_known:
        assert ["name" in one for one in messages(opened(tmp_path, made))] == [True]


@pytest.mark.parametrize(("setup", "reported"), [("make_versioned(user_cls=None)\n", 0), ("", 1)])
def test_tables_of_versions(tmp_path: Path, setup: str, reported: int) -> None:
    """SQLAlchemy-Continuum makes a table for each that it keeps the versions of."""
    made = files(
        IN_STEP + setup, USERS, '    op.create_table("users_version", sa.Column("id", sa.Integer()))\n'
    )
    assert len(messages(opened(tmp_path, made))) == reported


def test_unknown_bases_are_open(tmp_path: Path) -> None:
    """A base that nobody can read may bring the columns that seem to be missing."""
    models = "from somewhere import Columns\n" + IN_STEP.replace(
        "class User(Base):", "class User(Columns, Base):"
    )
    models = models.replace("    email: Mapped[str | None] = mapped_column(String(100), index=True)\n", "")
    assert messages(opened(tmp_path, files(models))) == []


def test_an_edit_is_seen(tmp_path: Path) -> None:
    """The rule looks again after an edit of the models or of a revision."""
    workspace = opened(tmp_path, files(IN_STEP))
    assert violations(workspace, tmp_path) == []
    path = tmp_path / "models.py"
    path.write_text(IN_STEP.replace("String(50)", "String(60)"))
    workspace.changed_on_disk([canonical(str(path))])
    (found,) = violations(workspace, tmp_path)
    assert found.message.startswith("`users.name` is `VARCHAR(60)` in the model")
    assert found.span.line == 12
    path = tmp_path / "alembic/versions/r1.py"
    path.write_text(path.read_text().replace("sa.String(50)", "sa.String(60)"))
    workspace.changed_on_disk([canonical(str(path))])
    assert violations(workspace, tmp_path) == []


def test_nobody_waits_while_typing(tmp_path: Path) -> None:
    """In an editor the rule says what was found last; looking again is asked for."""
    workspace = opened(tmp_path, files(IN_STEP.replace("String(50)", "String(60)")))
    workspace.is_interactive = True
    assert violations(workspace, tmp_path) == []
    assert refresh(workspace)
    assert len(violations(workspace, tmp_path)) == 1
    assert not refresh(workspace)


def test_the_fix_creates_the_file(tmp_path: Path) -> None:
    """One file, the same each time."""
    workspace = opened(tmp_path, files(IN_STEP.replace("String(50)", "String(60)")))
    checker = Checker(workspace)
    report = checker.check(canonical(str(tmp_path / "models.py")))
    (violation,) = [one for one in report.violations if one.rule.code == "SAG502"]
    fix = single(checker, report, violation)
    assert fix is not None
    (path,) = fix.creates
    assert path.startswith(canonical(str(tmp_path / "alembic/versions")))
    (edit,) = fix.edits[path]
    assert 'op.alter_column(\n        "users"' in edit.new or "batch_op.alter_column(" in edit.new


def test_an_edit_beside_models_and_revisions_compares_nothing_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = (
        "from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column\n\n\nclass Base(DeclarativeBase):\n    pass\n\n\n"
        'class User(Base):\n    __tablename__ = "users"\n    id: Mapped[int] = mapped_column(primary_key=True)\n'
    )
    files = chain('op.create_table("users", sa.Column("id", sa.Integer(), primary_key=True))') | {
        "alembic/env.py": "from alembic import context\nfrom models import Base\n\n"
        "context.configure(target_metadata=Base.metadata)\ncontext.run_migrations()\n",
        "models.py": models,
        "service.py": "def one():\n    return 1\n",
    }
    workspace = opened(tmp_path, files)
    compared = 0
    real = drift_module.compare

    def counting(*args: Any) -> Any:
        nonlocal compared
        compared += 1
        return real(*args)

    monkeypatch.setattr(drift_module, "compare", counting)

    def look() -> tuple[int, object]:
        (found,) = drift_module.drifts(workspace)
        assert not found.problem
        return compared, found

    def write(name: str, text: str) -> None:
        file_id = canonical(str(tmp_path / name))
        workspace.open(file_id, Document.from_text(file_id, text))

    once, first = look()
    assert once > 0
    write("service.py", "def one():\n    return 2\n")
    assert look() == (once, first)
    write("models.py", models + "    name: Mapped[str]\n")
    again, other = look()
    assert again > once
    assert other is not first
