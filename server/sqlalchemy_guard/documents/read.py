"""One door to the readers of all kinds. Must never read a file."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from sqlalchemy_guard.documents import ci, containers, platforms, scripts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy_guard.documents.kinds import Kind
    from sqlalchemy_guard.documents.pipeline import Entry

_READERS: Mapping[str, Callable[[str], list[Entry]]] = {
    "github": ci.github,
    "gitlab": ci.gitlab,
    "circleci": ci.circleci,
    "azure": ci.azure,
    "jenkins": ci.jenkins,
    "compose": containers.compose,
    "kubernetes": containers.kubernetes,
    "dockerfile": containers.dockerfile,
    "procfile": scripts.procfile,
    "shell": scripts.shell,
    "make": scripts.make,
    "tox": scripts.tox,
    "fly": platforms.fly,
    "render": platforms.render,
    "heroku": platforms.heroku,
    "railway": platforms.railway,
}


@lru_cache(maxsize=64)
def entries_of(kind: Kind | None, text: str) -> list[Entry]:
    """What a document runs; the caller must not change the list. Kept for the texts that were asked for last.

    Raises:
        BrokenYaml: it should be YAML and is none.
    """
    reader = _READERS.get(kind or "")
    return reader(text) if reader is not None else []
