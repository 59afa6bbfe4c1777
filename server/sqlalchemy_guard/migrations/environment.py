"""The Alembic environments of a workspace: their script folder, configuration and version folders, found without running any.

An environment is a folder with an `env.py` that runs migrations. Its settings stand in a section of an `.ini` file or in
`[tool.alembic]` of a `pyproject.toml`, beside it, in a folder above it, or in a configuration folder of one of these. This
module must never read a revision.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from sqlalchemy_guard.records import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy_guard.project.workspace import Workspace

_CONFIGURATION_FOLDERS = ("conf", "config", "configs", "etc", "deploy")


@dataclass(frozen=True)
class Configuration:
    """A section that configures an environment.

    Attributes:
        file_id: The `.ini` or `pyproject.toml`.
        section: The section's name; `tool.alembic` in `pyproject.toml`.
        options: Its options as written there, with `%(here)s` and `%%` read.
    """

    file_id: str
    section: str
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def here(self) -> str:
        """The folder of the file."""
        return os.path.dirname(self.file_id)


@dataclass(frozen=True)
class Scripts:
    """An environment's folders.

    Attributes:
        folder: The script folder, where `env.py` is.
        env: The file id of `env.py`.
        configurations: The sections that point at it, the nearest file first; several for several databases.
        version_folders: Where its revisions are. An empty folder, or one that is not there, counts.
    """

    folder: str
    env: str
    configurations: tuple[Configuration, ...]
    version_folders: tuple[str, ...]

    @property
    def options(self) -> Mapping[str, str]:
        """The options of the first section; empty where the application configures Alembic in code."""
        return self.configurations[0].options if self.configurations else {}


def environments(workspace: Workspace) -> list[Scripts]:
    """The environments in order of their folders. What is found rests on the workspace's keys."""
    files, _ = workspace.naming("run_migrations")
    found: list[Scripts] = []
    for file in sorted(files, key=lambda file: file.file_id):
        folder, name = os.path.split(file.file_id)
        if name == "env.py" and os.path.isabs(folder):
            found.extend(_scripts(workspace, folder, file.file_id))
    return found


def _scripts(workspace: Workspace, folder: str, env: str) -> Iterator[Scripts]:
    configurations = [
        each for each in _configurations(workspace, folder) if _points_at(workspace, each, folder)
    ]
    wanted: dict[tuple[str, ...], list[Configuration]] = {}
    for configuration in configurations:
        wanted.setdefault(_version_folders(workspace, configuration, folder), []).append(configuration)
    usual = os.path.join(folder, "versions")
    for folders, sections in wanted.items():
        yield from _split(workspace, folder, env, tuple(sections), folders or (usual,))
    if not wanted and "versions" in workspace.names_in(folder):
        yield from _split(workspace, folder, env, (), (usual,))


def _split(
    workspace: Workspace,
    folder: str,
    env: str,
    configurations: tuple[Configuration, ...],
    version_folders: tuple[str, ...],
) -> Iterator[Scripts]:
    """Alembic does not look below a folder of versions: where all revisions are one level deeper, and nothing says so, the
    application chooses among histories of their own."""
    only = version_folders[0]
    if len(version_folders) == 1 and not any(name.endswith(".py") for name in workspace.names_in(only)):
        inner = [os.path.join(only, name) for name in sorted(workspace.names_in(only)) if "." not in name]
        histories = [each for each in inner if any(name.endswith(".py") for name in workspace.names_in(each))]
        if histories:
            for each in histories:
                yield Scripts(folder, env, configurations, (each,))
            return
    yield Scripts(folder, env, configurations, version_folders)


# -- configuration files ---------------------------------------------------------------------------------------------


def _configurations(workspace: Workspace, folder: str) -> Iterator[Configuration]:
    """The sections that may configure a script folder, those of the nearest files first."""
    for each in _upwards(workspace, folder):
        names = workspace.names_in(each)
        places = [each, *(os.path.join(each, name) for name in _CONFIGURATION_FOLDERS if name in names)]
        for place in places:
            here = names if place == each else workspace.names_in(place)
            for name in sorted(here):
                if name.endswith(".ini") or name == "pyproject.toml":
                    yield from sections_of(workspace, os.path.join(place, name), folder)


def _upwards(workspace: Workspace, folder: str) -> Iterator[str]:
    while any(_is_inside(folder, root) for root in workspace.folders):
        yield folder
        folder = os.path.dirname(folder)


def _is_inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def sections_of(workspace: Workspace, file_id: str, folder: str) -> Iterator[Configuration]:
    """The sections of a file that configure Alembic.

    Args:
        workspace: All files.
        file_id: An `.ini` file or a `pyproject.toml`.
        folder: A script folder: an `alembic.ini` beside its `env.py` needs no `script_location`.
    """
    text = workspace.text_of(file_id)
    here = os.path.dirname(file_id)
    if text is None:
        return
    if file_id.endswith(".toml"):
        if "tool.alembic" in text:
            options = _read_toml(text)
            if "script_location" in options:
                yield Configuration(file_id, "tool.alembic", _expanded(options, here))
        return
    is_own = here == folder and os.path.basename(file_id) == "alembic.ini"
    if "script_location" not in text and not is_own:
        return
    for section, options in _read_ini(text).items():
        if "script_location" in options or (is_own and section == "alembic"):
            yield Configuration(file_id, section, _expanded(options, here))


def _read_ini(text: str) -> dict[str, dict[str, str]]:
    from configparser import Error, RawConfigParser

    parser = RawConfigParser(strict=False, allow_no_value=True, inline_comment_prefixes=None)
    # Of a half-typed file counts what could be read.
    with contextlib.suppress(Error, ValueError):
        parser.read_string(text)
    return {
        section: {key: value for key, value in parser.items(section) if value is not None}
        for section in parser.sections()
    }


def _read_toml(text: str) -> dict[str, str]:
    import tomllib

    try:
        table = tomllib.loads(text).get("tool", {}).get("alembic", {})
    except (tomllib.TOMLDecodeError, AttributeError, RecursionError):
        return {}
    found: dict[str, str] = {}
    for key, value in table.items() if isinstance(table, dict) else ():
        if isinstance(value, (str, bool, int)):
            found[key] = str(value).lower() if isinstance(value, bool) else str(value)
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            found[key] = "\n".join(value)
    return found


def _expanded(options: Mapping[str, str], here: str) -> dict[str, str]:
    return {key: value.replace("%(here)s", here).replace("%%", "%") for key, value in options.items()}


# -- what they say ---------------------------------------------------------------------------------------------------


def _points_at(workspace: Workspace, configuration: Configuration, folder: str) -> bool:
    location = configuration.options.get("script_location")
    if location is None:
        return True
    return any(place == folder for place in _places(workspace, configuration, location))


def _places(workspace: Workspace, configuration: Configuration, location: str) -> Iterator[str]:
    """The folders that a location may mean: Alembic starts from the current folder, which is mostly that of the file, or
    that of the project, which is above it."""
    location = location.strip().strip("\"'")
    package, colon, inner = location.partition(":")
    if colon and not os.path.isabs(location):
        target = workspace.resolver.sources.modules.find(package, configuration.file_id)
        if target is not None:
            base = target.rstrip(os.sep) if target.endswith(os.sep) else os.path.dirname(target)
            yield os.path.normpath(os.path.join(base, *inner.replace(":", "/").split("/")))
    if os.path.isabs(location):
        yield os.path.normpath(location)
        return
    for base in (configuration.here, *_upwards(workspace, os.path.dirname(configuration.here))):
        yield os.path.normpath(os.path.join(base, location))


def _version_folders(workspace: Workspace, configuration: Configuration, folder: str) -> tuple[str, ...]:
    """The folders of `version_locations`; none when the option is not there."""
    options = configuration.options
    locations = options.get("version_locations")
    if not locations:
        return _with_inner(workspace, (os.path.join(folder, "versions"),)) if _is_recursive(options) else ()
    found: list[str] = []
    for location in _parted(locations, options):
        places = list(_places(workspace, configuration, location))
        # The first one that is there, else where it should be.
        found.append(next((place for place in places if workspace.names_in(place)), places[0]))
    folders = tuple(dict.fromkeys(found))
    return _with_inner(workspace, folders) if _is_recursive(options) else folders


def _is_recursive(options: Mapping[str, str]) -> bool:
    return options.get("recursive_version_locations", "").strip().lower() in ("true", "1", "yes", "on")


def _with_inner(workspace: Workspace, folders: tuple[str, ...]) -> tuple[str, ...]:
    found: list[str] = []
    todo = list(reversed(folders))
    while todo:
        folder = todo.pop()
        found.append(folder)
        names = (name for name in sorted(workspace.names_in(folder), reverse=True) if "." not in name)
        todo.extend(os.path.join(folder, name) for name in names if name != "__pycache__")
    return tuple(dict.fromkeys(found))


def _parted(locations: str, options: Mapping[str, str]) -> list[str]:
    """The parts of a list of folders by the separator that the options name."""
    said = options.get("path_separator", options.get("version_path_separator", "")).partition("#")[0].strip()
    separators = {"os": os.pathsep, "space": " ", "newline": "\n", ":": ":", ";": ";"}
    separator = separators.get(said)
    if separator is not None:
        parts = locations.split(separator)
    elif "\n" in locations.strip():
        parts = locations.split("\n")
    else:
        # Without the option, Alembic splits at commas and blanks.
        parts = locations.replace(",", " ").split()
    return [part.strip() for part in parts if part.strip()]
