"""Builds the extension of this checkout for the tests."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.editors import support

if TYPE_CHECKING:
    from pathlib import Path

CLIENT = support.ROOT / "client-vscode"


def npm_run(script: str) -> None:
    """Run a script of package.json; the client's tools are installed when they are missing."""
    if shutil.which("npm") is None:
        support.unavailable("npm is not installed")
    with support.installing():
        if not (CLIENT / "node_modules" / "esbuild").is_dir():
            support.run_or_unavailable(
                ["npm", "ci", "--ignore-scripts", "--no-audit"], "the client's tools", CLIENT
            )
        run("npm", "run", "--silent", script)


def extension_archive(folder: Path) -> Path:
    """The packed extension, in `folder`."""
    npm_run("build")
    archive = folder / "sqlalchemy-guard.vsix"
    with support.installing():
        support.run_or_unavailable([sys.executable, "-m", "pip", "--version"], "pip")
        run(sys.executable, "scripts/bundle.py")
        run(sys.executable, "scripts/package.py", str(archive))
    return archive


def run(*command: str) -> None:
    """Run a step of the build; its output is shown when it fails."""
    done = subprocess.run(command, cwd=CLIENT, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
