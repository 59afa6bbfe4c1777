"""Checks many files, and takes over from the last run what still holds. Must never show anything but progress."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from sqlalchemy_guard.cli.kept import keep
from sqlalchemy_guard.cli.results import to_plain
from sqlalchemy_guard.cli.terminal import progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy_guard.cache import Store
    from sqlalchemy_guard.check import Checker
    from sqlalchemy_guard.cli.kept import Partly
    from sqlalchemy_guard.cli.results import Plain
    from sqlalchemy_guard.cli.session import Opened
    from sqlalchemy_guard.vfs.recording import Record

Key = tuple[str, str]

MOST_LINES, LEAST_LINES = 1_000_000, 600_000
"""Lines of source whose analysis is kept at hand, about 1.7 KB each: trees of usual size are kept whole, because analysing
a file again costs more than its memory."""


class Batch:
    """One run over many files.

    Args:
        checker: Checks one file.
        opened: The workspace.
        files: What was asked for.
        show_progress: Whether to draw bars.

    Attributes:
        project: The files of the project.
        taken_over: Whether results of the last run were taken over.
    """

    def __init__(self, checker: Checker, opened: Opened, files: Sequence[str], show_progress: bool) -> None:
        self._checker = checker
        self._opened = opened
        self._files = files
        self._show_progress = show_progress
        self.project = opened.project_files()
        self.taken_over = False
        self._sources = frozenset(self.project)
        self._results: dict[str, Plain] = {}
        self._rests: dict[str, tuple[set[str], set[Key]]] = {}
        self._answers: dict[str, list[list[str]]] = {}

    def run(self, partly: Partly | None) -> dict[str, Plain]:
        """The results by file.

        Args:
            partly: What may be taken over from the last run.
        """
        workspace = self._opened.workspace
        if partly is not None:
            self._answers.update(partly.unchanged)
            for file_id, answers in partly.unchanged.items():
                workspace.shelve(file_id, ((kind, name) for kind, name in answers))
        fresh = [file_id for file_id in self.project if file_id not in self._answers]
        self._opened.read_project(self._show_progress, fresh)
        if partly is not None:
            partly.drop(key for file_id in fresh for key in workspace.answers(file_id))
            self._take_over(partly)
        todo = [file_id for file_id in self._files if file_id not in self._results]
        for file_id in fresh:
            # Before any of them is analysed: what it may answer is told by its text alone.
            self._answers[file_id] = [list(key) for key in workspace.answers(file_id)]
        for file_id in progress(todo, "checking", self._show_progress):
            self._check(file_id)
            if workspace.shed(MOST_LINES, LEAST_LINES):
                gc.collect()
        return self._results

    def _take_over(self, partly: Partly) -> None:
        for file_id in self._files:
            plain = partly.results.get(file_id)
            if plain is not None:
                self._results[file_id] = plain
                self._rests[file_id] = partly.rests[file_id]
                self.taken_over = True

    def _check(self, file_id: str) -> None:
        workspace = self._opened.workspace
        workspace.consulted = set()
        report = self._checker.check(file_id)
        plain, more = to_plain(self._checker, report)
        keys = more if report.skipped is not None else more | self._checker.rests_on(file_id)
        lookups = {key for key in keys if key[0].startswith("*")}
        files = {key[0] for key in keys} | workspace.consulted | {file_id}
        self._results[file_id] = plain
        self._rests[file_id] = (files & self._sources, lookups)

    def keep(self, store: Store, looked: int, record: Record) -> None:
        """Keep the run for the next one; see `kept.keep`."""
        answers = {file_id: [(kind, name) for kind, name in keys] for file_id, keys in self._answers.items()}
        keep(store, looked, record, self._files, self.project, self._results, self._rests, answers)
