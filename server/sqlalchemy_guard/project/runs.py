"""When code runs: in a script, once and cached.

This module must never judge what runs.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Call

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import FunctionFacts
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.project.workspace import File
    from sqlalchemy_guard.syntax.chunk import Chunk

_CACHES = frozenset(
    {
        "functools.lru_cache", "functools.cache", "functools.cached_property", "cachetools.cached", "async_lru.alru_cache",
        "django.utils.functional.cached_property", "werkzeug.utils.cached_property", "pyramid.decorator.reify",
        "streamlit.cache_resource", "aiocache.cached",
    }
)  # fmt: skip


def is_script(file: File) -> bool:
    """Whether a module runs by itself: it asks for `__main__`."""
    return any(
        type(statement) is ast.If and chunk.once(_asks_for_main)
        for chunk in file.syntax.chunks
        for statement in chunk.body
    )


def _asks_for_main(chunk: Chunk) -> bool:
    return any(
        isinstance(part, ast.Constant) and part.value == "__main__"
        for statement in chunk.body
        if isinstance(statement, ast.If)
        for part in ast.walk(statement.test)
    )


def decorated_by(resolver: Resolver, function: FunctionFacts, file: SourceFile) -> set[str]:
    """The canonical names of a function's decorators from outside the workspace."""
    found = set()
    for decorator in function.decorators:
        value = decorator.func if type(decorator) is Call else decorator
        name = resolver.external_name(value, file)
        if name is not None:
            found.add(name)
    return found


def is_cached(resolver: Resolver, function: FunctionFacts, file: SourceFile) -> bool:
    """Whether a function runs once, or once for each argument, and its result is kept."""
    return not _CACHES.isdisjoint(decorated_by(resolver, function, file))
