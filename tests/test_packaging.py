"""What is published can be installed and starts: the wheel in a fresh environment, without the tests' dependencies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from sqlalchemy_guard import __version__

ROOT = Path(__file__).parents[1]


def run(*command: str | Path, cwd: Path) -> str:
    """The output of a command that must succeed."""
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONPATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


def test_the_version_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == __version__
    extension = ROOT / "client-vscode" / "package.json"
    assert json.loads(extension.read_text(encoding="utf-8"))["version"] == __version__


def test_the_wheel_holds_the_package_the_licence_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {f"sqlalchemy_guard/{p.relative_to(ROOT / 'server/sqlalchemy_guard').as_posix()}"
               for p in (ROOT / "server" / "sqlalchemy_guard").rglob("*.py")}  # fmt: skip
    assert package <= names
    surplus = {name for name in names - package if not name.endswith(("/py.typed", ".json"))}
    metadata = f"sqlalchemy_guard-{__version__}.dist-info"
    assert {name for name in surplus if not name.startswith(metadata)} == set()
    assert f"{metadata}/licenses/LICENSE" in names


def test_the_installed_wheel_runs(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    binaries = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    run(binaries / "python", "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path)
    assert run(binaries / "sqlalchemy-guard", "--version", cwd=tmp_path).split() == [
        "sqlalchemy-guard",
        __version__,
    ]
    (tmp_path / "clean.py").write_text("x = 1\n", encoding="utf-8")
    run(binaries / "sqlalchemy-guard", "check", "clean.py", cwd=tmp_path)
