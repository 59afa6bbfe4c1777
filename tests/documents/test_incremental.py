"""After every edit of anything, what is found in a document is what a fresh analysis finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sqlalchemy_guard.text.document import Document
from sqlalchemy_guard.vfs import canonical
from tests.documents.test_pipelines import APPLICATION, CI, job

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.check import Checker
    from tests.support.fixture import Project

FILES = APPLICATION | {
    CI: job("run: make test"),
    "Makefile": "test:\n\tpytest\n",
    "Dockerfile": "FROM python:3.13\nCMD uvicorn shop.main:app\n",
    "tests/conftest.py": "NOTHING = None\n",
    "release.sh": "echo\n",
}
EDITS = {
    "the target migrates": ("Makefile", "test:\n\talembic upgrade head\n\tpytest\n", [CI]),
    "the workflow migrates": (CI, job("run: alembic upgrade head", "run: make test"), [CI]),
    "a comment silences": (CI, job("run: make test  # noqa: SAG509"), [CI]),
    "a fixture makes the tables": (
        "tests/conftest.py",
        "from shop.models import Base\n\n\ndef make(engine):\n    Base.metadata.create_all(engine)\n",
        [CI],
    ),
    "a script deploys": ("release.sh", "alembic upgrade head\n", ["Dockerfile"]),
    "the application needs no database": ("shop/routes.py", "routes = []\n", ["Dockerfile"]),
    "code migrates": (
        "shop/routes.py",
        "from alembic import command\nfrom shop import models\n\nroutes = [models, command.upgrade]\n",
        [CI, "Dockerfile"],
    ),
    "there are no migrations": ("migrations/env.py", "nothing = None\n", [CI, "Dockerfile"]),
}


def found_by(checker: Checker, ids: dict[str, str]) -> list[str]:
    """The documents that are reported, with the messages."""
    return [
        f"{path}: {violation.span} {violation.message}"
        for path in (CI, "Dockerfile")
        for violation in checker.check(ids[path]).violations
    ]


@pytest.mark.parametrize("title", EDITS)
def test_an_edit_and_its_undoing(title: str, make_project: Callable[..., Project]) -> None:
    path, text, silent = EDITS[title]
    project = make_project(FILES)
    top = project.workspace.folders[0]
    ids = {name: canonical(f"{top}/{name}") for name in FILES}
    before = found_by(project.checker, ids)
    assert [line.partition(":")[0] for line in before] == [CI, "Dockerfile"]
    project.workspace.open(ids[path], Document.from_text(ids[path], text))
    after = found_by(project.checker, ids)
    assert [line.partition(":")[0] for line in after] == [
        name for name in (CI, "Dockerfile") if name not in silent
    ]
    project.workspace.close(ids[path])
    assert found_by(project.checker, ids) == before


def test_a_document_that_comes_and_goes(make_project: Callable[..., Project]) -> None:
    project = make_project(FILES)
    top = project.workspace.folders[0]
    ids = {name: canonical(f"{top}/{name}") for name in (*FILES, "fly.toml")}
    before = found_by(project.checker, ids)
    project.workspace.open(
        ids["fly.toml"], Document.from_text(ids["fly.toml"], 'release_command = "alembic upgrade head"\n')
    )
    assert [line.partition(":")[0] for line in found_by(project.checker, ids)] == [CI]
    project.workspace.close(ids["fly.toml"])
    assert found_by(project.checker, ids) == before


def test_what_did_not_change_is_not_read_again(make_project: Callable[..., Project]) -> None:
    project = make_project(FILES)
    file_id = canonical(f"{project.workspace.folders[0]}/Dockerfile")
    # The first look reads files that the index had put aside.
    assert project.checker.check(file_id).violations
    first = project.checker.check(file_id).violations
    assert project.checker.check(file_id).violations is first
