"""How the commands open a workspace: which folders it has, which files are asked for. Must never analyse."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.cli.terminal import drain
from sqlalchemy_guard.config import SettingsStore, is_excluded
from sqlalchemy_guard.documents.kinds import checked_kind
from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.vfs import Skipped, Vfs, canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy_guard.config import ConfigFile
    from sqlalchemy_guard.project.workspace import Workspace

_ROOT_MARKS = (
    "sqlalchemy-guard.toml",
    ".sqlalchemy-guard.toml",
    "pyproject.toml",
    "setup.cfg",
    "setup.py",
    ".git",
)


class Opened(NamedTuple):
    """A workspace and what was asked for in it.

    Attributes:
        files: The files to work on, once each.
        skipped: Paths that were named and lead to nothing.
        is_project: Whether the workspace's folders are projects, or all of each was asked for, so that it makes sense to
            read all of them.
    """

    workspace: Workspace
    vfs: Vfs
    settings: SettingsStore
    files: list[str]
    skipped: list[Skipped]
    is_project: bool

    def read_project(self, show_progress: bool, *, put_aside: bool = True) -> None:
        """Read what the files may rely on, so that the order in which they are looked at changes nothing.

        Args:
            show_progress: Whether to show how far it is.
            put_aside: Whether to analyse the files that nothing in them makes relevant, too; nobody may check them otherwise.
        """
        if self.is_project:
            drain(self.workspace.index_steps(), "reading", show_progress)
            if not put_aside:
                return
        # Those that the index puts aside as well: one that came between two checks would make answers about all files anew.
        for file_id in self.python_files():
            self.workspace.file(file_id)

    def python_files(self) -> list[str]:
        """The files to work on that are no documents of another kind."""
        return [file_id for file_id in self.files if checked_kind(file_id) is None]

    def project_files(self) -> list[str]:
        """The files that the files asked for may rely on, those included that are found in the project."""
        return self.workspace.discover() if self.is_project else self.files

    def config_files(self) -> list[ConfigFile]:
        """The configuration files that hold for the files, once each."""
        found = filter(None, map(self.settings.config_file, self.files))
        return list({file.path: file for file in found}.values())


def open_workspace(
    paths: Sequence[str],
    overrides: Mapping[str, Any] | None = None,
    *,
    config: str | None = None,
    isolated: bool = False,
    force_exclude: bool = False,
    walk: bool = True,
    vfs: Vfs | None = None,
) -> Opened:
    """A workspace over the projects that some paths belong to, and the files under the paths.

    Args:
        overrides: Options of the command line.
        config: The one configuration file to use.
        isolated: Whether to ignore all configuration files.
        force_exclude: Whether excludes hold for files that are named, too.
        walk: Whether paths are looked for on the disk; if not, they are taken as the files.
        vfs: The disk.
    """
    from sqlalchemy_guard.project.workspace import Workspace

    vfs = vfs or Vfs()
    settings = SettingsStore(vfs, overrides or {}, config=config and canonical(config), isolated=isolated)
    folders = project_roots(vfs, (canonical(path) for path in paths))
    for folder in folders:
        # Without a configuration file, excludes and other patterns start from the project's folder.
        settings.set_folder_overrides(folder, {})
    files: list[str] = []
    skipped: list[Skipped] = []
    for found in vfs.discover(paths, settings, checked_kind) if walk else map(canonical, paths):
        if isinstance(found, Skipped):
            skipped.append(found)
        elif not (force_exclude and is_excluded(settings.for_file(found), found)):
            files.append(found)
    named = {canonical(path) for path in paths}
    is_project = all(folder in named or _has_mark(vfs, folder) for folder in folders)
    return Opened(Workspace(folders, vfs, settings), vfs, settings, files, skipped, is_project)


def project_roots(vfs: Vfs, paths: Iterable[str]) -> list[str]:
    """The folders of the projects that paths lie in, none inside another.

    A project's folder is the nearest above that has a project file or a repository; else the working folder
    if the path lies in it; else the path's own folder. So a hook that names one file sees what that imports.
    """
    roots = sorted({_project_root(vfs, path) for path in paths}, key=len)
    outer: list[str] = []
    for root in roots:
        if not any(root == other or root.startswith(os.path.join(other, "")) for other in outer):
            outer.append(root)
    return outer


def _project_root(vfs: Vfs, path: str) -> str:
    folder = path if vfs.is_folder(path) else os.path.dirname(path)
    at = folder
    while True:
        if _has_mark(vfs, at):
            return at
        parent = os.path.dirname(at)
        if parent == at:
            break
        at = parent
    working = canonical(".")
    return working if folder.startswith(os.path.join(working, "")) else folder


def _has_mark(vfs: Vfs, folder: str) -> bool:
    return any(vfs.exists(os.path.join(folder, mark)) for mark in _ROOT_MARKS)
