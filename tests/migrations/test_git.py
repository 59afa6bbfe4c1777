"""What is read of Git's own files is what Git itself says of a repository."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from sqlalchemy_guard.check import Checker
from sqlalchemy_guard.migrations.review import is_released, is_reviewed
from sqlalchemy_guard.vfs import Vfs, canonical
from sqlalchemy_guard.vfs.git import checkout_of, default_branch, names_in_commit, tracked
from tests.migrations.support import ENV, opened, revision, write

if TYPE_CHECKING:
    from pathlib import Path

GIT = shutil.which("git")
pytestmark = pytest.mark.skipif(GIT is None, reason="git is not installed")

Run = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path) -> Run:
    """Runs git in a fresh repository, apart from the user's configuration."""
    environment = {
        "HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{what}": "x@y" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }

    def run(*arguments: str, folder: Path = tmp_path) -> str:
        assert GIT is not None
        command = [GIT, "-C", str(folder), *arguments]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    run("init", "-q", "-b", "main")
    return run


def _same(folder: Path, run: Run) -> None:
    """Compare what we read with what Git says, folder by folder."""
    checkout = checkout_of(canonical(str(folder)))
    assert checkout is not None
    listed = [path for path in run("ls-files", "-z", folder=folder).split("\0") if path]
    found = tracked(checkout)
    assert found is not None
    assert sorted(f"{inside}/{name}".lstrip("/") for inside in found for name in found[inside]) == sorted(
        listed
    )
    commit = default_branch(checkout)
    assert commit == run("rev-parse", "main", folder=folder).strip()
    for inside in found:
        names = run("ls-tree", "--name-only", "-z", f"main:{inside}", folder=folder).split("\0")
        assert names_in_commit(checkout, commit, inside) == frozenset(name for name in names if name)


def _filled(folder: Path, run: Run) -> None:
    write(
        folder,
        {f"app/versions/{number:03}_ä.py": revision(str(number)) * (number % 7) for number in range(120)},
    )
    write(folder, {"top.py": "x = 1\n", "a/b/c/deep.py": "y = 2\n"})
    run("add", ".")
    run("commit", "-qm", "one")
    for number in range(3):
        write(folder, {f"app/versions/later_{number}.py": revision(f"l{number}")})
        run("add", ".")
        run("commit", "-qm", "more")


@pytest.mark.parametrize("version", ["2", "4"])
def test_loose_and_packed(tmp_path: Path, git: Run, version: str) -> None:
    git("config", "index.version", version)
    _filled(tmp_path, git)
    _same(tmp_path, git)
    git("gc", "-q", "--aggressive", "--prune=now")
    _same(tmp_path, git)
    write(tmp_path, {"app/versions/intended.py": ""})
    git("add", "-N", "app/versions/intended.py")
    index = tracked(checkout_of(canonical(str(tmp_path))))  # type: ignore[arg-type]
    assert index is not None
    assert "intended.py" in index["app/versions"]


def test_linked_working_tree(tmp_path: Path, git: Run) -> None:
    _filled(tmp_path, git)
    git("worktree", "add", "-q", "-b", "feature", str(tmp_path / "linked"))
    _same(tmp_path / "linked", git)


def test_what_is_released(tmp_path: Path, git: Run) -> None:
    files = {"db/env.py": ENV, "db/versions/one.py": revision("1111")}
    workspace = opened(tmp_path, files)
    one, two = (canonical(str(tmp_path / f"db/versions/{name}.py")) for name in ("one", "two"))
    settings = workspace.settings_for(one)
    assert is_released(workspace, one) is False, "nothing was ever committed"
    assert is_reviewed(workspace, one, settings)

    git("add", ".")
    git("commit", "-qm", "one")
    assert workspace.look_at_git()
    assert not workspace.look_at_git()
    assert is_released(workspace, one) is True
    assert not is_reviewed(workspace, one, settings)

    git("checkout", "-qb", "feature")
    write(tmp_path, {"db/versions/two.py": revision("2222", "1111")})
    git("add", ".")
    git("commit", "-qm", "two")
    workspace.look_at_git()
    workspace.changed_on_disk([two])
    assert is_reviewed(workspace, two, settings)

    git("branch", "-qm", "main", "renamed")
    assert Vfs().git(canonical(str(tmp_path / "db/versions"))).released is None  # type: ignore[union-attr]


def test_without_git_the_last_revisions_are_new(tmp_path: Path) -> None:
    files = {
        "db/env.py": ENV,
        "db/versions/one.py": revision("1111"),
        "db/versions/two.py": revision("2222", "1111"),
    }
    workspace = opened(tmp_path, files)
    one, two = (canonical(str(tmp_path / f"db/versions/{name}.py")) for name in ("one", "two"))
    assert is_released(workspace, one) is None
    assert not is_reviewed(workspace, one, workspace.settings_for(one))
    assert is_reviewed(workspace, two, workspace.settings_for(two))


@pytest.mark.parametrize("data", [b"", b"DIRC", b"DIRC\0\0\0\2\0\0\0\5" + b"x" * 90, b"nothing"])
def test_a_broken_index_says_nothing(tmp_path: Path, git: Run, data: bytes) -> None:
    (tmp_path / ".git/index").write_bytes(data)
    found = Vfs().git(canonical(str(tmp_path)))
    assert found is not None
    assert found.tracked is None


def test_the_head_of_the_branch_is_reported(tmp_path: Path, git: Run) -> None:
    files = {
        "db/env.py": ENV,
        "db/versions/1.py": revision("1111"),
        "db/versions/z_released.py": revision("2222", "1111"),
    }
    opened(tmp_path, files)
    git("add", ".")
    git("commit", "-qm", "one")
    git("checkout", "-qb", "feature")
    workspace = opened(tmp_path, {"db/versions/a_branch.py": revision("3333", "1111")})
    checker = Checker(workspace)
    found = {
        os.path.basename(file_id): [each.rule.code for each in checker.check(file_id).violations]
        for file_id in workspace.discover()
    }
    assert "SAG508" in found["a_branch.py"]
    assert "SAG508" not in found["z_released.py"]


def test_what_is_not_released_is_in_nobodys_use(tmp_path: Path, git: Run) -> None:
    opened(tmp_path, {"db/env.py": ENV, "db/versions/1.py": revision("1111")})
    git("add", ".")
    git("commit", "-qm", "one")
    add = 'import sqlalchemy as sa\n\n\ndef upgrade():\n    op.add_column("product", sa.Column("old", sa.Integer()))\n'
    rename = (
        "def upgrade():\n"
        '    op.alter_column("product", "old", new_column_name="new")\n'
        '    op.alter_column("product", "used", new_column_name="free")\n'
    )
    workspace = opened(
        tmp_path,
        {
            "db/versions/2.py": revision("2222", "1111", add),
            "db/versions/3.py": revision("3333", "2222", rename),
        },
    )
    report = Checker(workspace).check(canonical(str(tmp_path / "db/versions/3.py")))
    renamed = [each.message for each in report.violations if each.rule.code == "SAG516"]
    assert ["product.used" in message for message in renamed] == [True]


def test_a_checkout_of_a_commit_in_a_pipeline(tmp_path: Path, git: Run) -> None:
    """No branch is there, nor what came before: what main has is not known, and the last revisions are new."""
    files = {"db/env.py": ENV, "db/versions/1.py": revision("1111")}
    opened(tmp_path / "source", files)
    git("init", "-q", "-b", "main", folder=tmp_path / "source")
    for message in ("one", "two"):
        write(tmp_path / "source", {"note.txt": message})
        git("add", ".", folder=tmp_path / "source")
        git("commit", "-qm", message, folder=tmp_path / "source")
    clone = tmp_path / "clone"
    clone.mkdir()
    git("init", "-q", "-b", "unused", folder=clone)
    commit = git("rev-parse", "main", folder=tmp_path / "source").strip()
    git(
        "fetch",
        "-q",
        "--depth=1",
        f"file://{tmp_path / 'source'}",
        f"{commit}:refs/remotes/pull/7/merge",
        folder=clone,
    )
    git("checkout", "-q", "--detach", commit, folder=clone)
    found = Vfs().git(canonical(str(clone / "db/versions")))
    assert found == (frozenset({"1.py"}), None)

    git("update-ref", "refs/remotes/origin/main", commit, folder=clone)
    found = Vfs().git(canonical(str(clone / "db/versions")))
    assert found == (frozenset({"1.py"}), frozenset({"1.py"})), "a shallow clone has the tree of its commit"


def test_what_the_remote_calls_its_head(tmp_path: Path, git: Run) -> None:
    write(tmp_path, {"db/versions/1.py": revision("1111")})
    git("add", ".")
    git("commit", "-qm", "one")
    git("update-ref", "refs/remotes/origin/production", "HEAD")
    git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/production")
    write(tmp_path, {"db/versions/2.py": revision("2222", "1111")})
    git("add", ".")
    git("commit", "-qm", "two")
    vfs, folder = Vfs(), canonical(str(tmp_path / "db/versions"))
    assert vfs.git(folder) == (frozenset({"1.py", "2.py"}), frozenset({"1.py"}))
    before = vfs.git_state(folder)
    git("update-ref", "refs/remotes/origin/production", "HEAD")
    assert vfs.git_state(folder) != before
    git("update-ref", "-d", "refs/remotes/origin/production")
    assert vfs.git(folder).released == {"1.py", "2.py"}, "what it points at is gone: `main` it is"  # type: ignore[union-attr]


def test_renamed_files_are_released(tmp_path: Path, git: Run) -> None:
    write(tmp_path, {"db/versions/1.py": revision("1111"), "db/versions/__init__.py": ""})
    git("add", ".")
    git("commit", "-qm", "one")
    git("checkout", "-qb", "feature")
    git("mv", "db/versions/1.py", "db/versions/2020_1.py")
    write(tmp_path, {"db/versions/2.py": revision("2222", "1111"), "db/versions/empty.py": ""})
    git("add", ".")
    found = Vfs().git(canonical(str(tmp_path / "db/versions")))
    assert found is not None
    assert found.released == {"1.py", "2020_1.py", "__init__.py"}
    git("commit", "-qm", "two")
    git("mv", "db", "src")
    found = Vfs().git(canonical(str(tmp_path / "src/versions")))
    assert found is not None
    assert found.released == {"2020_1.py"}, "what is in another folder now"


def test_a_submodule_in_a_repository_above_the_project(tmp_path: Path, git: Run) -> None:
    write(tmp_path / "library", {"db/versions/1.py": revision("1111")})
    git("init", "-q", "-b", "main", folder=tmp_path / "library")
    git("add", ".", folder=tmp_path / "library")
    git("commit", "-qm", "one", folder=tmp_path / "library")
    write(tmp_path / "top", {"service/db/versions/2.py": revision("2222")})
    git("init", "-q", "-b", "main", folder=tmp_path / "top")
    added = ("submodule", "add", "-q", f"file://{tmp_path / 'library'}", "service/library")
    git("-c", "protocol.file.allow=always", *added, folder=tmp_path / "top")
    git("add", ".", folder=tmp_path / "top")
    git("commit", "-qm", "two", folder=tmp_path / "top")
    vfs, service = Vfs(), tmp_path / "top/service"
    assert vfs.git(canonical(str(service / "library/db/versions"))) == (frozenset({"1.py"}),) * 2
    assert vfs.git(canonical(str(service / "db/versions"))) == (frozenset({"2.py"}),) * 2


def test_the_environment_of_hooks_and_a_missing_git_make_no_difference(
    tmp_path: Path, git: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"db/versions/1.py": revision("1111")})
    git("add", ".")
    git("commit", "-qm", "one")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "nothing"))
    monkeypatch.setenv("PATH", "")
    assert Vfs().git(canonical(str(tmp_path / "db/versions"))) == (frozenset({"1.py"}),) * 2


def test_other_formats_are_unknown(tmp_path: Path, git: Run) -> None:
    folder = tmp_path / "other"
    write(folder, {"1.py": revision("1111")})
    git("init", "-q", "--object-format=sha256", folder=folder)
    git("add", ".", folder=folder)
    git("commit", "-qm", "one", folder=folder)
    assert Vfs().git(canonical(str(folder))) == (None, None)
    # What Git calls `reftable`: references stand in files of another kind, and `HEAD` says nothing.
    (tmp_path / ".git/reftable").mkdir()
    (tmp_path / ".git/HEAD").write_text("ref: refs/heads/.invalid\n")
    found = Vfs().git(canonical(str(tmp_path)))
    assert found is not None
    assert found.released is None
