"""Other versions of SQLAlchemy than the installed one: each in a folder of its own, asked through a worker process.

A folder is made by pip once and kept in `.cache/`. Where that is impossible, tests that need it are skipped, except
under continuous integration, where they fail.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache"
_REQUIREMENTS = {
    "1.4": "sqlalchemy>=1.4.50,<1.5",
    "2.0": "sqlalchemy>=2.0.40,<2.1",
    "2.1": "sqlalchemy>=2.1,<2.2",
}
OTHERS = {
    version: wanted
    for version, wanted in _REQUIREMENTS.items()
    if not sqlalchemy.__version__.startswith(f"{version}.")
}
"""What pip is asked for, by version; the installed one needs no worker."""


def ask(name: str, *arguments: Any) -> str | None:
    """The first problem that a worker of any other version reports, None when there is none.

    Args:
        name: A function of `worker`.
        arguments: Its arguments.
    """
    for version in OTHERS:
        problem = ask_one(version, name, *arguments)
        if problem is not None:
            return f"SQLAlchemy {version}\n{problem}"
    return None


def ask_one(version: str, name: str, *arguments: Any) -> Any:
    """What the worker of one version answers."""
    worker = _worker(version)
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(json.dumps([name, arguments]) + "\n")
    worker.stdin.flush()
    line = worker.stdout.readline()
    assert line, f"the worker of SQLAlchemy {version} died"
    return json.loads(line)


@cache
def _worker(version: str) -> subprocess.Popen[str]:
    started = subprocess.Popen(
        [
            sys.executable,
            str(Path(__file__).with_name("worker.py")),
            site(version),
            str(ROOT / "server"),
            str(ROOT),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    atexit.register(_stop, started)
    return started


def _stop(worker: subprocess.Popen[str]) -> None:
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.close()
    worker.stdout.close()
    worker.wait()


@cache
def site(version: str) -> str:
    """The folder of a version of SQLAlchemy; skips the test where it cannot be had."""
    # Compiled for one interpreter, so each has its own.
    folder = CACHE / f"sqlalchemy-{version}-{sys.implementation.cache_tag}"
    problem = None if folder.is_dir() else _install(OTHERS[version], folder)
    if problem:
        reason = f"SQLAlchemy {version} could not be installed: {problem}"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return str(folder)


@cache
def _install(requirement: str, folder: Path) -> str | None:
    """Make a folder by pip, or say why that failed."""
    folder.parent.mkdir(exist_ok=True)
    made = tempfile.mkdtemp(dir=folder.parent)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run([*pip, "--target", made, requirement], capture_output=True, text=True, check=False)
    try:
        if done.returncode:
            return done.stderr.strip()
        os.replace(made, folder)
    except OSError:
        # Several test processes may come here at once: whoever is second throws its own away.
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return None
