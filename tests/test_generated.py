"""What is generated is committed as it is generated: `python dev.py docs` would change nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from devtools import generate
from sqlalchemy_guard.rules import registry

ROOT = Path(__file__).parents[1]
STALE = "run `python dev.py docs` and commit the result"


@pytest.mark.parametrize("path", generate.outputs(ROOT), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_generated_files_are_fresh(path: Path) -> None:
    assert path.is_file(), f"{path.name} is missing: {STALE}"
    assert path.read_text(encoding="utf-8") == generate.outputs(ROOT)[path], f"{path.name} is stale: {STALE}"


def test_no_page_outlives_its_rule() -> None:
    assert generate.surplus(ROOT) == [], STALE


def test_the_settings_of_the_extension_are_fresh() -> None:
    script = ROOT / "client-vscode" / "scripts" / "generate_settings.py"
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def test_the_table_of_the_readme_names_every_rule_once() -> None:
    table = (
        (ROOT / "README.md")
        .read_text(encoding="utf-8")
        .partition(generate.START)[2]
        .partition(generate.END)[0]
    )
    rows = [line for line in table.splitlines() if line.startswith("| SAG")]
    assert len(rows) == len(registry.rules())
    for rule in registry.rules().values():
        assert sum(f"| {rule.code} | [{rule.name}](docs/rules/{rule.name}.md) |" in row for row in rows) == 1


@pytest.mark.parametrize(
    "text", ["no markers", f"{generate.START}", f"{generate.START}{generate.END}{generate.END}"]
)
def test_a_readme_without_its_markers_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="once each"):
        generate.between(text, "table")


def test_text_around_the_table_is_kept() -> None:
    text = f"before\n{generate.START}\nold\n{generate.END}\nafter\n"
    assert generate.between(text, "new\n") == f"before\n{generate.START}\nnew\n{generate.END}\nafter\n"


def test_the_schema_of_the_settings_accepts_what_is_right_and_nothing_else() -> None:
    schema = json.loads((ROOT / "docs" / "settings.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    defaults = {name: one["default"] for name, one in schema["properties"].items() if "default" in one}
    right = [{}, defaults, {"select": ["SAG1", "ALL"]}, {"per-file-ignores": {"tests/**": ["SAG101"]}}]
    wrong = [{"selekt": []}, {"select": "SAG1"}, {"line-length": "88"}, {"severity": {"SAG101": "fatal"}}]
    assert [one for one in right if not validator.is_valid(one)] == []
    assert [one for one in wrong if validator.is_valid(one)] == []
