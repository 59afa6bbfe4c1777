"""URIs of documents and the ids of files in the workspace.

The id of a `file:` document is its canonical absolute path, that of any other document its URI. Clients spell one file
in several ways (`file:///c%3A/a.py`, `file:///C:/a.py`); answers must use the client's own spelling, which the owner of
the open documents keeps. This module must never touch the disk.
"""

from __future__ import annotations

import ntpath
import os
import posixpath
import re

from sqlalchemy_guard.text.patterns import lazy_pattern
from sqlalchemy_guard.vfs import canonical

READ_ONLY_SCHEMES = frozenset(
    {"git", "gitlens", "gitfs", "scm-history-item", "review", "pr", "diff", "chat-editing-text-model"}
)
"""Shown to be read or compared: nobody can mend what is wrong there, so nothing is published for them."""

_PLAIN = lazy_pattern(r"[\w.~/-]*", re.ASCII)
"""Paths that are spelt alike in a URI."""
_DRIVE = lazy_pattern(r"/[A-Za-z]:(/|$)")


def scheme(uri: str) -> str:
    """The scheme of a URI in lower case, empty when there is none."""
    head, colon, _ = uri.partition(":")
    return head.lower() if colon else ""


def to_file_id(uri: str, *, windows: bool = os.name == "nt") -> str:
    """The id of a document in the workspace."""
    if scheme(uri) != "file":
        return uri
    rest = uri[len("file:") :].partition("#")[0].partition("?")[0]
    host = ""
    if rest.startswith("//"):
        host, slash, rest = rest[2:].partition("/")
        rest = slash + rest
    path = _unquoted(rest)
    if not windows:
        return canonical(path)
    host = _unquoted(host)
    if _DRIVE.match(f"/{host}"):
        # Two slashes in place of three: a drive is no host.
        path, host = f"/{host}{path}", ""
    if host and host.lower() != "localhost":
        path = f"//{host}{path}"
    elif _DRIVE.match(path):
        path = path[1:]
    return canonical(path.replace("/", "\\"))


def to_uri(file_id: str, *, windows: bool = os.name == "nt") -> str:
    """The URI of a file's id."""
    if not (ntpath if windows else posixpath).isabs(file_id):
        return file_id
    path = file_id.replace("\\", "/") if windows else file_id
    if windows and path.startswith("//"):
        return "file:" + _quoted(path)
    return "file://" + _quoted(path if path.startswith("/") else "/" + path)


def _quoted(path: str) -> str:
    if _PLAIN.fullmatch(path):
        return path
    # Loaded by those who need it: the first diagnostics mostly do not.
    from urllib.parse import quote

    return quote(path, errors="surrogateescape")


def _unquoted(path: str) -> str:
    if "%" not in path:
        return path
    from urllib.parse import unquote

    return unquote(path, errors="surrogateescape")
