"""What the tests of all editors share: getting an editor, the project they open, and the text they expect.

An editor that cannot be had makes its test a skip with a reason, unless SQLALCHEMY_GUARD_REQUIRE_EDITORS=1 asks for it.
"""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
REQUIRE = "SQLALCHEMY_GUARD_REQUIRE_EDITORS"
INSTALL_SECONDS = 900

CONFIGURATION = '[tool.sqlalchemy-guard]\nselect = ["SAG101"]\n'
BEFORE = """\
from sqlalchemy import create_engine

"🐍"; first = create_engine("postgresql://localhost/first")
second = create_engine("postgresql://localhost/second")  # ändå
third = create_engine("postgresql://localhost/third")
"""
ONE_FIXED = BEFORE.replace('first")', 'first", pool_pre_ping=True)')
ALL_FIXED = re.sub(r'(first|second|third)"\)', r'\1", pool_pre_ping=True)', BEFORE)


def required() -> bool:
    """Whether an editor that cannot be had is a failure."""
    return os.environ.get(REQUIRE) == "1"


def unavailable(reason: str) -> NoReturn:
    """End the test: skipped, or failed when editors are required."""
    if required():
        pytest.fail(f"{reason} ({REQUIRE}=1)", pytrace=False)
    pytest.skip(reason)


@contextmanager
def installing() -> Iterator[None]:
    """Only one test process at a time installs something."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run_or_unavailable(line: Sequence[str | Path], what: str, cwd: Path | None = None) -> None:
    """Run a command that installs something; when it fails, `what` is unavailable."""
    try:
        done = subprocess.run(line, cwd=cwd, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        unavailable(f"{what} cannot be installed: {error}")
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        unavailable(f"{what} cannot be installed: {lines[-1] if lines else shlex.join(map(str, line))}")


def debian_program(program: str, *packages: str) -> str:
    """The path of a program, installed from Debian's packages when it is not there and we are root.

    A program that is installed but not from these packages is taken as it is.
    """
    with installing():
        if found := shutil.which(program):
            return found
        if shutil.which("apt-get") is None or os.geteuid() != 0:
            unavailable(f"{program} is not installed (Debian: apt-get install {' '.join(packages)})")
        install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
        if subprocess.run(install, capture_output=True, timeout=INSTALL_SECONDS).returncode:
            # Without package lists, or with old ones, the first try fails.
            run_or_unavailable(["apt-get", "update"], program)
            run_or_unavailable(install, program)
    found = shutil.which(program)
    if found is None:
        unavailable(f"{program} is not in the packages {', '.join(packages)}")
    return found


def fences(page: str, heading: str) -> dict[str, str]:
    """The code blocks under a heading of a page in docs/editors, by the file name in their first line's comment."""
    text = (ROOT / "docs" / "editors" / page).read_text("utf-8")
    section = re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"{page} has no heading {heading!r}"
    blocks = re.findall(r"^```\w+\n(\W+ (\S+)\n.*?)^```$", section[1], re.MULTILINE | re.DOTALL)
    assert blocks, f"{page}: no code block with a file name under {heading!r}"
    return {name: code for code, name in blocks}


def write_project(folder: Path) -> Path:
    """A project with three engines that do not check their connections; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(CONFIGURATION, "utf-8", newline="\n")
    file = folder / "app.py"
    file.write_text(BEFORE, "utf-8", newline="\n")
    return file


def command(folder: Path) -> Path:
    """Writes the program `sqlalchemy-guard` of this checkout into a folder."""
    folder.mkdir(parents=True)
    program = folder / "sqlalchemy-guard"
    python = shlex.quote(sys.executable)
    server = shlex.quote(str(ROOT / "server"))
    program.write_text(f'#!/bin/sh\nPYTHONPATH={server} exec {python} -m sqlalchemy_guard "$@"\n', "utf-8")
    program.chmod(0o755)
    return program


def environment(home: Path) -> dict[str, str]:
    """The environment of an editor: a home of its own, and `sqlalchemy-guard` of this checkout on PATH."""
    path = f"{command(home / 'bin').parent}{os.pathsep}{os.environ['PATH']}"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "PYTHON"))}
    return inherited | {"HOME": str(home), "PATH": path, "LC_ALL": "C.UTF-8"}


def run_editor(
    line: Sequence[str | Path], cwd: Path, environment: Mapping[str, str], seconds: float = 120
) -> str:
    """Run an editor to its end and give what it printed; its exit code is the verdict of the script in it."""
    done = subprocess.run(
        line,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
    )
    output = done.stdout.decode("utf-8", "replace")
    print(output)
    assert done.returncode == 0, output
    return output
