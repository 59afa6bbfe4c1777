"""`SettingsStore`: the settings in force for each file, from the nearest configuration file upward.

The nearest `sqlalchemy-guard.toml`, `.sqlalchemy-guard.toml` or `pyproject.toml` with our table wins whole;
then come the mappings of the editor for the folder, then that of the command line. This module must never
read the disk itself: a `Reader` is handed in.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

from sqlalchemy_guard.config.settings import (
    ConfigProblem,
    Settings,
    foreign_line_length,
    overlay,
    parse_document,
)
from sqlalchemy_guard.records import NamedTuple, replace

FILE_NAMES = ("sqlalchemy-guard.toml", ".sqlalchemy-guard.toml", "pyproject.toml")


class Reader(Protocol):
    """What the store needs of the disk."""

    def read_text(self, path: str) -> str | None:
        """The text of a file, None when there is none or it cannot be read."""
        ...


class ConfigFile(NamedTuple):
    """A configuration file as it was read.

    Attributes:
        path: Where it lies.
        text: Its whole text, so that problems can be located in it.
        settings: What it says; None for a `pyproject.toml` without our table.
        problems: What was skipped.
    """

    path: str
    text: str
    settings: Settings | None
    problems: tuple[ConfigProblem, ...]


class SettingsStore:
    """Settings by file, cached until `invalidate`.

    Args:
        reader: How files are read; a `Vfs`.
        overrides: Options laid over everything, in kebab case: those of the command line.
        config: Path of the one configuration file to use instead of looking for the nearest.
        isolated: Whether to ignore all configuration files.
    """

    def __init__(
        self,
        reader: Reader,
        overrides: Mapping[str, Any] = MappingProxyType({}),
        *,
        config: str | None = None,
        isolated: bool = False,
    ) -> None:
        self._reader = reader
        self._overrides = dict(overrides)
        self._config = config
        self._isolated = isolated
        self._folders: dict[str, dict[str, Any]] = {}
        self._files: dict[str, ConfigFile | None] = {}
        self._nearest: dict[str, ConfigFile | None] = {}
        self._settings: dict[str, Settings] = {}
        self._lengths: dict[str, int | None] = {}
        self.problems: list[ConfigProblem] = []
        """What is wrong with the overrides themselves; found when they are given."""
        self.problems += overlay(Settings(), self._overrides, "command line")[1]

    def for_file(self, path: str) -> Settings:
        """The settings for a file's id. A document that is no file gets the defaults and the overrides."""
        return self.for_folder(_parent(path) or "")

    def for_folder(self, folder: str) -> Settings:
        """The settings for the files directly in a folder."""
        found = self._settings.get(folder)
        if found is None:
            found = self._settings[folder] = self._resolve(folder)
        return found

    def config_file(self, path: str) -> ConfigFile | None:
        """The configuration file that holds for a file, or None."""
        return self._nearest_above(_parent(path) or "")

    def read_config(self, path: str) -> ConfigFile | None:
        """A configuration file by its own path, None when it is not there or is no file of ours."""
        if path not in self._files:
            self._files[path] = self._read(path)
        return self._files[path]

    def set_folder_overrides(self, folder: str, mapping: Mapping[str, Any]) -> list[ConfigProblem]:
        """Lay an editor's settings over those of one workspace folder; `""` means all files.

        Args:
            mapping: Options in kebab or camel case; None values are left out.

        Returns:
            What was skipped.
        """
        plain = {_kebab(key): value for key, value in mapping.items() if value is not None}
        self._folders[_trim(folder)] = plain
        self._settings.clear()
        return overlay(Settings(), plain, "editor")[1]

    def invalidate(self, path: str | None = None) -> bool:
        """Forget a configuration file (None: all) that was created, changed or deleted.

        Returns:
            Whether settings may have changed; False for a path that is no configuration file.
        """
        if path is not None and not self.is_config_path(path):
            return False
        self._files.clear()
        self._nearest.clear()
        self._settings.clear()
        self._lengths.clear()
        return True

    def is_config_path(self, path: str) -> bool:
        """Whether a path is that of a configuration file, by its name."""
        return path == self._config or path.replace("\\", "/").rpartition("/")[2] in FILE_NAMES

    def _resolve(self, folder: str) -> Settings:
        found = self._nearest_above(folder)
        settings = (found.settings if found else None) or Settings(root=self._root(folder))
        if "line-length" not in settings.origins and not self._isolated:
            settings = self._as_formatted(settings, folder)
        for owner in sorted(self._folders, key=len):
            if owner == "" or folder == owner or folder.startswith((owner + "/", owner + "\\")):
                settings, _ = overlay(settings, self._folders[owner], "editor")
        return overlay(settings, self._overrides, "command line")[0]

    def _as_formatted(self, settings: Settings, folder: str) -> Settings:
        """With the line length that the nearest configuration of a formatter asks for."""
        at: str | None = folder
        while at:
            if at not in self._lengths:
                self._lengths[at] = self._length_in(at)
            length = self._lengths[at]
            if length is not None:
                origins = {**settings.origins, "line-length": f"{at} (another tool's line-length)"}
                return replace(settings, line_length=length, origins=MappingProxyType(origins))
            at = _parent(at)
        return settings

    def _length_in(self, folder: str) -> int | None:
        separator = "\\" if "\\" in folder and "/" not in folder else "/"
        for name in (".ruff.toml", "ruff.toml", "pyproject.toml"):
            text = self._reader.read_text(folder.rstrip("/\\") + separator + name)
            if text is None or "line" not in text:
                continue
            try:
                document = tomllib.loads(text)
            except (tomllib.TOMLDecodeError, RecursionError):
                # A half-typed file of another tool is that tool's to report.
                continue
            tool = document.get("tool") if name == "pyproject.toml" else {"ruff": document}
            length = foreign_line_length(tool) if isinstance(tool, Mapping) else None
            if length is not None:
                return length
        return None

    def _root(self, folder: str) -> str:
        """Without a configuration file patterns start from the workspace folder, else the file's."""
        owners = [o for o in self._folders if o and (folder == o or folder.startswith((o + "/", o + "\\")))]
        return max(owners, key=len, default=folder)

    def _nearest_above(self, folder: str) -> ConfigFile | None:
        if self._isolated:
            return None
        if self._config is not None:
            return self.read_config(self._config)
        passed: list[str] = []
        at: str | None = folder
        found: ConfigFile | None = None
        while at:
            if at in self._nearest:
                found = self._nearest[at]
                break
            passed.append(at)
            found = self._config_in(at)
            if found is not None:
                break
            at = _parent(at)
        self._nearest.update(dict.fromkeys(passed, found))
        return found

    def _config_in(self, folder: str) -> ConfigFile | None:
        separator = "\\" if "\\" in folder and "/" not in folder else "/"
        for name in FILE_NAMES:
            found = self.read_config(folder.rstrip("/\\") + separator + name)
            if found is not None and found.settings is not None:
                return found
        return None

    def _read(self, path: str) -> ConfigFile | None:
        text = self._reader.read_text(path)
        if text is None:
            return None
        root = _parent(path) or ""
        try:
            document = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            # A broken pyproject.toml is another tool's business unless it speaks of us.
            ours = not path.endswith("pyproject.toml") or "tool.sqlalchemy-guard" in text
            problem = ConfigProblem(path, (), f"This file is not valid TOML: {error}", None, True)
            return ConfigFile(path, text, Settings(root=root) if ours else None, (problem,) if ours else ())
        parsed = parse_document(document, path, root)
        if parsed is None:
            return ConfigFile(path, text, None, ())
        return ConfigFile(path, text, parsed[0], tuple(parsed[1]))


def _trim(folder: str) -> str:
    return folder.rstrip("/\\") if len(folder) > 1 else folder


def _parent(path: str) -> str | None:
    """The folder of a path, None at the top. A URI of another scheme than `file` has none."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", path):
        return None
    at = max(path.rfind("/"), path.rfind("\\"))
    if at < 0 or at == len(path) - 1:
        return None
    head = path[:at]
    return head if head and not head.endswith(":") else path[: at + 1]


def _kebab(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"-\1", key).lower().replace("_", "-")
