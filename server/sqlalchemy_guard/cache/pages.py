"""Pages for readers outside of this process. This module must never know what they say."""

from __future__ import annotations

import contextlib
import os

from sqlalchemy_guard.cache.folder import directory


def page_path(name: str) -> str:
    """Where the page of that name stands once it is kept."""
    return os.path.join(directory(), "pages", name)


def keep_page(name: str, text: str) -> bool:
    """Keep a page for readers outside of this process, replaced at once where it says something else.

    Returns:
        Whether it can be read now. A cache that cannot be written is no reason to fail.
    """
    path, body = page_path(name), text.encode()
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
            if file.read() == body:
                return True
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(body)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        return False
    return True
