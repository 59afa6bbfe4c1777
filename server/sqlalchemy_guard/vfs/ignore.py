"""What Git ignores: `.gitignore` at every level up to the repository's top, and its `info/exclude`.

This module must never look at anything but ignore files.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

    from pathspec import GitIgnoreSpec


class _Level(NamedTuple):
    folder: str
    spec: GitIgnoreSpec


class IgnoreFiles:
    """The ignore files that hold in one folder. A deeper file has the last word, as in Git.

    Args:
        levels: From the repository's top down.
    """

    def __init__(self, levels: tuple[_Level, ...] = ()) -> None:
        self._levels = levels

    @classmethod
    def above(cls, folder: str) -> IgnoreFiles:
        """What holds for a folder by the ignore files above it, within its repository."""
        ancestors = [folder]
        while not os.path.lexists(os.path.join(ancestors[-1], ".git")):
            parent = os.path.dirname(ancestors[-1])
            if parent == ancestors[-1]:
                return cls()
            ancestors.append(parent)
        found = cls()
        for ancestor in reversed(ancestors[1:]):
            found = found.entered(ancestor, (".git", ".gitignore"))
        return found

    def entered(self, folder: str, names: Collection[str]) -> IgnoreFiles:
        """What holds in a folder of this one.

        Args:
            names: The names in that folder, so that most folders cost nothing.
        """
        base = () if ".git" in names else self._levels
        added = []
        if ".git" in names:
            added.append(_read(folder, os.path.join(folder, ".git", "info", "exclude")))
        if ".gitignore" in names:
            added.append(_read(folder, os.path.join(folder, ".gitignore")))
        levels = (*base, *(level for level in added if level is not None))
        return self if levels == self._levels else IgnoreFiles(levels)

    def ignores(self, path: str, is_folder: bool) -> bool:
        """Whether a path in the folder is ignored. A folder that is ignored must not be entered."""
        for level in reversed(self._levels):
            relative = os.path.relpath(path, level.folder).replace(os.sep, "/")
            verdict = level.spec.check_file(relative + "/" if is_folder else relative).include
            if verdict is not None:
                return verdict
        return False


def _read(folder: str, path: str) -> _Level | None:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError:
        return None
    if not any(line.strip() and not line.startswith("#") for line in lines):
        return None
    from pathspec import GitIgnoreSpec

    specs = []
    for line in lines:
        # One malformed pattern must not make the others void.
        try:
            GitIgnoreSpec.from_lines([line])
        except ValueError:
            continue
        specs.append(line)
    return _Level(folder, GitIgnoreSpec.from_lines(specs))
