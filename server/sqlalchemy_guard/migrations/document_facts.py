"""The kinds of facts of documents that are not Python, and how each is found: one line a kind.

What a producer looks up in other files goes through the workspace, so that it is asked again when that changes. This module
must never check anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.documents.facts import UnmigratedRun, UrlOption
from sqlalchemy_guard.documents.ini import url_options
from sqlalchemy_guard.migrations.pipelines import unmigrated_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sqlalchemy_guard.documents.facts import PlainDocument
    from sqlalchemy_guard.project.workspace import Workspace


def _urls(plain: PlainDocument, _workspace: Workspace) -> Iterator[UrlOption]:
    return url_options(plain) if plain.kind == "ini" else iter(())


PRODUCERS: Mapping[type, Callable[[PlainDocument, Workspace], Iterable[object]]] = {
    UnmigratedRun: unmigrated_runs,
    UrlOption: _urls,
}
