"""A harness that lets wrong specifications pass is worth nothing: these tests are about those that must fail."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support import mdtest
from tests.support.mdtest import Finding, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class ToyAnalysis:
    """A linter of three rules: `bad` has a safe fix, `worse` an unsafe one, `odd` none."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files

    def findings(self, path: str) -> list[Finding]:
        found = []
        for number, line in enumerate(self.files[path].split("\n")):
            code = line.partition("#")[0]
            found.extend(
                Finding(f"{word}-name", f"the name `{word}` is frowned upon", number)
                for word in re.findall(r"\b(?:bad|worse|odd)\b", code)
            )
        return found

    def fixed(self, *, unsafe: bool) -> dict[str, str]:
        replaced = {path: text.replace("bad", "good") for path, text in self.files.items()}
        return {path: text.replace("worse", "fine") if unsafe else text for path, text in replaced.items()}


def failures(tmp_path: Path, text: str) -> list[str]:
    """All failures of a specification under the toy analysis."""
    path = tmp_path / "toy.md"
    path.write_text(text, encoding="utf-8")
    return [
        failure for section in mdtest.parse(path) for failure in mdtest.run(section, ToyAnalysis, path.name)
    ]


def section(body: str) -> str:
    return f"# Toy\n\n## First\n\n{body}"


def fence(code: str, tag: str = "py") -> str:
    return f"```{tag}\n{code}\n```\n"


@pytest.mark.parametrize(
    "code",
    [
        "good = 1",
        "bad = 1  # error: [bad-name]",
        "# error: [bad-name]\nbad = 1",
        'bad = 1  # error: [bad-name] "frowned"',
        "bad = odd  # error: [bad-name] # error: [odd-name]",
        "# error: [bad-name]\n# error: [odd-name]\nbad = odd",
        "bad = bad  # error: [bad-name]  # error: [bad-name]",
        "def f():\n    # error: [odd-name]\n    return odd",
        "bad = 1  # prose stays  # error: [bad-name]",
    ],
)
def test_true_assertions_pass(tmp_path: Path, code: str) -> None:
    assert failures(tmp_path, section(fence(code))) == []


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("bad = 1", "toy.md:6: unexpected bad-name: the name `bad` is frowned upon"),
        ("good = 1  # error: [bad-name]", "toy.md:6: no violation of bad-name at: good = 1"),
        ("bad = 1  # error: [odd-name]", "toy.md:6: no violation of odd-name"),
        ("bad = bad  # error: [bad-name]", "toy.md:6: unexpected bad-name"),
        ("bad = 1  # error: [bad-name] # error: [bad-name]", "toy.md:6: no violation of bad-name"),
        ('bad = 1  # error: [bad-name] "praised"', 'with "praised" in its message'),
        ("# error: [bad-name]\ngood = 1\nbad = 2", "toy.md:6: no violation of bad-name at: good = 1"),
        ("good = 1\n\nbad = 2", "toy.md:8: unexpected bad-name"),
    ],
)
def test_false_assertions_fail(tmp_path: Path, code: str, message: str) -> None:
    assert message in "\n".join(failures(tmp_path, section(fence(code))))


def test_one_claim_with_a_message_leaves_the_other_violation_to_the_claim_without(tmp_path: Path) -> None:
    # Whichever order they are written in, each claim must find a violation of its own.
    for code in (
        'bad = odd  # error: [bad-name] "bad"  # error: [odd-name]',
        'bad = bad  # error: [bad-name]  # error: [bad-name] "bad"',
    ):
        assert failures(tmp_path, section(fence(code))) == []


def test_assertions_are_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "toy.md"
    path.write_text(
        section(fence("# error: [bad-name]\nbad = 1  # kept  # error: [odd-name]\nend")), encoding="utf-8"
    )
    (only,) = mdtest.parse(path)
    assert only.files == {"example.py": "bad = 1  # kept\nend\n"}


def test_fixed_fences_hold_the_text_after_the_fixes(tmp_path: Path) -> None:
    code = fence("bad = worse  # error: [bad-name] # error: [worse-name]")
    right = fence("good = worse", "py fixed") + fence("good = fine", "py unsafe-fixed")
    assert failures(tmp_path, section(code + right)) == []
    wrong = failures(tmp_path, section(code + fence("good = fine", "py fixed")))
    assert len(wrong) == 1
    assert "-good = fine" in wrong[0]
    assert "+good = worse" in wrong[0]


def test_a_fixed_fence_of_a_file_that_does_not_exist_fails(tmp_path: Path) -> None:
    text = section(fence("good = 1") + "\n`other.py`:\n\n" + fence("good = 1", "py fixed"))
    assert failures(tmp_path, text) == ["toy.md:11: there is no file other.py"]


def test_a_path_line_names_the_next_file_and_its_fixed_fence(tmp_path: Path) -> None:
    text = section(
        "`models.py`:\n\n" + fence("bad = 1  # error: [bad-name]") + fence("good = 1", "py fixed")
        + "\nand\n\n`app/main.py:`\n\n" + fence("worse = 1  # error: [worse-name]")
        + "\n`models.py`:\n\n" + fence("good = 1", "py unsafe-fixed")
    )  # fmt: skip
    assert failures(tmp_path, text) == []
    (only,) = mdtest.parse(tmp_path / "toy.md")
    assert list(only.files) == ["models.py", "app/main.py"]


def test_sections_are_separate_and_inherit_configuration(tmp_path: Path) -> None:
    path = tmp_path / "toy.md"
    path.write_text(
        "# Toy\n"
        + fence("select = []", "toml")
        + "## A\n" + fence("one") + fence("two")
        + "### B\n" + fence("three")
        + "## C\n" + fence("[tool.sqlalchemy-guard]", "toml") + fence("four")
        + "### D\n" + fence("five")
        + "## E\n" + fence("six"),
        encoding="utf-8",
    )  # fmt: skip
    inherited = {"sqlalchemy-guard.toml": "select = []\n"}
    own = {"pyproject.toml": "[tool.sqlalchemy-guard]\n"}
    assert {section.title: section.files for section in mdtest.parse(path)} == {
        "A": inherited | {"example.py": "one\n", "example_2.py": "two\n"},
        "A - B": inherited | {"example.py": "three\n"},
        "C": own | {"example.py": "four\n"},
        "C - D": own | {"example.py": "five\n"},
        "E": inherited | {"example.py": "six\n"},
    }


def test_a_configuration_asserts_once_though_it_is_inherited(tmp_path: Path) -> None:
    text = "# Toy\n## A\n" + fence("key = bad  # error: [bad-name]", "toml") + fence("good = 1")
    assert failures(tmp_path, text) == []
    assert failures(tmp_path, text.replace("bad  # error: [bad-name]", "bad")) != []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# Toy\nprose\n", "no test"),
        (fence("x"), "before the first heading"),
        (section("```py\nx\n"), "never closed"),
        (section(fence("x", "py fixde")), "unknown tag 'fixde'"),
        (section(fence("x", "py fixed")), "no fence above"),
        (section(fence("x  # error: bad-name")), "toy.md:6: write"),
        (section(fence("x  # error:[bad-name]")), "toy.md:6: write"),
        (section(fence("x  # error: [bad-name] and more")), "toy.md:6: write"),
        (section(fence("x\n# error: [bad-name]")), "stands above no line"),
        (section(fence("x") + "## First\n" + fence("y")), "two tests are called 'First'"),
        (section(fence("x") + "`example.py`:\n" + fence("y")), "a second file called example.py"),
        (section(fence("x") + fence("x", "py fixed") + fence("x", "py fixed")), "a second fixed fence"),
        (section(fence("x = 1", "toml") + fence("y = 1", "toml") + fence("z")), "a second configuration"),
    ],
)
def test_malformed_specifications_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        failures(tmp_path, text)


def test_bless_rewrites_the_fixed_fences_and_nothing_else(tmp_path: Path) -> None:
    code = "Some prose.\n\n" + fence("bad = worse  # error: [bad-name] # error: [worse-name]\nbads = 1")
    wrong = section(
        code + fence("wrong\nwrong", "py fixed") + "\nprose\n\n" + fence("", "py unsafe-fixed") + "\nend\n"
    )
    right = section(
        code + fence("good = worse\ngoods = 1", "py fixed") + "\nprose\n\n"
        + fence("good = fine\ngoods = 1", "py unsafe-fixed") + "\nend\n"
    )  # fmt: skip
    path = tmp_path / "toy.md"
    path.write_text(wrong, encoding="utf-8")
    for one in mdtest.parse(path):
        mdtest.bless(path, one, ToyAnalysis)
    assert path.read_text(encoding="utf-8") == right
    assert failures(tmp_path, right) == []
