"""Histories, replayed: the records are what the real Alembic leaves in a database, and what is unknown is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy

from sqlalchemy_guard.migrations.history import history
from sqlalchemy_guard.migrations.replay import replay
from sqlalchemy_guard.migrations.state import COLUMNS, CONSTRAINTS, EXISTENCE
from tests.migrations.support import opened
from tests.migrations.truth import body, chain, executed, replayed, shape_of

if TYPE_CHECKING:
    from pathlib import Path

USERS = """
op.create_table(
    "users",
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("name", sa.String(50), nullable=False, unique=True),
    sa.Column("email", sa.String(100), index=True),
    sa.Column("state", sa.String(10), server_default="new"),
)
op.create_table(
    "posts",
    sa.Column("id", sa.Integer(), nullable=False),
    sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id", ondelete="CASCADE")),
    sa.Column("title", sa.Text()),
    sa.PrimaryKeyConstraint("id"),
    sa.UniqueConstraint("user_id", "title", name="uq_posts"),
)
"""

HISTORIES = {
    "tables": [USERS],
    "columns": [
        USERS,
        """
op.add_column("users", sa.Column("age", sa.Integer(), nullable=True))
op.add_column("users", sa.Column("seen", sa.DateTime(), server_default=sa.func.now()))
op.drop_index("ix_users_email", table_name="users")
op.drop_column("users", "email")
op.create_index(op.f("ix_users_age"), "users", ["age", "name"], unique=True)
""",
    ],
    "batch": [
        USERS,
        """
with op.batch_alter_table("posts", schema=None) as batch_op:
    batch_op.add_column(sa.Column("slug", sa.String(20), nullable=False, server_default=""))
    batch_op.alter_column("title", existing_type=sa.Text(), type_=sa.String(200), nullable=False)
    batch_op.drop_constraint("uq_posts", type_="unique")
    batch_op.create_unique_constraint("uq_slug", ["slug"])
    batch_op.create_index("ix_posts_title", ["title"])
""",
        """
with op.batch_alter_table("posts", recreate="always") as batch_op:
    batch_op.alter_column("slug", new_column_name="path", server_default=None)
    batch_op.create_foreign_key("fk_self", "users", ["title"], ["name"], ondelete="SET NULL")
""",
    ],
    "renames": [
        USERS,
        """
op.rename_table("users", "people")
op.alter_column("posts", "title", new_column_name="headline")
""",
        'op.execute("ALTER TABLE people RENAME COLUMN name TO full_name")',
    ],
    "drop": [USERS, 'op.drop_table("posts")'],
    "conditions": [
        USERS,
        """
bind = op.get_bind()
inspector = sa.inspect(bind)
if "email" in [column["name"] for column in inspector.get_columns("users")]:
    op.add_column("users", sa.Column("has_email", sa.Boolean()))
if not inspector.has_table("extras"):
    op.create_table("extras", sa.Column("id", sa.Integer(), primary_key=True))
if bind.dialect.name == "postgresql":
    op.drop_table("users")
if context.is_offline_mode():
    op.drop_table("posts")
for name in ("one", "two"):
    op.add_column("extras", sa.Column(name, sa.Integer()))
""",
    ],
    "sql": [
        """
op.execute('''
    -- made by hand; with a semicolon
    CREATE TABLE "tags" (id INTEGER NOT NULL PRIMARY KEY, label VARCHAR(30) NOT NULL, owner INTEGER REFERENCES users (id));
    CREATE UNIQUE INDEX ix_tags_label ON tags (label)
'''.split(";\\n")[0].split("semicolon")[1])
op.execute("CREATE UNIQUE INDEX ix_tags_label ON tags (label)")
op.execute("ALTER TABLE tags ADD COLUMN weight FLOAT DEFAULT 1")
op.execute(sa.text("INSERT INTO tags (id, label) VALUES (1, 'x')"))
op.get_bind().execute(sa.text("ALTER TABLE tags DROP COLUMN owner"))
""",
    ],
    "sql of a session": [
        USERS,
        """
from sqlalchemy.orm import Session, sessionmaker

session = sessionmaker()(bind=op.get_bind())
session.execute(sa.text("ALTER TABLE users ADD COLUMN note VARCHAR(30)"))
session.commit()
with Session(op.get_bind()) as other:
    other.execute(sa.text("ALTER TABLE posts ADD COLUMN note VARCHAR(40)"))
""",
    ],
    "an index by its name": [
        USERS,
        """
op.create_index("ix_users_by_name", "users", ["name"])
op.drop_index("ix_users_by_name", table_name="posts")
""",
    ],
    "tables that make themselves": [
        """
metadata = sa.MetaData()
users = sa.Table("users", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("n", sa.String(5), index=True))
sa.Table("logs", metadata, sa.Column("id", sa.Integer, primary_key=True))
metadata.create_all(op.get_bind())
op.bulk_insert(users, [{"id": 1, "n": "a"}])
op.execute(users.update().values(n="b"))
""",
    ],
    "helpers": [
        USERS,
        """
def stamped():
    return [sa.Column(name, sa.DateTime(), nullable=True) for name in ("created", "updated")]

for table in ("users", "posts"):
    with op.batch_alter_table(table) as batch_op:
        for column in stamped():
            batch_op.add_column(column)
""",
    ],
}


@pytest.mark.parametrize("name", HISTORIES)
def test_like_the_real_database(tmp_path: Path, name: str) -> None:
    """What the replay says is what Alembic did."""
    files = chain(*HISTORIES[name])
    result = replayed(tmp_path, files)
    assert [limit.reason for limit in result.limits] == []
    assert not result.missing
    assert shape_of(result.schema) == executed(tmp_path, files).shape


def test_naming_convention_of_the_models(tmp_path: Path) -> None:
    """Constraints without a name get it from the convention of the models, as with Alembic."""
    metadata = sqlalchemy.MetaData(
        naming_convention={"uq": "uq_%(table_name)s_%(column_0_name)s", "ix": "ix_%(column_0_label)s"}
    )
    files = chain(
        USERS, 'with op.batch_alter_table("posts") as b:\n    b.create_unique_constraint(None, ["title"])'
    )
    result = replayed(tmp_path, files, metadata=metadata)
    assert shape_of(result.schema) == executed(tmp_path, files, metadata).shape


def test_names_that_databases_choose(tmp_path: Path) -> None:
    """Constraints without a name are dropped by the name that PostgreSQL or MySQL gave them."""
    files = chain(
        USERS,
        'op.drop_constraint("users_name_key", "users", type_="unique")\n'
        'op.drop_constraint("posts_user_id_fkey", "posts", type_="foreignkey")',
    )
    result = replayed(tmp_path, files, "postgresql")
    assert result.limits == []
    assert list(result.schema.tables[None, "users"].of_kind("unique")) == []
    assert list(result.schema.tables[None, "posts"].of_kind("foreignkey")) == []
    files = chain(
        USERS,
        'op.drop_constraint("posts_ibfk_1", "posts", type_="foreignkey")\nop.drop_index("name", "users")',
    )
    result = replayed(tmp_path / "mysql", files, "mysql")
    assert result.limits == []
    assert list(result.schema.tables[None, "users"].of_kind("unique")) == []


def test_enum_values(tmp_path: Path) -> None:
    """Types of PostgreSQL are altered by SQL."""
    files = chain(
        """
op.create_table("jobs", sa.Column("id", sa.Integer, primary_key=True), sa.Column("state", sa.Enum("a", "b", name="states")))
op.execute("ALTER TYPE states ADD VALUE IF NOT EXISTS 'c' AFTER 'b'")
with op.get_context().autocommit_block():
    op.execute("ALTER TYPE states RENAME VALUE 'a' TO 'z'")
op.execute("CREATE TYPE kinds AS ENUM ('x', 'y'); ALTER TABLE jobs ADD COLUMN kind kinds NOT NULL DEFAULT 'x'; -- of; all")
"""
    )
    result = replayed(tmp_path, files, "postgresql")
    table = result.schema.tables[None, "jobs"]
    state, kind = table.column("state"), table.column("kind")
    assert state is not None
    assert kind is not None
    assert state.type.enums == ["z", "b", "c"]
    assert kind.type.enums == ["x", "y"]
    assert not kind.nullable
    assert result.limits == []


def test_an_unknown_condition_leaves_a_doubt(tmp_path: Path) -> None:
    """What happens only perhaps is not known, and said."""
    files = chain(
        USERS,
        """
if op.get_bind().execute(sa.text("SELECT 1")).scalar():
    op.add_column("users", sa.Column("maybe", sa.Integer()))
    op.drop_constraint("uq_posts", "posts")
    op.create_table("perhaps", sa.Column("id", sa.Integer))
""",
    )
    result = replayed(tmp_path, files)
    maybe = result.schema.tables[None, "users"].column("maybe")
    assert maybe is not None
    assert EXISTENCE in maybe.unknown
    assert CONSTRAINTS in result.schema.tables[None, "posts"].unknown
    assert EXISTENCE in result.schema.tables[None, "perhaps"].unknown
    assert result.limits
    assert result.limits[0].revision == "r2"


def test_a_history_that_begins_in_the_middle(tmp_path: Path) -> None:
    """An operation on a table that nobody made says that the history is not whole."""
    result = replayed(tmp_path, chain('op.add_column("users", sa.Column("age", sa.Integer()))'))
    assert "users" in result.missing
    assert "r1" in result.missing


def test_limits_have_places(tmp_path: Path) -> None:
    """SQL that is not understood is named, and the table is in doubt."""
    files = chain(
        USERS,
        'op.execute("ALTER TABLE users FROBNICATE 1")',
        "op.add_column(NAME, sa.Column('x', sa.Integer))",
    )
    result = replayed(tmp_path, files)
    first, second = result.limits[:2]
    assert "FROBNICATE" in first.reason
    assert first.line == 8
    assert first.file_id.endswith("r2.py")
    assert "NAME" in second.reason
    assert COLUMNS in result.schema.tables[None, "posts"].unknown


def test_only_what_changed_is_replayed(tmp_path: Path) -> None:
    """The state before an edited revision is kept."""
    files = chain(USERS, "op.drop_table('posts')", "op.add_column('users', sa.Column('x', sa.Integer))")
    workspace = opened(tmp_path, files)
    (environment,) = history(workspace)
    assert replay(workspace, environment, "sqlite").replayed == 3
    assert replay(workspace, environment, "sqlite").replayed == 0
    path = tmp_path / "alembic/versions/r3.py"
    path.write_text(path.read_text().replace("'x'", "'y'"))
    workspace.changed_on_disk([str(path)])
    (environment,) = history(workspace)
    again = replay(workspace, environment, "sqlite")
    assert again.replayed == 1
    assert again.schema.tables[None, "users"].column("y") is not None
    assert again.schema.tables[None, "users"].column("x") is None


def test_nothing_of_the_user_runs(tmp_path: Path) -> None:
    """Revisions and env.py are read, and leave no trace."""
    trap = f"open({str(tmp_path / 'trace')!r}, 'w').write('x')\n"
    files = {
        "alembic/env.py": trap + "from alembic import context\ncontext.run_migrations()\n",
        "alembic/versions/r1.py": trap
        + body("r1", None, trap + '__import__("os").system("touch trace")\n' + USERS.strip()),
    }
    result = replayed(tmp_path, files)
    assert (None, "users") in result.schema.tables
    assert not (tmp_path / "trace").exists()
