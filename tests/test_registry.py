"""Discovery finds every rule wherever the package lies, and names the file of a module that is not of a rule's form."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sqlalchemy_guard.rules import registry
from sqlalchemy_guard.rules.api import SECTIONS, RuleError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy_guard.rules.api import Rule

SERVER = Path(registry.__file__).parents[2]
DOCUMENTED = "Short.\n\n" + "".join(f"## {heading}\ntext\n" for heading in registry.HEADINGS)


def module(code: str, doc: str = DOCUMENTED, fix: str = "None") -> str:
    return (
        f'"""{doc}"""\nfrom sqlalchemy_guard.rules.api import Applicability, Rule, Severity\n'
        f"rule = Rule({code!r}, Severity.WARNING, {fix})\n"
    )


@pytest.fixture
def found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Callable[..., Mapping[str, Rule]]:
    """Discovers the rules of a package made of these files."""
    numbers = itertools.count()

    def discover(files: dict[str, str], *, zipped: bool = False) -> Mapping[str, Rule]:
        name = f"made_{abs(hash(request.node.nodeid))}_{next(numbers)}"
        inits = {f"{Path(path).parent.as_posix()}/__init__.py": "" for path in files}
        for path, text in ({"__init__.py": ""} | inits | files).items():
            target = tmp_path / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        root = tmp_path
        if zipped:
            root = tmp_path / f"{name}.zip"
            with zipfile.ZipFile(root, "w") as archive:
                for path in (tmp_path / name).rglob("*.py"):
                    archive.write(path, path.relative_to(tmp_path).as_posix())
        monkeypatch.syspath_prepend(str(root))
        before = set(sys.modules)
        try:
            package = __import__(name)
            return registry.collect(registry.discover(name, package.__path__))
        finally:
            for loaded in set(sys.modules) - before:
                del sys.modules[loaded]

    return discover


def test_rules_come_in_the_order_of_their_codes_and_shared_modules_are_none(
    found: Callable[..., Mapping[str, Rule]],
) -> None:
    rules = found(
        {
            "models/late_one.py": module("SAG299"),
            "models/early_one.py": module("SAG201"),
            "models/_shared.py": "",
            "engine/other.py": module("SAG101"),
        }
    )
    assert [(rule.code, rule.name, rule.section) for rule in rules.values()] == [
        ("SAG101", "other", "engine"),
        ("SAG201", "early-one", "models"),
        ("SAG299", "late-one", "models"),
    ]


def test_rules_are_found_in_a_zip_archive(found: Callable[..., Mapping[str, Rule]]) -> None:
    assert list(found({"models/one.py": module("SAG201")}, zipped=True)) == ["SAG201"]


@pytest.mark.parametrize(
    ("files", "file", "message"),
    [
        (
            {"models/a.py": module("SAG201"), "models/b.py": module("SAG201")},
            "b.py",
            "SAG201 is taken by .*a.py",
        ),
        ({"models/a.py": module("SAG201"), "engine/a.py": module("SAG101")}, "a.py", "name a is taken by"),
        ({"models/a.py": "x = 1"}, "a.py", "no `rule = Rule"),
        ({"models/a.py": module("SAG201"), "models/b.py": "from .a import rule"}, "b.py", "no `rule = Rule"),
        ({"models/a.py": module("SAG101")}, "a.py", "codes of the section models start with SAG2"),
        ({"other/a.py": module("SAG101")}, "other", "not a section"),
        (
            {"models/a.py": module("SAG201", fix="Applicability.SAFE")},
            "a.py",
            "declares a fix but registers none",
        ),
        ({"models/a.py": module("SAG201", "Short.")}, "a.py", "it has none"),
        ({"models/a.py": module("SAG201", DOCUMENTED + "## More\n")}, "a.py", "headings must be"),
        (
            {"models/a.py": module("SAG201", "Short.\n## Example\n## What it does\n")},
            "a.py",
            "it has Example, What it does",
        ),
    ],
)
def test_a_module_that_is_no_rule_is_named(
    found: Callable[..., Mapping[str, Rule]], files: dict[str, str], file: str, message: str
) -> None:
    with pytest.raises(RuleError, match=f"{file}.*: .*{message}"):
        found(files)


def test_names_and_codes_lead_to_the_same_rules() -> None:
    assert list(registry.by_name().values()) == list(registry.rules().values())
    assert all(code == rule.code for code, rule in registry.rules().items())
    assert all(name == rule.name for name, rule in registry.by_name().items())
    assert {rule.section for rule in registry.rules().values()} <= set(SECTIONS)


def test_every_rule_is_found_bundled_without_docstrings_and_without_site_packages(tmp_path: Path) -> None:
    archive = tmp_path / "bundle.zip"
    with zipfile.ZipFile(archive, "w") as bundle:
        for path in (SERVER / "sqlalchemy_guard").rglob("*.py"):
            bundle.write(path, path.relative_to(SERVER).as_posix())
    program = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); from sqlalchemy_guard.rules import registry; "
        "print(json.dumps({code: rule.summary for code, rule in registry.rules().items()}))"
    )
    for place in (SERVER, archive):
        run = subprocess.run(
            [sys.executable, "-I", "-S", "-B", "-OO", "-c", program, str(place)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        assert json.loads(run.stdout) == {
            code: f"{code} {rule.name} (documentation was stripped)"
            for code, rule in registry.rules().items()
        }
