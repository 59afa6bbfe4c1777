"""Lenses over revisions: where one stands in its history, and what it takes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.lsp.support.driver import REAL, Client

if TYPE_CHECKING:
    from pathlib import Path

HEAD = '"""add {what}"""\n\nimport sqlalchemy as sa\nfrom alembic import op\n\nrevision = "{id}"\ndown_revision = {down}\n\n\n'
MAKES = (
    'def upgrade():\n    op.create_table("{0}", sa.Column("id", sa.Integer()))\n'
    '    op.create_index("ix_{0}", "{0}", ["id"])\n\n\n'
)


def revision(id_: str, down: str | None, downgrade: str) -> str:
    body = "".join(f"    {line}\n" for line in downgrade.split("; "))
    return (
        HEAD.format(what=id_, id=id_, down=repr(down))
        + MAKES.format(f"t_{id_}")
        + f"def downgrade():\n{body}"
    )


@pytest.fixture
def history(tmp_path: Path) -> Path:
    versions = tmp_path / "migrations" / "versions"
    versions.mkdir(parents=True)
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = migrations\n")
    (tmp_path / "migrations" / "env.py").write_text(
        "from alembic import context\n\ncontext.run_migrations()\n"
    )
    (versions / "aaaa.py").write_text(revision("aaaa", None, 'op.drop_table("t_aaaa")'))
    (versions / "bbbb.py").write_text(revision("bbbb", "aaaa", 'op.drop_index("ix_t_bbbb")'))
    (versions / "cccc.py").write_text(revision("cccc", "bbbb", "pass"))
    (versions / "dddd.py").write_text(revision("dddd", "bbbb", 'raise NotImplementedError("data is gone")'))
    return versions


def started(client: Client, history: Path, **window: Any) -> Any:
    """Wait until the client is asked to look again: everything is read by then."""
    capabilities = {"workspace": {"codeLens": {"refreshSupport": True}}, "window": window}
    answer = client.initialize(capabilities, [history.parents[1].as_uri()])
    client.wait("refresh", lambda message: message.get("method") == "workspace/codeLens/refresh")
    return answer


def titles(client: Client, path: Path) -> list[tuple[int, str]]:
    uri = path.as_uri()
    client.open(uri, path.read_text())
    found = client.request("textDocument/codeLens", {"textDocument": {"uri": uri}})
    return [(lens["range"]["start"]["line"], lens["command"]["title"]) for lens in found]


def test_where_a_revision_stands_and_what_it_takes_back(history: Path) -> None:
    with Client(REAL) as client:
        initialized = started(client, history)
        assert initialized["capabilities"]["codeLensProvider"] == {"resolveProvider": False}
        assert titles(client, history / "aaaa.py") == [
            (5, "first revision of migrations"),
            (5, "followed by bbbb (add bbbb)"),
            (14, "takes back 2 operations"),
        ]
        assert titles(client, history / "bbbb.py") == [
            (5, "follows aaaa (add aaaa)"),
            (5, "followed by cccc (add cccc)"),
            (5, "followed by dddd (add dddd)"),
            (14, "takes back 1 of 2 operations"),
        ]
        assert titles(client, history / "cccc.py") == [
            (5, "follows bbbb (add bbbb)"),
            (5, "one of 2 heads"),
            (14, "takes back none of 2 operations"),
        ]
        assert titles(client, history / "dddd.py")[-1] == (14, "cannot be taken back: raises")
        assert titles(client, history.parent / "env.py") == []


def test_a_lens_opens_the_other_revision(history: Path) -> None:
    asked: list[Any] = []
    with Client(REAL) as client:
        started(client, history, showDocument={"support": True})
        client.open((history / "cccc.py").as_uri(), (history / "cccc.py").read_text())
        found = client.request(
            "textDocument/codeLens", {"textDocument": {"uri": (history / "cccc.py").as_uri()}}
        )
        command = found[0]["command"]
        assert command["arguments"] == [(history / "bbbb.py").as_uri()]
        client.request(
            "workspace/executeCommand", {"command": command["command"], "arguments": command["arguments"]}
        )
        shown = client.wait("showDocument", lambda message: message.get("method") == "window/showDocument")
        asked.append(shown["params"]["uri"])
    assert asked == [(history / "bbbb.py").as_uri()]


def test_lenses_can_be_switched_off(history: Path) -> None:
    (history.parents[1] / "sqlalchemy-guard.toml").write_text('code-lens = "off"\n')
    with Client(REAL) as client:
        started(client, history)
        assert titles(client, history / "aaaa.py") == []


def test_who_points_at_an_operation_sees_its_sql_and_its_table(history: Path) -> None:
    (history.parents[1] / "sqlalchemy-guard.toml").write_text('ignore = ["ALL"]\n')
    path = history / "eeee.py"
    path.write_text(
        HEAD.format(what="color", id="eeee", down="'cccc'")
        + 'def upgrade():\n    op.add_column("t_aaaa", sa.Column("color", sa.String(20), nullable=False, server_default="red"))\n'
        + '    with op.batch_alter_table("t_bbbb") as batch:\n        batch.alter_column("id", nullable=False)\n\n\n'
        + 'def downgrade():\n    op.drop_column("t_aaaa", "color")\n'
    )
    text = path.read_text()
    with Client(REAL) as client:
        started(client, history)
        client.open(path.as_uri(), text)

        def hovered(needle: str) -> str:
            row = next(number for number, line in enumerate(text.splitlines()) if needle in line)
            column = text.splitlines()[row].index(needle) + len(needle) - 2
            answer = client.request(
                "textDocument/hover",
                {"textDocument": {"uri": path.as_uri()}, "position": {"line": row, "character": column}},
            )
            return "" if answer is None else str(answer["contents"]["value"])

        added = hovered("op.add_column")
        assert "ALTER TABLE t_aaaa ADD COLUMN color VARCHAR(20) DEFAULT 'red' NOT NULL" in added
        assert "| color | VARCHAR(20) | NOT NULL |" in added
        assert "| id | INTEGER |" in added
        assert "ALTER TABLE t_bbbb ALTER COLUMN id SET NOT NULL" in hovered("batch.alter_column")
        dropped = hovered("op.drop_column")
        assert "ALTER TABLE t_aaaa DROP COLUMN color" in dropped
        assert "after revision" not in dropped
        assert hovered("sa.Column") == ""


MODELS = """\
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)


class Task(Base):
    __tablename__ = "tasks"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
"""
BUILDS = """\
import sqlalchemy as sa
from alembic import op

revision = "abcd"
down_revision = None


def upgrade():
    for table in ("jobs", "tasks"):
        op.create_table(table, sa.Column("id", sa.Integer(), primary_key=True, nullable=False))


def downgrade():
    for table in ("jobs", "tasks"):
        op.drop_table(table)
"""


def test_whether_the_migrations_build_what_a_model_says(tmp_path: Path) -> None:
    versions = tmp_path / "migrations" / "versions"
    versions.mkdir(parents=True)
    (tmp_path / "alembic.ini").write_text(
        "[alembic]\nscript_location = migrations\nsqlalchemy.url = postgresql://app\n"
    )
    env = "from alembic import context\nfrom models import Base\n\ntarget_metadata = Base.metadata\ncontext.run_migrations()\n"
    (tmp_path / "migrations" / "env.py").write_text(env)
    (versions / "abcd.py").write_text(BUILDS)
    (tmp_path / "models.py").write_text(MODELS)
    uri = (tmp_path / "models.py").as_uri()
    capabilities = {"workspace": {"codeLens": {"refreshSupport": True}}}

    asked: set[Any] = set()

    def is_news(message: dict[str, Any]) -> bool:
        """Whether the server says that there is something new, and has not said so before."""
        fresh = message.get("method") == "workspace/codeLens/refresh" and message["id"] not in asked
        if fresh:
            asked.add(message["id"])
        return fresh

    def titles_are(client: Client, wanted: list[str]) -> None:
        # Asked again only when there is something new: whoever asks all the time keeps the server from looking.
        for _ in range(20):
            found = client.request("textDocument/codeLens", {"textDocument": {"uri": uri}})
            if [lens["command"]["title"] for lens in found] == wanted:
                return
            client.wait("refresh", is_news)
        raise AssertionError(f"never {wanted}")

    with Client(REAL) as client:
        client.initialize(capabilities, [tmp_path.as_uri()])
        client.open(uri, MODELS)
        titles_are(client, ["in step with migration abcd", "1 difference to the migrations"])
        client.change(uri, 2, {"text": MODELS.replace("    title: Mapped[str]\n", "")})
        titles_are(client, ["in step with migration abcd"] * 2)
