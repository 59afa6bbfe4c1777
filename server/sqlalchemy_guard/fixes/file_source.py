"""The text of a file of the workspace with its project's conventions, for fixes.

This module must never change a text.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.source import Source

if TYPE_CHECKING:
    from sqlalchemy_guard.project.resolve import Resolver
    from sqlalchemy_guard.project.workspace import File, Workspace


class _FirstParty:
    """The top-level packages that a file imports from the workspace."""

    def __init__(self, resolver: Resolver, file: File) -> None:
        self._resolver = resolver
        self._file = file

    def __contains__(self, package: object) -> bool:
        found = self._resolver.module(package, self._file) if isinstance(package, str) else None
        if found is None or found.endswith(os.sep):
            return found is not None
        # Who imports relatively is part of a package and no script: what lies beside it has the package's name in front, and
        # a library of that name is meant.
        return not self._is_part or self._resolver.sources.modules.dotted(found) == package

    @property
    def _is_part(self) -> bool:
        return any(line.startswith("from .") for line in self._file.document.lines)


def source_of(workspace: Workspace, file: File) -> Source:
    """The text of a file, with how long its lines may be and which packages are the project's own."""
    settings = workspace.settings_for(file.file_id)
    own = _FirstParty(workspace.resolver, file)
    return Source.of(file.document.lines, settings.line_length, own)
