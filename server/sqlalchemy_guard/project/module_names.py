"""By what name a module of the workspace is imported in a file: as the file's other imports have it.

Folders without `__init__.py` do not tell where a package begins; the imports that work do. This module must never
write an import.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.project.resolve import Resolver, SourceFile


def importable_as(resolver: Resolver, file_id: str, importer: SourceFile) -> str:
    """The dotted name of a module for an import in a file."""
    resolver.keys.add((importer.file_id, "*imports"))
    names = {
        name
        for root in _roots(resolver, importer)
        if (name := _below(root, file_id)) is not None and resolver.module(name, importer) == file_id
    }
    # The one that begins furthest outside, as the files of a package name each other.
    return max(
        names, key=lambda name: (name.count("."), name), default=resolver.sources.modules.dotted(file_id)
    )


def _roots(resolver: Resolver, importer: SourceFile) -> Iterator[str]:
    """The folders that absolute imports of a file start from."""
    for module in importer.facts.imported_modules():
        target = resolver.module(module, importer) if module and not module.startswith(".") else None
        if target is None:
            continue
        stem = os.path.splitext(target)[0] if not target.endswith(os.sep) else target.rstrip(os.sep)
        stem = stem.removesuffix(os.sep + "__init__")
        ending = os.sep + module.replace(".", os.sep)
        if stem.endswith(ending):
            yield stem[: -len(ending)]


def _below(root: str, file_id: str) -> str | None:
    if not file_id.startswith(root + os.sep):
        return None
    stem = os.path.splitext(file_id[len(root) + 1 :])[0]
    return stem.removesuffix(os.sep + "__init__").replace(os.sep, ".")
