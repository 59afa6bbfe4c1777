"""Where the cache directory is. This module must never write."""

from __future__ import annotations

import os
import sys

OVERRIDE = "SQLALCHEMY_GUARD_CACHE_DIR"
_NAME = "sqlalchemy-guard"


def directory(given: str | None = None) -> str:
    """The cache directory: the one given, that of the environment, or the platform's own."""
    chosen = given or os.environ.get(OVERRIDE)
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~\\AppData\\Local")
        return os.path.join(base, _NAME, "Cache")
    if sys.platform == "darwin":
        return os.path.join(os.path.expanduser("~/Library/Caches"), _NAME)
    base = os.environ.get("XDG_CACHE_HOME", "")
    return os.path.join(base if os.path.isabs(base) else os.path.expanduser("~/.cache"), _NAME)
