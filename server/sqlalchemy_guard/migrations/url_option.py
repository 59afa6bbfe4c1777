"""Moves the database URL of an `alembic.ini` into the environment: the option is emptied and `env.py` sets it. Must never know a
rule."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.imports import Placed, need_module
from sqlalchemy_guard.fixes.source import Source
from sqlalchemy_guard.migrations.environment import environments
from sqlalchemy_guard.text.edit import Edit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy_guard.documents.facts import UrlOption
    from sqlalchemy_guard.project.workspace import File, Workspace

_OPTION = "sqlalchemy.url"


def edits_of(workspace: Workspace, option: UrlOption) -> Mapping[str, tuple[Edit, ...]]:
    """The edits by file id; none where no `env.py` is seen that reads the option.

    Args:
        option: Of any `.ini` file.
    """
    file_id = option.document.file_id
    found = [
        (scripts, configuration)
        for scripts in environments(workspace)
        for configuration in scripts.configurations
        if configuration.file_id == file_id and configuration.section == option.section
    ]
    if len({scripts.env for scripts, _ in found}) != 1:
        return {}
    scripts, _ = found[0]
    file = workspace.file(scripts.env)
    if file is None or len(scripts.configurations) != 1:
        # What several sections configure reads each by its name.
        return {}
    emptied = Edit(option.start, option.start + len(option.value), "")
    if "set_main_option" in file.document.text and _OPTION in file.document.text:
        return {file_id: (emptied,)}
    set_there = _set_in(file)
    return {file_id: (emptied,), scripts.env: set_there} if set_there else {}


def _set_in(file: File) -> tuple[Edit, ...]:
    """The edits of `env.py`, behind the statement that takes the configuration."""
    for chunk in file.syntax.chunks:
        for node in chunk.body:
            if (
                isinstance(node, ast.Assign)
                and isinstance(node.targets[0], ast.Name)
                and isinstance(node.value, ast.Attribute)
                and ast.unparse(node.value) == "context.config"
            ):
                source = Source.of(file.document)
                placed = [Placed(each, other.shift) for other in file.syntax.chunks for each in other.body]
                imported = need_module(source, placed, "os")
                quote, name = source.quote, node.targets[0].id
                # `%` is what the configuration's own interpolation begins with.
                value = f"{imported.expression}.environ[{quote}DATABASE_URL{quote}].replace({quote}%{quote}, {quote}%%{quote})"
                line = f"{name}.set_main_option({quote}{_OPTION}{quote}, {value})"
                at = file.document.offset((node.end_lineno or node.lineno) + chunk.shift, 0)
                before = "" if file.document.text[:at].endswith(("\n", "\r")) else source.newline
                return (*imported.edits, Edit(at, at, f"{before}{line}{source.newline}"))
    return ()
