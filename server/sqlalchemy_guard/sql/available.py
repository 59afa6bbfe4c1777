"""Whether the extra is there that schemas are rebuilt with. This module must never import anything that needs it."""

from __future__ import annotations

OLDEST = (2, 0, 40)


def missing() -> str | None:
    """What to install, None when SQLAlchemy is there and new enough."""
    try:
        from sqlalchemy import __version__ as version
    except ImportError:
        version = ""
    if tuple(int(part) for part in version.split(".")[:3] if part.isdigit()) >= OLDEST:
        return None
    wanted = ".".join(map(str, OLDEST))
    return (
        f"models are rebuilt with SQLAlchemy {wanted} or newer, which is not installed beside sqlalchemy-guard: "
        "install sqlalchemy-guard[schema], in an environment of its own if the application needs an older one"
    )
