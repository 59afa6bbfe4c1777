"""Edits that tell a platform to run a command before each release, in its own configuration. Must never know a rule."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy_guard.text.edit import Edit
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from sqlalchemy_guard.documents.kinds import Kind

_DEPLOY = lazy_pattern(r"^[ \t]*\[deploy\][ \t]*(?:#[^\n]*)?\r?$", 8)
_FIRST_OPTION = lazy_pattern(r"[ \t]*(?=[\w\"'-]+[ \t]*=)")


def before_release(text: str, kind: Kind, start: int, command: str, newline: str) -> tuple[Edit, ...]:
    """The edits; none where the place for the command is taken or not understood.

    Args:
        text: The document.
        kind: Its kind, one of `PLATFORM_KINDS`.
        start: Offset of what starts the application there: a key, or a line.
        command: What is to run.
        newline: The line end of the document.
    """
    if kind == "fly":
        return _in_section(text, f"release_command = {json.dumps(command)}", newline)
    if kind == "railway" and not text.lstrip().startswith("{"):
        return _in_section(text, f"preDeployCommand = [{json.dumps(command)}]", newline)
    if kind == "railway":
        return _before_key(text, start, f'"preDeployCommand": [{json.dumps(command)}],', newline)
    if kind == "render":
        return _before_key(text, start, f"preDeployCommand: {command}", newline)
    if kind == "heroku" and "\nrelease:" not in text and not text.startswith("release:"):
        lines = [
            "release:",
            *(["  image: web"] if "docker:" in text else []),
            "  command:",
            f"    - {command}",
        ]
        gap = "" if text.endswith("\n") or not text else newline
        return (Edit(len(text), len(text), gap + newline.join(lines) + newline),)
    return ()


def _in_section(text: str, option: str, newline: str) -> tuple[Edit, ...]:
    """An option of the table `deploy` of a TOML file, which is made where there is none."""
    head = _DEPLOY.search(text)
    if head is None:
        gap = newline if text.endswith("\n") or not text else newline * 2
        return (Edit(len(text), len(text), f"{gap}[deploy]{newline}  {option}{newline}"),)
    at = text.find("\n", head.end()) + 1
    if not at:
        return (Edit(len(text), len(text), f"{newline}  {option}{newline}"),)
    next_option = _FIRST_OPTION.match(text, at)
    margin = next_option[0] if next_option is not None else "  "
    return (Edit(at, at, f"{margin}{option}{newline}"),)


def _before_key(text: str, start: int, option: str, newline: str) -> tuple[Edit, ...]:
    """An option in front of another one of the same mapping, each on a line of its own."""
    line_start = text.rfind("\n", 0, start) + 1
    prefix = text[line_start:start]
    if prefix.strip(" -"):
        return ()
    return (Edit(start, start, f"{option}{newline}{' ' * len(prefix)}"),)
