"""Whether the results of the last run still hold, and what to keep of this one.

They hold while everything that was looked at is what it was: all files that were read, the names in every folder where
modules were looked for, configuration, ignore files, and what was found to be missing. So no result can rest on something
that is not watched. This module must never analyse.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.cache import runs
from sqlalchemy_guard.vfs import Vfs
from sqlalchemy_guard.vfs.recording import digest_of, digest_of_git

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy_guard.cache.runs import Mark, Store
    from sqlalchemy_guard.cli.results import Plain
    from sqlalchemy_guard.vfs.recording import Record


class Kept:
    """The results of the last run.

    Attributes:
        files: The files that were asked for, in order.
        project: The files of the project.
        results: The results by file.
    """

    def __init__(self, entry: Any) -> None:
        self.files: list[str] = entry["files"]
        self.project: list[str] = entry["project"]
        self.results: dict[str, Plain] = entry["results"]
        self._looked: int = entry["looked"]
        self._seen: dict[str, tuple[Mark | None, str | None]] = entry["seen"]
        self._inside: list[str] = entry["inside"]
        self._listings: dict[str, tuple[Mark | None, str]] = entry["listings"]
        self._walked: dict[str, Mark | None] = entry["walked"]
        self._existing: dict[str, bool] = entry["existing"]
        self._git: dict[str, str] = entry["git"]
        self._vfs = Vfs()
        self._fresh: dict[str, tuple[Mark, str]] = {}
        self._entry = entry

    @classmethod
    def load(cls, store: Store) -> Kept | None:
        """What the store holds, None when it holds nothing that can be used."""
        entry = store.load()
        return cls(entry) if entry is not None else None

    def holds(self, *, with_folders: bool) -> bool:
        """Whether the results hold.

        Args:
            with_folders: Whether to ask that the folders that were walked are untouched, too, so that the files in them are
                the same. If not, the caller compares `files` and `project`.
        """
        if with_folders:
            if not all(self._is_untouched(path, mark) for path, mark in self._walked.items()):
                return False
        elif any(runs.mark(path) is not None for path in self._inside):
            return False
        return (
            all(self._vfs.exists(path) == there for path, there in self._existing.items())
            and all(digest_of_git(self._vfs.git(folder)) == said for folder, said in self._git.items())
            and all(self._lists_the_same(folder, *seen) for folder, seen in self._listings.items())
            and all(self._is_same(path, *seen) for path, seen in self._seen.items())
        )

    def _is_untouched(self, path: str, mark: Mark | None) -> bool:
        return runs.mark(path) is None if mark is None else runs.is_same(mark, self._looked, path)

    def _lists_the_same(self, folder: str, mark: Mark | None, digest: str) -> bool:
        if runs.is_same(mark, self._looked, folder):
            return True
        return runs.digest_of_names(self._vfs.names(folder)) == digest

    def _is_same(self, path: str, mark: Mark | None, digest: str | None) -> bool:
        if mark is None:
            return runs.mark(path) is None
        if digest is None:
            return False
        if runs.is_same(mark, self._looked, path):
            return True
        fresh = runs.mark(path)
        if fresh is None or digest_of(self._vfs.load(path)) != digest:
            return False
        self._fresh[path] = (fresh, digest)
        return True

    def refresh(self, store: Store, looked: int, walked: Mapping[str, Mark | None] | None = None) -> None:
        """Where something was touched but not changed, spare the next run looking closely at it.

        Args:
            store: Where to keep it.
            looked: A time before anything was looked at, in ns.
            walked: The folders as they were walked now.
        """
        if self._fresh or walked is not None:
            self._seen.update(self._fresh)
            self._entry["walked"] = self._walked if walked is None else walked
            self._entry["looked"] = looked
            store.save(self._entry)


def keep(
    store: Store,
    looked: int,
    record: Record,
    files: Sequence[str],
    project: Sequence[str],
    results: Mapping[str, Plain],
) -> None:
    """Keep a run.

    Args:
        store: Where.
        looked: A time before anything was looked at, in ns.
        record: What was seen of the disk.
        files: The files that were asked for.
        project: The files of the project.
        results: By file.
    """
    # What is missing in a folder that was walked is still missing while the folder is untouched.
    inside = {
        path
        for path, (mark, _) in record.files.items()
        if mark is None and os.path.dirname(path) in record.walked
    }
    store.save(
        {
            "looked": looked,
            "files": list(files),
            "project": list(project),
            "results": results,
            "seen": {path: seen for path, seen in record.files.items() if path not in inside},
            "inside": sorted(inside),
            "listings": record.listings,
            "walked": record.walked,
            "existing": record.existing,
            "git": record.git,
        }
    )
