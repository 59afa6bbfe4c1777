"""Revisions that look before they change: helpers over the inspector and the dialect are followed, and leave no doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sqlalchemy_guard.migrations.drift import drifts
from tests.migrations.support import opened
from tests.migrations.test_applications import BASE, ENV, INI, found
from tests.migrations.test_replay import USERS
from tests.migrations.truth import chain, replayed

if TYPE_CHECKING:
    from pathlib import Path

HELPERS = """
from sqlalchemy import inspect
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.mysql.base import MySQLDialect
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.exc import NoSuchTableError


def column(table, name):
    try:
        for one in inspect(op.get_context().bind).get_columns(table):
            if one["name"] == name:
                return one
    except NoSuchTableError:
        pass
    return None


def add_columns(table, *columns):
    missing = []
    for one in columns:
        if column(table, one.name):
            print("there")
        else:
            missing.append(one)
    with op.batch_alter_table(table) as batch:
        for one in missing:
            batch.add_column(one)


def create_index(table, name, columns):
    if any(one["name"] == name for one in inspect(op.get_bind()).get_indexes(table)):
        return
    op.create_index(name, table, columns)


def create_key(name, table, target, columns):
    if name in {one["name"] for one in inspect(op.get_bind()).get_foreign_keys(table)}:
        return
    op.create_foreign_key(name, table, target, columns, ["id"])


def drop_unique(table, columns):
    for one in inspect(op.get_bind()).get_unique_constraints(table):
        if set(one["column_names"]) == columns:
            op.drop_constraint(one["name"], table, type_="unique")
"""


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    """Columns, indexes and keys come once, whatever stands around the operation."""
    upgrade = """
for _ in range(2):
    add_columns("users", sa.Column("age", sa.Integer()), sa.Column("team_id", sa.Integer()))
    create_index("users", op.f("ix_users_age"), ["age"])
    create_index("users", "ix_users_team", ["team_id"])
    create_key("fk_users_posts", "users", "posts", ["team_id"])
drop_unique("users", {"email"})
"""
    users = USERS + '\nop.create_unique_constraint("uq_users_email", "users", ["email"])'
    result = replayed(tmp_path, chain(users, upgrade, before=HELPERS), "postgresql")
    table = result.schema.tables[None, "users"]
    assert result.limits == []
    assert not table.unknown
    assert [one.name for one in table.columns][-2:] == ["age", "team_id"]
    assert [str(one.name) for one in table.indexes][-2:] == ["ix_users_age", "ix_users_team"]
    assert "fk_users_posts" in {one.name for one in table.of_kind("foreignkey")}
    assert "uq_users_email" not in {one.name for one in table.of_kind("unique")}


@pytest.mark.parametrize(
    ("condition", "dialect", "taken"),
    [
        ("isinstance(op.get_bind().dialect, PGDialect)", "postgresql", True),
        ("isinstance(op.get_bind().dialect, postgresql.dialect)", "postgresql", True),
        ("isinstance(op.get_bind().dialect, MySQLDialect)", "postgresql", False),
        ("isinstance(op.get_bind().dialect, MySQLDialect)", "mysql", True),
        ("isinstance(op.get_bind().dialect, (MySQLDialect, PGDialect))", "sqlite", False),
    ],
)
def test_dialects_are_told_apart_by_class(tmp_path: Path, condition: str, dialect: str, taken: bool) -> None:
    files = chain(USERS, f'if {condition}:\n    op.drop_table("posts")', before=HELPERS)
    result = replayed(tmp_path, files, dialect)
    assert result.limits == []
    assert ((None, "posts") not in result.schema.tables) is taken


def test_an_unknown_driver_is_not_guessed(tmp_path: Path) -> None:
    """Which driver a database has, the source of a revision does not say."""
    before = "from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg\n"
    files = chain(
        USERS,
        'if isinstance(op.get_bind().dialect, PGDialect_asyncpg):\n    op.drop_table("posts")',
        before=before,
    )
    assert "existence" in replayed(tmp_path, files, "postgresql").schema.tables[None, "posts"].unknown


ITEM = '\nclass Item(Base):\n    __tablename__ = "items"\n    id: Mapped[int] = mapped_column(primary_key=True)\n'
ITEMS = 'op.create_table("items", sa.Column("id", sa.Integer, primary_key=True){more})'


def test_a_relationship_is_no_column(tmp_path: Path) -> None:
    """Nobody knows what it leads to, yet the table is known to the last column and index."""
    models = BASE + "from elsewhere import Owner\n" + ITEM + "    owners = relationship(Owner.here())\n"
    models = models.replace(
        "from sqlalchemy.orm import", "from sqlalchemy.orm import relationship\nfrom sqlalchemy.orm import"
    )
    upgrade = (
        ITEMS.format(more=', sa.Column("old", sa.Text)')
        + '\nop.create_index("ix_items_old", "items", ["old"])'
    )
    assert sorted(found(tmp_path, models, upgrade)) == [
        "the migrations leave the column `items.old`, which the model does not have",
        "the migrations leave the index `ix_items_old` on `items` (old), which the model does not have",
    ]


def test_a_column_that_could_not_be_made_hides_its_own_parts(tmp_path: Path) -> None:
    """What stands on it may come with it; what stands on other columns is sure."""
    models = BASE + "def secret():\n    raise RuntimeError('not set up')\n\n" + ITEM
    models += "    name: Mapped[str] = mapped_column(String(50))\n    token = mapped_column(secret())\n"
    upgrade = (
        ITEMS.format(more=', sa.Column("name", sa.String(50), nullable=False), sa.Column("token", sa.Text)')
        + '\nop.create_index("ix_items_token", "items", ["token"])'
        + '\nop.create_index("ix_items_name", "items", ["name"])'
    )
    assert found(tmp_path, models, upgrade) == [
        "the migrations leave the index `ix_items_name` on `items` (name), which the model does not have"
    ]


def test_keys_of_one_column_to_several_tables(tmp_path: Path) -> None:
    """Each is a finding that says where it leads."""
    parents = "".join(ITEM.replace("Item", name).replace("items", name.lower()) for name in ("A", "B", "C"))
    keys = "".join(f', ForeignKey("{name}.id")' for name in "abc")
    models = BASE + parents + ITEM + f"    any_id: Mapped[int | None] = mapped_column(Integer{keys})\n"
    upgrade = "\n".join(ITEMS.replace("items", name).format(more="") for name in "abc")
    upgrade += "\n" + ITEMS.format(more=', sa.Column("any_id", sa.Integer)')
    assert sorted(found(tmp_path, models, upgrade)) == [
        f"no migration creates the foreign key on `items` (any_id) to `{name}`" for name in "abc"
    ]


def test_a_place_is_where_the_column_is_written(tmp_path: Path) -> None:
    """Not in the helper that makes its type."""
    helper = "\n\n\ndef short():\n    length = 10\n    return String(length)\n"
    models = BASE + ITEM + "    name = mapped_column(short())\n"
    files = chain(ITEMS.format(more=', sa.Column("name", sa.Text)')) | {
        "alembic.ini": INI.format(url="postgresql://x"),
        "models.py": models.replace("class Base", "from helpers import short\n\n\nclass Base"),
        "helpers.py": "from sqlalchemy import String\n" + helper,
        "alembic/env.py": ENV.format(before="include_object = None\n", padding="    pass"),
    }
    (drift,) = drifts(opened(tmp_path, files))
    (finding,) = drift.findings
    assert finding.place is not None
    assert finding.place.file_id.endswith("models.py")
    lines = files["models.py"].splitlines()
    assert lines[finding.place.span.line].strip().startswith("name = ")


def test_a_filter_that_asks_for_a_name(tmp_path: Path) -> None:
    """The names that `include_object` gets are texts."""
    env = ENV.format(
        before=(
            "def include_object(object, name, type_, reflected, compare_to):\n"
            '    if type_ == "index":\n        return not name.startswith("gin")\n    return True\n'
        ),
        padding="    pass",
    )
    upgrade = (
        ITEMS.format(more="")
        + '\nop.create_index(op.f("ix_items_id"), "items", ["id"])\nop.create_index(op.f("gin_items"), "items", ["id"])'
    )
    assert found(tmp_path, BASE + ITEM, upgrade, env=env) == [
        "the migrations leave the index `ix_items_id` on `items` (id), which the model does not have"
    ]


@pytest.mark.parametrize(("option", "there"), [("", True), ("old_version = 7\n", False)])
def test_options_of_the_configuration(tmp_path: Path, option: str, there: bool) -> None:
    """What the file says counts; what it does not say is not set."""
    before = (
        "def is_old():\n    version = op.get_context().config.get_main_option('old_version')\n"
        "    return int(version) > 5 if version else False\n"
    )
    files = chain(f"if is_old():\n    return\n{USERS}", before=before)
    files["alembic.ini"] += option
    result = replayed(tmp_path, files)
    assert result.limits == []
    assert ((None, "users") in result.schema.tables) is there


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_types_are_those_that_a_database_reports(tmp_path: Path, dialect: str) -> None:
    upgrade = """
for one in sa.inspect(op.get_bind()).get_columns("users"):
    if one["name"] == "name" and isinstance(one["type"], sa.VARCHAR) and one["type"].length == 40:
        op.add_column("users", sa.Column("text", sa.Text()))
    if one["name"] == "seen" and isinstance(one["type"], sa.TIMESTAMP):
        op.add_column("users", sa.Column("stamp", sa.Text()))
    if one["name"] == "seen" and isinstance(one["type"], sa.DATETIME):
        op.add_column("users", sa.Column("day", sa.Text()))
"""
    made = 'op.create_table("users", sa.Column("name", sa.String(40)), sa.Column("seen", sa.DateTime()))'
    result = replayed(tmp_path, chain(made, upgrade), dialect)
    assert result.limits == []
    names = [column.name for column in result.schema.tables[None, "users"].columns]
    assert names == ["name", "seen", "text", "day" if dialect == "sqlite" else "stamp"]
