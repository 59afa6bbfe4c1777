"""A small project on disk, analysed by the real thing: what documentation, specifications and corpus run on."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

from sqlalchemy_guard.check import Checker
from sqlalchemy_guard.config import SettingsStore
from sqlalchemy_guard.fix import fix_all, single
from sqlalchemy_guard.project.workspace import Workspace
from sqlalchemy_guard.rules.api import Applicability
from sqlalchemy_guard.text.edit import apply_edits
from sqlalchemy_guard.vfs import Vfs, canonical
from tests.support.mdtest import Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from sqlalchemy_guard.check import FileReport
    from sqlalchemy_guard.rules.api import Fix, Violation


class Project:
    """A project made of these files, with all default rules on and the rules of its own configuration.

    Args:
        folder: An empty folder; the files are written there, byte for byte.
        files: Texts by relative path with forward slashes.
        extend_select: Rules to check besides the default ones.
    """

    def __init__(self, folder: Path, files: Mapping[str, str], extend_select: Collection[str] = ()) -> None:
        # A byte order mark is written, and is no part of the text that is analysed.
        self.texts = {path: text.removeprefix("\ufeff") for path, text in files.items()}
        self._ids: dict[str, str] = {}
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode("utf-8"))
            self._ids[path] = canonical(str(target))
        vfs = Vfs()
        overrides = {"extend-select": sorted(extend_select)} if extend_select else {}
        # Without a configuration of its own the project must not find one in a folder above it.
        isolated = not any(path.endswith(".toml") for path in files)
        settings = SettingsStore(vfs, overrides, isolated=isolated)
        self.workspace = Workspace([canonical(str(folder))], vfs, settings)
        deque(self.workspace.index_steps(), maxlen=0)
        self.checker = Checker(self.workspace)

    def report(self, path: str) -> FileReport:
        """The report of one file.

        Raises:
            AssertionError: a rule failed on it, or it was not analysed.
        """
        report = self.checker.check(self._ids[path])
        assert not report.internal, "\n".join(report.internal)
        assert report.skipped is None, f"{path} {report.skipped}"
        return report

    def fix(self, report: FileReport, violation: Violation) -> Fix | None:
        """The fix of a violation, as an editor gets it.

        Raises:
            AssertionError: computing it failed.
        """
        fix = single(self.checker, report, violation)
        assert not (failed := self.checker.check(report.file_id).internal), "\n".join(failed)
        return fix

    def violations(self) -> Iterator[tuple[str, FileReport, Violation]]:
        """All violations of all files, with the path and the report of each."""
        for path in self.texts:
            if path.endswith(".html"):
                continue
            report = self.report(path)
            for violation in report.violations:
                yield path, report, violation

    def findings(self, path: str) -> list[Finding]:
        """The violations of a file as a specification sees them."""
        return [Finding(v.rule.name, v.message, v.span.line) for v in self.report(path).violations]

    def applied(self, fix: Fix) -> dict[str, str]:
        """The texts of all files after one fix.

        Raises:
            OverlapError: its edits overlap.
            KeyError: it edits a file that is not of the project.
        """
        paths = {file_id: path for path, file_id in self._ids.items()}
        paths |= {file_id: self._relative(file_id) for file_id in fix.creates}
        changed = {paths[file_id]: edits for file_id, edits in fix.edits.items()}
        return self.texts | {
            path: apply_edits(self.texts.get(path, ""), edits) for path, edits in changed.items()
        }

    def _relative(self, file_id: str) -> str:
        return os.path.relpath(file_id, self.workspace.folders[0]).replace(os.sep, "/")

    def fixed_by(self, applicability: Applicability, codes: Collection[str] | None = None) -> dict[str, str]:
        """The texts of all files after all fixes that are at least this safe, of all rules or of these.

        Raises:
            AssertionError: the fixes reach no fixed point, or one of them was rejected.
        """
        wanted = [file_id for path, file_id in self._ids.items() if not path.endswith(".html")]
        outcome = fix_all(self.checker, wanted, applicability, codes)
        assert not outcome.unconverged, f"after the last round there is more to fix in {outcome.unconverged}"
        assert not outcome.notes, "\n".join(outcome.notes)
        made = outcome.texts.keys() - self._ids.values()
        return {path: outcome.texts.get(self._ids[path], text) for path, text in self.texts.items()} | {
            self._relative(file_id): outcome.texts[file_id] for file_id in made
        }

    def fixed(self, *, unsafe: bool) -> dict[str, str]:
        """The texts of all files after all safe fixes, or after the unsafe ones too."""
        return self.fixed_by(Applicability.UNSAFE if unsafe else Applicability.SAFE)
