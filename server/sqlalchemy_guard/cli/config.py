"""`sqlalchemy-guard config`: the settings in force for a path, and their origin. Must never change any."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy_guard.cli.main import EXIT_ERROR, EXIT_OK

if TYPE_CHECKING:
    import argparse

    from sqlalchemy_guard.config import ConfigFile, Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `config`."""
    parser.add_argument(
        "path", nargs="?", default=".", metavar="PATH", help="a file or folder (default: here)"
    )
    parser.add_argument("--schema", action="store_true", help="print the JSON schema of the settings instead")
    parser.add_argument(
        "--output-format", choices=("text", "json"), default="text", help="default: %(default)s"
    )


def run(options: argparse.Namespace) -> int:
    """Print the settings or the schema.

    Returns:
        2 when something in the configuration file was skipped, so that CI can test the file.
    """
    from sqlalchemy_guard.config import SettingsStore, json_schema, selector_problems
    from sqlalchemy_guard.rules.registry import rules
    from sqlalchemy_guard.vfs import Vfs, canonical

    if options.schema:
        print(json.dumps(json_schema(), indent=2))
        return EXIT_OK
    vfs = Vfs()
    store = SettingsStore(vfs)
    path = canonical(options.path)
    inside = os.path.join(path, "x.py") if vfs.is_folder(path) else path
    settings, file = store.for_file(inside), store.config_file(inside)
    problems = list(file.problems) if file else []
    if file is not None and file.settings is not None:
        problems += selector_problems(file.settings, rules().values())
    if options.output_format == "json":
        print(json.dumps(to_object(settings, file), indent=2, ensure_ascii=False))
    else:
        print(to_text(settings, file))
    from sqlalchemy_guard.cli.terminal import warn
    from sqlalchemy_guard.config import locate

    for problem in problems:
        line = locate(file.text, problem.key, value=problem.on_value).line + 1 if file else 1
        warn(f"{problem.source}:{line}: {problem.message}")
    return EXIT_ERROR if problems else EXIT_OK


def to_object(settings: Settings, file: ConfigFile | None) -> dict[str, Any]:
    """The settings as a JSON-ready mapping: per option its value and where it came from."""
    from sqlalchemy_guard.config import options

    return {
        "file": file.path if file else None,
        "settings": {
            name: {
                "value": _plain(getattr(settings, option.name)),
                "origin": settings.origins.get(name, "default"),
            }
            for name, option in options().items()
        },
    }


def to_text(settings: Settings, file: ConfigFile | None) -> str:
    """The settings as TOML, each with where it came from; what is unset is a comment."""
    described = to_object(settings, file)
    lines = [f"# configuration file: {described['file'] or 'none found; these are the defaults'}"]
    for name, entry in described["settings"].items():
        value, origin = entry["value"], entry["origin"]
        if value is None:
            lines.append(f"# {name} is not set")
        elif isinstance(value, Mapping):
            pairs = ", ".join(f"{_toml(key)} = {_toml(item)}" for key, item in value.items())
            lines.append(f"{name} = {{ {pairs} }}  # {origin}" if pairs else f"{name} = {{}}  # {origin}")
        else:
            lines.append(f"{name} = {_toml(value)}  # {origin}")
    return "\n".join(lines)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _toml(value: Any) -> str:
    """A value as TOML writes it; JSON's strings, numbers and arrays of them are TOML."""
    return json.dumps(value, ensure_ascii=False)
