"""The comparison: the same as Alembic's own over a real database, and beyond it what that does not look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from sqlalchemy_guard.migrations.compare import compare
from tests.migrations.test_replay import USERS
from tests.migrations.truth import chain, executed, nothing_special, replayed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def users(metadata: sa.MetaData, *more: Any, **replaced: Any) -> sa.Table:
    """The model of the table `users`, with columns replaced by name (None leaves one out)."""
    columns: dict[str, Any] = {
        "id": sa.Column("id", sa.Integer, primary_key=True),
        "name": sa.Column("name", sa.String(50), nullable=False, unique=True),
        "email": sa.Column("email", sa.String(100), index=True),
        "state": sa.Column("state", sa.String(10), server_default="new"),
    }
    columns |= replaced
    return sa.Table("users", metadata, *[one for one in columns.values() if one is not None], *more)


def posts(
    metadata: sa.MetaData, *, ondelete: str | None = "CASCADE", unique: bool = True, title: Any = None
) -> sa.Table:
    """The model of the table `posts`."""
    parts: list[Any] = [sa.UniqueConstraint("user_id", "title", name="uq_posts")] if unique else []
    return sa.Table(
        "posts",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id", ondelete=ondelete)),
        sa.Column("title", title or sa.Text()),
        *parts,
    )


def _same(metadata: sa.MetaData) -> None:
    users(metadata)
    posts(metadata)


def _columns(metadata: sa.MetaData) -> None:
    users(metadata, sa.Column("age", sa.Integer, index=True), email=None)
    posts(metadata)


def _types(metadata: sa.MetaData) -> None:
    users(metadata, name=sa.Column("name", sa.String(80), nullable=True, unique=True))
    posts(metadata, title=sa.Integer())


def _keys(metadata: sa.MetaData) -> None:
    users(metadata, sa.UniqueConstraint("state", name="uq_state"))
    posts(metadata, ondelete="SET NULL", unique=False)


def _tables(metadata: sa.MetaData) -> None:
    users(metadata)
    sa.Table(
        "tags",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("n", sa.String(5), index=True),
    )


def _indexes(metadata: sa.MetaData) -> None:
    table = users(metadata, email=sa.Column("email", sa.String(100)))
    sa.Index("ix_both", table.c.name, table.c.email, unique=True)

    posts(metadata)


MODELS = {
    "same": _same,
    "columns": _columns,
    "types": _types,
    "keys": _keys,
    "tables": _tables,
    "indexes": _indexes,
}


@pytest.mark.parametrize("name", MODELS)
def test_like_alembic(tmp_path: Path, name: str) -> None:
    """Alembic finds the same on a real database."""
    metadata = sa.MetaData()
    MODELS[name](metadata)
    files = chain(USERS)
    ours = compare(replayed(tmp_path, files, metadata=metadata), [metadata], nothing_special()).differences
    real = executed(tmp_path, files, metadata).differences
    assert _ours(ours) == _real(real)


def _real(differences: list[Any]) -> set[tuple[Any, ...]]:
    found: set[tuple[Any, ...]] = set()
    for one in differences:
        if isinstance(one, list):
            found |= {("modify", part[0].removeprefix("modify_"), part[2], part[3]) for part in one}
        elif one[0] in ("add_column", "remove_column"):
            found.add((one[0], one[2], one[3].name))
        elif one[0] in ("add_table", "remove_table"):
            found.add((one[0], one[1].name))
        elif one[0] in ("add_index", "remove_index") and any(
            not isinstance(each, sa.Column) for each in one[1].expressions
        ):
            continue
        else:
            found.add(
                (one[0].replace("_fk", "_foreignkey").replace("_constraint", "_unique"), one[1].table.name)
            )
    return found


def _ours(differences: list[Any]) -> set[tuple[Any, ...]]:
    found: set[tuple[Any, ...]] = set()
    for one in differences:
        if one.kind in ("type", "nullable"):
            found.add(("modify", one.kind, one.key[1], one.column))
        elif one.kind in ("add_column", "remove_column"):
            found.add((one.kind, one.key[1], one.column))
        elif one.kind.startswith("change_"):
            part = one.kind.removeprefix("change_")
            found |= {(f"{verb}_{part}", one.key[1]) for verb in ("add", "remove")}
        elif one.kind == "part_of_table":
            found.add(("add_index", one.key[1]))
        else:
            found.add((one.kind, one.key[1]))
    return found


def differences(
    folder: Path, upgrade: str, make: Callable[[sa.MetaData], object], dialect: str = "postgresql"
) -> list[tuple[str, str | None]]:
    """Kinds and columns of what differs."""
    metadata = sa.MetaData()
    make(metadata)
    result = replayed(folder, chain(upgrade), dialect, metadata)
    return [(one.kind, one.column) for one in compare(result, [metadata], nothing_special()).differences]


def test_a_column_is_renamed(tmp_path: Path) -> None:
    """One column went and one alike came: that is a rename, with the keys on it."""

    def make(metadata: sa.MetaData) -> None:
        users(metadata, name=sa.Column("full_name", sa.String(50), nullable=False, unique=True))
        posts(metadata)

    assert differences(tmp_path, USERS, make) == [("rename_column", "full_name")]


def test_two_that_could_be_meant_are_no_rename(tmp_path: Path) -> None:
    """Between two columns nobody guesses."""

    def make(metadata: sa.MetaData) -> None:
        users(
            metadata,
            sa.Column("last_name", sa.String(50), nullable=False),
            name=sa.Column("first_name", sa.String(50), nullable=False),
        )
        posts(metadata)

    kinds = [kind for kind, _ in differences(tmp_path, USERS, make)]
    assert sorted(kinds) == ["add_column", "add_column", "remove_column", "remove_unique"]


def test_a_table_is_renamed(tmp_path: Path) -> None:
    """A table with the same columns under another name."""

    def make(metadata: sa.MetaData) -> None:
        users(metadata)
        posts(metadata).name = "posts"
        metadata.remove(metadata.tables["posts"])
        sa.Table(
            "articles",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id", ondelete="CASCADE")),
            sa.Column("title", sa.Text()),
            sa.UniqueConstraint("user_id", "title", name="uq_posts"),
        )

    assert differences(tmp_path, USERS, make) == [("rename_table", None)]


JOBS = """
op.create_table(
    "jobs",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("state", sa.Enum("a", "b", name="states"), server_default="a"),
    sa.Column("size", sa.Integer, server_default=sa.text("1")),
    sa.Column("made", sa.DateTime, server_default=sa.func.now()),
    sa.Column("old", sa.Boolean, server_default=sa.false()),
    sa.Column("note", sa.String(9)),
    sa.CheckConstraint("size > 0", name="ck_size"),
)
"""


def _jobs(
    metadata: sa.MetaData, *more: Any, values: str = "ab", size: Any = "1", made: Any = None, note: Any = None
) -> None:
    sa.Table(
        "jobs",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("state", sa.Enum(*values, name="states"), server_default="a"),
        sa.Column("size", sa.Integer, server_default=size),
        sa.Column(
            "made", sa.DateTime, server_default=made if made is not None else sa.text("CURRENT_TIMESTAMP")
        ),
        # A default that the history left is nobody's difference.
        sa.Column("old", sa.Boolean),
        # NULL is what a column has anyway; its text is a default.
        sa.Column("note", sa.String(9), server_default=note),
        *more,
    )


def test_beyond_alembic(tmp_path: Path) -> None:
    """Enum values, defaults and named checks."""
    check = sa.CheckConstraint("size > 0", name="ck_size")
    assert differences(tmp_path / "1", JOBS, lambda metadata: _jobs(metadata, check)) == []
    check = sa.CheckConstraint("size > 0", name="ck_other")
    found = differences(tmp_path / "2", JOBS, lambda metadata: _jobs(metadata, check, values="abc", size="2"))
    assert found == [("add_check", None), ("remove_check", None), ("default", "size"), ("enum", "state")]


def test_null_as_default(tmp_path: Path) -> None:
    """NULL is no default of its own; the text that is written like it is one."""
    check = sa.CheckConstraint("size > 0", name="ck_size")
    assert (
        differences(tmp_path / "1", JOBS, lambda metadata: _jobs(metadata, check, note=sa.text("NULL"))) == []
    )
    found = differences(tmp_path / "2", JOBS, lambda metadata: _jobs(metadata, check, note="NULL"))
    assert found == [("default", "note")]
    assert differences(tmp_path / "3", JOBS, lambda metadata: _jobs(metadata, check, size="NULL")) == []


def test_what_is_not_known_is_not_compared(tmp_path: Path) -> None:
    """A doubt on the side of the history silences what it is about, and no more."""
    upgrade = (
        USERS
        + 'if UNKNOWN:\n    op.alter_column("users", "name", nullable=True)\n    op.drop_index("ix_users_email", "users")'
    )

    def make(metadata: sa.MetaData) -> None:
        users(
            metadata,
            name=sa.Column("name", sa.String(80), nullable=True),
            email=sa.Column("email", sa.String(7)),
        )
        posts(metadata)

    assert differences(tmp_path, upgrade, make) == [("type", "email"), ("type", "name")]


def test_same_type_in_two_words(tmp_path: Path) -> None:
    """What a database calls by two names is one type."""

    def make(metadata: sa.MetaData) -> None:
        sa.Table(
            "t",
            metadata,
            sa.Column("a", sa.Boolean),
            sa.Column("b", sa.Double),
            sa.Column("c", sa.Numeric(5, 2)),
        )

    upgrade = 'op.create_table("t", sa.Column("a", mysql.TINYINT(1)), sa.Column("b", sa.Double), sa.Column("c", sa.DECIMAL(5, 2)))'
    files = f"from sqlalchemy.dialects import mysql\n{upgrade}"
    assert mysql.TINYINT(1) is not None
    assert differences(tmp_path, files, make, "mysql") == []
