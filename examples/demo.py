"""Shows what sqlalchemy-guard does for somebody who edits the example shop: `python -m examples.demo`.

It starts the real server over stdio as an editor would, opens every file of a copy of examples/shop, prints
the diagnostics, applies one quick fix by hand and then the safe fixes, shows the difference, the SQL of a
statement and a column that no migration adds, and runs the shop's own tests before and after. It ends with 1
when anything is not as it should be.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from bench.client import Client, ServerError
from bench.contenders import MissingProgram, guard
from examples.editor import Buffer, Editor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.client import Json
    from bench.contenders import Contender

SHOP = Path(__file__).resolve().parent / "shop"
NEEDED = ("alembic", "fastapi", "httpx", "pytest", "sqlalchemy")
# The rules that the shop breaks; of these, the first are fixed safely wherever it breaks them.
FIXED = {"SAG001", "SAG002", "SAG101", "SAG109", "SAG201", "SAG204", "SAG302"}
PRESENT = FIXED | {"SAG102", "SAG301", "SAG304", "SAG306", "SAG401", "SAG501"}
BY_HAND = ("shop/tasks.py", "SAG401")
STATEMENT = ("shop/repositories/products.py", ".where(Product.stock > 0)")
COLUMN = ("shop/models/catalog.py", "weight_grams: Mapped[int | None]")
SEVERITIES = {1: ("error", "31"), 2: ("warning", "33"), 3: ("information", "36"), 4: ("hint", "36")}
COLOURS = sys.stdout.isatty() and "NO_COLOR" not in os.environ

EDITORS = """\
Open the same application in your editor:
  VS Code   docs/editors/vscode.md has the extension,     then  code examples/shop
  Neovim    docs/editors/neovim.md has the configuration, then  cd examples/shop && nvim shop/db.py
  terminal  sqlalchemy-guard check examples/shop
"""


class Disappointment(Exception):
    """Something is not as it should be; the message says what."""


def paint(text: str, colour: str) -> str:
    """Colour a text on a terminal."""
    return f"\033[{colour}m{text}\033[0m" if COLOURS else text


def heading(text: str) -> None:
    """Announce a part of the demonstration."""
    print("\n" + paint(f"== {text} ", "1") + paint("=" * max(0, 100 - len(text)), "2"))


def known_rules(contender: Contender) -> set[str]:
    """The codes of the rules that this version has."""
    command = [*contender.command, "rule", "--all", "--output-format", "json"]
    env = {**os.environ, **contender.env}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Disappointment(f"the rules cannot be listed:\n{done.stderr}")
    return {rule["code"] for rule in json.loads(done.stdout)}


def run_tests(folder: Path, when: str) -> None:
    """Run the shop's own tests, if what they need is installed."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        absent = ", ".join(missing)
        print(f"Tests {when}: not run, this Python has no {absent} (examples/shop/requirements.txt)")
        return
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--disable-warnings"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    print(f"Tests {when}: {lines[-1] if lines else 'no output'}")
    if done.returncode:
        raise Disappointment(f"the shop's tests fail {when}:\n{done.stdout}{done.stderr}")


def show(editor: Editor, folder: Path) -> Counter[str]:
    """Print all diagnostics as an editor shows them; how many there are by code."""
    counts: Counter[str] = Counter()
    for buffer in editor.buffers.values():
        name = buffer.path.relative_to(folder).as_posix()
        for diagnostic in buffer.diagnostics:
            counts[str(diagnostic.get("code"))] += 1
            print(*describe(editor, buffer, name, diagnostic), sep="\n")
    return counts


def describe(editor: Editor, buffer: Buffer, name: str, diagnostic: Json) -> Iterator[str]:
    """One diagnostic: place, code and message, and the line of the file with carets."""
    begin = editor.offset(buffer.text, diagnostic["range"]["start"])
    end = editor.offset(buffer.text, diagnostic["range"]["end"])
    line = diagnostic["range"]["start"]["line"]
    row = buffer.text.split("\n")[line].rstrip("\r")
    start = buffer.text.rfind("\n", 0, begin) + 1
    column = begin - start
    width = max(1, min(end - begin, len(row) - column))
    severity, colour = SEVERITIES[diagnostic.get("severity", 1)]
    place = paint(f"{name}:{line + 1}:{column + 1}", "1")
    yield f"{place} {paint(severity, colour)} {diagnostic.get('code')} {diagnostic['message']}"
    yield paint(f"{line + 1:>5} | ", "2") + row
    yield paint("      | ", "2") + " " * column + paint("^" * width, colour)
    for related in diagnostic.get("relatedInformation") or []:
        place = related["location"]
        file = place["uri"].rpartition("/")[2]
        yield paint(f"      = {file}:{place['range']['start']['line'] + 1}: {related['message']}", "2")


def quick_fix(editor: Editor, folder: Path) -> None:
    """Put the cursor on a diagnostic, press the quick-fix key, and take the first offer."""
    name, code = BY_HAND
    uri = (folder / name).as_uri()
    buffer = editor.buffers[uri]
    diagnostic = next((d for d in buffer.diagnostics if d.get("code") == code), None)
    if diagnostic is None:
        raise Disappointment(f"{name} shows no {code}")
    offers = editor.actions(uri, diagnostic["range"], "quickfix", [diagnostic])
    print(f"{name}:{diagnostic['range']['start']['line'] + 1} {code}. The editor offers:")
    for offer in offers:
        print(f"  {'*' if offer.get('isPreferred') else '-'} {offer['title']}")
    preferred = next((offer for offer in offers if offer.get("isPreferred")), None)
    if preferred is None:
        raise Disappointment(f"no preferred quick fix for {code} in {name}")
    before = buffer.text
    if not editor.apply(preferred):
        raise Disappointment(f"the quick fix {preferred['title']!r} changes nothing")
    print_difference(name, before, buffer.text)
    editor.refresh()


def fix_all(editor: Editor) -> None:
    """Run "fix all" in every file, as on save, until nothing changes any more."""
    for _ in range(10):
        changed = False
        for uri, buffer in editor.buffers.items():
            lines = buffer.text.count("\n") + 1
            whole = {"start": {"line": 0, "character": 0}, "end": {"line": lines, "character": 0}}
            for action in editor.actions(uri, whole, "source.fixAll", buffer.diagnostics):
                changed |= editor.apply(action)
        if not changed:
            return
        editor.refresh()
    raise Disappointment("the safe fixes do not come to an end")


def print_difference(name: str, before: str, after: str) -> int:
    """Print a unified difference; the number of lines that were added or removed."""
    count = 0
    for row in difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, n=2, lineterm=""):
        colour = {"+": "32", "-": "31", "@": "36"}.get(row[:1], "0")
        print(paint(row, "1" if row.startswith(("+++", "---")) else colour))
        count += row[:1] in "+-" and not row.startswith(("+++", "---"))
    return count


def remaining(editor: Editor) -> Counter[str]:
    """Say what is left and why; how many there are by code."""
    counts: Counter[str] = Counter()
    offers: dict[str, Counter[str]] = {}
    for uri, buffer in editor.buffers.items():
        for diagnostic in buffer.diagnostics:
            code = str(diagnostic.get("code"))
            counts[code] += 1
            fixes = [
                action["title"]
                for action in editor.actions(uri, diagnostic["range"], "quickfix", [diagnostic])
                if any(d.get("code") == code for d in action.get("diagnostics") or [])
                and not action["title"].startswith(("Disable", "Ignore", "Show"))
            ]
            why = f"by hand only: {fixes[0]}" if fixes else "no fix: read the message"
            offers.setdefault(code, Counter())[why] += 1
    for code in sorted(counts):
        for why, count in offers[code].items():
            print(f"  {code} x {count}: {why}")
    return counts


def without_database(contender: Contender, folder: Path) -> None:
    """Show the SQL of a statement, and what a migration lacks after a column was added to a model."""
    if importlib.util.find_spec("sqlalchemy") is None:
        print("SQL and drift: not shown, this Python has no sqlalchemy (the extra `schema`)")
        return
    name, needle = STATEMENT
    rows = (folder / name).read_text(encoding="utf-8").splitlines()
    row = next((number for number, text in enumerate(rows, 1) if needle in text), 0)
    heading(f"The SQL of {name}:{row}, without a database")
    print(paint(f"{row:>5} | ", "2") + rows[row - 1])
    shown = ask(contender, folder, 0, "sql", f"{name}:{row}")
    if "FROM products" not in shown:
        raise Disappointment(f"this is not the SQL of {name}:{row}:\n{shown}")
    heading("A column that no migration adds, without a database")
    name, column = COLUMN
    model = folder / name
    before = model.read_text(encoding="utf-8")
    model.write_text(f"{before.rstrip()}\n    {column}\n", encoding="utf-8")
    print_difference(name, before, model.read_text(encoding="utf-8"))
    shown = ask(contender, folder, 1, "drift", ".")
    if column.partition(":")[0] not in shown:
        raise Disappointment(f"drift does not tell of the new column:\n{shown}")
    model.write_text(before, encoding="utf-8")


def ask(contender: Contender, folder: Path, code: int, *arguments: str) -> str:
    """Run a command in the shop and print what it says."""
    print(paint(f"$ sqlalchemy-guard {' '.join(arguments)}", "1"))
    command = [*contender.command, *arguments]
    env = {**os.environ, **contender.env}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    print(done.stdout, end="")
    if done.returncode != code:
        raise Disappointment(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def demonstrate(folder: Path) -> None:
    """The whole story, on a copy of the shop."""
    heading("The shop works")
    run_tests(folder, "before")
    contender = guard()
    known = known_rules(contender)
    with Client([*contender.command, "server"], folder, pull=True, env=contender.env) as client:
        begin = time.perf_counter()
        client.initialize()
        editor = Editor(client)
        for path in sorted([*folder.rglob("*.py"), folder / "pyproject.toml"]):
            editor.open(path)
        editor.refresh()
        took = time.perf_counter() - begin
        heading(f"{len(editor.buffers)} files opened; all diagnostics {took:.2f} s after starting")
        before = show(editor, folder)
        if absent := PRESENT & known - before.keys():
            raise Disappointment(
                f"no diagnostic of {', '.join(sorted(absent))}, although the shop breaks these rules"
            )
        heading("One quick fix by hand")
        quick_fix(editor, folder)
        heading("All safe fixes, as on save")
        fix_all(editor)
        lines = 0
        for buffer in editor.buffers.values():
            name = buffer.path.relative_to(folder).as_posix()
            lines += print_difference(name, buffer.original, buffer.text)
            if name.endswith(".py"):
                ast.parse(buffer.text, name)
        editor.save()
        left = sum(len(buffer.diagnostics) for buffer in editor.buffers.values())
        heading(f"{before.total()} diagnostics, {lines} lines changed, {left} diagnostics left to you")
        after = remaining(editor)
        if missed := FIXED & after.keys():
            raise Disappointment(f"{', '.join(sorted(missed))} should have been fixed")
        if new := after.keys() - before.keys():
            raise Disappointment(f"the fixes brought {', '.join(sorted(new))}")
        code = client.close()
    if code:
        raise Disappointment(f"the server ended with exit code {code}")
    without_database(contender, folder)
    heading("The shop still works")
    run_tests(folder, "after")


def main() -> int:
    """Parse the arguments and demonstrate. 0, or 1 when something is not as it should be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the mended copy of the shop there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shop-") as name:
        folder = Path(name).resolve() / "shop"
        ignored = shutil.ignore_patterns("__pycache__", "*.db", ".pytest_cache")
        shutil.copytree(SHOP, folder, ignore=ignored)
        try:
            demonstrate(folder)
            if arguments.keep:
                shutil.copytree(folder, arguments.keep, ignore=ignored, dirs_exist_ok=True)
        except (Disappointment, ServerError, MissingProgram, SyntaxError) as error:
            print(f"demo: {error}", file=sys.stderr)
            return 1
    print("\n" + EDITORS, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
