"""The walk over folders that finds the files to check.

This module must never open a file; what to leave out is said by the settings and by Git's ignore files.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from sqlalchemy_guard.config import is_excluded
from sqlalchemy_guard.vfs.files import SUFFIXES, Skipped, canonical, skipped
from sqlalchemy_guard.vfs.ignore import IgnoreFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy_guard.config import Settings, SettingsStore


def discover(
    paths: Iterable[str],
    settings: SettingsStore,
    visit: Callable[[str], None] = lambda _: None,
    wanted: Callable[[str], object] | None = None,
) -> Iterator[str | Skipped]:
    """The file ids under some paths; see `Vfs.discover`.

    Args:
        visit: Is told each folder before it is listed, and what each link leads to.
        wanted: Says of a path whether it is wanted besides Python files.
    """
    walk = _Walk(settings, visit, wanted)
    for path in paths:
        yield from walk.named(canonical(path))
    yield from walk.linked()


class _Walk:
    """One walk over folders: what was seen, and the links that wait until all real folders were walked."""

    def __init__(
        self, settings: SettingsStore, visit: Callable[[str], None], wanted: Callable[[str], object] | None
    ) -> None:
        self._settings = settings
        self._visit = visit
        self._wanted = wanted
        self._seen: set[str] = set()
        self._links: list[tuple[str, str]] = []

    def named(self, path: str) -> Iterator[str | Skipped]:
        """A path that the user named."""
        real = canonical(os.path.realpath(path))
        if os.path.isdir(path):
            yield from self._folder(path, real)
        elif os.path.lexists(path):
            if real not in self._seen:
                self._seen.add(real)
                yield path
        else:
            yield Skipped(path, "missing", "does not exist")

    def linked(self) -> Iterator[str | Skipped]:
        """What symbolic links found on the way lead to and was not walked yet."""
        while self._links:
            path, real = self._links.pop(0)
            self._visit(real)
            if os.path.isdir(real):
                yield from self._folder(path, real)
            elif os.path.isfile(real) and real not in self._seen:
                self._seen.add(real)
                yield path

    def _folder(self, top: str, real_top: str) -> Iterator[str | Skipped]:
        stack: list[tuple[str, str, IgnoreFiles]] = [(top, real_top, IgnoreFiles.above(top))]
        while stack:
            folder, real, ignores = stack.pop()
            if real in self._seen:
                continue
            self._seen.add(real)
            self._visit(folder)
            try:
                with os.scandir(folder) as entries:
                    found = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                yield skipped(folder, error)
                continue
            ignores = ignores.entered(folder, {entry.name for entry in found})
            settings = self._settings.for_folder(folder)
            folders = []
            for entry in found:
                taken = self._entry(entry, real, ignores, settings)
                if taken == "folder":
                    folders.append((entry.path, os.path.join(real, entry.name), ignores))
                elif taken == "file":
                    self._seen.add(os.path.join(real, entry.name))
                    yield entry.path
            stack.extend(reversed(folders))

    def _entry(
        self, entry: os.DirEntry[str], real: str, ignores: IgnoreFiles, settings: Settings
    ) -> Literal["file", "folder", "nothing"]:
        try:
            is_folder, is_link = entry.is_dir(), entry.is_symlink()
        except OSError:
            return "nothing"
        if not is_folder and not entry.name.endswith(SUFFIXES):
            if self._wanted is None or not self._wanted(entry.path):
                return "nothing"
        if is_excluded(settings, entry.path, ancestors=False) or ignores.ignores(entry.path, is_folder):
            return "nothing"
        if is_link:
            target = canonical(os.path.realpath(entry.path))
            # A link to a folder that contains it would walk the world from above.
            if not os.path.join(real, "").startswith(os.path.join(target, "")):
                self._links.append((entry.path, target))
            return "nothing"
        if is_folder:
            return "folder"
        return "file" if os.path.join(real, entry.name) not in self._seen else "nothing"
