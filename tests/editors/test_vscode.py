"""The packed extension in the extension host of a real VS Code."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.client import build
from tests.editors import support
from tests.editors.vscode import install

HERE = Path(__file__).parent / "vscode"
SECONDS = 240
# Here and not in the user's settings, which a fresh VS Code may not have read yet when an extension starts.
MACHINE_SETTINGS: dict[str, Any] = {
    "editor.codeActionsOnSave": {"source.fixAll.sqlalchemy-guard": "explicit"},
    "chat.disableAIFeatures": True,
    "extensions.autoCheckUpdates": False,
    "extensions.autoUpdate": "off",
    "git.enabled": False,
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
}


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension's archive."""
    return build.extension_archive(tmp_path_factory.mktemp("vsix"))


@pytest.mark.parametrize("version", [install.NEWEST, install.OLDEST])
def test_extension(version: str, archive: Path, tmp_path: Path) -> None:
    if version == install.OLDEST and not support.required():
        pytest.skip(f"the oldest VS Code is tested with {support.REQUIRE}=1 only")
    vscode = install.install(version)
    home = tmp_path / "home"
    machine = home / "data" / "Machine"
    machine.mkdir(parents=True)
    (machine / "settings.json").write_text(json.dumps(MACHINE_SETTINGS), "utf-8")
    folder = support.write_project(tmp_path / "project").parent
    options = {
        "server": str(vscode.server),
        "tools": str(vscode.tools),
        "chromium": vscode.chromium,
        "vsix": str(archive),
        "home": str(home),
        "folder": str(folder),
        "runner": str(HERE / "runner"),
        "suite": str(HERE / "suite.cjs"),
        "seconds": SECONDS,
    }
    (tmp_path / "options.json").write_text(json.dumps(options), "utf-8")
    command = [vscode.node, HERE / "host.mjs", tmp_path / "options.json"]
    environment = os.environ | {"GUARD_COMMAND": str(support.command(tmp_path / "bin"))}
    support.run_editor(command, tmp_path, environment, SECONDS + 60)
    await_end(int((folder / "server.pid").read_text("utf-8")))


def await_end(process: int, seconds: float = 15) -> None:
    """The language server must not outlive the editor."""
    deadline = time.monotonic() + seconds
    while subprocess.run(["ps", "-p", str(process)], capture_output=True).returncode == 0:
        assert time.monotonic() < deadline, f"the server {process} outlived VS Code"
        time.sleep(0.05)
