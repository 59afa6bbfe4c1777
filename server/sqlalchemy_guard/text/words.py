"""Words out of identifiers. This module must never look at a tree."""

from __future__ import annotations

from sqlalchemy_guard.text.patterns import lazy_pattern

# Where a capital begins a word: after something that is not a capital, or before a small letter (`HTTPServer`).
_BOUNDARY = lazy_pattern(r"(?<=[a-z0-9])(?=[A-Z])|(?!^)(?=[A-Z][a-z])")


def snake_case(name: str) -> str:
    """The table name that Flask-SQLAlchemy gives to a class of this name: `HTTPServerLog` -> `http_server_log`."""
    return _BOUNDARY.sub("_", name).lower().lstrip("_")
