"""The one place where the language server gets hold of the analysis, so that tests can put another in its place.

This module must never look into what it hands out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy_guard.check import Checker, FileReport
    from sqlalchemy_guard.config import SettingsStore
    from sqlalchemy_guard.fix import FixOutcome
    from sqlalchemy_guard.project.workspace import Workspace
    from sqlalchemy_guard.rules.api import Applicability, Fix, Violation
    from sqlalchemy_guard.vfs import Vfs


class Analysis(NamedTuple):
    """The workspace of one client, and what checks and fixes it."""

    vfs: Vfs
    settings: SettingsStore
    workspace: Workspace
    checker: Checker
    fix: Callable[[Checker, FileReport, Violation], Fix | None]
    fix_all: Callable[[Checker, Sequence[str], Applicability, Sequence[str] | None], FixOutcome]


def build(folders: list[str]) -> Analysis:
    """The analysis of a workspace.

    Args:
        folders: Absolute paths.
    """
    from sqlalchemy_guard.check import Checker
    from sqlalchemy_guard.config import SettingsStore
    from sqlalchemy_guard.project.workspace import Workspace
    from sqlalchemy_guard.vfs import Vfs

    vfs = Vfs()
    settings = SettingsStore(vfs)
    workspace = Workspace(folders, vfs, settings)
    workspace.is_interactive = True
    return Analysis(vfs, settings, workspace, Checker(workspace), _fix, _fix_all)


def _fix(checker: Checker, report: FileReport, violation: Violation) -> Fix | None:
    # Only an action needs the engine of fixes; the first diagnostics do not wait for it.
    from sqlalchemy_guard.fix import single

    return single(checker, report, violation)


def _fix_all(
    checker: Checker, file_ids: Sequence[str], applicability: Applicability, codes: Sequence[str] | None
) -> FixOutcome:
    from sqlalchemy_guard.fix import fix_all

    return fix_all(checker, file_ids, applicability, codes)
