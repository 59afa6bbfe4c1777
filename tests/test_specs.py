"""Runs the literate specifications of `tests/specs/`; `pytest --bless` rewrites what they expect of the fixes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sqlalchemy_guard.rules import registry
from tests.support import mdtest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.fixture import Project

SPECS = Path(__file__).parent / "specs"
CASES = [(path, section) for path in sorted(SPECS.rglob("*.md")) for section in mdtest.parse(path)]


def _id(case: tuple[Path, mdtest.Section]) -> str:
    return f"{case[0].stem}: {case[1].title}"


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_specification(
    case: tuple[Path, mdtest.Section], make_project: Callable[..., Project], request: pytest.FixtureRequest
) -> None:
    path, section = case
    rule = registry.by_name().get(path.stem)
    analyse = partial(make_project, extend_select=[rule.code] if rule and not rule.default else [])
    if request.config.getoption("--bless"):
        mdtest.bless(path, section, analyse)
        (section,) = [other for other in mdtest.parse(path) if other.title == section.title]
    failures = mdtest.run(section, analyse, path.relative_to(SPECS).as_posix())
    if failures:
        pytest.fail("\n".join(failures), pytrace=False)


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.md")), ids=lambda path: path.stem)
def test_a_specification_is_called_like_its_rule(path: Path) -> None:
    assert path.stem in registry.by_name(), (
        "no rule of this name; specifications of no single rule live in general/"
    )
