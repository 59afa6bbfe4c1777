"""Where the Jinja templates of the workspace are, and what they say: looked for near the code that renders them.

A name is looked for in the folders called `templates` beside the code, below it and above it, the nearest first; a package may
stand in front of it, as in `admin/users.html` for `admin/templates/users.html`. This module must never interpret a template.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.templates import parse
from sqlalchemy_guard.records import dataclass
from sqlalchemy_guard.text.document import Document
from sqlalchemy_guard.text.span import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.templates import Node
    from sqlalchemy_guard.project.workspace import Workspace

SUFFIXES = (".html", ".htm", ".jinja", ".jinja2", ".j2", ".txt", ".xml", ".md")
_FOLDER = "templates"
_DEEP = 3
_MOST_FOLDERS = 400
_PASSED_OVER = frozenset(("node_modules", "__pycache__", "site-packages", "static", "assets", "migrations"))


@dataclass(slots=True, eq=False)
class Template:
    """A template.

    Attributes:
        path: Its file.
        name: What it was found by.
        nodes: Its tags.
        document: Its text.
    """

    path: str
    name: str
    nodes: list[Node]
    document: Document

    def span(self, start: int, end: int) -> Span:
        """The place of a part of the text."""
        return Span(*self._position(start), *self._position(end))

    def _position(self, offset: int) -> tuple[int, int]:
        for number, line in enumerate(self.document.lines):
            if offset <= len(line) and (offset < len(line) or not line.endswith(("\n", "\r"))):
                return number, offset
            offset -= len(line)
        return max(len(self.document.lines) - 1, 0), 0


def is_template_name(name: str) -> bool:
    """Whether a text is, by its suffix, the name of a template."""
    return name.endswith(SUFFIXES) and len(name) < 200 and "\n" not in name


def find(workspace: Workspace, name: str, near: str) -> Template | None:
    """The template of a name, None where no file can be told.

    Args:
        workspace: The files.
        name: As the code writes it, with slashes.
        near: The file that names it.
    """
    if not is_template_name(name) or not os.path.isabs(near) or ".." in name:
        return None
    resolver = workspace.resolver
    question = ("template", name, os.path.dirname(near))
    return resolver.remembered(question, lambda: _found(workspace, name, near))


def any_says(workspace: Workspace, text: str, near: str) -> bool:
    """Whether a template around a file has a text in it.

    Args:
        workspace: The files.
        text: What is looked for.
        near: The file.
    """
    return any(
        text in (workspace.text_of(path) or "")
        for folder in _around(workspace, near)
        for path in _files_in(workspace, folder)
    )


def _files_in(workspace: Workspace, folder: str) -> Iterator[str]:
    for name in sorted(workspace.names_in(folder)):
        if is_template_name(name):
            yield os.path.join(folder, name)
        elif "." not in name:
            yield from _files_in(workspace, os.path.join(folder, name))


def _found(workspace: Workspace, name: str, near: str) -> Template | None:
    parts = [part for part in name.split("/") if part]
    for folder in _around(workspace, near):
        for path in _candidates(folder, parts):
            text = workspace.text_of(path)
            if text is not None:
                return Template(path, name, parse(text), Document.from_text(path, text))
    return None


def _candidates(folder: str, parts: list[str]) -> Iterator[str]:
    """The files that a name may mean in a folder called `templates`, and behind a package that it begins with."""
    yield os.path.join(folder, *parts)
    home = os.path.dirname(folder)
    for at in range(1, len(parts)):
        own = parts[:at]
        if os.path.normcase(home).endswith(os.path.normcase(os.path.join(os.sep, *own))):
            yield os.path.join(folder, *parts[at:])


def _around(workspace: Workspace, near: str) -> list[str]:
    """The folders called `templates` around a file, the nearest first, up to the folder of the workspace."""
    top = next((each for each in workspace.folders if near.startswith(each.rstrip(os.sep) + os.sep)), None)
    folder = os.path.dirname(near)
    if top is None:
        return []

    def search() -> list[str]:
        found: dict[str, None] = {}
        seen: set[str] = set()
        at = folder
        while True:
            found.update(dict.fromkeys(_below(workspace, at, seen)))
            if at == top or os.path.dirname(at) == at:
                return list(found)
            at = os.path.dirname(at)

    return workspace.resolver.gathered(f"template folders {folder}", search)


def _below(workspace: Workspace, start: str, seen: set[str]) -> Iterator[str]:
    """The folders called `templates` at most so deep below a folder, the upper ones first."""
    level = [start]
    for _ in range(_DEEP + 1):
        following: list[str] = []
        for folder in level:
            if folder in seen or len(seen) > _MOST_FOLDERS:
                continue
            seen.add(folder)
            for name in sorted(workspace.names_in(folder)):
                if name == _FOLDER:
                    yield os.path.join(folder, name)
                elif "." not in name and name not in _PASSED_OVER:
                    following.append(os.path.join(folder, name))
        level = following
