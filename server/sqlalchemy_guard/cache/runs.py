"""Results of earlier runs, kept in the user's cache directory, and what they were seen to rest on.

One JSON file an invocation (what was asked for, in which settings, by which version of the code), replaced at once and never
trusted: whatever is not of the form that was written, or not of this version, counts as absent. What an entry means is the
command line's business. This module must never write anywhere but into the cache directory, and never fail a run.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
import time
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMAT = 2
_KEPT_SECONDS = 30 * 24 * 3600
RACY_NS = 2_000_000_000
"""What was written so shortly before it was looked at may be written again without a new time stamp."""

_TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n# This directory is a cache; it may be deleted at any time.\n"

_TELLING = (".py", ".pyi", ".toml", ".cfg", ".ini", ".txt")

Mark = list[int]
"""Times of modification and change (ns), size, inode: what tells that a file or folder is the one that was looked at."""


def code_mark() -> str:
    """What changes whenever the code of this package or of the interpreter does."""
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    digest = blake2b(repr((FORMAT, sys.version, sys.flags.optimize)).encode(), digest_size=16)
    todo = [top]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_dir():
                    if entry.name != "__pycache__":
                        todo.append(entry.path)
                elif entry.name.endswith(".py"):
                    facts = entry.stat()
                    digest.update(
                        f"{entry.path}\0{facts.st_mtime_ns}\0{facts.st_size}\n".encode(
                            "utf-8", "surrogatepass"
                        )
                    )
    return digest.hexdigest()


class Store:
    """The entries in one cache directory.

    Args:
        folder: The cache directory; created when something is written.
        identity: What tells this invocation from others, JSON-ready.
    """

    def __init__(self, folder: str, identity: object) -> None:
        text = json.dumps([code_mark(), identity], sort_keys=True)
        name = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        self.folder = os.path.join(folder, "check")
        self.path = os.path.join(self.folder, name + ".json")
        self._top = folder

    def load(self) -> dict[str, Any] | None:
        """What the last run of this invocation left, None when there is nothing that can be used."""
        try:
            with open(self.path, "rb") as file:
                check, _, body = file.read().partition(b"\n")
        except OSError:
            return None
        if check != digest(body).encode():
            return None
        entry: dict[str, Any] = json.loads(body)
        return entry

    def save(self, entry: dict[str, Any]) -> None:
        """Replace the entry at once. A cache that cannot be written is none, and no reason to fail."""
        body = json.dumps(entry, separators=(",", ":")).encode()
        temporary = f"{self.path}.{os.getpid()}-{os.urandom(4).hex()}.tmp"
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            self._sweep()
            with open(temporary, "xb") as file:
                file.write(digest(body).encode() + b"\n" + body)
            os.replace(temporary, self.path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)

    def _sweep(self) -> None:
        """Delete what nobody used for a month; mark the directory for backup programs."""
        tag = os.path.join(self._top, "CACHEDIR.TAG")
        if not os.path.lexists(tag):
            with open(tag, "xb") as file:
                file.write(_TAG)
        oldest = time.time() - _KEPT_SECONDS
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False) and entry.stat().st_mtime < oldest:
                    with contextlib.suppress(OSError):
                        os.unlink(entry.path)


def now() -> int:
    """The time against which marks are racy or not, in ns."""
    return time.time_ns()


def mark(path: str) -> Mark | None:
    """The mark of a file or folder, None when there is none."""
    try:
        facts = os.stat(path)
    except (OSError, ValueError):
        return None
    if stat.S_ISDIR(facts.st_mode):
        # The size of a folder means nothing on some systems.
        return [facts.st_mtime_ns, facts.st_ctime_ns, -1, facts.st_ino]
    return [facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_ino]


def is_same(seen: Mark | None, looked_ns: int, path: str) -> bool:
    """Whether a file or folder is surely what it was when it was marked.

    Args:
        seen: Its mark then.
        looked_ns: When it was marked, or any time before.
    """
    if seen is None or mark(path) != seen:
        return False
    return max(seen[0], seen[1]) < looked_ns - RACY_NS


def digest(data: bytes) -> str:
    """A hash of bytes."""
    return blake2b(data, digest_size=16).hexdigest()


def digest_of_names(names: Iterable[str]) -> str:
    """A hash of those names in a folder that can be modules or tell a project; byte code comes and goes."""
    telling = [
        name for name in names if name.endswith(_TELLING) or ("." not in name and name != "__pycache__")
    ]
    return digest("\0".join(sorted(telling)).encode("utf-8", "surrogatepass"))
