"""Which results of the last run still hold, and what to keep of this one.

A file's results hold while it, every file that they rest on, and every other file that answers a look-up by name over all
files are what they were; none holds once a file came or went, a folder that modules are looked for in lists other names, or
anything else that was read (configuration, ignore files) changed. This module must never analyse.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard import cache
from sqlalchemy_guard.vfs import Vfs
from sqlalchemy_guard.vfs.recording import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy_guard.cache import Mark, Store
    from sqlalchemy_guard.cli.results import Plain
    from sqlalchemy_guard.vfs.recording import Record

    Answers = list[list[str]]


class Kept:
    """The results of the last run.

    Attributes:
        files: The files that were asked for, in order.
        results: Their results by file.
    """

    def __init__(self, parts: Sequence[bytes]) -> None:
        quick = self._quick = cache.parse(parts[0])
        self._rest = parts[1]
        self._looked: int = quick["looked"]
        self.files: list[str] = quick["files"]
        self.results: dict[str, Plain] = quick["results"]
        self._seen: dict[str, tuple[Mark | None, str | None]] = quick["seen"]
        self._listings: dict[str, tuple[Mark | None, str]] = quick["listings"]
        self._walked: dict[str, Mark | None] = quick["walked"]
        self._existing: dict[str, bool] = quick["existing"]
        self._same: dict[str, bool] = {}
        self._vfs = Vfs()
        self._fresh: dict[str, tuple[Mark | None, str | None]] = {}

    @classmethod
    def load(cls, store: Store) -> Kept | None:
        """What the store holds, None when it holds nothing that can be used."""
        parts = store.load()
        if parts is None or len(parts) != 2:
            return None
        return cls(parts)

    def complete(self) -> bool:
        """Whether everything holds, the list of files included; without walking through the folders."""
        return (
            all(path in self.results for path in self.files)
            and all(self._is_walked(path, mark) for path, mark in self._walked.items())
            and self._surroundings()
            and all(map(self.is_same, self._seen))
        )

    def refresh(self, store: Store, looked: int) -> None:
        """Where files were touched but not changed, spare the next run reading them."""
        if self._fresh:
            self._quick["seen"].update(self._fresh)
            self._quick["looked"] = looked
            store.save([self._quick, cache.parse(self._rest)])

    def _is_walked(self, path: str, mark: Mark | None) -> bool:
        return cache.mark(path) is None if mark is None else cache.is_same(mark, self._looked, path)

    def _surroundings(self) -> bool:
        """Whether modules are found where they were found, and no project appeared or vanished."""
        names = self._vfs.names
        return all(self._vfs.exists(path) == there for path, there in self._existing.items()) and all(
            cache.is_same(mark, self._looked, folder) or cache.digest_of_names(names(folder)) == digest
            for folder, (mark, digest) in self._listings.items()
        )

    def is_same(self, path: str) -> bool:
        """Whether a file is what was read in the last run; False for one that was not read then."""
        known = self._same.get(path)
        if known is None:
            known = self._same[path] = self._is_same(*self._seen.get(path, ([], None)), path)
        return known

    def _is_same(self, mark: Mark | None, digest: str | None, path: str) -> bool:
        if mark is None:
            return cache.mark(path) is None
        if cache.is_same(mark, self._looked, path):
            return digest is not None
        fresh = cache.mark(path)
        if digest is None or fresh is None or digest_of(self._vfs.load(path)) != digest:
            return False
        self._fresh[path] = (fresh, digest)
        return True

    def take_over(self, record: Record, everything: bool) -> None:
        """Add to what a run saw what it did not look at because it was known to be the same.

        Args:
            record: What the run saw.
            everything: Whether results were taken over, which rest on all that was seen then.
        """
        for path, seen in self._seen.items():
            if everything or self._same.get(path):
                record.files.setdefault(path, self._fresh.get(path, seen))
        if everything:
            record.listings.update({k: v for k, v in self._listings.items() if k not in record.listings})
            record.existing.update({k: v for k, v in self._existing.items() if k not in record.existing})

    def partly(self, project: Sequence[str]) -> Partly:
        """What holds when something changed.

        Args:
            project: The files of the project now.
        """
        rest = cache.parse(self._rest)
        self._seen.update(rest["missing"])
        sources: dict[str, Answers] = rest["answers"]
        changed = {path for path in sources if not self.is_same(path)}
        others = (path for path in self._seen if path not in sources)
        if rest["project"] != list(project) or not all(map(self.is_same, others)) or not self._surroundings():
            return Partly({path: answers for path, answers in sources.items() if path not in changed}, {}, {})
        paths: list[str] = rest["paths"]
        rests = {
            file_id: ({paths[index] for index in files}, {(kind, name) for kind, name in lookups})
            for file_id, (files, lookups) in rest["rests"].items()
        }
        gone = {(kind, name) for path in changed for kind, name in sources[path]}
        holding = {
            file_id: self.results[file_id]
            for file_id, (files, lookups) in rests.items()
            if file_id in self.results and not (files & changed) and not (lookups & gone)
        }
        return Partly(
            {path: answers for path, answers in sources.items() if path not in changed},
            holding,
            rests,
        )


class Partly:
    """What of the last run may be taken over.

    Attributes:
        unchanged: Files of the project that are what they were, with the look-ups by name that they answer.
        results: Results that hold unless a look-up that they rest on has a new answer; see `drop`.
        rests: For each file with results the files and look-ups that they rest on.
    """

    def __init__(
        self,
        unchanged: dict[str, Answers],
        results: dict[str, Plain],
        rests: Mapping[str, tuple[set[str], set[tuple[str, str]]]],
    ) -> None:
        self.unchanged = unchanged
        self.results = results
        self.rests = rests

    def drop(self, answered: Iterable[tuple[str, str]]) -> None:
        """Changed files answer these look-ups now: no result that rests on one holds."""
        answered = set(answered)
        self.results = {
            path: plain for path, plain in self.results.items() if not (self.rests[path][1] & answered)
        }


def keep(
    store: Store,
    looked: int,
    record: Record,
    files: Sequence[str],
    project: Sequence[str],
    results: Mapping[str, Plain],
    rests: Mapping[str, tuple[set[str], set[tuple[str, str]]]],
    answers: Mapping[str, Iterable[tuple[str, str]]],
) -> None:
    """Keep a run.

    Args:
        store: Where.
        looked: A time before anything was looked at, in ns.
        record: What was seen of the disk.
        files: The files that were asked for.
        project: The files of the project.
        results: By file; failures inside are left out and tried again.
        rests: For each file with results, which files and look-ups by name they rest on.
        answers: For each file of the project that was read, the look-ups by name that it answers.
    """
    inside = {
        path
        for path, (mark, _) in record.files.items()
        if mark is None and os.path.dirname(path) in record.walked
    }
    paths = sorted({path for needed, _ in rests.values() for path in needed})
    number = {path: index for index, path in enumerate(paths)}
    quick: dict[str, Any] = {
        "looked": looked,
        "files": list(files),
        "results": {path: plain for path, plain in results.items() if not plain["internal"]},
        "seen": {path: seen for path, seen in record.files.items() if path not in inside},
        "listings": record.listings,
        "walked": record.walked,
        "existing": record.existing,
    }
    rest = {
        "missing": {path: record.files[path] for path in inside},
        "project": list(project),
        "answers": {path: sorted(keys) for path, keys in answers.items()},
        "paths": paths,
        "rests": {
            path: [[number[name] for name in sorted(needed)], sorted(lookups)]
            for path, (needed, lookups) in rests.items()
        },
    }
    store.save([quick, rest])
