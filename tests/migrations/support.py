"""A small project with migrations on disk, whose history is asked for. It never holds a test."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from sqlalchemy_guard.config import SettingsStore
from sqlalchemy_guard.project.workspace import Workspace
from sqlalchemy_guard.vfs import Vfs, canonical

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ENV = """\
from alembic import context

target_metadata = None


def run_migrations_online():
    context.run_migrations()


run_migrations_online()
"""


def revision(id_: str, down: object = None, body: str = "", **names: object) -> str:
    """The text of a revision file."""
    said = "".join(f"{name} = {value!r}\n" for name, value in names.items())
    return f"from alembic import op\n\nrevision = {id_!r}\ndown_revision = {down!r}\n{said}\n{body}"


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Put files on the disk, by relative path with forward slashes."""
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def opened(folder: Path, files: Mapping[str, str]) -> Workspace:
    """A workspace over these files, read to the end."""
    write(folder, files)
    vfs = Vfs()
    workspace = Workspace([canonical(str(folder))], vfs, SettingsStore(vfs, isolated=True))
    deque(workspace.index_steps(), maxlen=0)
    return workspace
