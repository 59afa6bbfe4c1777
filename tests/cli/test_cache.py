"""The cache never changes what a run says: random edits between cached runs, damaged entries, files behind its back."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlalchemy_guard.cache.folder import OVERRIDE
from sqlalchemy_guard.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable

SERVER = Path(__file__).parents[2] / "server"
BASES = (
    "from sqlalchemy.orm import DeclarativeBase\n\n\nclass Base(DeclarativeBase):\n    pass\n",
    "from sqlalchemy.orm import declarative_base\n\nBase = declarative_base()\n",
    "class Base:\n    pass\n",
    "from app.other import Base\n",
)
MODELS = (
    "from app.base import Base\n\n\nclass User(Base):\n    pass\n",
    'from app.base import Base\n\n\nclass User(Base):\n    __tablename__ = "users"\n',
    "from .base import *\n\n\nclass User(Base):\n    pass\n\n\nclass Item(Base):\n    pass\n",
    "class User:\n    pass\n",
)
SESSIONS = (
    "from sqlalchemy.orm import Session\n\n\ndef save(session: Session) -> None:\n    session.commit()\n",
    "from sqlalchemy.orm import Session\n\n\ndef save(session: Session) -> None:\n    session.flush()\n",
    "def save(session):\n    session.commit()\n",
    "from app.other import save\n",
    "from sqlalchemy.orm import Session\n\n\ndef start(app):\n    app.db = Session()\n",
    "from sqlalchemy import create_engine\n\n\ndef start(app):\n    app.db = create_engine('x')\n",
)
USERS = (
    "from app.sessions import save\n\n\ndef run(session, rows):\n    for row in rows:\n        save(session)\n",
    "import app.sessions as s\n\n\ndef run(session, rows):\n    for row in rows:\n        s.save(session)\n",
    "import sqlalchemy\n\n\ndef run(request, rows):\n    for row in rows:\n        row.x = 1\n        request.app.db.commit()\n",
    "from app import *\nfrom app.models import User\n\nx = [1]  # noqa: SAG101\n",
    "from sqlalchemy import create_engine\n\nengine = create_engine('postgresql://db')\n",
    "def broken(:\n",
)
EVERYTHING = (*BASES, *MODELS, *SESSIONS, *USERS)
PLACES = (
    "app/base.py", "app/models.py", "app/sessions.py", "app/use.py", "app/other.py", "app/__init__.py",
    "other/use.py", "app.py", "src/app/base.py", "tests/test_use.py",
)  # fmt: skip
CONFIGS = (
    "",
    '[tool.sqlalchemy-guard]\nselect = ["ALL"]\n',
    '[tool.sqlalchemy-guard]\nignore = ["SAG401"]\nseverity = {SAG101 = "hint"}\n',
    '[tool.sqlalchemy-guard]\nextend-exclude = ["other"]\n[tool.sqlalchemy-guard.per-file-ignores]\n"app/*" = ["ALL"]\n',
    '[tool.sqlalchemy-guard]\nselect = ["SAG999"]\nline-length = 40\n',
)
START = {
    "pyproject.toml": "",
    "app/__init__.py": "",
    "app/base.py": BASES[0],
    "app/models.py": MODELS[0],
    "app/sessions.py": SESSIONS[0],
    "app/use.py": USERS[0],
    "other/use.py": USERS[2],
}

Change = tuple[str, str, str]

changes = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(PLACES), st.sampled_from(EVERYTHING)),
    st.tuples(st.just("write"), st.just("app/sessions.py"), st.sampled_from(SESSIONS)),
    st.tuples(st.just("write"), st.just("app/base.py"), st.sampled_from(BASES)),
    st.tuples(st.just("write"), st.just("pyproject.toml"), st.sampled_from(CONFIGS)),
    st.tuples(
        st.just("write"), st.just("app/sqlalchemy-guard.toml"), st.sampled_from(["", 'select = ["SAG4"]\n'])
    ),
    st.tuples(st.just("write"), st.just(".gitignore"), st.sampled_from(["", "other/\n", "app/models.py\n"])),
    st.tuples(st.just("delete"), st.sampled_from(PLACES), st.just("")),
    st.tuples(st.just("rename"), st.sampled_from(PLACES), st.sampled_from(PLACES)),
    st.tuples(st.just("touch"), st.sampled_from(PLACES), st.just("")),
)


def apply(folder: Path, change: Change) -> None:
    """Make a change as an editor or Git would; times are set far back, as if long ago, so that only contents differ."""
    kind, where, what = change
    path = folder / where
    if kind == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(what, encoding="utf-8")
        os.utime(path, (1_000_000_000, 1_000_000_000))
    elif path.exists():
        if kind == "delete":
            path.unlink()
        elif kind == "touch":
            os.utime(path)
        elif not (folder / what).exists():
            (folder / what).parent.mkdir(parents=True, exist_ok=True)
            path.rename(folder / what)


Run = tuple[int, str, str]


def check(*options: str) -> Run:
    """Run `check` over the working folder: exit code and what it wrote."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["check", *options])
    return code, out.getvalue(), err.getvalue()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project, which is the working folder."""
    folder = tmp_path / "project"
    begin(folder)
    monkeypatch.chdir(folder)
    return folder


def begin(folder: Path) -> None:
    """A project's first files."""
    (folder / ".git").mkdir(parents=True)
    for where, text in START.items():
        apply(folder, ("write", where, text))


def entries(cache_directory: Path) -> list[Path]:
    """The files of the cache."""
    return list((cache_directory / "check").glob("*"))


def loaded_by(project: Path, cache_directory: Path) -> set[str]:
    """The modules of ours that a run in a process of its own loads."""
    program = (
        # The project is younger than time stamps can be trusted; here nobody edits it twice.
        "import sys; from sqlalchemy_guard.cache import runs; runs.RACY_NS = 0;"
        "from sqlalchemy_guard.cli.main import main; main(['check', '-q', '--exit-zero']);"
        "print(*[n for n in sys.modules if n.startswith('sqlalchemy_guard')], sep='\\n', file=sys.stderr)"
    )
    env = {**os.environ, "PYTHONPATH": str(SERVER), OVERRIDE: str(cache_directory)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=project, env=env, capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


@settings(max_examples=40, deadline=None)
@given(
    edits=st.lists(st.lists(changes, min_size=1, max_size=3), min_size=1, max_size=6),
    output=st.sampled_from(["full", "json"]),
)
def test_cached_runs_say_what_others_say(edits: list[list[Change]], output: str) -> None:
    options = ["--output-format", output, "--color", "never"]
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        base = Path(name).resolve()
        patch.setenv(OVERRIDE, str(base / "cache"))
        begin(base / "project")
        patch.chdir(base / "project")
        for batch in [[], *edits]:
            for change in batch:
                apply(base / "project", change)
            fresh = check(*options, "--no-cache")
            assert check(*options) == fresh
            assert check(*options) == fresh
        patch.undo()


def test_a_warm_run_analyses_nothing(project: Path, cache_directory: Path) -> None:
    cold = loaded_by(project, cache_directory)
    assert "sqlalchemy_guard.check" in cold
    warm = loaded_by(project, cache_directory)
    analysis = ("check", "project", "facts", "syntax", "fixes", "config", "rules.registry")
    assert not [name for name in warm for part in analysis if name.startswith(f"sqlalchemy_guard.{part}")]


def test_folders_that_were_only_touched_cost_no_analysis(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy_guard.check import Checker

    expected = check()
    (project / "app" / "__pycache__").mkdir()
    monkeypatch.setattr(Checker, "check", None)
    assert check() == expected


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b"SAG", b"GAS"),
        lambda _: b"\x00\xff" * 1000,
        lambda _: b"[" * 100_000,
    ],
    ids=["empty", "truncated", "altered", "binary", "deep"],
)
def test_damaged_entries_are_ignored_and_replaced(
    project: Path, cache_directory: Path, damage: Callable[[bytes], bytes]
) -> None:
    expected = check()
    [entry] = entries(cache_directory)
    good = entry.read_bytes()
    entry.write_bytes(damage(good))
    assert check() == expected
    assert len(entries(cache_directory)) == 1
    assert entry.read_bytes().partition(b"\n")[2]
    assert check() == expected


def test_runs_at_the_same_time_do_not_disturb_each_other(project: Path, cache_directory: Path) -> None:
    expected = check("--output-format", "concise", "--color", "never")[1]
    env = {**os.environ, "PYTHONPATH": str(SERVER), OVERRIDE: str(cache_directory)}
    command = [sys.executable, "-m", "sqlalchemy_guard", "check", "--output-format", "concise"]
    shutil.rmtree(cache_directory / "check")
    runs = [
        subprocess.Popen(command, cwd=project, env=env, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    assert [run.communicate()[0] for run in runs] == [expected] * 4
    [entry] = entries(cache_directory)
    assert check("--output-format", "concise", "--color", "never")[1] == expected
    assert entry.suffix == ".json"


def test_a_cache_that_cannot_be_written_is_none(project: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert check("--cache-dir", str(tmp_path / "file")) == check("--no-cache")
    assert (project / "pyproject.toml").exists()


@pytest.mark.parametrize("options", [["--no-cache"], ["--fix"], ["--diff"]])
def test_nothing_is_kept_of_runs_that_must_not_be(
    project: Path, cache_directory: Path, options: list[str]
) -> None:
    check(*options)
    assert not (cache_directory / "check").exists()
    assert (project / "app").is_dir()


def test_other_options_are_other_entries(project: Path, cache_directory: Path) -> None:
    assert project.is_dir()
    for number, options in enumerate(([], ["--select", "SAG4"], ["--isolated"], ["app"]), 1):
        assert check(*options) == check(*options, "--no-cache")
        assert len(entries(cache_directory)) == number
