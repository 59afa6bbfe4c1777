"""When code runs: in a script, once and cached.

This module must never judge what runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.units import SCRIPT
from sqlalchemy_guard.facts.values import Call

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import FunctionFacts
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

_FIXTURES = frozenset({"pytest.fixture", "pytest_asyncio.fixture", "pytest_asyncio.plugin.fixture"})
_CACHES = frozenset(
    {
        "functools.lru_cache", "functools.cache", "functools.cached_property", "cachetools.cached", "async_lru.alru_cache",
        "django.utils.functional.cached_property", "werkzeug.utils.cached_property", "pyramid.decorator.reify",
        "streamlit.cache_resource", "aiocache.cached",
    }
)  # fmt: skip


def is_script(resolver: Resolver, file: SourceFile) -> bool:
    """Whether a module runs by itself: it asks for `__main__`."""
    resolver.keys.add((file.file_id, SCRIPT))
    return file.facts.is_script


def decorated_by(resolver: Resolver, function: FunctionFacts, file: SourceFile) -> set[str]:
    """The canonical names of a function's decorators from outside the workspace."""
    found = set()
    for decorator in function.decorators:
        value = decorator.func if type(decorator) is Call else decorator
        name = resolver.external_name(value, file)
        if name is not None:
            found.add(name)
    return found


def is_fixture(resolver: Resolver, function: FunctionFacts, file: SourceFile) -> bool:
    """Whether pytest runs a function: what follows its `yield` runs whether the test failed or not."""
    return not _FIXTURES.isdisjoint(decorated_by(resolver, function, file))


def is_cached(resolver: Resolver, function: FunctionFacts, file: SourceFile) -> bool:
    """Whether a function runs once, or once for each argument, and its result is kept."""
    return not _CACHES.isdisjoint(decorated_by(resolver, function, file))
