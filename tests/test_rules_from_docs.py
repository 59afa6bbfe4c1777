"""The documentation of a rule is executed: no rule has a test module of its own for what its page already says."""

from __future__ import annotations

import re
from difflib import unified_diff
from typing import TYPE_CHECKING

import pytest

from sqlalchemy_guard.rules import registry
from tests.support.ruledocs import examples

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.rules.api import Rule
    from tests.support.fixture import Project

REMEDIES = {"avoid", "ban", "disallow", "forbid", "must", "never", "no", "prefer", "require", "should", "use"}
"""A name states the bad pattern: after "allow" none of these words reads well."""

pytestmark = pytest.mark.parametrize(
    "rule", registry.rules().values(), ids=lambda rule: f"{rule.code} {rule.name}"
)


def selected(rule: Rule) -> list[str]:
    """What to select besides the default rules to have this one on."""
    return [] if rule.default else [rule.code]


def listed(project: Project) -> list[str]:
    """The violations of a project, for a reader."""
    return [f"{path}:{v.span.line + 1}: {v.rule.name}: {v.message}" for path, _, v in project.violations()]


def test_the_documentation_has_its_form(rule: Rule) -> None:
    assert tuple(rule.sections()) == registry.HEADINGS
    assert re.fullmatch(r"[A-Z`].*\.", rule.summary), "the first line is one sentence"
    assert len(rule.summary) <= 116, "the first line is one short sentence"
    assert rule.explanation.split("\n")[1:2] == [""], "a blank line follows the first"
    assert [heading for heading, body in rule.sections().items() if not body] == []
    assert re.search(r"https://\S+", rule.sections()["References"]), "References are links"


def test_the_name_reads_well_after_allow(rule: Rule) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", rule.name)
    assert rule.name.partition("-")[0] not in REMEDIES


def test_the_example_gives_this_rule_and_no_other(rule: Rule, make_project: Callable[..., Project]) -> None:
    project = make_project(examples(rule).bad, selected(rule))
    found = [violation.rule.name for _, _, violation in project.violations()]
    assert found, "the example gives no violation"
    assert set(found) == {rule.name}, "\n".join(listed(project))


def test_what_to_use_instead_is_clean(rule: Rule, make_project: Callable[..., Project]) -> None:
    assert listed(make_project(examples(rule).good, selected(rule))) == []


def test_the_fix_writes_what_to_use_instead(rule: Rule, make_project: Callable[..., Project]) -> None:
    shown = examples(rule)
    if not shown.fixed:
        pytest.skip("this rule offers no fix for its example; the next test holds it to that")
    assert rule.fix_applicability is not None, "tag the fence `no-fix`: this rule declares no fix"
    fixed = make_project(shown.bad, selected(rule)).fixed_by(rule.fix_applicability, [rule.code])
    for path, text in shown.good.items():
        difference = unified_diff(
            text.splitlines(True), fixed[path].splitlines(True), "Use instead", "after the fix"
        )
        assert fixed[path] == text, f"{path}\n{''.join(difference)}"


def test_the_declared_applicability_is_the_real_one(rule: Rule, make_project: Callable[..., Project]) -> None:
    shown = examples(rule)
    announced = {
        violation.applicability for _, _, violation in make_project(shown.bad, selected(rule)).violations()
    }
    if shown.fixed:
        assert rule.fix_applicability in announced, (
            f"declared {rule.fix_applicability!r}, announced {announced}"
        )
    else:
        assert announced == {None}, "the fence is tagged `no-fix` and yet a fix is announced"
