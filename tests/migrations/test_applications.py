"""What real applications do in `env.py`, revisions and models, in small: nothing is reported that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sqlalchemy_guard.migrations.drift import drifts
from sqlalchemy_guard.migrations.state import EXISTENCE
from sqlalchemy_guard.sql.models import rebuild
from sqlalchemy_guard.sql.natives import UNKNOWN
from tests.migrations.support import opened
from tests.migrations.test_replay import USERS
from tests.migrations.truth import body, chain, replayed

if TYPE_CHECKING:
    from pathlib import Path

INI = "[alembic]\nscript_location = alembic\nsqlalchemy.url = {url}\n"
ENV = """\
from alembic import context
from models import Base

target_metadata = Base.metadata

{before}

def run_migrations_online():
{padding}
    context.configure(target_metadata=target_metadata, include_object=include_object)
    context.run_migrations()


run_migrations_online()
"""
BASE = """\
from sqlalchemy import *
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, declared_attr


class Base(DeclarativeBase):
    pass

"""


def found(folder: Path, models: str, *upgrades: str, env: str = "", url: str = "postgresql://x") -> list[str]:
    """What drift says of a project, one message for each finding; a problem is one, too."""
    files = chain(*upgrades) | {
        "alembic.ini": INI.format(url=url),
        "models.py": models,
        "alembic/env.py": env or ENV.format(before="include_object = None\n", padding="    pass"),
    }
    (drift,) = drifts(opened(folder, files))
    return [drift.problem] if drift.problem else [finding.message for finding in drift.findings]


def tables(folder: Path, models: str) -> dict[str, Any]:
    """The tables of a module of models, rebuilt."""
    return {table.name: table for table in rebuild(opened(folder, {"models.py": models})).tables}


ITEM = (
    BASE
    + 'class Item(Base):\n    __tablename__ = "items"\n    id: Mapped[int] = mapped_column(primary_key=True)\n'
)
ITEMS = 'op.create_table("items", sa.Column("id", sa.Integer, primary_key=True))'


@pytest.mark.parametrize("padding", [1, 200])
def test_filters_of_env(tmp_path: Path, padding: int) -> None:
    """The filter of `env.py` holds, however long the function is that configures it."""
    before = (
        "def include_object(object, name, type_, *rest):\n"
        '    return not (type_ == "table" and name not in target_metadata.tables)\n'
    )
    env = ENV.format(
        before=before, padding="\n".join(f"    x{number} = {number}" for number in range(padding))
    )
    upgrade = f'{ITEMS}\nop.create_table("other", sa.Column("id", sa.Integer, primary_key=True))'
    assert found(tmp_path, ITEM, upgrade, env=env) == []
    unfiltered = env.replace("not (type_", "not (False and type_")
    assert len(found(tmp_path / "unfiltered", ITEM, upgrade, env=unfiltered)) == 1


def test_a_filter_that_asks_what_nobody_knows(tmp_path: Path) -> None:
    """An unknown part of a condition does not matter where the other part is false."""
    before = (
        "import settings\n\ndef include_object(object, name, type_, reflected, compare_to):\n"
        '    if settings.read().strict and type_ == "nothing":\n        return False\n    return True\n'
    )
    env = ENV.format(before=before, padding="    pass")
    models = ITEM + "    name: Mapped[str]\n"
    assert found(tmp_path, models, ITEMS, env=env) == ["no migration adds the column `items.name`"]


def test_operations_under_another_name(tmp_path: Path) -> None:
    """`import alembic.op as op` is the same as `from alembic import op`."""
    files = chain(ITEMS)
    files["alembic/versions/r2.py"] = body(
        "r2", "r1", 'op.add_column("items", sa.Column("name", sa.Text))'
    ).replace("from alembic import context, op", "import alembic.op as op")
    table = replayed(tmp_path, files).schema.tables[None, "items"]
    assert [column.name for column in table.columns] == ["id", "name"]


def test_a_change_of_which_one_part_is_unknown(tmp_path: Path) -> None:
    """A column is renamed although its new type is not known."""
    files = chain(
        f'{ITEMS}\nop.add_column("items", sa.Column("day", sa.Date, nullable=False))',
        'op.alter_column("items", "day", type_=types.Moment(), nullable=True, new_column_name="moment")',
        before="from shop import types\n",
    )
    table = replayed(tmp_path, files, "postgresql").schema.tables[None, "items"]
    column = table.column("moment")
    assert table.column("day") is None
    assert column is not None
    assert column.nullable
    assert column.unknown == {"type"}


def test_reflected_metadata(tmp_path: Path) -> None:
    """A revision that reads the tables from its connection goes on behind that."""
    files = chain(
        USERS,
        "metadata = sa.MetaData()\nmetadata.reflect(op.get_bind())\nusers = metadata.tables['users']\n"
        "op.get_bind().execute(users.update().values(name='x'))\nop.drop_table('posts')",
    )
    result = replayed(tmp_path, files)
    assert result.limits == []
    assert (None, "posts") not in result.schema.tables


def test_a_walk_through_data(tmp_path: Path) -> None:
    """A function that calls itself with what rows hold ends, and what comes behind it counts."""
    before = (
        "def walk(node, parents):\n    for child in node.children:\n        walk(child, [*parents, node])\n"
        "    if node.next:\n        walk(node.next, parents)\n"
    )
    files = chain(
        USERS,
        "for row in op.get_bind().execute('SELECT 1'):\n    walk(row, [])\nop.drop_table('posts')",
        before=before,
    )
    result = replayed(tmp_path, files)
    assert result.limits == []
    assert (None, "posts") not in result.schema.tables
    assert EXISTENCE not in result.schema.tables[None, "users"].unknown


def test_a_helper_that_raises_here(tmp_path: Path) -> None:
    """What would raise was set up by the application: the revision ran to its end."""
    before = (
        "class Factory:\n    ready = False\n\n    def make(self):\n        if not self.ready:\n"
        "            raise RuntimeError('not ready')\n        return sa.Text()\n\n\nfactory = Factory()\n"
    )
    upgrade = (
        'op.create_table("notes", sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", factory.make()))\n'
        'op.drop_table("posts")'
    )
    result = replayed(tmp_path, chain(USERS, upgrade, before=before))
    notes = result.schema.tables[None, "notes"]
    assert [column.name for column in notes.columns] == ["id", "text"]
    assert (None, "posts") not in result.schema.tables


def test_models_of_a_revision(tmp_path: Path) -> None:
    """A revision may declare its tables as models and create them."""
    before = (
        "from sqlalchemy.orm import declarative_base\n\nBase = declarative_base()\n\n\nclass Tag(Base):\n"
        '    __tablename__ = "tags"\n    id = sa.Column(sa.Integer, primary_key=True)\n    name = sa.Column(sa.Text)\n'
    )
    result = replayed(tmp_path, chain("Base.metadata.create_all(op.get_bind())", before=before))
    assert [column.name for column in result.schema.tables[None, "tags"].columns] == ["id", "name"]


def test_tables_that_a_library_makes(tmp_path: Path) -> None:
    """A table that neither models nor migrations make is a library's; one of the models says that the history is cut."""
    upgrade = f'{ITEMS}\nop.create_index("ix_roles", "library_roles", ["name"])'
    assert found(tmp_path / "library", ITEM, upgrade) == []
    models = (
        ITEM + '\nroles = Table("library_roles", Base.metadata, Column("name", Text, primary_key=True))\n'
    )
    assert "library_roles" in found(tmp_path / "own", models, upgrade)[0]


def test_foreign_keys_to_tables_of_libraries(tmp_path: Path) -> None:
    """A key that points at a table nobody declares is compared like any other."""
    models = ITEM + '    owner: Mapped[int | None] = mapped_column(ForeignKey("library_users.id"))\n'
    column = 'sa.Column("owner", sa.Integer, sa.ForeignKey("library_users.id"))'
    upgrade = f'op.create_table("items", sa.Column("id", sa.Integer, primary_key=True), {column})'
    assert found(tmp_path / "same", models, upgrade) == []
    without = upgrade.replace(', sa.ForeignKey("library_users.id")', "")
    (message,) = found(tmp_path / "without", models, without)
    assert "foreign key" in message


def test_keys_to_a_table_in_doubt(tmp_path: Path) -> None:
    """A table of which nothing is sure is not compared, and does not stand in the way of others."""
    models = (
        ITEM
        + '\n\nclass Part(Base):\n    __tablename__ = "parts"\n    id: Mapped[int] = mapped_column(primary_key=True)\n'
        '    item_id: Mapped[int | None] = mapped_column(ForeignKey("items.id"))\n    name: Mapped[str | None]\n'
    )
    upgrade = (
        f'if op.get_bind().scalar("SELECT 1"):\n    {ITEMS}\nop.create_table("parts", '
        'sa.Column("id", sa.Integer, primary_key=True), sa.Column("item_id", sa.Integer, sa.ForeignKey("items.id")))'
    )
    assert found(tmp_path, models, upgrade) == ["no migration adds the column `parts.name`"]


def test_enums_where_a_database_has_none(tmp_path: Path) -> None:
    """SQLite knows of texts: a filter sees what a database would give it."""
    before = (
        "def include_object(object, name, type_, reflected, compare_to):\n"
        '    if type_ == "column" and object.type.__visit_name__ == "enum" and compare_to is not None:\n'
        '        return compare_to.type.__visit_name__ == "enum"\n    return True\n'
    )
    models = ITEM + '    state: Mapped[str | None] = mapped_column(Enum("a", "longer", name="states"))\n'
    column = 'sa.Column("state", sa.Enum("a", "b", name="states"))'
    upgrade = f'op.create_table("items", sa.Column("id", sa.Integer, primary_key=True), {column})'
    env = ENV.format(before=before, padding="    pass")
    assert found(tmp_path, models, upgrade, env=env, url="sqlite:///x") == []


def test_indexes_of_another_database(tmp_path: Path) -> None:
    """An index that `ddl_if` keeps from a database is not missed there; its table is compared all the same."""
    models = ITEM + (
        "    name: Mapped[str | None]\n"
        '    __table_args__ = (Index("ix_trigram", "name", postgresql_using="gin").ddl_if(dialect="postgresql"), '
        'Index("ix_plain", "name"))\n'
    )
    column = 'sa.Column("name", sa.String)'
    upgrade = f'op.create_table("items", sa.Column("id", sa.Integer, primary_key=True), {column})'
    (lite,) = found(tmp_path / "lite", models, upgrade, url="sqlite:///x")
    assert "ix_plain" in lite
    assert len(found(tmp_path / "postgresql", models, upgrade)) == 2


# -- models --------------------------------------------------------------------------------------------------------------


def test_bases_and_types_of_libraries(tmp_path: Path) -> None:
    """Well-known libraries bring their columns although their source is not there."""
    made = tables(
        tmp_path,
        "from flask_appbuilder import Model\nfrom flask_appbuilder.models.mixins import AuditMixin\n"
        "from sqlalchemy import Column, Integer, String\nfrom sqlalchemy_utils import EmailType, UUIDType\n"
        "from pgvector.sqlalchemy import Vector\n\n\n"
        'class Report(AuditMixin, Model):\n    __tablename__ = "reports"\n    id = Column(Integer, primary_key=True)\n'
        "    uuid = Column(UUIDType(binary=True))\n    mail = Column(EmailType)\n    place = Column(Vector(3))\n",
    )["reports"]
    assert {"created_on", "changed_on", "created_by_fk", "changed_by_fk"} <= set(made.c.keys())
    assert [key.target_fullname for key in made.c.created_by_fk.foreign_keys] == ["ab_user.id"]
    assert str(made.c.uuid.type) == "BINARY(16)"
    assert made.c.mail.type.impl.length == 255
    assert str(made.c.place.type) == "VECTOR(3)"


def test_types_of_the_project(tmp_path: Path) -> None:
    """A generic type decorator, an enum with values of its own, an annotation that the registry of a base knows."""
    made = tables(
        tmp_path,
        """\
import enum
from typing import Generic, TypeVar
from sqlalchemy import JSON, DateTime, String, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column, registry
from sqlalchemy import Index
from clock import Moment

T = TypeVar("T")


class Document(TypeDecorator[T]):
    impl = JSON

    def __init__(self, schema: type[T]) -> None:
        super().__init__()


class Named(str, enum.Enum):
    @staticmethod
    def _generate_next_value_(name, *_):
        return name

    @staticmethod
    def auto():
        return enum.auto()


class State(Named):
    READY = Named.auto()
    DONE = Named.auto()


class Base(DeclarativeBase):
    registry = registry(type_annotation_map={Moment: DateTime(timezone=True)})
    id: Mapped[int] = mapped_column(primary_key=True)
    created: Mapped[Moment] = mapped_column()


class Run(Base):
    __abstract__ = True
    began: Mapped[Moment | None]

    @declared_attr.directive
    def __tablename__(cls):
        return cls.__name__.lower()


class Job(Run):
    state: Mapped[State] = mapped_column(server_default=State.DONE)
    data: Mapped[dict] = mapped_column(Document(dict))

    @declared_attr.directive
    def __table_args__(cls):
        return (Index("ix_began", cls.began),)
""",
    )["job"]
    assert made.info.get(UNKNOWN) is None
    assert [str(made.c[name].type) for name in ("data", "created", "began")] == [
        "JSON",
        "DATETIME",
        "DATETIME",
    ]
    assert made.c.state.type.enums == ["READY", "DONE"]
    assert made.c.state.server_default.arg == "DONE"
    assert [index.name for index in made.indexes] == ["ix_began"]


def test_a_column_that_could_not_be_made(tmp_path: Path) -> None:
    """The table says that it has one more: a migration that adds it is no drift."""
    models = BASE + (
        "def secret():\n    raise RuntimeError('not set up')\n\n\n"
        'class Item(Base):\n    __tablename__ = "items"\n    id: Mapped[int] = mapped_column(primary_key=True)\n'
        "    token = mapped_column(secret())\n"
    )
    upgrade = f'{ITEMS}\nop.add_column("items", sa.Column("token", sa.Text))'
    assert found(tmp_path, models, upgrade) == []


def test_types_of_libraries_are_known_by_their_whole_path(tmp_path: Path) -> None:
    models = (
        "import uuid\nfrom sqlmodel import Field, SQLModel\n\n"
        "class Item(SQLModel, table=True):\n"
        "    id: uuid.UUID = Field(primary_key=True)\n    name: str\n    code: str = Field(max_length=8)\n"
    )
    made = """
import sqlmodel
op.create_table(
    "item",
    sa.Column("id", sa.Uuid(), nullable=False),
    sa.Column("name", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column("code", sqlmodel.sql.sqltypes.AutoString(length=6), nullable=False),
    sa.PrimaryKeyConstraint("id"),
)
"""
    env = ENV.format(before="include_object = None\n", padding="    pass")
    env = env.replace("from models import Base", "import models\nfrom sqlmodel import SQLModel").replace(
        "Base.", "SQLModel."
    )
    assert found(tmp_path, models, made, env=env) == [
        "`item.code` is `VARCHAR(8)` in the model and `VARCHAR(6)` in the migrations"
    ]
