"""Revisions that are written run where they must: types that databases do not convert by themselves, tables that SQLite does not
alter, constraints of which several have one name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from sqlalchemy_guard.migrations.drift import drifts
from sqlalchemy_guard.migrations.render import render
from sqlalchemy_guard.migrations.template import fill
from tests.migrations.support import opened
from tests.migrations.test_applications import BASE, INI
from tests.migrations.truth import REAL_ENV, chain

if TYPE_CHECKING:
    from pathlib import Path

ENV = """\
from alembic import context
from models import Base

context.configure(target_metadata=Base.metadata)
context.run_migrations()
"""
ITEM = '\nclass Item(Base):\n    __tablename__ = "items"\n    id: Mapped[int] = mapped_column(primary_key=True)\n'
ITEMS = 'op.create_table("items", sa.Column("id", sa.Integer, primary_key=True), {more})'


def written(folder: Path, columns: str, more: str, url: str = "postgresql://x") -> str:
    """The text of the revision that puts the table in step."""
    made = chain(ITEMS.format(more=more)) | {
        "alembic.ini": INI.format(url=url),
        "models.py": BASE.replace(
            "from sqlalchemy.orm", "from sqlalchemy.dialects import postgresql\nfrom sqlalchemy.orm", 1
        )
        + ITEM
        + columns,
        "alembic/env.py": ENV,
    }
    workspace = opened(folder, made)
    (drift,) = drifts(workspace)
    assert drift.problem == ""
    result = render(workspace, drift, "in step", revision="abcdef012345")
    (folder / "alembic/versions/abcdef012345_in_step.py").write_text(result.text, encoding="utf-8")
    return result.text


def parts(text: str) -> tuple[str, str]:
    """What stands in both directions, each in one line."""
    upgrade, _, downgrade = text.partition("def downgrade")
    return " ".join(upgrade.partition("def upgrade")[2].split()), " ".join(downgrade.split())


def test_a_text_becomes_an_enum(tmp_path: Path) -> None:
    """The type is made, the default stands aside, and the values are converted; all of it is taken back."""
    up, down = parts(
        written(
            tmp_path,
            '    state = mapped_column(Enum("new", "old", name="states"), server_default="new")\n',
            'sa.Column("state", sa.String(10), server_default="new")',
        )
    )
    wanted = [
        'sa.Enum("new", "old", name="states").create(op.get_bind(), checkfirst=True)',
        "server_default=None",
        "ALTER TABLE items ALTER COLUMN state TYPE states USING state::states",
        'server_default="new"',
    ]
    places = [up.index(part) for part in wanted]
    assert places == sorted(places)
    assert down.index("type_=sa.String(length=10)") < down.index(".drop(op.get_bind(), checkfirst=True)")
    assert down.index("server_default=None") < down.index("type_=sa.String(length=10)")


@pytest.mark.parametrize(
    ("column", "before", "using"),
    [
        ("mapped_column(Integer)", "sa.Text()", "USING value::INTEGER"),
        ("mapped_column(postgresql.JSONB)", "sa.Text()", "USING value::JSONB"),
        ("mapped_column(Uuid)", "sa.String(36)", "USING value::UUID"),
        ("mapped_column(Boolean)", "sa.Integer()", "USING value::BOOLEAN"),
        ("mapped_column(Text)", "sa.Integer()", ""),
        ("mapped_column(BigInteger)", "sa.Integer()", ""),
        ("mapped_column(String(80))", "sa.String(20)", ""),
        ("mapped_column(DateTime)", "sa.Date()", ""),
    ],
)
def test_what_postgresql_converts_by_itself(tmp_path: Path, column: str, before: str, using: str) -> None:
    up, _ = parts(written(tmp_path, f"    value = {column}\n", f'sa.Column("value", {before})'))
    assert (using in up) if using else "USING" not in up


def test_keys_of_one_column_have_names_of_their_own(tmp_path: Path) -> None:
    """A downgrade could drop only one of them otherwise."""
    keys = 'ForeignKey("items.id"), ForeignKey("others.id")'
    other = ITEM.replace("Item", "Other").replace("items", "others")
    up, down = parts(
        written(
            tmp_path,
            f"    parent = mapped_column(Integer, {keys})\n{other}",
            'sa.Column("parent", sa.Integer))\nop.create_table("others", sa.Column("id", sa.Integer, primary_key=True)',
        )
    )
    for name in ('"items_parent_fkey"', '"items_parent_fkey1"'):
        assert up.count(name) == down.count(name) == 1


@pytest.mark.parametrize(("target", "shown"), [("<2", "postgresql.UUID()"), (">=2", "sa.UUID()")])
def test_names_that_the_version_has(tmp_path: Path, target: str, shown: str) -> None:
    """SQLAlchemy 1.4 has no UUID but PostgreSQL's."""
    text = _with_uuid(tmp_path, f'[project]\nname = "x"\ndependencies = ["sqlalchemy{target}"]\n')
    assert f"existing_type={shown}" in text


def _with_uuid(folder: Path, project: str) -> str:
    files = chain(
        ITEMS.format(more='sa.Column("key", postgresql.UUID())'),
        before="from sqlalchemy.dialects import postgresql\n",
    ) | {
        "alembic.ini": INI.format(url="postgresql://x"),
        "models.py": BASE + ITEM + "    key = mapped_column(Uuid, nullable=False)\n",
        "alembic/env.py": ENV,
        "pyproject.toml": project,
    }
    workspace = opened(folder, files)
    (drift,) = drifts(workspace)
    return render(workspace, drift, "in step").text


DECORATED = """
from sqlalchemy.types import TypeDecorator


class Document(TypeDecorator):
    impl = JSON

    def load_dialect_impl(self, dialect):
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.JSONB())
        return dialect.type_descriptor(JSON())

"""


def test_types_have_public_names(tmp_path: Path) -> None:
    """What a dialect makes of a type is its own business: a revision names what can be imported."""
    files = chain(ITEMS.format(more='sa.Column("data", sa.Text)')) | {
        "alembic.ini": INI.format(url="postgresql://x"),
        "models.py": BASE.replace(
            "from sqlalchemy.orm", "from sqlalchemy.dialects import postgresql\nfrom sqlalchemy.orm", 1
        )
        + DECORATED
        + ITEM
        + "    data = mapped_column(Document)\n    more = mapped_column(Document)\n",
        "alembic/env.py": ENV,
    }
    workspace = opened(tmp_path, files)
    (drift,) = drifts(workspace)
    text = render(workspace, drift, "in step").text
    assert 'sa.Column("more", postgresql.JSONB(astext_type=sa.Text()), nullable=True)' in text
    assert "_PG" not in text


def test_sqlite_gets_batches(tmp_path: Path) -> None:
    """SQLite alters no tables: whatever `env.py` says, the revision runs, and is taken back."""
    text = written(
        tmp_path,
        '    name = mapped_column(String(80), nullable=False)\n    size = mapped_column(Integer, server_default="1")\n',
        'sa.Column("name", sa.Text)',
        url="sqlite://",
    )
    assert 'with op.batch_alter_table("items", schema=None) as batch_op:' in text
    (tmp_path / "alembic/env.py").write_text(REAL_ENV, encoding="utf-8")
    url = f"sqlite:///{(tmp_path / 'db.sqlite').as_posix()}"
    config = Config()
    config.set_main_option("script_location", str(tmp_path / "alembic"))
    config.set_main_option("sqlalchemy.url", url)
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    seen = []
    for step in (lambda: command.upgrade(config, "head"), lambda: command.downgrade(config, "r1")):
        step()
        with engine.connect() as connection:
            columns = sa.inspect(connection).get_columns("items")
        seen.append({one["name"]: (str(one["type"]), one["nullable"]) for one in columns})
    assert seen[0]["name"] == ("VARCHAR(80)", False)
    assert seen[0]["size"] == ("INTEGER", True)
    assert seen[1] == {"id": ("INTEGER", False), "name": ("TEXT", True)}


@pytest.mark.parametrize("block", ["<%\n    sqlite = dialect == 'sqlite'\n%>\n", "<%!\nimport re\n%>\n"])
def test_blocks_that_only_name_things(block: str) -> None:
    """They write nothing."""
    assert fill(f"{block}id = ${{up_revision}}\n", {"up_revision": "a"}).strip() == "id = a"
