"""The benchmarks measure what they say: no wait without end, files of real code, every mode to the end."""

import ast
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.client import Client, ServerError
from bench.sources import NoSources, build, pieces

REPOSITORY = Path(__file__).resolve().parent.parent
SHOP = REPOSITORY / "examples" / "shop"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)


def test_a_silent_server_is_not_waited_for(tmp_path: Path) -> None:
    silent = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    begin = time.monotonic()
    with Client(silent, tmp_path, timeout=0.5) as client, pytest.raises(ServerError, match=r"within 0\.5 s"):
        client.initialize()
    assert time.monotonic() - begin < 10


def test_a_server_that_dies_has_the_last_word(tmp_path: Path) -> None:
    dying = [sys.executable, "-c", "import sys; sys.stdin.readline(); sys.exit('no such option')"]
    with Client(dying, tmp_path) as client, pytest.raises(ServerError, match="no such option"):
        client.initialize()


def test_files_are_valid_of_the_wanted_length_and_always_the_same() -> None:
    stock = pieces([SHOP])
    text = build(stock, 400)
    ast.parse(text)
    assert 390 <= text.count("\n") <= 410
    assert "session.query(" in text
    assert build(pieces([SHOP]), 400) == text


def test_a_folder_without_sqlalchemy_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    with pytest.raises(NoSources, match="no file that uses SQLAlchemy"):
        pieces([tmp_path])


@pytest.mark.parametrize("transport", ["pull", "push"])
def test_keystrokes_are_measured_in_every_mode(transport: str, tmp_path: Path) -> None:
    samples = tmp_path / "samples.json"
    options = [
        "--only",
        "ruff",
        "--sizes",
        "200",
        "--blocks",
        "1",
        "--places",
        "2",
        "--transport",
        transport,
        "--json",
        str(samples),
    ]
    done = run("bench.keystroke", "--source", str(SHOP), *options)
    assert done.returncode == 0, done.stderr
    modes = (
        ["type", "toggle", "fresh", "flood", "action"]
        if transport == "pull"
        else ["toggle", "fresh", "flood"]
    )
    rows = json.loads(samples.read_text())
    assert [(row["place"], row["mode"]) for row in rows] == [
        (place, mode) for place in (0, 1) for mode in modes
    ]
    assert done.stdout.count("| shop | 200 |") == len(modes), "one line of the table for both places"
    assert all(sample > 0 for row in rows for sample in row["samples"])
    assert "STALE" not in done.stderr


def test_starts_and_checks_are_measured() -> None:
    started = run("bench.startup", "--only", "ruff", "--runs", "1", "--source", str(SHOP), "--size", "200")
    assert started.returncode == 0, started.stderr
    assert "| ruff |" in started.stdout
    if sys.platform != "win32":
        checked = run("bench.check", str(SHOP), "--only", "ruff", "--runs", "1")
        assert checked.returncode == 0, checked.stderr
        assert checked.stdout.count("| ruff |") == 2
