"""The scaffold makes files of the right form, and never touches what exists."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from devtools.scaffold import ScaffoldError, free_code, new_rule
from sqlalchemy_guard.rules import registry
from sqlalchemy_guard.rules.api import SECTIONS

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_rule_has_the_form_that_the_registry_demands(tmp_path: Path) -> None:
    module, spec = new_rule(tmp_path, "models/made-up-rule")
    assert module == tmp_path / "server/sqlalchemy_guard/rules/models/made_up_rule.py"
    assert spec == tmp_path / "tests/specs/made-up-rule.md"
    text = module.read_text(encoding="utf-8")
    documentation = ast.get_docstring(ast.parse(text)) or ""
    assert [line[3:] for line in documentation.splitlines() if line.startswith("## ")] == list(
        registry.HEADINGS
    )
    assert f'rule = Rule("{free_code("models")}", ' in text
    assert spec.read_text(encoding="utf-8").startswith("# made-up-rule\n")


def test_a_code_can_be_named(tmp_path: Path) -> None:
    module, _ = new_rule(tmp_path, "engine/made-up-rule", "SAG199")
    assert 'Rule("SAG199", ' in module.read_text(encoding="utf-8")


@pytest.mark.parametrize("section", SECTIONS)
def test_a_free_code_follows_the_codes_that_are_taken(section: str) -> None:
    code = free_code(section)
    assert code[3] == str(list(SECTIONS).index(section))
    assert all(other < code for other in registry.rules() if other[3] == code[3])


@pytest.mark.parametrize(
    ("target", "code", "message"),
    [
        ("nowhere/made-up-rule", None, "no section 'nowhere'"),
        ("models", None, "not in kebab case"),
        ("models/Made_Up", None, "not in kebab case"),
        ("models/made-up-rule", "SAG101", "codes of the section models are SAG2"),
        ("models/made-up-rule", "SAG2", "codes of the section models are SAG2"),
    ],
)
def test_what_cannot_be_a_rule_is_refused(
    tmp_path: Path, target: str, code: str | None, message: str
) -> None:
    with pytest.raises(ScaffoldError, match=message):
        new_rule(tmp_path, target, code)
    assert list(tmp_path.iterdir()) == []


def test_files_that_exist_are_kept(tmp_path: Path) -> None:
    spec = tmp_path / "tests/specs/made-up-rule.md"
    spec.parent.mkdir(parents=True)
    spec.write_text("mine", encoding="utf-8")
    with pytest.raises(ScaffoldError, match=r"made-up-rule\.md exists"):
        new_rule(tmp_path, "models/made-up-rule")
    assert spec.read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "server").exists()
