"""A workspace in which everything that could be imported or run leaves a mark: no command touches any of it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.lsp.support.driver import REAL, Client, environment

if TYPE_CHECKING:
    from pathlib import Path

TRAP = "import os\n\nopen(os.path.join({mark!r}, {name!r}), 'w').close()\n"
"""Python that leaves a mark."""

MODELS = """
from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship


class Base(DeclarativeBase):
    def __init_subclass__(cls, **options):
        spring("init_subclass")
        super().__init_subclass__(**options)


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True, default=lambda: spring("default"))
    name: Mapped["spring('annotation') or str"] = mapped_column(String(50))
    email: Mapped[str | None] = mapped_column(String(100))
    posts: Mapped[list["Post"]] = relationship("Post", primaryjoin="spring('primaryjoin')", order_by="spring('order')")


class Post(Base):
    __tablename__ = spring("tablename") or "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    author = relationship("User", lazy="joined")


def names(session: Session, who=spring("parameter")):
    rows = session.query(User).filter(User.name == spring("filter")).all()
    for row in rows:
        print(row.posts)
    return session.execute(select(User.id).where(User.email == None)).fetchall()
"""
REVISION = """
import sqlalchemy as sa
from alembic import op

revision = {id!r}
down_revision = {down!r}
branch_labels = spring("branch_labels")


def upgrade():
    spring("upgrade")
    op.get_bind().execute(spring("sql"))
{body}


def downgrade():
    spring("downgrade")
"""
BODIES = (
    '    op.create_table("users", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("name", sa.String(20)))',
    '    op.add_column("users", sa.Column("age", sa.Integer(), nullable=False))\n'
    '    op.execute("UPDATE users SET age = 0")',
)
ENV = """
from alembic import context
from app.models import Base

target_metadata = Base.metadata


def include_object(object, name, type_, reflected, compare_to):
    spring("include_object")
    return True


context.configure(target_metadata=target_metadata, include_object=include_object)
context.run_migrations()
"""
MAKO = """\
<%
    open(__import__("os").path.join({mark!r}, "template"), "w")
%>
\"\"\"${{message}}\"\"\"
${{open(__import__("os").path.join({mark!r}, "expression"), "w")}}
revision = ${{repr(up_revision)}}
down_revision = ${{repr(down_revision)}}
"""
HELPER = """
import os


def spring(name):
    open(os.path.join({mark!r}, name), "w").close()
"""
LIBRARIES = (
    "sqlglot", "yaml", "ruamel", "pygls", "lsprotocol", "pathspec", "typing_extensions",
    "logging", "json", "ast", "argparse", "attrs", "sitecustomize", "usercustomize",
)  # fmt: skip
"""Names of modules that a project may have, too, and that must never be taken from there."""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """The project; beside it the folder of the marks."""
    folder, mark = tmp_path / "project", tmp_path / "marks"
    mark.mkdir()

    def trap(name: str, text: str = "") -> str:
        head = TRAP.format(mark=str(mark), name=name) + HELPER.format(mark=str(mark)).replace(
            "import os\n", ""
        )
        return head + text + "\n"

    files = {
        "pyproject.toml": (
            '[project]\nname = "trap"\nversion = "1"\ndependencies = ["sqlalchemy>=2"]\n'
            '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        ),
        "alembic.ini": "[alembic]\nscript_location = %(here)s/migrations\nsqlalchemy.url = postgresql://nobody@nowhere/x\n",
        "setup.py": trap("setup"),
        "backend.py": trap("backend"),
        "conftest.py": trap("conftest"),
        "noxfile.py": trap("noxfile"),
        "trap.pth": TRAP.format(mark=str(mark), name="pth").replace("\n\n", "; "),
        "app/__init__.py": trap("package"),
        "app/__main__.py": trap("main"),
        "app/models.py": trap("models", MODELS),
        "app/factory.py": trap(
            "factory",
            "from sqlalchemy import create_engine\n\nengine = create_engine('sqlite:///' + spring('engine'))\n"
            "engine.connect().execute('SELECT 1')\n",
        ),
        "migrations/__init__.py": trap("migrations"),
        "migrations/env.py": trap("env", ENV),
        "migrations/script.py.mako": MAKO.format(mark=str(mark)),
        "templates/page.html": "{% for user in users %}{{ spring(user.posts) }}{% endfor %}\n",
        ".github/workflows/ci.yml": "jobs:\n  a:\n    steps:\n      - run: touch MARK && alembic upgrade head\n",
        "Makefile": f"up:\n\ttouch {mark}/make\n\talembic upgrade head\n",
    }
    for number, body in enumerate(BODIES, 1):
        down = f"r{number - 1}" if number > 1 else None
        files[f"migrations/versions/r{number}.py"] = trap(
            f"r{number}", REVISION.format(id=f"r{number}", down=down, body=body)
        )
    for name in LIBRARIES:
        files[f"{name}.py"] = trap(f"library_{name}")
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def marks(workspace: Path) -> list[str]:
    """What was run."""
    return sorted(os.listdir(workspace.parent / "marks"))


def test_the_traps_work(workspace: Path) -> None:
    """Whoever imports a module of the project leaves a mark."""
    for module in ("conftest", "setup"):
        subprocess.run([sys.executable, f"{module}.py"], cwd=workspace, check=False, capture_output=True)
    assert {"conftest", "setup"} <= set(marks(workspace))


def ran(workspace: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sqlalchemy_guard", *arguments],
        cwd=workspace,
        env=environment() | {"XDG_CACHE_HOME": str(workspace.parent / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "codes"),
    [
        (("check", "--no-cache"), {1}),
        (("check", "--fix", "--unsafe-fixes", "--no-cache"), {0, 1}),
        (("drift",), {1}),
        (("drift", "--write", "-m", "in step"), {1}),
        (("schema", "--format", "sql"), {0}),
        (("schema", "--format", "json"), {0}),
        (("sql", "app/models.py:{line}"), {0, 1}),
        (("stats",), {0}),
        (("baseline", "--output", "baseline.json"), {0, 2}),
        (("rule", "SAG301"), {0, 2}),
    ],
)
def test_no_command_runs_anything(workspace: Path, arguments: tuple[str, ...], codes: set[int]) -> None:
    text = (workspace / "app/models.py").read_text(encoding="utf-8").splitlines()
    line = 1 + next(number for number, one in enumerate(text) if "session.query" in one)
    result = ran(workspace, *(one.format(line=line) for one in arguments))
    assert "Traceback" not in result.stderr, result.stderr
    assert result.returncode in codes, result.stderr
    assert marks(workspace) == []


@pytest.mark.parametrize("command", ["check", "drift", "schema"])
def test_libraries_of_the_workspace_are_its_own(workspace: Path, command: str) -> None:
    """What has the name of a library that is needed to answer is not taken for it."""
    for name in ("sqlalchemy", "alembic"):
        (workspace / f"{name}.py").write_text(
            (workspace / "conftest.py").read_text(encoding="utf-8"), encoding="utf-8"
        )
    result = ran(workspace, command)
    assert "Traceback" not in result.stderr, result.stderr
    assert marks(workspace) == []


def test_the_server_runs_nothing(workspace: Path) -> None:
    """Opened, pointed at, with lenses, with every action asked for and with drift looked for."""
    capabilities: dict[str, Any] = {
        "workspace": {"codeLens": {"refreshSupport": True}},
        "textDocument": {"hover": {"contentFormat": ["markdown"]}},
    }
    with Client(REAL, cwd=workspace) as client:
        client.initialize(capabilities, [workspace.as_uri()])
        client.wait("refresh", lambda message: message.get("method") == "workspace/codeLens/refresh")
        for path in (
            "app/models.py",
            "app/factory.py",
            "migrations/env.py",
            "migrations/versions/r2.py",
            "setup.py",
        ):
            uri = (workspace / path).as_uri()
            text = (workspace / path).read_text(encoding="utf-8")
            client.open(uri, text)
            document = {"textDocument": {"uri": uri}}
            client.request("textDocument/codeLens", document)
            rows = text.splitlines()
            for row, line in enumerate(rows):
                if line.strip():
                    place = {"line": row, "character": len(line) - len(line.lstrip()) + 1}
                    client.request("textDocument/hover", document | {"position": place})
            everything = {"start": {"line": 0, "character": 0}, "end": {"line": len(rows), "character": 0}}
            client.request(
                "textDocument/codeAction", document | {"range": everything, "context": {"diagnostics": []}}
            )
    assert marks(workspace) == []
