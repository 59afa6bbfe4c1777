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
    from sqlalchemy_guard.text.document import Document


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


_MOST = 8
"""So many texts are kept: those that one fix edits, and those that it is judged by."""
_SOURCES: dict[File, tuple[Document, int, Source]] = {}
"""By file the version and the line length that a text was made of; what was made last stands last."""


def source_of(workspace: Workspace, file: File) -> Source:
    """The text of a file, with how long its lines may be and which packages are the project's own."""
    length = workspace.settings_for(file.file_id).line_length
    kept = _SOURCES.pop(file, None)
    if kept is None or kept[0] is not file.document or kept[1] != length:
        source = Source.of(file.document, length, _FirstParty(workspace.resolver, file))
        kept = (file.document, length, source)
        while len(_SOURCES) >= _MOST:
            del _SOURCES[next(iter(_SOURCES))]
    _SOURCES[file] = kept
    return kept[2]
