"""The command line as its users call it: exit codes, streams, what is written and what is left alone."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from sqlalchemy_guard.cli.main import COMMANDS, main
from sqlalchemy_guard.cli.session import project_roots
from sqlalchemy_guard.rules.api import SECTIONS
from sqlalchemy_guard.rules.registry import rules
from sqlalchemy_guard.vfs import Vfs, canonical

if TYPE_CHECKING:
    from collections.abc import Callable

SERVER = Path(__file__).parents[2] / "server"
BAD = 'from sqlalchemy import create_engine\n\nengine = create_engine("postgresql://db")\n'
GOOD = BAD.replace('db")', 'db", pool_pre_ping=True)')
ONLY = ["--select", "SAG101"]


class Result(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, which is the working folder."""
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> Callable[..., Result]:
    """Runs the command line in the project."""
    assert folder.is_dir()

    def invoke(*arguments: str) -> Result:
        code = main(arguments)
        captured = capsysbinary.readouterr()
        return Result(code, captured.out.decode(), captured.err.decode())

    return invoke


def give_stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_clean_is_zero_and_violations_are_one(folder: Path, run: Callable[..., Result]) -> None:
    (folder / "a.py").write_text(GOOD)
    assert run("check", *ONLY) == (0, "No violations found.\n", "")
    assert run("check", "-q", *ONLY) == (0, "", "")
    (folder / "b.py").write_text(BAD)
    found = run("check", *ONLY, "--output-format", "concise")
    assert found.code == 1
    assert found.out.startswith("b.py:3:10: SAG101 [*] Engine without `pool_pre_ping=True`")
    assert found.out.endswith("Found 1 violation.\n[*] 1 fixable with `--fix`.\n")
    assert run("check", *ONLY, "--exit-zero").code == 0
    assert run("check", *ONLY, "a.py").code == 0


def test_what_is_no_command_is_two(run: Callable[..., Result]) -> None:
    assert run("check", "--no-such-option").code == 2
    assert run("chek").code == 2
    assert run().code == 2
    assert run("--version").code == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(run: Callable[..., Result], command: str) -> None:
    shown = run(command, "--help")
    assert shown.code == 0
    assert COMMANDS[command][1:] in " ".join(shown.out.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--select", "SAG10l"], "--select: `SAG10l` names no rule; did you mean"),
        (["--ignore", "engine-without-preping"], "did you mean `engine-without-pre-ping`?"),
        (["--config", "nothing.toml"], "nothing.toml does not exist"),
        (["--config", "line-length = = 3"], "not valid TOML"),
        (["--config", "ignore = ['SAG999']"], "--ignore: `SAG999` names no rule"),
        (["--config", "line-lenght = 3"], "did you mean `line-length`?"),
        (["--stdin-filename", "a.py", "b.py"], "--stdin-filename needs -"),
        (["-", "b.py"], "cannot be checked together"),
    ],
)
def test_what_cannot_be_followed_is_two_and_says_why(
    run: Callable[..., Result], arguments: list[str], words: str
) -> None:
    code, out, err = run("check", *arguments)
    assert (code, out) == (2, "")
    assert words in err


def test_a_configuration_that_is_no_toml_is_two(folder: Path, run: Callable[..., Result]) -> None:
    (folder / "a.py").write_text(BAD)
    (folder / "sqlalchemy-guard.toml").write_text("select = [")
    found = run("check")
    assert found.code == 2
    assert "sqlalchemy-guard.toml: This file is not valid TOML" in found.err
    assert run("check", "--isolated", *ONLY).code == 1


def test_fix_writes_and_says_how_many(folder: Path, run: Callable[..., Result]) -> None:
    text = BAD.replace("\n", "\r\n")
    (folder / "a.py").write_bytes(b"\xef\xbb\xbf" + text.encode())
    found = run("check", *ONLY, "--fix")
    assert found == (0, "Found 1 violation (1 fixed, 0 remaining).\n", "")
    assert (folder / "a.py").read_bytes() == b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()
    assert sorted(os.listdir(folder)) == [".git", "a.py"]
    assert run("check", *ONLY, "--fix") == (0, "No violations found.\n", "")


def test_diff_changes_nothing_and_is_one(folder: Path, run: Callable[..., Result]) -> None:
    (folder / "a.py").write_text(BAD)
    found = run("check", *ONLY, "--diff")
    assert found.code == 1
    assert found.out.startswith("--- a.py\n+++ a.py\n@@ -1,3 +1,3 @@\n")
    assert "+engine = create_engine(" in found.out
    assert found.err == "Would fix 1 violation in 1 file.\n"
    assert (folder / "a.py").read_text() == BAD
    patched = subprocess.run(
        ["git", "apply", "-p0", "-"], input=found.out, text=True, cwd=folder, check=False
    )
    assert patched.returncode == 0
    assert (folder / "a.py").read_text() == GOOD
    assert run("check", *ONLY, "--diff") == (0, "", "Nothing to fix.\n")


def test_statistics(folder: Path, run: Callable[..., Result]) -> None:
    (folder / "a.py").write_text(BAD)
    (folder / "b.py").write_text(BAD)
    assert run("check", *ONLY, "--statistics").out.startswith("2  SAG101  [*]  engine-without-pre-ping\n")
    counted = json.loads(run("check", *ONLY, "--statistics", "--output-format", "json").out)
    assert counted == [{"code": "SAG101", "name": "engine-without-pre-ping", "count": 2, "fixable_count": 2}]


def test_json_edits_are_those_of_the_fix(folder: Path, run: Callable[..., Result]) -> None:
    (folder / "é.py").write_text("'😀'; " + BAD, encoding="utf-8")
    [found] = json.loads(run("check", *ONLY, "--output-format", "json").out)
    assert found["filename"] == canonical("é.py")
    lines = ("'😀'; " + BAD).splitlines()
    for edit in reversed(found["fix"]["edits"]):
        start, end = edit["location"], edit["end_location"]
        assert start["row"] == end["row"]
        line = lines[start["row"] - 1]
        lines[start["row"] - 1] = line[: start["column"] - 1] + edit["content"] + line[end["column"] - 1 :]
    assert "\n".join([*lines, ""]) == "'😀'; " + GOOD


def test_standard_input(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    give_stdin(monkeypatch, BAD.encode())
    found = run("check", *ONLY, "-", "--output-format", "concise")
    assert found.code == 1
    assert found.out.startswith("-:3:10: SAG101")
    give_stdin(monkeypatch, BAD.encode())
    found = run("check", *ONLY, "--stdin-filename", "app/x.py", "--output-format", "concise")
    assert found.out.startswith(os.path.join("app", "x.py") + ":3:10: SAG101")
    give_stdin(monkeypatch, BAD.replace("\n", "\r\n").encode())
    found = run("check", *ONLY, "-", "--fix")
    assert found == (0, GOOD.replace("\n", "\r\n"), "Found 1 violation (1 fixed, 0 remaining).\n")
    give_stdin(monkeypatch, GOOD.encode())
    assert run("check", *ONLY, "-", "--fix").out == GOOD
    give_stdin(monkeypatch, b"\xff")
    assert "standard input is not valid utf-8" in run("check", "-").err


def test_settings_of_the_file_hold_for_standard_input(
    folder: Path, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "sqlalchemy-guard.toml").write_text('per-file-ignores = {"tests/*" = ["ALL"]}')
    give_stdin(monkeypatch, BAD.encode())
    assert run("check", "-", "--stdin-filename", "tests/a.py").code == 0
    give_stdin(monkeypatch, BAD.encode())
    assert run("check", "-", "--stdin-filename", "app/a.py").code == 1


def test_problems_of_the_configuration_are_shown_and_mended(folder: Path, run: Callable[..., Result]) -> None:
    (folder / "a.py").write_text("x = 1\n")
    config = folder / "pyproject.toml"
    config.write_text('[tool.sqlalchemy-guard]\nignor = ["SAG101"]\n')
    found = run("check", "--output-format", "concise", "a.py")
    assert found.code == 1
    assert found.out.startswith("pyproject.toml:2:1: SAG002 [*] Skipped: Unknown setting `ignor`")
    assert run("check", "--fix").code == 0
    assert config.read_text() == '[tool.sqlalchemy-guard]\nignore = ["SAG101"]\n'
    shown = run("config")
    assert shown.code == 0
    assert f'ignore = ["SAG101"]  # {canonical("pyproject.toml")}\n' in shown.out


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1  # noqa: SAG101\n", "x = 1\n"),
        ("x = 1  # noqa: SAG101, E501\n", "x = 1  # noqa: E501\n"),
        ("x = 1  # noqa: E501,sag101 SAG999\n", "x = 1  # noqa: E501\n"),
        ("x = 1  # noqa: SAG101  # why\n", "x = 1  # why\n"),
        ("x = 1  # why # noqa: SAG101\n", "x = 1  # why\n"),
        ("x = 1  # noqa: SAG101 because of it\n", "x = 1  # because of it\n"),
        ("x = 1\r\n# noqa: SAG999\r\ny = 2\r\n", "x = 1\r\ny = 2\r\n"),
        ("if x:\n    # noqa: SAG999\n    y = 2", "if x:\n    y = 2"),
        ("x = 1  # noqa", "x = 1  # noqa"),
        ("x = 1  # noqa: E501\n", "x = 1  # noqa: E501\n"),
    ],
)
def test_unused_suppressions_are_removed(
    folder: Path, run: Callable[..., Result], before: str, after: str
) -> None:
    (folder / "a.py").write_bytes(before.encode())
    run("check", "--fix")
    assert (folder / "a.py").read_bytes().decode() == after
    assert run("check").code == 0


def test_a_suppression_of_a_rule_that_is_off_is_left_alone(folder: Path, run: Callable[..., Result]) -> None:
    (folder / "a.py").write_text("x = 1  # noqa: SAG101\n")
    assert run("check").code == 1
    assert run("check", "--ignore", "SAG101").code == 0
    assert run("check", "--select", "SAG001").code == 0


def test_unreadable_files_are_said_and_count(folder: Path, run: Callable[..., Result]) -> None:
    (folder / "a.py").write_bytes(b"\xff\xfe\xfd")
    (folder / "b.py").write_text(GOOD)
    found = run("check", *ONLY, ".", "nothing.py")
    assert found.code == 1
    assert (
        "warning: a.py is not valid utf-8 at byte 0" in found.err
        or "warning: a.py is written in UTF-16" in found.err
    )
    assert "warning: nothing.py does not exist" in found.err
    assert found.out == "No violations found.\n"


def test_half_a_file_is_checked_and_said(folder: Path, run: Callable[..., Result]) -> None:
    (folder / "a.py").write_text(BAD + "def f(:\n")
    found = run("check", *ONLY, "--output-format", "concise")
    assert "a.py:3:10: SAG101" in found.out
    assert "warning: a.py:4:" in found.err
    assert "not valid Python" in found.err


def test_no_files_is_said(run: Callable[..., Result]) -> None:
    assert run("check") == (
        0,
        "No violations found.\n",
        "warning: no Python files found under the paths given\n",
    )


def test_force_exclude(folder: Path, run: Callable[..., Result]) -> None:
    (folder / "build").mkdir()
    (folder / "build" / "a.py").write_text(BAD)
    assert run("check", *ONLY, "build/a.py").code == 1
    assert run("check", *ONLY, "build/a.py", "--force-exclude").code == 0


def test_colour_is_for_terminals(folder: Path, run: Callable[..., Result]) -> None:
    (folder / "a.py").write_text(BAD)
    assert "\x1b" not in "".join(run("check", *ONLY)[1:])
    assert "\x1b[" in run("check", *ONLY, "--color", "always").out


def test_rule(run: Callable[..., Result]) -> None:
    for word in ("SAG001", "sag001", "unused-suppression", "unused_suppression"):
        shown = run("rule", word)
        assert shown.code == 0
        assert shown.out.startswith("# unused-suppression (SAG001)\n")
        assert "## Why is this bad?" in shown.out
    listed = json.loads(run("rule", "--all", "--output-format", "json").out)
    assert [entry["code"] for entry in listed] == list(rules())
    for entry in listed:
        assert entry["section"] in SECTIONS.values()
        assert entry["fix"] in ("none", "safe", "unsafe")
        assert entry["severity"] in ("error", "warning", "information", "hint")
        assert entry["explanation"].startswith(entry["summary"])
    assert [entry["code"] for entry in json.loads(run("rule", "SAG002", "--output-format", "json").out)] == [
        "SAG002"
    ]
    assert all(code in run("rule").out for code in rules())
    wrong = run("rule", "unused-supression")
    assert (wrong.code, wrong.out) == (2, "")
    assert "did you mean `unused-suppression`?" in wrong.err


def test_config_schema_and_json(folder: Path, run: Callable[..., Result]) -> None:
    assert json.loads(run("config", "--schema").out)["title"] == "sqlalchemy-guard"
    (folder / "sqlalchemy-guard.toml").write_text('line-length = 70\nselect = ["SAG9"]\n')
    shown = run("config", "--output-format", "json")
    described = json.loads(shown.out)
    assert described["file"] == canonical("sqlalchemy-guard.toml")
    assert described["settings"]["line-length"] == {"value": 70, "origin": described["file"]}
    assert described["settings"]["run"] == {"value": "onType", "origin": "default"}
    assert shown.code == 2
    assert "sqlalchemy-guard.toml:2: `SAG9` names no rule" in shown.err


def test_a_hook_that_names_one_file_sees_what_it_imports(folder: Path, run: Callable[..., Result]) -> None:
    (folder / "pkg").mkdir()
    (folder / "pkg" / "__init__.py").write_text("")
    (folder / "pkg" / "made.py").write_text("from sqlalchemy import create_engine as make\n")
    (folder / "pkg" / "a.py").write_text(
        'from pkg.made import make\n\nengine = make("postgresql://db/shop")\n'
    )
    assert run("check", *ONLY, "pkg/a.py").code == 1


def test_project_roots(folder: Path) -> None:
    (folder / "inner" / "deep").mkdir(parents=True)
    (folder / "inner" / "pyproject.toml").write_text("")
    base = canonical(str(folder))
    inner = os.path.join(base, "inner")
    vfs = Vfs()
    assert project_roots(vfs, [os.path.join(inner, "deep", "a.py")]) == [inner]
    assert project_roots(vfs, [os.path.join(inner, "a.py"), os.path.join(base, "b.py")]) == [base]


def succeeds(program: str) -> None:
    """Run a program of Python in a process of its own, which has imported nothing yet."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(SERVER)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_start_up_imports_nothing_that_it_does_not_need(folder: Path) -> None:
    (folder / "a.py").write_text(BAD)
    program = (
        "import sys; from sqlalchemy_guard.cli.main import main; "
        f"assert main(['check', {str(folder)!r}, '-q', '--fix', '--select', 'SAG101']) == 0; "
        "assert main(['rule', 'SAG001']) == 0; "
        "heavy = {'pygls', 'lsprotocol', 'sqlalchemy', 'asyncio', 'attrs', 'cattrs'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    succeeds(program)


def test_a_server_starts_without_what_only_some_messages_need(tmp_path: Path) -> None:
    """The first diagnostics wait for every module that is loaded in front of them."""
    (tmp_path / "a.py").write_text(BAD)
    program = f"""
import sys
import sqlalchemy_guard.cli.main, sqlalchemy_guard.cli.server, sqlalchemy_guard.lsp.main, sqlalchemy_guard.lsp.front
from sqlalchemy_guard.lsp.analysis import build
analysis = build([{str(tmp_path)!r}])
assert analysis.checker.check({canonical(str(tmp_path / "a.py"))!r}).violations
never = {{'argparse', 'logging', 'hashlib', 'difflib', 'unicodedata', 'asyncio', 'inspect', 'dataclasses'}}
sys.exit(', '.join(never & set(sys.modules)) or 0)
"""
    succeeds(program)


def test_a_reader_that_leaves_early_is_no_error(folder: Path) -> None:
    for number in range(300):
        (folder / f"a{number}.py").write_text(BAD)
    environment = os.environ | {"PYTHONPATH": str(SERVER)}
    command = [sys.executable, "-m", "sqlalchemy_guard", "check", *ONLY, str(folder)]
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.close()
    assert b"Traceback" not in running.stderr.read()
    running.stderr.close()
    running.wait(60)
