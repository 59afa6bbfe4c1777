"""Which SQLAlchemy a project runs on, as its requirements say: for advice that only newer versions can follow.

Read are lock files, requirement lists, `pyproject.toml` (PEP 621, dependency groups, Poetry), `Pipfile`, `setup.cfg`,
`setup.py` and Conda environments, in the nearest folder that mentions SQLAlchemy. Flask-SQLAlchemy 2 stands for 1.4, as it
runs on nothing newer. Nothing is ever executed. A range counts as the lowest version that it admits: the code must run there
too. This module must never judge.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.project.answers import Answers, Key
    from sqlalchemy_guard.vfs.files import Stamp, Vfs

_LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock")
_DECLARATIONS = ("pyproject.toml", "Pipfile", "setup.cfg", "setup.py", "environment.yml", "environment.yaml")


class _Package(NamedTuple):
    """How files of requirements name a package and its version."""

    locked: re.Pattern[str]
    locked_json: re.Pattern[str]
    mention: re.Pattern[str]


def _package(name: str) -> _Package:
    return _Package(
        lazy_pattern(rf'''name\s*=\s*"{name}"\s+version\s*=\s*"(\d+)\.(\d+)(?:\.(\d+))?''', re.IGNORECASE),
        lazy_pattern(rf'"{name}":\s*\{{[^{{}}]*?"version":\s*"==(\d+)\.(\d+)(?:\.(\d+))?', re.IGNORECASE),
        lazy_pattern(
            rf"""(?<![\w./-]){name}(?![\w.-])(?:\[[^\]\n]*\])?["']?[ \t]*
            (?:(?P<assigned>=[ \t]*(?:\{{[^}}\n]*?version[ \t]*=[ \t]*)?["'])|\(|)[ \t]*
            (?P<spec>(?:[=<>!~^]{{0,3}}[ \t]*\d[\w.*+]*[ \t]*,?[ \t]*)+)""",
            re.IGNORECASE | re.VERBOSE,
        ),
    )


_SQLALCHEMY = _package("sqlalchemy")
_FLASK_SQLALCHEMY = _package("flask[-_]sqlalchemy")
_CLAUSE = lazy_pattern(
    r"(?P<how>[=<>!~^]*)[ \t]*(?P<major>\d+)(?:\.(?P<minor>\d+)(?:\.(?P<patch>\d+))?)?[\w.*+]*"
)
VERSIONS: Key = ("*versions", "")
"""The key of what rests on the version of SQLAlchemy that a project says it uses."""
PATTERNS = (
    *_LOCKS,
    *_DECLARATIONS,
    "*requirements*.txt",
    "*requirements*.in",
    "requirements/*.txt",
    "requirements/*.in",
)
"""The files that may say it, as patterns of the ends of their paths."""
_Version = tuple[int, ...]
"""Major and minor; the patch as well where exactly one version is admitted."""


class Said(NamedTuple):
    """What a file of requirements says: the lowest version it admits, and whether it admits no other."""

    version: _Version
    exact: bool


def tells_versions(path: str) -> bool:
    """Whether a file may say which version of SQLAlchemy a project uses, by its path."""
    folder, name = os.path.split(path)
    if name in _LOCKS or name in _DECLARATIONS:
        return True
    return name.endswith((".txt", ".in")) and (
        "requirements" in name or os.path.basename(folder) == "requirements"
    )


class Targets:
    """The SQLAlchemy versions of the projects of a workspace.

    Args:
        vfs: The disk.
        folders: The workspace's folders: nothing above them is read.
        answers: Keeps what a folder says until one of these files changes: a key that is typed lists no folder.
    """

    def __init__(self, vfs: Vfs, folders: list[str], answers: Answers) -> None:
        self._vfs = vfs
        self._folders = folders
        self._answers = answers
        self._read: dict[str, tuple[Stamp | None, Said | None]] = {}

    def of(self, file_id: str) -> str | None:
        """`"1.4"`, `"2.0"` or `"2.1"` for the project of a file; None when nothing says it. Older than 1.4 counts as 1.4."""
        version = self._version(file_id)
        if version is None:
            return None
        return "1.4" if version < (2, 0) else "2.0" if version < (2, 1) else "2.1"

    def has_scalars(self, file_id: str) -> bool:
        """Whether `session.scalars(select(Class))` exists in the project of a file: since 1.4.24, as far as is known.

        A range counts as having it that admits any 1.4: what is installed by a range is its newest.
        """
        version = self._version(file_id)
        return (
            version is None or version[:2] > (1, 4) or (version[:2] == (1, 4) and (*version[2:], 99) >= (24,))
        )

    def _version(self, file_id: str) -> _Version | None:
        found = (self._kept(folder) for folder in self._upwards(file_id))
        return next((version for version in found if version is not None), None)

    def _upwards(self, file_id: str) -> Iterator[str]:
        if not os.path.isabs(file_id):
            return
        folder = os.path.dirname(file_id)
        while any(
            folder == root or folder.startswith(root.rstrip(os.sep) + os.sep) for root in self._folders
        ):
            yield folder
            folder = os.path.dirname(folder)

    def _kept(self, folder: str) -> _Version | None:
        def look() -> _Version | None:
            self._answers.keys.add(VERSIONS)
            return self._of_folder(folder)

        return self._answers.remembered((VERSIONS, folder), look)

    def _of_folder(self, folder: str) -> _Version | None:
        """Locks and pins say what is installed; what the project declares about itself counts before mere lists."""
        names = set(self._vfs.names(folder))
        files = [os.path.join(folder, name) for name in (*_LOCKS, *_DECLARATIONS) if name in names]
        said = [
            found for path in (*files, *self._requirements(folder, names)) if (found := self._of_file(path))
        ]
        return next((found.version for found in (*(one for one in said if one.exact), *said)), None)

    def _requirements(self, folder: str, names: set[str]) -> Iterator[str]:
        inner = os.path.join(folder, "requirements")
        lists = [(folder, name) for name in sorted(names) if "requirements" in name]
        if "requirements" in names:
            lists += [(inner, name) for name in self._vfs.names(inner)]
        return (os.path.join(where, name) for where, name in lists if name.endswith((".txt", ".in")))

    def _of_file(self, path: str) -> Said | None:
        stamp = self._vfs.stamp(path)
        kept = self._read.get(path)
        if kept is None or kept[0] != stamp:
            text = self._vfs.read_text(path) if stamp is not None else None
            kept = self._read[path] = (stamp, None if text is None else said_in(text, os.path.basename(path)))
        return kept[1]


def said_in(text: str, name: str) -> Said | None:
    """What a file of requirements says about SQLAlchemy, None when it says nothing.

    Args:
        text: The file's text.
        name: Its name, which tells its format.
    """
    said = _said_of(_SQLALCHEMY, text, name)
    if said is None:
        extension = _said_of(_FLASK_SQLALCHEMY, text, name)
        if extension is not None and extension.version < (3,):
            # Flask-SQLAlchemy 2 does not run on SQLAlchemy 2.
            return Said((1, 4), exact=False)
    return said


def _said_of(package: _Package, text: str, name: str) -> Said | None:
    if name in _LOCKS:
        match = (package.locked_json if name == "Pipfile.lock" else package.locked).search(text)
        return Said(tuple(int(part) for part in match.groups() if part), exact=True) if match else None
    found = []
    for match in package.mention.finditer(text):
        line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        # `sqlalchemy 1.4` is prose; only Poetry and Pipenv write a version without an operator.
        if not line.lstrip().startswith("#") and (match["assigned"] or not match["spec"][0].isdigit()):
            version = _lowest(match["spec"])
            if version is not None:
                found.append(Said(version, "==" in match["spec"]))
    return min(found, default=None)


def _lowest(spec: str) -> _Version | None:
    lower: list[_Version] = []
    upper: list[_Version] = []
    for clause in _CLAUSE.finditer(spec):
        version: _Version = (int(clause["major"]), int(clause["minor"] or 0))
        if clause["how"].startswith("==") and clause["patch"]:
            version = (*version, int(clause["patch"]))
        if clause["how"] in ("<", "<="):
            upper.append(version)
        elif clause["how"] != "!=":
            lower.append(version)
    if lower:
        return max(lower)
    return (1, 4) if upper and min(upper) <= (2, 0) else None
