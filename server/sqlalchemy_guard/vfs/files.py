"""`Vfs`: read source files and write them back whole.

What cannot be read is answered with a reason, never with an exception. This module must never interpret what
it reads beyond its encoding.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import stat
from typing import TYPE_CHECKING, Literal, TypeAlias

from sqlalchemy_guard.records import NamedTuple, dataclass
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy_guard.config import SettingsStore
    from sqlalchemy_guard.vfs.git import GitFolder

DEFAULT_LIMIT = 4 * 1024 * 1024
SUFFIXES = (".py", ".pyi")

Kind: TypeAlias = Literal[
    "missing", "folder", "permission", "binary", "large", "encoding", "changed", "other"
]
_COOKIE = lazy_pattern(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_BLANK = lazy_pattern(rb"^[ \t\f]*(?:#.*)?$")


class Stamp(NamedTuple):
    """What tells that a file on disk is still the one that was read."""

    modified_ns: int
    size: int
    inode: int


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a file.

    Attributes:
        path: The path it was read from.
        text: The text, line endings as they are, without a byte order mark.
        encoding: The codec that writes the same bytes; `utf-8-sig` stands for a byte order mark.
        newline: The most frequent line ending, `\\n` when there is none.
        mixed_newlines: Whether more than one kind of line ending occurs.
        stamp: The file's state when it was read.
    """

    path: str
    text: str
    encoding: str
    newline: str
    mixed_newlines: bool
    stamp: Stamp


class Skipped(NamedTuple):
    """A file that is not read or written, and why, in words for the user."""

    path: str
    kind: Kind
    reason: str


def canonical(path: str) -> str:
    """The file id of a path: absolute, without `.` and `..`, the platform's separators, a lower-case drive.

    Symbolic links are kept, because an editor calls a file as the user opened it; so is the case of names,
    because modules are named after files.
    """
    absolute = os.path.abspath(path)
    drive, rest = os.path.splitdrive(absolute)
    return drive.lower() + rest


class Vfs:
    """Reads, writes and finds files.

    Args:
        limit: Files of more bytes than this are skipped.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self.limit = limit

    def read(self, path: str) -> Source | Skipped:
        """A file's text, or the reason why there is none. Never raises for what is on the disk."""
        found = self.load(path)
        if isinstance(found, Skipped):
            return found
        data, facts = found
        return decode(path, data, Stamp(facts.st_mtime_ns, facts.st_size, facts.st_ino))

    def load(self, path: str) -> tuple[bytes, os.stat_result] | Skipped:
        """A file's bytes and its state, or the reason why there are none."""
        try:
            facts = os.stat(path)
            if stat.S_ISDIR(facts.st_mode):
                return Skipped(path, "folder", "is a folder")
            if not stat.S_ISREG(facts.st_mode):
                return Skipped(path, "other", "is not a regular file")
            if facts.st_size > self.limit:
                return self._too_large(path, facts.st_size)
            with open(path, "rb") as file:
                facts = os.fstat(file.fileno())
                data = file.read(self.limit + 1)
        except (OSError, ValueError) as error:
            return skipped(path, error)
        if len(data) > self.limit:
            return self._too_large(path, len(data))
        return data, facts

    def read_text(self, path: str) -> str | None:
        """A file's text, None when it cannot be read for whatever reason."""
        found = self.read(path)
        return found.text if isinstance(found, Source) else None

    def stamp(self, path: str) -> Stamp | None:
        """The state of a file, None when there is none."""
        try:
            facts = os.stat(path)
        except (OSError, ValueError):
            return None
        return Stamp(facts.st_mtime_ns, facts.st_size, facts.st_ino) if stat.S_ISREG(facts.st_mode) else None

    def is_folder(self, path: str) -> bool:
        """Whether a folder is there."""
        return os.path.isdir(path)

    def exists(self, path: str) -> bool:
        """Whether anything is there, also a link that leads nowhere."""
        return os.path.lexists(path)

    def names(self, folder: str) -> tuple[str, ...]:
        """The sorted names in a folder; empty when it cannot be listed."""
        try:
            return tuple(sorted(os.listdir(folder)))
        except (OSError, ValueError):
            return ()

    def git(self, folder: str) -> GitFolder | None:
        """What the index and the default branch of Git have of a folder; None outside a working tree."""
        from sqlalchemy_guard.vfs.git import folder_of

        return folder_of(folder)

    def git_state(self, folder: str) -> object:
        """Something that differs when `git` may say something else of a folder."""
        from sqlalchemy_guard.vfs.git import checkout_of, state_of

        checkout = checkout_of(folder)
        return (checkout, state_of(checkout)) if checkout is not None else None

    def write(self, source: Source, text: str) -> Skipped | None:
        """Replace a file's text at once, in its encoding, keeping its mode and the links to it.

        Args:
            source: The file as it was read. When the disk holds something else by now, nothing is written.
            text: The new text, line endings included.

        Returns:
            None when written, else the reason why the file is unchanged.
        """
        try:
            data = text.encode(source.encoding)
        except UnicodeEncodeError as error:
            character = text[error.start]
            return Skipped(source.path, "encoding", f"{character!r} cannot be written in {source.encoding}")
        try:
            target = os.path.realpath(source.path)
            facts = os.stat(target)
            if Stamp(facts.st_mtime_ns, facts.st_size, facts.st_ino) != source.stamp:
                return Skipped(source.path, "changed", "was changed by somebody else meanwhile")
            _replace(target, data, facts)
        except OSError as error:
            return skipped(source.path, error)
        return None

    def create(self, path: str, text: str) -> Skipped | None:
        """Write a file of ours in UTF-8, at once, whether it was there or not.

        Returns:
            None when written, else the reason why not.
        """
        try:
            target = os.path.realpath(path)
            if not os.path.lexists(target):
                with open(target, "xb"):
                    pass
            _replace(target, text.encode(), os.stat(target))
        except OSError as error:
            return skipped(path, error)
        return None

    def discover(
        self,
        paths: Iterable[str],
        settings: SettingsStore,
        wanted: Callable[[str], object] | None = None,
    ) -> Iterator[str | Skipped]:
        """The file ids of Python files: those named, and those in the folders named.

        A file that is named is always taken. In folders, `exclude` and ignore files of Git hold. Each real
        file comes once, by its real path where that is among the folders. Files come in order of their names.

        Args:
            wanted: Says of a path in a folder whether it is wanted although it is not Python.
        """
        from sqlalchemy_guard.vfs.walk import discover

        return discover(paths, settings, wanted=wanted)

    def _too_large(self, path: str, size: int) -> Skipped:
        return Skipped(path, "large", f"has {size:,} bytes; files of more than {self.limit:,} are not read")


def skipped(path: str, error: OSError | ValueError) -> Skipped:
    """What an error of the operating system means to the user."""
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return Skipped(path, "missing", "does not exist")
    if isinstance(error, PermissionError):
        return Skipped(path, "permission", "must not be read or written: permission denied")
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return Skipped(path, "other", f"cannot be read or written: {words}")


_NOWHERE = Stamp(0, 0, 0)


def decode(path: str, data: bytes, stamp: Stamp = _NOWHERE) -> Source | Skipped:
    """The text of bytes that stand, or would stand, in a file.

    Args:
        path: The file; by its suffix it is known whether it may declare an encoding.
    """
    encoding = "utf-8"
    bom = data.startswith(codecs.BOM_UTF8)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        why = ", which Python does not read" if path.endswith(SUFFIXES) else ""
        return Skipped(path, "encoding", f"is written in UTF-16{why}; save it as UTF-8")
    if b"\0" in data:
        return Skipped(path, "binary", "is a binary file")
    if path.endswith(SUFFIXES):
        declared = _declared(data[3:] if bom else data)
        try:
            codec = codecs.lookup(declared or encoding)
        except LookupError:
            return Skipped(path, "encoding", f"declares the encoding {declared!r}, which does not exist")
        encoding = codec.name
        if not getattr(codec, "_is_text_encoding", True):
            return Skipped(path, "encoding", f"declares the encoding {declared!r}, which is none for text")
        if bom and encoding != "utf-8":
            return Skipped(path, "encoding", f"has a byte order mark of UTF-8 but declares {declared!r}")
    try:
        text = data.decode("utf-8-sig" if bom else encoding)
    except UnicodeDecodeError as error:
        return Skipped(path, "encoding", f"is not valid {encoding} at byte {error.start}")
    except UnicodeError as error:
        return Skipped(path, "encoding", f"is not valid {encoding}: {error}")
    newline, mixed = _newlines(text)
    return Source(path, text, "utf-8-sig" if bom else encoding, newline, mixed, stamp)


def _declared(data: bytes) -> str | None:
    """The encoding a Python file declares in its first two lines."""
    lines = re.split(rb"\r\n|\r|\n", data[:2000], maxsplit=2)[:2]
    for line in lines:
        found = _COOKIE.match(line)
        if found:
            return found[1].decode("ascii", "replace")
        if not _BLANK.match(line):
            return None
    return None


def _newlines(text: str) -> tuple[str, bool]:
    both = text.count("\r\n")
    counts = {"\n": text.count("\n") - both, "\r\n": both, "\r": text.count("\r") - both}
    used = [newline for newline, count in counts.items() if count]
    return max(used, key=lambda newline: counts[newline], default="\n"), len(used) > 1


def _replace(target: str, data: bytes, facts: os.stat_result) -> None:
    """Write beside the file and move it over, so that nobody ever sees half a file."""
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, stat.S_IMODE(facts.st_mode))
        if hasattr(os, "chown"):
            # Only root may give a file away; whoever may not owns the new file, as with editors.
            with contextlib.suppress(PermissionError):
                os.chown(temporary, facts.st_uid, facts.st_gid)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
