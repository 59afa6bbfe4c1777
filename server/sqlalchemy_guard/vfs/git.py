"""What a Git checkout says of a folder: the names that are in its index, and those that are in its default branch.

Read from the repository's own files: the index, references, loose objects and packs. No process is started, so no hook and no
configuration of the repository can run anything. What cannot be read for sure is unknown, never guessed. This module must
never write.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_BRANCHES = ("main", "master", "trunk", "develop", "dev")
_LARGEST = 32 * 1024 * 1024
_LONGEST_CHAIN = 60
_MANY = 1000
_EMPTY = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
"""The id of a file without content."""
_TYPES = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}


class Checkout(NamedTuple):
    """A working tree.

    Attributes:
        root: The working tree's folder.
        git: Its own `.git` folder.
        common: The folder that holds references and objects: another one for linked working trees.
    """

    root: str
    git: str
    common: str


class GitFolder(NamedTuple):
    """What Git knows of a folder.

    Attributes:
        tracked: The names that are in the index; None when that cannot be told.
        released: The names that are in the default branch: none at all before the first commit, None when it is not known
            which branch that is.
    """

    tracked: frozenset[str] | None
    released: frozenset[str] | None


def folder_of(folder: str) -> GitFolder | None:
    """What Git knows of a folder; None outside a working tree."""
    checkout = checkout_of(folder)
    if checkout is None:
        return None
    if not _is_sha1(checkout):
        return GitFolder(None, None)
    inside = os.path.relpath(folder, checkout.root).replace(os.sep, "/")
    inside = "" if inside == "." else inside
    index = _index(checkout)
    entries = index.get(inside, {}) if index is not None else None
    branch = default_branch(checkout)
    if branch is not None:
        released = _released(checkout, branch, inside, entries or {})
    else:
        released = frozenset() if is_unborn(checkout) else None
    return GitFolder(frozenset(entries) if entries is not None else None, released)


def _released(
    checkout: Checkout, branch: str, folder: str, entries: Mapping[str, str]
) -> frozenset[str] | None:
    """The names in a folder that a commit has, and those of files that it has, as they are, under another name there."""
    found = entries_in_commit(checkout, branch, folder)
    if found is None:
        return None
    ids = set(found.values()) or _ids_in_commit(checkout, branch)
    return frozenset(found) | {name for name, id_ in entries.items() if id_ in ids and id_ != _EMPTY}


def checkout_of(folder: str) -> Checkout | None:
    """The working tree that a folder is in."""
    at = folder
    while True:
        git = os.path.join(at, ".git")
        if os.path.isfile(git):
            said = _text(git) or ""
            if not said.startswith("gitdir:"):
                return None
            git = os.path.normpath(os.path.join(at, said.partition(":")[2].strip()))
        if os.path.isfile(os.path.join(git, "HEAD")):
            common = _text(os.path.join(git, "commondir"))
            return Checkout(at, git, os.path.normpath(os.path.join(git, common.strip())) if common else git)
        parent = os.path.dirname(at)
        if parent == at:
            return None
        at = parent


def _is_sha1(checkout: Checkout) -> bool:
    """Whether objects have the ids that they have in almost every repository."""
    said = _text(os.path.join(checkout.common, "config")) or ""
    return re.search(r"^\s*objectformat\s*=\s*(?!sha1\b)", said, re.IGNORECASE | re.MULTILINE) is None


def state_of(checkout: Checkout) -> tuple[object, ...]:
    """What differs when the index or a branch may say something else."""
    paths = [os.path.join(checkout.git, name) for name in ("index", "HEAD")]
    paths.append(os.path.join(checkout.common, "packed-refs"))
    paths += [os.path.join(checkout.common, "refs", "heads", branch) for branch in _BRANCHES]
    remote = os.path.join(checkout.common, "refs", "remotes", "origin")
    paths += [os.path.join(remote, name) for name in ("HEAD", *_BRANCHES)]
    head = (_text(os.path.join(remote, "HEAD")) or "").strip().removeprefix("ref: ")
    if head.startswith("refs/"):
        paths.append(os.path.join(checkout.common, *head.split("/")))
    return tuple(_stamp(path) for path in paths)


# -- the index -------------------------------------------------------------------------------------------------------


def tracked(checkout: Checkout) -> dict[str, frozenset[str]] | None:
    """By folder, relative to the root with forward slashes, the names of the files that are in the index.

    None when it cannot be read for sure; nothing when there is none yet.
    """
    index = _index(checkout)
    return {folder: frozenset(names) for folder, names in index.items()} if index is not None else None


def _index(checkout: Checkout) -> dict[str, dict[str, str]] | None:
    """By folder and name the ids of the files that are in the index."""
    path = os.path.join(checkout.git, "index")
    if not os.path.exists(path):
        return {}
    data = _bytes(path)
    try:
        paths = _index_paths(data) if data is not None else None
    except (struct.error, ValueError, IndexError):
        return None
    if paths is None:
        return None
    found: dict[str, dict[str, str]] = {}
    for each, id_ in paths:
        folder, _, name = each.rpartition("/")
        found.setdefault(folder, {})[name] = id_
    return found


def _index_paths(data: bytes) -> list[tuple[str, str]] | None:
    signature, version, count = struct.unpack_from(">4sII", data)
    if signature != b"DIRC" or version not in (2, 3, 4):
        return None
    at, previous = 12, b""
    found: list[tuple[str, str]] = []
    for _ in range(count):
        id_ = data[at + 40 : at + 60].hex()
        mode = struct.unpack_from(">I", data, at + 24)[0]
        flags = struct.unpack_from(">H", data, at + 60)[0]
        start = at + (64 if flags & 0x4000 else 62)
        if version == 4:
            cut, start = _varint(data, start)
            end = data.index(0, start)
            previous = previous[: len(previous) - cut] + data[start:end]
            at = end + 1
        else:
            end = data.index(0, start)
            previous = data[start:end]
            at += (end - at + 8) // 8 * 8
        if mode & 0o170000 == 0o040000:
            # A sparse index stands for whole folders with one entry.
            return None
        found.append((previous.decode("utf-8", "surrogateescape"), id_))
    while at + 8 <= len(data) - 20:
        name, size = struct.unpack_from(">4sI", data, at)
        if name == b"link":
            # The rest of the entries stand in another file.
            return None
        at += 8 + size
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = data[at] & 0x7F
    while data[at] & 0x80:
        at += 1
        value = ((value + 1) << 7) | (data[at] & 0x7F)
    return value, at + 1


# -- references ------------------------------------------------------------------------------------------------------


def default_branch(checkout: Checkout) -> str | None:
    """The id of the newest commit of the branch that others build upon: what the remote calls its head, else a branch of
    a usual name, of the remote or of one's own. None when there is none."""
    references = _References(checkout)
    names = [
        "refs/remotes/origin/HEAD",
        *(f"refs/remotes/origin/{name}" for name in _BRANCHES),
        *(f"refs/heads/{name}" for name in _BRANCHES),
    ]
    return next((found for name in names if (found := references.commit(name)) is not None), None)


def is_unborn(checkout: Checkout) -> bool:
    """Whether nothing was ever committed."""
    references = _References(checkout)
    head = (_text(os.path.join(checkout.git, "HEAD")) or "").strip()
    heads = os.path.join(checkout.common, "refs", "heads")
    if os.path.isdir(os.path.join(checkout.common, "reftable")):
        return False
    return (
        head.startswith("ref: refs/heads/")
        and references.commit(head.removeprefix("ref: ")) is None
        and not references.packed
        and not any(os.scandir(heads) if os.path.isdir(heads) else ())
    )


class _References:
    def __init__(self, checkout: Checkout) -> None:
        self._folder = checkout.common
        self.packed: dict[str, str] = {}
        for line in (_text(os.path.join(checkout.common, "packed-refs")) or "").splitlines():
            id_, _, name = line.partition(" ")
            if name and not line.startswith(("#", "^")):
                self.packed[name] = id_

    def commit(self, name: str, depth: int = 0) -> str | None:
        said = _text(os.path.join(self._folder, *name.split("/")))
        said = said.strip() if said is not None else self.packed.get(name)
        if said is not None and said.startswith("ref: ") and depth < 5:
            return self.commit(said.removeprefix("ref: ").strip(), depth + 1)
        return said if said is not None and len(said) == 40 else None


# -- objects ---------------------------------------------------------------------------------------------------------


def names_in_commit(checkout: Checkout, commit: str, folder: str) -> frozenset[str] | None:
    """The names in a folder, relative to the root with forward slashes, as a commit has it: none when it has no such
    folder; None when that cannot be read."""
    found = entries_in_commit(checkout, commit, folder)
    return frozenset(found) if found is not None else None


def entries_in_commit(checkout: Checkout, commit: str, folder: str) -> dict[str, str] | None:
    """The names in a folder as a commit has it, with the ids of what they stand for."""
    objects = _Objects(os.path.join(checkout.common, "objects"))
    try:
        found = objects.read(commit)
        if found is None or found[0] != "commit" or not found[1].startswith(b"tree "):
            return None
        tree: str | None = found[1][5:45].decode("ascii")
        for part in (*(folder.split("/") if folder else ()), None):
            said = objects.read(tree) if tree is not None else None
            if said is None or said[0] != "tree":
                return None
            entries = dict(_entries(said[1]))
            if part is None:
                return entries
            if part not in entries:
                return {}
            tree = entries[part]
    except (OSError, zlib.error, struct.error, ValueError, IndexError):
        return None
    return None


def _ids_in_commit(checkout: Checkout, commit: str) -> set[str]:
    """The ids of the files that a commit has, in so many folders as are quickly read: for folders that were moved."""
    objects = _Objects(os.path.join(checkout.common, "objects"))
    ids = set[str]()
    try:
        said = objects.read(commit)
        todo = [said[1][5:45].decode("ascii")] if said is not None else []
        for _ in range(_MANY):
            tree = objects.read(todo.pop(0)) if todo else None
            if tree is None:
                break
            folders = set(_folders(tree[1]))
            found = {id_ for _, id_ in _entries(tree[1])}
            todo += sorted(folders)
            ids |= found - folders
    except (OSError, zlib.error, struct.error, ValueError, IndexError):
        return set()
    return ids


def _folders(tree: bytes) -> list[str]:
    """The ids of the folders in a folder."""
    at, found = 0, []
    while at < len(tree):
        end = tree.index(0, at)
        if tree.startswith(b"40000 ", at):
            found.append(tree[end + 1 : end + 21].hex())
        at = end + 21
    return found


def _entries(tree: bytes) -> list[tuple[str, str]]:
    found = []
    at = 0
    while at < len(tree):
        blank, end = tree.index(b" ", at), tree.index(0, at)
        found.append(
            (tree[blank + 1 : end].decode("utf-8", "surrogateescape"), tree[end + 1 : end + 21].hex())
        )
        at = end + 21
    return found


class _Objects:
    """The objects of a repository, loose or packed."""

    def __init__(self, folder: str) -> None:
        self._folders = [folder]
        for line in (_text(os.path.join(folder, "info", "alternates")) or "").splitlines():
            if line.strip() and not line.startswith("#"):
                self._folders.append(os.path.normpath(os.path.join(folder, line.strip())))

    def read(self, id_: str) -> tuple[str, bytes] | None:
        """An object's type and content; None when it is not there."""
        for folder in self._folders:
            data = _bytes(os.path.join(folder, id_[:2], id_[2:]))
            if data is not None:
                header, _, content = _inflated(data).partition(b"\0")
                return header.split(b" ")[0].decode("ascii"), content
            found = self._packed(os.path.join(folder, "pack"), bytes.fromhex(id_))
            if found is not None:
                return found
        return None

    def _packed(self, folder: str, id_: bytes) -> tuple[str, bytes] | None:
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        for name in names:
            if name.endswith(".idx"):
                path = os.path.join(folder, name)
                offset = _offset_in(path, id_)
                if offset is not None:
                    return self._at(path[:-4] + ".pack", offset, 0)
        return None

    def _at(self, path: str, offset: int, depth: int) -> tuple[str, bytes] | None:
        with open(path, "rb") as file:
            file.seek(offset)
            head = file.read(64)
            kind, size, at = (head[0] >> 4) & 7, head[0] & 15, 1
            shift = 4
            while head[at - 1] & 0x80:
                size |= (head[at] & 0x7F) << shift
                shift, at = shift + 7, at + 1
            if size > _LARGEST or depth > _LONGEST_CHAIN:
                return None
            base: tuple[str, bytes] | None = None
            if kind == 6:
                back, at = _varint(head, at)
                base = self._at(path, offset - back, depth + 1)
            elif kind == 7:
                base, at = self.read(head[at : at + 20].hex()), at + 20
            file.seek(offset + at)
            content = _inflated_from(file.read, size)
        if kind in _TYPES:
            return _TYPES[kind], content
        return (base[0], _patched(base[1], content)) if base is not None else None


def _offset_in(path: str, id_: bytes) -> int | None:
    """Where an object is in the pack of an index (version 2)."""
    with open(path, "rb") as file:
        head = file.read(8 + 1024)
        if head[:8] != b"\xfftOc\0\0\0\x02":
            return None
        fan = struct.unpack_from(">256I", head, 8)
        low, high, count = fan[id_[0] - 1] if id_[0] else 0, fan[id_[0]], fan[255]
        file.seek(1032 + low * 20)
        names = file.read((high - low) * 20)
        at = next((i for i in range(high - low) if names[i * 20 : i * 20 + 20] == id_), None)
        if at is None:
            return None
        place = low + at
        file.seek(1032 + count * 24 + place * 4)
        offset: int = struct.unpack(">I", file.read(4))[0]
        if offset & 0x80000000:
            file.seek(1032 + count * 28 + (offset & 0x7FFFFFFF) * 8)
            offset = struct.unpack(">Q", file.read(8))[0]
        return offset


def _inflated(data: bytes) -> bytes:
    return zlib.decompressobj().decompress(data, _LARGEST)


def _inflated_from(read: Callable[[int], bytes], size: int) -> bytes:
    inflate = zlib.decompressobj()
    found = b""
    while len(found) < size and not inflate.eof:
        piece = read(65536)
        if not piece:
            break
        found += inflate.decompress(piece, size - len(found) + 1)
    return found


def _patched(base: bytes, delta: bytes) -> bytes:
    """The content that a delta makes of another one."""
    at = 0
    for _ in range(2):
        while delta[at] & 0x80:
            at += 1
        at += 1
    found = bytearray()
    while at < len(delta):
        command = delta[at]
        at += 1
        if command & 0x80:
            start = size = 0
            for bit in range(4):
                if command & (1 << bit):
                    start |= delta[at] << (8 * bit)
                    at += 1
            for bit in range(3):
                if command & (16 << bit):
                    size |= delta[at] << (8 * bit)
                    at += 1
            size = size or 0x10000
            found += base[start : start + size]
        else:
            found += delta[at : at + command]
            at += command
    return bytes(found)


# -- files -----------------------------------------------------------------------------------------------------------


def _bytes(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError:
        return None
    return data if len(data) <= _LARGEST else None


def _text(path: str) -> str | None:
    data = _bytes(path)
    return data.decode("utf-8", "surrogateescape") if data is not None else None


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size
