"""The packed extension: what is in it, that it is the same every time, and that nothing can shadow its server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from tests.client import build
from tests.editors import support

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build.extension_archive(tmp_path_factory.mktemp("vsix"))


@pytest.fixture(scope="module")
def unpacked(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    return folder / "extension"


def test_contents(archive: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        names = set(opened.namelist())
        package = json.loads(opened.read("extension/package.json"))
        manifest = ElementTree.fromstring(opened.read("extension.vsixmanifest"))
    assert {"[Content_Types].xml", "extension/out/extension.js", "extension/bundled/launch.py"} <= names
    assert "extension/bundled/libs/sqlalchemy_guard/__main__.py" in names
    assert not [
        name for name in names if "__pycache__" in name or "node_modules" in name or name.endswith(".so")
    ]
    libraries = {name.split("/")[3] for name in names if ".dist-info/" in name}
    for library in libraries:
        licences = [name for name in names if f"/{library}/" in name and "licen" in name.lower()]
        assert licences, f"{library} came without its licence"
    assert "scripts" not in package
    assert (package["main"], package["icon"]) == ("./out/extension.js", "images/icon.png")
    namespace = "{http://schemas.microsoft.com/developer/vsx-schema/2011}"
    assets = {asset.get("Path") for asset in manifest.iter(f"{namespace}Asset")}
    assert assets <= names


def test_same_bytes_every_time(archive: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.vsix"
    with support.installing():
        build.run(sys.executable, "scripts/package.py", str(again))
    assert again.read_bytes() == archive.read_bytes()


def test_nothing_shadows_the_server(unpacked: Path, tmp_path: Path) -> None:
    """Neither the working directory nor PYTHONPATH nor installed packages may replace a bundled or standard module."""
    for module in ("json", "attrs", "pygls", "sqlalchemy_guard"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('shadowed')", "utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            unpacked / "bundled" / "launch.py",
            "rule",
            "--all",
            "--output-format",
            "json",
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONSTARTUP": str(tmp_path / "json.py")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "SAG101" in {rule["code"] for rule in json.loads(done.stdout)}
