"""The reader of rules' documentation finds what is there, and refuses what it cannot run."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.support.ruledocs import Examples, examples


def read(bad: str, good: str) -> Examples:
    """The examples of a rule whose sections hold these texts."""
    return examples(SimpleNamespace(module="made", sections=lambda: {"Example": bad, "Use instead": good}))


def fence(text: str, info: str = "python") -> str:
    return f"Prose.\n\n```{info}\n{text}```\n"


def test_one_fence_is_one_file() -> None:
    assert read(fence("x = 1\n"), fence("x = 2\n")) == Examples(
        {"example.py": "x = 1\n"}, {"example.py": "x = 2\n"}, ("example.py",), True
    )


def test_several_files_have_paths_that_are_no_part_of_them() -> None:
    bad = fence("# path: app/models.py\nx = 1\n") + fence("import app.models\n")
    found = read(bad, fence("# path: app/models.py\nx = 2\n"))
    assert found.bad == {"app/models.py": "x = 1\n", "example.py": "import app.models\n"}
    assert found.good == {"app/models.py": "x = 2\n", "example.py": "import app.models\n"}
    assert found.shown == ("app/models.py",)


def test_configuration_is_a_file_too() -> None:
    assert read(fence("a = 1\n", "toml"), fence("a = 2\n", "toml")).good == {"pyproject.toml": "a = 2\n"}


@pytest.mark.parametrize("tagged", ["bad", "good"])
def test_a_tag_says_that_there_is_no_fix(tagged: str) -> None:
    bad = fence("x = 1\n", "python no-fix" if tagged == "bad" else "python")
    good = fence("x = 2\n", "python no-fix" if tagged == "good" else "python")
    assert read(bad, good).fixed is False


def test_a_command_to_use_instead_is_no_code_and_no_fix() -> None:
    found = read(fence("x = 1\n"), fence("alembic upgrade head\n", "sh"))
    assert found == Examples({"example.py": "x = 1\n"}, {}, (), False)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("only prose", "Example: no fence"),
        (fence("x\n", "ruby"), "python or toml, not ruby"),
        (fence("x\n", "python nofix"), "unknown tag of a fence: nofix"),
        (fence("x\n") + fence("y\n"), "two fences for example.py"),
        (fence("# path: a.py\nx\n") + fence("# path: a.py\ny\n"), "two fences for a.py"),
    ],
)
def test_what_cannot_be_run_is_refused(bad: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"made: .*{message}"):
        read(bad, fence("x = 2\n"))
