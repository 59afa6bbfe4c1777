"""`check --fix` that is interrupted leaves every file as it was or as it shall be, and nothing beside them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sqlalchemy_guard.cli.main import main
from sqlalchemy_guard.vfs import files

MODELS = """\
from sqlalchemy import Column, ForeignKey, Integer
from sqlalchemy.orm import declarative_base, relationship

Base = declarative_base()


class User(Base):
    __tablename__ = "user"
    id = Column(Integer, primary_key=True)
    posts = relationship("Post", backref="user")
"""
POSTS = """\
from sqlalchemy import Column, ForeignKey, Integer

from models import Base


class Post(Base):
    __tablename__ = "post"
    id = Column(Integer, primary_key=True)
    user_id = Column(ForeignKey("user.id"))
"""
QUERIES = """\
from sqlalchemy.orm import Session

from models import User


def users(session: Session):
    return session.query(User).all()
"""
TEXTS = {"models.py": MODELS, "posts.py": POSTS, **{f"queries_{number}.py": QUERIES for number in range(6)}}
SOURCE = Path(files.__file__).parents[2]


def write(folder: Path) -> Path:
    folder.mkdir()
    for name, text in TEXTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def fixed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What all fixes make of the project."""
    folder = write(tmp_path_factory.mktemp("fixed") / "project")
    main(["check", "--fix", "--no-cache", "--isolated", "-q", "-e", str(folder)])
    after = contents(folder)
    # The edit of the relationship is one fix over two files.
    assert all(after[name] != text for name, text in TEXTS.items())
    return after


@pytest.mark.parametrize("count", range(len(TEXTS)))
@pytest.mark.parametrize("is_moved", [False, True], ids=["before it is in place", "when it is in place"])
def test_every_file_is_old_or_new(
    count: int, is_moved: bool, fixed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "project")
    moved: list[str] = []
    replace = os.replace

    def interrupted(source: str, target: str) -> None:
        is_last = len(moved) == count
        if is_moved or not is_last:
            replace(source, target)
        moved.append(target)
        if is_last:
            raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "replace", interrupted)
    try:
        code = main(["check", "--fix", "--no-cache", "--isolated", "-q", str(folder)])
    except KeyboardInterrupt:
        code = 130
    assert code not in (0, 1), "it must not be taken for a run that was finished"
    after = contents(folder)
    assert after.keys() == TEXTS.keys()
    new = [name for name, text in after.items() if text == fixed[name]]
    old = [name for name, text in after.items() if text == TEXTS[name]]
    assert len(new) == count + is_moved
    assert sorted(new + old) == sorted(TEXTS)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no signal that cannot be caught")
def test_a_process_that_is_killed_leaves_whole_files(fixed: dict[str, str], tmp_path: Path) -> None:
    folder = write(tmp_path / "project")
    last = sorted(TEXTS)[-1]
    for number in range(200):
        shutil.copy(folder / last, folder / f"{last.removesuffix('.py')}_{number:03}.py")
    before = contents(folder)
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    command = [sys.executable, "-m", "sqlalchemy_guard", "check", "--fix", "--no-cache", "--isolated", "-q"]
    with subprocess.Popen([*command, str(folder)], env=environment, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and (folder / "models.py").read_text(encoding="utf-8") == MODELS:
            pass
        process.kill()
    after = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.py")}
    assert after.keys() == before.keys()
    for name, text in after.items():
        assert text in (before[name], fixed.get(name, fixed[last])), name
