"""What is measured: the commands of our server and of ruff, and the settings that make the comparison fair.

Ours runs with every rule on, ruff with its own defaults. The folder that is measured gets a configuration of
each, so that nothing outside of it changes the numbers.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
ENTRY = "import sys; from sqlalchemy_guard.cli.main import entry; sys.exit(entry())"


@dataclass(frozen=True)
class Contender:
    """One of the measured programs.

    Attributes:
        name: What the tables call it.
        command: What starts it; the subcommand follows.
        code: A diagnostic that appears or vanishes with the benchmark's edit.
        appears: Whether the edit (which misspells a call) makes `code` appear rather than vanish.
        env: Environment variables that it needs.
    """

    name: str
    command: list[str]
    code: str
    appears: bool
    env: dict[str, str] = field(default_factory=dict)


class MissingProgram(Exception):
    """A program to measure is not installed; the message says how to get it."""


def guard() -> Contender:
    """This checkout's own server, run by this interpreter."""
    source = REPOSITORY / "server"
    if importlib.util.find_spec("pygls") is None:
        raise MissingProgram(f"pygls is not installed for {sys.executable}; run: make setup")
    path = os.pathsep.join(filter(None, [str(source), os.environ.get("PYTHONPATH")]))
    return Contender("guard", [sys.executable, "-c", ENTRY], "SAG101", False, {"PYTHONPATH": path})


def ruff() -> Contender:
    """The ruff beside this interpreter, or the one on the path."""
    beside = Path(sys.executable).with_name("ruff.exe" if os.name == "nt" else "ruff")
    found = str(beside) if beside.exists() else shutil.which("ruff")
    if found is None:
        raise MissingProgram("ruff is not installed; run: python -m pip install ruff")
    return Contender("ruff", [found], "F821", True)


def choose(names: str) -> list[Contender]:
    """The contenders by a comma-separated list of their names."""
    known = {"guard": guard, "ruff": ruff}
    unknown = [name for name in names.split(",") if name not in known]
    if unknown:
        raise MissingProgram(f"unknown contender {unknown[0]!r}; choose from {', '.join(known)}")
    return [known[name]() for name in names.split(",")]


def configure(folder: Path) -> None:
    """Write the configurations: all of our rules, ruff's defaults."""
    (folder / "sqlalchemy-guard.toml").write_text('select = ["ALL"]\n')
    (folder / "ruff.toml").write_text("# ruff's own defaults\n")
