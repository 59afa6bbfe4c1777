"""A `Vfs` that notes all that it was asked about the disk and what it found, so that a later run can tell whether it would
find the same. This module must never interpret what it notes.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sqlalchemy_guard.cache import runs
from sqlalchemy_guard.records import dataclass, field
from sqlalchemy_guard.vfs.files import Skipped, Vfs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy_guard.cache.runs import Mark
    from sqlalchemy_guard.config import SettingsStore
    from sqlalchemy_guard.vfs.git import GitFolder

_IGNORE_FILES = (".gitignore", os.path.join(".git", "info", "exclude"))


def digest_of(found: tuple[bytes, os.stat_result] | Skipped) -> str:
    """What stands for a file's bytes, or for the reason why they cannot be had."""
    return f"! {found.reason}" if isinstance(found, Skipped) else runs.digest(found[0])


def digest_of_git(found: GitFolder | None) -> str:
    """What stands for what Git knows of a folder."""
    said = [sorted(names) if names is not None else None for names in found] if found is not None else None
    return runs.digest(repr(said).encode("utf-8", "surrogateescape"))


@dataclass()
class Record:
    """What was seen of the disk.

    Attributes:
        files: Files that were read, with their mark (None when nothing is there) and what stands for their bytes; None where
            it was not the same when the file was read again.
        listings: Folders whose names were asked for, with their mark and a hash of the names.
        walked: Folders that were walked for files to check and targets of links on the way, with their mark.
        existing: Paths of which only the existence was asked, and the answer.
        git: Folders of which was asked what Git knows of them, and what stands for the answer.
    """

    files: dict[str, tuple[Mark | None, str | None]] = field(default_factory=dict)
    listings: dict[str, tuple[Mark | None, str]] = field(default_factory=dict)
    walked: dict[str, Mark | None] = field(default_factory=dict)
    existing: dict[str, bool] = field(default_factory=dict)
    git: dict[str, str] = field(default_factory=dict)


class RecordingVfs(Vfs):
    """Notes everything in `record`."""

    def __init__(self) -> None:
        super().__init__()
        self.record = Record()

    def load(self, path: str) -> tuple[bytes, os.stat_result] | Skipped:
        """See `Vfs.load`."""
        mark = runs.mark(path)
        found = super().load(path)
        seen = (mark, digest_of(found))
        known = self.record.files.setdefault(path, seen)
        if known[1] != seen[1]:
            self.record.files[path] = (mark or known[0], None)
        return found

    def names(self, folder: str) -> tuple[str, ...]:
        """See `Vfs.names`."""
        mark = runs.mark(folder)
        names = super().names(folder)
        self.record.listings.setdefault(folder, (mark, runs.digest_of_names(names)))
        return names

    def exists(self, path: str) -> bool:
        """See `Vfs.exists`."""
        return self.record.existing.setdefault(path, super().exists(path))

    def is_folder(self, path: str) -> bool:
        """See `Vfs.is_folder`."""
        self.record.walked.setdefault(path, runs.mark(path))
        return super().is_folder(path)

    def git(self, folder: str) -> GitFolder | None:
        """See `Vfs.git`."""
        found = super().git(folder)
        self.record.git.setdefault(folder, digest_of_git(found))
        return found

    def discover(
        self,
        paths: Iterable[str],
        settings: SettingsStore,
        wanted: Callable[[str], object] | None = None,
    ) -> Iterator[str | Skipped]:
        """See `Vfs.discover`."""
        from sqlalchemy_guard.vfs.walk import discover

        walked: list[str] = []

        def visit(path: str) -> None:
            walked.append(path)
            self.record.walked.setdefault(path, runs.mark(path))

        yield from discover(paths, settings, visit, wanted)
        seen: set[str] = set()
        for folder in walked:
            at = folder
            while at not in seen:
                seen.add(at)
                self.exists(os.path.join(at, ".git"))
                for name in _IGNORE_FILES:
                    self.load(os.path.join(at, name))
                at = os.path.dirname(at)
