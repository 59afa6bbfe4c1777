"""What the safe fixes write is run by Alembic itself: a downgrade brings the old schema back, a merge leaves one head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sqlalchemy_guard.check import Checker
from sqlalchemy_guard.fix import fix_all
from sqlalchemy_guard.rules.api import Applicability
from sqlalchemy_guard.vfs import Vfs
from tests.migrations.support import opened

if TYPE_CHECKING:
    from pathlib import Path

alembic = pytest.importorskip("alembic")

ENV = """\
from alembic import context
from sqlalchemy import create_engine

with create_engine(context.config.get_main_option("sqlalchemy.url")).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
BASE = """\
import sqlalchemy as sa
from alembic import op

revision = "1111"
down_revision = None


def upgrade():
    op.create_table("team", sa.Column("id", sa.Integer(), primary_key=True))
    op.create_table(
        "product",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("price", sa.Integer(), nullable=True),
        sa.Column("title", sa.String(20), nullable=True),
        sa.Column("team_id", sa.Integer()),
    )


def downgrade():
    op.drop_table("product")
    op.drop_table("team")
"""
HEAD = """\
import sqlalchemy as sa
from alembic import op

revision = "2222"
down_revision = "1111"


def upgrade():
    {body}


def downgrade():
    pass
"""
STEPS = {
    "a table": 'op.create_table("cart", sa.Column("id", sa.Integer(), primary_key=True), sa.UniqueConstraint("id", name="u"))',
    "a column and its index": 'op.add_column("product", sa.Column("stock", sa.Integer()))\n'
    '    op.create_index("ix_stock", "product", ["stock"])',
    "batch mode": 'with op.batch_alter_table("product") as batch_op:\n'
    '        batch_op.add_column(sa.Column("stock", sa.Integer()))\n'
    '        batch_op.alter_column("price", existing_type=sa.Integer(), type_=sa.BigInteger(), existing_nullable=True, '
    "nullable=False)\n"
    '        batch_op.alter_column("title", new_column_name="name", existing_type=sa.String(20))\n'
    '        batch_op.create_foreign_key("fk_team", "team", ["team_id"], ["id"])\n'
    '        batch_op.create_unique_constraint("uq_price", ["price"])\n'
    '        batch_op.create_check_constraint("positive", "price > 0")',
    "a table's name": 'op.rename_table("product", "item")\n    op.create_index("ix_price", "item", ["price"])',
}


def _config(folder: Path) -> object:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder / "db"))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{folder / 'test.db'}")
    return config


def _schema(folder: Path) -> dict[str, object]:
    """All that the database says of its tables."""
    from sqlalchemy import create_engine, inspect

    engine = create_engine(f"sqlite:///{folder / 'test.db'}")
    found: dict[str, object] = {}
    try:
        inspector = inspect(engine)
        for table in inspector.get_table_names():
            if table == "alembic_version":
                continue
            columns = [
                (each["name"], str(each["type"]), each["nullable"]) for each in inspector.get_columns(table)
            ]
            found[table] = (
                sorted(columns),
                inspector.get_indexes(table),
                inspector.get_unique_constraints(table),
                inspector.get_check_constraints(table),
                inspector.get_foreign_keys(table),
            )
    finally:
        engine.dispose()
    return found


def _fixed(folder: Path, files: dict[str, str], code: str) -> list[str]:
    """Apply the safe fixes of a rule; returns the paths that were written."""
    workspace = opened(folder, files)
    ids = workspace.discover()
    outcome = fix_all(Checker(workspace), ids, Applicability.SAFE, [code])
    assert not outcome.notes
    for file_id, text in outcome.texts.items():
        assert Vfs().create(file_id, text) is None
    return sorted(outcome.texts)


@pytest.mark.parametrize("name", STEPS)
def test_the_downgrade_brings_the_old_schema_back(tmp_path: Path, name: str) -> None:
    from alembic import command

    files = {
        "db/env.py": ENV,
        "db/versions/1.py": BASE,
        "db/versions/2.py": HEAD.format(body=STEPS[name]),
    }
    assert [path.endswith("2.py") for path in _fixed(tmp_path, files, "SAG504")] == [True]
    config = _config(tmp_path)
    command.upgrade(config, "1111")  # type: ignore[arg-type]
    before = _schema(tmp_path)
    command.upgrade(config, "head")  # type: ignore[arg-type]
    assert _schema(tmp_path) != before
    command.downgrade(config, "-1")  # type: ignore[arg-type]
    assert _schema(tmp_path) == before
    command.upgrade(config, "head")  # type: ignore[arg-type]


def test_the_merge_leaves_one_head(tmp_path: Path) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    step = 'op.add_column("product", sa.Column("{}", sa.Integer()))'
    files = {
        "db/env.py": ENV,
        "db/versions/1.py": BASE,
        "db/versions/2.py": HEAD.format(body=step.format("two")),
        "db/versions/3.py": HEAD.format(body=step.format("three")).replace('"2222"', '"3333"'),
    }
    [made] = _fixed(tmp_path, files, "SAG508")
    assert made.endswith("_merge_heads.py")
    config = _config(tmp_path)
    assert len(ScriptDirectory.from_config(config).get_heads()) == 1  # type: ignore[arg-type]
    command.upgrade(config, "head")  # type: ignore[arg-type]
    assert {"two", "three"} <= {name for name, _, _ in _schema(tmp_path)["product"][0]}  # type: ignore[index]
