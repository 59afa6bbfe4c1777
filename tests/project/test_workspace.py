"""The workspace: who imports whom, what files on the disk and in the editor do to answers, indexing in small steps."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

import pytest

from sqlalchemy_guard.check import Checker
from sqlalchemy_guard.config import SettingsStore
from sqlalchemy_guard.project.workspace import Workspace
from sqlalchemy_guard.text.document import Document
from sqlalchemy_guard.vfs import Vfs, canonical

if TYPE_CHECKING:
    from pathlib import Path

LOOP = "def f(rows):\n    s = Make()\n    for row in rows:\n        s.add(row)\n        s.commit()\n"
FACTORY = "from sqlalchemy.orm import sessionmaker\nMake = sessionmaker()\n"


class Shop:
    """A folder with its workspace."""

    def __init__(self, folder: Path, files: dict[str, str]) -> None:
        self.folder = folder
        for path, text in files.items():
            self.write(path, text)
        vfs = Vfs()
        self.workspace = Workspace([canonical(str(folder))], vfs, SettingsStore(vfs, {}, isolated=True))
        self.checker = Checker(self.workspace)
        deque(self.workspace.index_steps(), maxlen=0)

    def write(self, path: str, text: str) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def id(self, path: str) -> str:
        return canonical(os.path.join(str(self.folder), *path.split("/")))

    def disk(self, *paths: str) -> None:
        self.workspace.changed_on_disk([self.id(path) for path in paths])

    def codes(self, path: str) -> list[str]:
        return [violation.rule.code for violation in self.checker.check(self.id(path)).violations]

    def dependents(self, path: str) -> set[str]:
        start = self.id("").rstrip(os.sep) + os.sep
        return {
            found.removeprefix(start).replace(os.sep, "/")
            for found in self.workspace.dependents(self.id(path))
        }


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path, {"b.py": FACTORY, "a.py": "from b import Make\n" + LOOP})


def test_dependents_follow_imports_through_others_and_inside_functions(tmp_path: Path) -> None:
    shop = Shop(
        tmp_path,
        {
            "pkg/__init__.py": "",
            "pkg/models.py": "from sqlalchemy import Column\n",
            "pkg/views.py": "from . import models  # session\n",
            "pkg/late.py": "def f():\n    import pkg.views\n    session = 1\n",
            "other.py": "import sqlalchemy\n",
        },
    )
    assert shop.dependents("pkg/models.py") == {"pkg/views.py", "pkg/late.py"}
    assert shop.dependents("other.py") == set()
    assert shop.dependents("pkg/late.py") == set()


def test_dependents_follow_edits(shop: Shop) -> None:
    shop.codes("a.py")
    assert shop.dependents("b.py") == {"a.py"}
    document = Document.from_text(shop.id("a.py"), "from b import Make\n" + LOOP, 1)
    shop.workspace.open(shop.id("a.py"), document)
    later, edit = document.replace(0, 0, 1, 0, "")
    shop.workspace.change(shop.id("a.py"), later, [edit])
    assert shop.dependents("b.py") == set()


def test_files_that_import_each_other_are_not_their_own_dependents(tmp_path: Path) -> None:
    shop = Shop(tmp_path, {"a.py": "import b  # session\n", "b.py": "import a  # session\n"})
    assert shop.dependents("a.py") == {"b.py"}


def test_a_file_that_changes_vanishes_and_comes_back(shop: Shop) -> None:
    before = shop.codes("a.py")
    assert before
    shop.write("b.py", "Make = list\n")
    shop.disk("b.py")
    assert shop.codes("a.py") == []
    (shop.folder / "b.py").unlink()
    shop.disk("b.py")
    assert shop.codes("a.py") == []
    shop.write("b.py", FACTORY)
    shop.disk("b.py")
    assert shop.codes("a.py") == before


def test_a_file_that_vanishes_is_reported_as_such(shop: Shop) -> None:
    (shop.folder / "a.py").unlink()
    shop.disk("a.py")
    report = shop.checker.check(shop.id("a.py"))
    assert report.skipped is not None
    assert report.violations == []


def test_a_whole_folder_vanishes(tmp_path: Path) -> None:
    shop = Shop(tmp_path, {"p/b.py": FACTORY, "a.py": "from p.b import Make\n" + LOOP})
    assert shop.codes("a.py")
    (tmp_path / "p" / "b.py").unlink()
    (tmp_path / "p").rmdir()
    shop.disk("p")
    assert shop.codes("a.py") == []


def test_a_module_that_appears_is_found(tmp_path: Path) -> None:
    shop = Shop(tmp_path, {"a.py": "from p.b import Make\n" + LOOP})
    assert shop.codes("a.py") == []
    shop.write("p/b.py", FACTORY)
    shop.disk("p/b.py")
    assert shop.codes("a.py")


def test_a_nearer_module_takes_the_place_of_another(tmp_path: Path) -> None:
    shop = Shop(tmp_path, {"b.py": FACTORY, "p/a.py": "from b import Make\n" + LOOP})
    assert shop.codes("p/a.py")
    shop.write("p/b.py", "Make = list\n")
    shop.disk("p/b.py")
    assert shop.codes("p/a.py") == []


def test_an_open_document_overrides_the_disk_until_it_is_closed(shop: Shop) -> None:
    before = shop.codes("a.py")
    shop.workspace.open(shop.id("b.py"), Document.from_text(shop.id("b.py"), "Make = list\n", 1))
    assert shop.codes("a.py") == []
    shop.disk("b.py")
    assert shop.codes("a.py") == []
    shop.workspace.close(shop.id("b.py"))
    assert shop.codes("a.py") == before


def test_a_document_that_was_never_saved_is_a_module_while_it_is_open(tmp_path: Path) -> None:
    shop = Shop(tmp_path, {"a.py": "from b import Make\n" + LOOP})
    assert shop.codes("a.py") == []
    shop.workspace.open(shop.id("b.py"), Document.from_text(shop.id("b.py"), FACTORY, 1))
    assert shop.codes("a.py")
    shop.workspace.close(shop.id("b.py"))
    assert shop.codes("a.py") == []


def test_indexing_can_be_stopped_and_notices_what_happens_meanwhile(tmp_path: Path) -> None:
    shop = Shop(tmp_path, {f"m{number}.py": FACTORY for number in range(5)})
    vfs = Vfs()
    workspace = Workspace([canonical(str(tmp_path))], vfs, SettingsStore(vfs, {}, isolated=True))
    steps = workspace.index_steps()
    seen = [next(steps)]
    workspace.open(shop.id("m0.py"), Document.from_text(shop.id("m0.py"), "session = 1\n", 1))
    seen.extend(steps)
    assert seen[-1] == (5, 5)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    file = workspace.file(shop.id("m0.py"))
    assert file is not None
    assert file.facts.value_of("Make") is None
    assert len(list(workspace.known_files())) == 5
