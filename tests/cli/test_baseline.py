"""Violations that are put off: written, recognised where code moved, and reported again where it changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sqlalchemy_guard.baseline import BaselineError, parse, write
from sqlalchemy_guard.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

ENGINES = """\
from sqlalchemy import create_engine

first = create_engine("postgresql://db/a", pool_size=1)
second = create_engine("postgresql://db/b", pool_size=1)
second = create_engine("postgresql://db/b", pool_size=1)
"""
MOVED = ENGINES.replace("first =", "# The first comes first.\n\n\nfirst =")
SELECTION = 'select = ["SAG101"]\nbaseline = "known.json"\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "sqlalchemy-guard.toml").write_text(SELECTION)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "engines.py").write_text(ENGINES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lines(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, list[int]]:
    """The exit code of a check, and the rows of what it reports."""
    capsys.readouterr()
    code = main(["check", "--output-format", "json", *options])
    return code, [found["location"]["row"] for found in json.loads(capsys.readouterr().out)]


def test_only_new_violations_are_reported(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["baseline"]) == 0
    assert "Put off 3 violations in 1 file: known.json" in capsys.readouterr().out
    assert list(json.loads((project / "known.json").read_text())["files"]) == ["app/engines.py"]
    assert lines(capsys) == (0, [])
    assert lines(capsys, "--baseline", "") == (1, [3, 4, 5])

    engines = project / "app" / "engines.py"
    engines.write_text(MOVED)
    assert lines(capsys) == (0, [])
    engines.write_text(MOVED + 'third = create_engine("postgresql://db/c", pool_size=1)\n')
    assert lines(capsys) == (1, [9])
    # A third line of the same text is one more than was put off, wherever it stands.
    engines.write_text(ENGINES + 'second = create_engine("postgresql://db/b", pool_size=1)\n')
    assert lines(capsys) == (1, [6])
    engines.write_text(ENGINES.replace("db/a", "db/other"))
    assert lines(capsys) == (1, [3])


def test_what_is_put_off_is_not_fixed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["baseline", "--quiet"])
    engines = project / "app" / "engines.py"
    engines.write_text(ENGINES + 'third = create_engine("postgresql://db/c", pool_size=1)\n')
    assert main(["check", "--fix", "--quiet"]) == 0
    assert [line for line in engines.read_text().splitlines() if "pool_pre_ping" in line] == [
        'third = create_engine("postgresql://db/c", pool_size=1, pool_pre_ping=True)'
    ]


def test_a_baseline_can_be_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "sqlalchemy-guard.toml").write_text('select = ["SAG101"]\n')
    assert main(["baseline", "--output", "ci/known.json"]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert main(["baseline"]) == 0
    assert "sqlalchemy-guard-baseline.json" in capsys.readouterr().err
    assert lines(capsys)[0] == 1
    assert lines(capsys, "--baseline", "sqlalchemy-guard-baseline.json") == (0, [])
    assert main(["check", "--baseline", "missing.json"]) == 2
    assert "missing.json: it cannot be read" in capsys.readouterr().err


def test_a_baseline_that_cannot_be_used_is_reported_in_the_configuration(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "sqlalchemy-guard.toml").write_text('select = ["SAG002", "SAG101"]\nbaseline = "known.json"\n')
    (project / "known.json").write_text("{}")
    assert main(["check", "--output-format", "concise"]) == 1
    said = capsys.readouterr().out
    assert "sqlalchemy-guard.toml:2:" in said
    assert "it is not of version 1" in said
    assert said.count("SAG101") == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"version": 2, "files": {}}',
        '{"version": 1}',
        '{"version": 1, "files": {"a.py": {}}}',
        '{"version": 1, "files": {"a.py": [{"code": "SAG101", "line": "x", "count": 0}]}}',
        '{"version": 1, "files": {"a.py": [{"code": "SAG101", "line": 3, "count": 1}]}}',
        "[" * 100_000,
    ],
)
def test_what_is_no_baseline_is_refused(text: str) -> None:
    with pytest.raises(BaselineError):
        parse(text)


def test_what_is_written_is_read() -> None:
    text = '{"version": 1, "files": {"a.py": [{"code": "SAG101", "line": "é = \\u2028", "count": 2}]}}'
    assert parse(write(parse(text))) == parse(text)
