"""The module graph's first half: which file a dotted name means, seen from a given file.

Knows packages, namespace packages, `src` layouts and several roots in one workspace; asks only for directory listings,
which it remembers. This module must never read a file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

Names = Callable[[str], "tuple[str, ...]"]

_LIBRARIES = frozenset(
    (
        "aiohttp", "alembic", "celery", "click", "dramatiq", "fastapi", "flask", "flask_migrate", "flask_sqlalchemy",
        "graphene", "jinja2", "litestar", "marshmallow", "pydantic", "pyramid", "pytest", "quart", "rq", "sanic",
        "sqlalchemy", "sqlalchemy_utils", "sqlmodel", "starlette", "strawberry", "typer",
    )
)  # fmt: skip
"""Libraries after which folders of examples, tests and integrations are called."""


class Modules:
    """Finds modules.

    Args:
        folders: The workspace's folders, absolute.
        names: Gives the names in a folder, an empty tuple when there is none.
        roots: Gives further source roots for a file (the `src` setting).
    """

    def __init__(self, folders: list[str], names: Names, roots: Callable[[str], tuple[str, ...]]) -> None:
        self.folders = folders
        self._list = names
        self._roots = roots
        self._names: dict[str, frozenset[str]] = {}
        self._found: dict[tuple[str, str], str | None] = {}
        self._starts: dict[str, tuple[str, ...]] = {}
        self._virtual: dict[str, set[str]] = {}

    def forget(self) -> None:
        """Files came or went: ask the disk again."""
        self._names.clear()
        self._found.clear()
        self._starts.clear()

    def add_virtual(self, file_id: str) -> bool:
        """Make a document known that is not on the disk (yet). True when that was news."""
        folder, name = os.path.split(file_id)
        known = self._virtual.setdefault(folder, set())
        if name in known or name in self.names(folder):
            return False
        known.add(name)
        self._names.pop(folder, None)
        self._found.clear()
        self._starts.clear()
        return True

    def remove_virtual(self, file_id: str) -> None:
        """Only the disk says whether there is such a file from now on. Call `forget` afterwards."""
        folder, name = os.path.split(file_id)
        self._virtual.get(folder, set()).discard(name)

    def is_listed(self, file_id: str) -> bool | None:
        """Whether there is such a file or folder by the listing that is remembered; None when none is."""
        folder, name = os.path.split(file_id)
        if folder not in self._names and not self._found:
            return name in self.names(folder)
        return name in self._names[folder] if folder in self._names else None

    def parts(self, file_id: str) -> set[str]:
        """The parts of dotted names that a file may be found by, `__init__` included for the package itself."""
        stem, _ = os.path.splitext(file_id)
        own = next((folder for folder in self.folders if _inside(file_id, folder)), None)
        inner = os.path.relpath(stem, own) if own is not None else stem
        return {part for part in inner.split(os.sep) if part}

    def names(self, folder: str) -> frozenset[str]:
        """The names in a folder."""
        known = self._names.get(folder)
        if known is None:
            known = frozenset((*self._list(folder), *self._virtual.get(folder, ())))
            self._names[folder] = known
        return known

    def find(self, module: str, from_file: str) -> str | None:
        """The file of a module, absolute or relative with leading dots, imported in `from_file`.

        A namespace package gives its folder with a trailing separator.
        """
        folder = os.path.dirname(from_file)
        key = (module, folder)
        if key in self._found:
            return self._found[key]
        found: str | None = None
        if module.startswith("."):
            rest = module.lstrip(".")
            base = folder
            for _ in range(len(module) - len(rest) - 1):
                base = os.path.dirname(base)
            found = self._below(base, rest.split(".") if rest else [])
        else:
            parts = module.split(".")
            is_library = parts[0] in _LIBRARIES
            starts = self._starts.get(folder)
            if starts is None:
                starts = self._starts[folder] = tuple(self._candidates(from_file))
            for root in starts:
                if is_library and self._yields(root, parts[0]):
                    continue
                found = self._below(root, parts)
                if found is not None:
                    break
        self._found[key] = found
        return found

    def submodule(self, package: str, name: str) -> str | None:
        """A module directly inside a package, given by the package's file or namespace folder."""
        if not package.endswith(os.sep) and os.path.basename(package) not in ("__init__.py", "__init__.pyi"):
            return None
        return self._below(os.path.dirname(package), [name])

    def package_root(self, file_id: str) -> str:
        """The folder from which the file's own package is imported."""
        folder = os.path.dirname(file_id)
        while "__init__.py" in self.names(folder):
            parent = os.path.dirname(folder)
            if parent == folder:
                break
            folder = parent
        return folder

    def dotted(self, file_id: str) -> str:
        """The dotted name by which the file is imported from its package root."""
        relative = os.path.relpath(file_id, self.package_root(file_id))
        stem, _ = os.path.splitext(relative)
        parts = stem.split(os.sep)
        return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)

    def _yields(self, root: str, name: str) -> bool:
        """Whether what is called like a library in a folder gives way to it.

        As in Python an installed package comes before a folder without `__init__`; what is inside of a package has that
        package's name in front; and what runs migrations has imported the library before.
        """
        beside, names = self.names(root), self.names(os.path.join(root, name))
        if "__init__.py" in beside:
            return True
        if not names or name + ".py" in beside:
            return False
        return not names & {"__init__.py", "__init__.pyi"} or (name == "alembic" and "env.py" in names)

    def _candidates(self, from_file: str) -> Iterator[str]:
        """Source roots, nearest first."""
        seen: set[str] = set()

        def fresh(root: str) -> Iterator[str]:
            if root not in seen:
                seen.add(root)
                yield root

        yield from fresh(self.package_root(from_file))
        for root in self._roots(from_file):
            yield from fresh(root)
        own = next((f for f in self.folders if _inside(from_file, f)), None)
        folder = os.path.dirname(from_file)
        while own is not None and _inside(folder, own):
            yield from fresh(folder)
            if "src" in self.names(folder):
                yield from fresh(os.path.join(folder, "src"))
            if folder == own:
                break
            folder = os.path.dirname(folder)
        for workspace_folder in self.folders:
            for root in self._projects(workspace_folder):
                yield from fresh(root)

    def _projects(self, folder: str) -> Iterator[str]:
        """Roots of the projects in a workspace folder: itself, and below it what has a project file."""
        yield folder
        if "src" in self.names(folder):
            yield os.path.join(folder, "src")
        for name in sorted(self.names(folder)):
            if name.startswith((".", "_")) or name in ("node_modules", "venv") or "." in name:
                continue
            inner = os.path.join(folder, name)
            names = self.names(inner)
            if names & {"pyproject.toml", "setup.py", "setup.cfg", "requirements.txt"}:
                yield inner
                if "src" in names:
                    yield os.path.join(inner, "src")
            elif name in ("packages", "libs", "apps", "services", "backend", "server"):
                for deeper in sorted(names):
                    project = os.path.join(inner, deeper)
                    if self.names(project) & {"pyproject.toml", "setup.py", "setup.cfg"}:
                        yield project
                        if "src" in self.names(project):
                            yield os.path.join(project, "src")

    def _below(self, root: str, parts: list[str]) -> str | None:
        folder = root
        for part in parts[:-1]:
            if part not in self.names(folder):
                return None
            folder = os.path.join(folder, part)
        if parts:
            names = self.names(folder)
            last = parts[-1]
            if last in names:
                inner = os.path.join(folder, last)
                package = self._package(inner)
                if package is not None:
                    return package
            for suffix in (".py", ".pyi"):
                if last + suffix in names:
                    return os.path.join(folder, last + suffix)
            if last in names and self.names(os.path.join(folder, last)):
                return os.path.join(folder, last) + os.sep
            return None
        return self._package(folder) or (folder + os.sep if self.names(folder) else None)

    def _package(self, folder: str) -> str | None:
        names = self.names(folder)
        for init in ("__init__.py", "__init__.pyi"):
            if init in names:
                return os.path.join(folder, init)
        return None


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
