"""SAG510 follows what is added and committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sqlalchemy_guard.check import Checker
from sqlalchemy_guard.vfs import canonical
from tests.migrations.support import ENV, opened, revision
from tests.migrations.test_git import GIT, Run, git

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["git"]
pytestmark = pytest.mark.skipif(GIT is None, reason="git is not installed")


def test_untracked_ignored_and_added(tmp_path: Path, git: Run) -> None:
    files = {
        "db/env.py": ENV,
        ".gitignore": "local_*\n",
        "db/versions/local_one.py": revision("1111"),
        "db/versions/two.py": revision("2222", "1111"),
    }
    workspace = opened(tmp_path, files)
    checker = Checker(workspace)
    two = canonical(str(tmp_path / "db/versions/two.py"))

    def found() -> list[str]:
        return [each.message for each in checker.check(two).violations if each.rule.code == "SAG510"]

    assert ["is not in Git: without it" in message for message in found()] == [True]
    git("add", "db/versions/two.py")
    assert workspace.look_at_git()
    assert ["`local_one.py` is not in Git" in message for message in found()] == [True]
    git("add", "-f", "db/versions/local_one.py")
    assert workspace.look_at_git()
    assert found() == []
    git("rm", "-q", "--cached", "db/versions/two.py")
    workspace.look_at_git()
    assert len(found()) == 1
