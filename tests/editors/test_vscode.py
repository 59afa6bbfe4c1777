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
    file = support.write_project(tmp_path / "project")
    run_suite("suite.cjs", version, archive, file.parent, tmp_path, trusted=True)
    assert "pool_pre_ping=True" in file.read_text("utf-8")


def test_untrusted_folder(archive: Path, tmp_path: Path) -> None:
    """Its settings and its environments must not decide which program is started."""
    file = support.write_project(tmp_path / "project")
    folder = file.parent
    trap = folder / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {folder}/started\n", "utf-8")
    trap.chmod(0o755)
    settings = {
        "sqlalchemyGuard.path": [str(trap)],
        "sqlalchemyGuard.interpreter": str(trap),
        "sqlalchemyGuard.importStrategy": "fromEnvironment",
        "sqlalchemyGuard.args": ["--log-level", "debug"],
    }
    (folder / ".vscode").mkdir()
    (folder / ".vscode" / "settings.json").write_text(json.dumps(settings), "utf-8")
    run_suite("untrusted.cjs", install.NEWEST, archive, folder, tmp_path, trusted=False)


def run_suite(
    suite: str, version: str, archive: Path, folder: Path, tmp_path: Path, *, trusted: bool
) -> None:
    """Run a test module in a VS Code that shows a folder, and see that the language server ends with it."""
    vscode = install.install(version)
    home = tmp_path / "home"
    machine = home / "data" / "Machine"
    machine.mkdir(parents=True)
    (machine / "settings.json").write_text(json.dumps(MACHINE_SETTINGS), "utf-8")
    options = {
        "server": str(vscode.server),
        "tools": str(vscode.tools),
        "chromium": vscode.chromium,
        "vsix": str(archive),
        "home": str(home),
        "folder": str(folder),
        "runner": str(HERE / "runner"),
        "suite": str(HERE / suite),
        "seconds": SECONDS,
        "trusted": trusted,
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
