"""Runs the literate specifications of `tests/specs/`; `pytest --bless` rewrites what they expect of the fixes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sqlalchemy_guard.rules import registry
from tests.support import mdtest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.fixture import Project

SPECS = Path(__file__).parent / "specs"


def cases() -> Iterator[tuple[Path, mdtest.Section | mdtest.SpecError]]:
    """The tests of every specification; for a malformed one its error, so that the others run."""
    for path in sorted(SPECS.rglob("*.md")):
        try:
            sections = mdtest.parse(path)
        except mdtest.SpecError as error:
            yield path, error
        else:
            yield from ((path, section) for section in sections)


def _id(case: tuple[Path, mdtest.Section | mdtest.SpecError]) -> str:
    path, section = case
    return f"{path.stem}: {section.title if isinstance(section, mdtest.Section) else 'malformed'}"


@pytest.mark.parametrize("case", list(cases()), ids=_id)
def test_specification(
    case: tuple[Path, mdtest.Section | mdtest.SpecError],
    make_project: Callable[..., Project],
    request: pytest.FixtureRequest,
) -> None:
    path, section = case
    if isinstance(section, mdtest.SpecError):
        pytest.fail(str(section), pytrace=False)
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
