"""The other places that a violation names stand where they say, whatever was edited since it was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sqlalchemy_guard.text.document import Document
from tests.support.fixture import Project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Long enough to be parsed apart from what follows.
NUMBERS = "NUMBERS = [\n" + "    1,\n" * 40 + "]\n\n\n"
HELPER = '''\
def keep(session, number):
    """Adds one."""
    session.add(number)
    session.commit()


def other():
    return 1
'''
LOOP = """\
def fill(session: Session, numbers):
    for number in numbers:
        keep(session, number)
"""
IMPORT = "from sqlalchemy.orm import Session\n"
TOGETHER = {"app.py": f"{IMPORT}\n\n{NUMBERS}{HELPER}\n\n{NUMBERS}{LOOP}"}
APART = {"app.py": f"{IMPORT}from helper import keep\n\n\n{LOOP}", "helper.py": NUMBERS + HELPER}
FIRST = NUMBERS.count("\n")


class Editor:
    """A project whose files are open, all of them checked."""

    def __init__(self, folder: Path, texts: dict[str, str]) -> None:
        self.project = Project(folder, texts)
        self.folder = folder
        workspace = self.project.workspace
        for path, text in texts.items():
            workspace.open(str(folder / path), Document.from_text(path, text, 1))
        assert "session.commit()" in self.pointed()

    def edit(self, path: str, line: int, old: int, new: str) -> None:
        """Replace `old` lines from one on."""
        workspace, file_id = self.project.workspace, str(self.folder / path)
        document, edit = workspace.documents[file_id].replace(line, 0, line + old, 0, new)
        workspace.change(file_id, document, [edit])

    def pointed(self) -> list[str]:
        """The text of every related place of the first file's violations."""
        return list(self._pointed())

    def _pointed(self) -> Iterator[str]:
        report = self.project.checker.check(str(self.folder / "app.py"))
        for violation in report.violations:
            for path, span, *_ in violation.related:
                lines = self.project.workspace.documents[path].lines
                assert span.line == span.end_line
                yield lines[span.line][span.column : span.end_column]


@pytest.fixture(params=["together", "apart"])
def editor(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Editor, str, int]:
    """An editor, the file that the helper stands in, and the helper's first line in it."""
    if request.param == "together":
        return Editor(tmp_path, TOGETHER), "app.py", FIRST + 3
    return Editor(tmp_path, APART), "helper.py", FIRST


def test_lines_above(editor: tuple[Editor, str, int]) -> None:
    open_, path, first = editor
    before = open_.pointed()
    open_.edit(path, first - FIRST + 2, 0, "    2,\n    3,\n")
    assert open_.pointed() == before
    open_.edit(path, first - FIRST + 2, 5, "")
    assert open_.pointed() == before
    open_.edit("app.py", 0, 0, "# a comment\n")
    assert open_.pointed() == before


def test_lines_inside(editor: tuple[Editor, str, int]) -> None:
    open_, path, first = editor
    before = open_.pointed()
    open_.edit(path, first + 1, 0, "    # why\n\n")
    assert open_.pointed() == before
    open_.edit(path, first, 0, "\n")
    assert open_.pointed() == before


def test_another_text_of_the_file(editor: tuple[Editor, str, int]) -> None:
    open_, path, first = editor
    before = open_.pointed()
    workspace, file_id = open_.project.workspace, str(open_.folder / path)
    lines = workspace.documents[file_id].lines
    text = "".join([*lines[:first], "\n\nY = 2\n\n\n", *lines[first:]])
    workspace.open(file_id, Document.from_text(path, text, 5))
    assert open_.pointed() == before
