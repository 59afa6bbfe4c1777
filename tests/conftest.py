"""Options and fixtures of the whole test run."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from tests.support.fixture import Project


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--bless` rewrites what specifications expect of the fixes."""
    parser.addoption("--bless", action="store_true", help="rewrite the fixed fences of tests/specs/*.md")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to rewrite files from several processes at once."""
    if config.getoption("--bless") and config.getoption("numprocesses", None):
        raise pytest.UsageError("--bless rewrites files: run it without -n")


@pytest.fixture(autouse=True)
def cache_directory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache directory of the test's own: no test reads or leaves anything in the user's."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SQLALCHEMY_GUARD_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def make_project(tmp_path: Path) -> Callable[..., Project]:
    """Makes projects, each in a folder of its own; see `tests.support.fixture.Project`."""
    from tests.support.fixture import Project

    numbers = itertools.count(1)

    def make(files: Mapping[str, str], extend_select: Collection[str] = ()) -> Project:
        return Project(tmp_path / f"project_{next(numbers)}", files, extend_select)

    return make
