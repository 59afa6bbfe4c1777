"""Holds the table of layers in docs/ARCHITECTURE.md, and the invariants about what is absent, by reading the code.

Nothing is imported here: the modules are parsed. An allowance below says which file needs it and why; one that nothing
needs any more fails too.
"""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "server" / "sqlalchemy_guard"
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))

LONGEST_MODULE = 600
LONGER = {
    "facts/evaluate.py": 1000,  # one evaluator, whose methods are the cases of one dispatch
    "project/stubs.py": 740,  # one table: what SQLAlchemy's names are
}
LONGEST_RULE = 135

PROTOCOL = {"pygls", "lsprotocol", "cattrs", "attrs", "websockets"}
"""What only `lsp/` may import; cattrs and attrs are what pygls hands out, websockets is an optional transport."""

SCHEMA = {"alembic", "sqlalchemy", "sqlglot"}
SCHEMA_LAYERS = {"sql", "migrations"}
"""The extra `schema`, and the layers that may import it; everybody else imports `sql` in functions."""

PURE_OS = frozenset(
    {"PathLike", "altsep", "curdir", "fsdecode", "fsencode", "fspath", "linesep", "name", "pardir", "path"}
    | {"pathsep", "sep"}
)
PURE_OS_PATH = frozenset(
    {"basename", "commonpath", "commonprefix", "dirname", "isabs", "join", "normcase", "normpath", "sep"}
    | {"split", "splitdrive", "splitext"}
)
"""What of `os` and `os.path` only computes. Everything else is disk, process or environment."""

DISK_MODULES = {"fileinput", "glob", "linecache", "mmap", "shutil", "sqlite3", "tempfile", "zipfile"}
PROCESS_MODULES = {"multiprocessing", "signal", "socket", "subprocess"}
RUNS_CODE = {"eval", "exec", "__import__", "pickle", "marshal", "shelve", "runpy", "importlib"}
"""The user's code is data: never imported, never run, and no cache format that could run any."""

DISK = {"vfs", "cache"}

SLOW_TO_START = {"dataclasses", "inspect"}
"""What costs a start many milliseconds; `records` and the types of our own take its place."""

ALLOWANCES: dict[str, dict[str, str]] = {
    "lsp/lifecycle.py": {
        "os.pidfd_open": "waits for the end of the client's process",
        "os.close": "closes the descriptor of that process",
        "os.kill": "asks whether that process lives, where there are no such descriptors",
    },
    "lsp/network.py": {"socket": "serves over TCP"},
    "lsp/pipes.py": {
        "os.fstat": "tells pipes and sockets, which can be asked what is ready, from other streams",
        **dict.fromkeys(("os.dup", "socket"), "writes to the client's socket without waiting"),
    },
    "lsp/transport.py": dict.fromkeys(
        ("open", "os.O_BINARY", "os.O_RDONLY", "os.close", "os.devnull", "os.dup", "os.dup2", "os.open"),
        "keeps the protocol's own descriptors, so that nothing else can write to stdout",
    ),
    "cli/main.py": {
        "importlib": "imports the module of the command that runs, and no other",
        "os.O_WRONLY": "see os.dup2",
        "os.devnull": "see os.dup2",
        "os.dup2": "what is still buffered when a pipe broke must go somewhere",
        "os.open": "see os.dup2",
    },
    "cli/output/__init__.py": {"importlib": "imports the module of the format asked for, and no other"},
    "cli/terminal.py": {
        "os.environ": "NO_COLOR, FORCE_COLOR and TERM are how users speak to all terminal programs",
        "shutil": "the terminal's width",
    },
    "project/modules.py": {
        "os.path.relpath": "both paths are absolute, so the current folder is not asked for"
    },
    "records.py": {"exec": "makes the constructors of our own classes"},
    "rules/registry.py": {
        "importlib": "imports our own rule modules",
        "os.listdir": "finds our own rule modules",
        "os.path.isfile": "tells our own sections of rules from other folders",
    },
}
"""For each file the names it may use beyond the rules above, with the reason."""


class Import(NamedTuple):
    """An import of a module: where, of what, and whether at run time and in a function."""

    line: int
    module: str
    names: tuple[str, ...]
    typing_only: bool
    deferred: bool


@cache
def tree(module: str) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text(encoding="utf-8"), module)


@cache
def imports(module: str) -> tuple[Import, ...]:
    found: list[Import] = []

    def visit(node: ast.AST, typing_only: bool, deferred: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found.extend(
                    Import(child.lineno, alias.name, (), typing_only, deferred) for alias in child.names
                )
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{module}:{child.lineno}: imports are absolute here"
                names = tuple(alias.name for alias in child.names)
                found.append(Import(child.lineno, child.module or "", names, typing_only, deferred))
            guarded = isinstance(child, ast.If) and ast.unparse(child.test) in (
                "TYPE_CHECKING",
                "typing.TYPE_CHECKING",
            )
            function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            visit(child, typing_only or guarded, deferred or function)

    visit(tree(module), False, False)
    return tuple(found)


@cache
def layers() -> dict[str, int]:
    """The layers by name (`text`, `config`, ...) with their line in the table of docs/ARCHITECTURE.md."""
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = text.partition("| layer |")[2].partition("\n\n")[0]
    found: dict[str, int] = {}
    for number, row in enumerate(line for line in table.splitlines() if line.startswith("| `")):
        for name in re.findall(r"`([\w]+)(?:/|\.py)`", row.split("|")[1]):
            found[name] = number
    return found


def layer(module: str) -> str:
    """The layer of a file (`text/edit.py`) or of a dotted module of ours (`sqlalchemy_guard.text.edit`): `text`."""
    parts = module.removesuffix(".py").replace("/", ".").removeprefix("sqlalchemy_guard").strip(".")
    return parts.partition(".")[0]


def own_imports(module: str) -> list[tuple[Import, str]]:
    """The imports of our own modules with the layer each leads to."""
    found = []
    for one in imports(module):
        if one.module == "sqlalchemy_guard":
            found.extend((one, name) for name in one.names if name in layers())
        elif one.module.startswith("sqlalchemy_guard."):
            found.append((one, layer(one.module)))
    return found


def test_the_table_can_be_read_and_names_every_module() -> None:
    assert list(layers())[:5] == ["records", "logs", "text", "syntax", "documents"]
    assert list(layers())[-2:] == ["cli", "lsp"]
    unknown = {layer(module) for module in MODULES} - set(layers()) - {"__init__", "__main__"}
    assert not unknown, f"not in the table of docs/ARCHITECTURE.md: {', '.join(sorted(unknown))}"


def upward(module: str) -> list[str]:
    """The imports of a module that the table forbids."""
    mine = layer(module)
    if mine in ("__init__", "__main__"):
        return []
    wrong = []
    for one, theirs in own_imports(module):
        # The signature of every check and fix names `context.Context`; at run time no rule knows it.
        annotation = mine == "rules" and theirs == "context" and one.typing_only
        # `sqlalchemy-guard server` is a command of the command line that becomes the other front end.
        hand_over = mine == "cli" and theirs == "lsp" and one.deferred
        # The table's last line may import from all above, but the front ends must not know each other.
        sideways = mine == "lsp" and theirs == "cli"
        if annotation or hand_over:
            continue
        if sideways or layers()[theirs] > layers()[mine]:
            wrong.append(f"{module}:{one.line}: {mine} must not know {theirs}")
    return wrong


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_to_layers_above(module: str) -> None:
    assert upward(module) == []


@pytest.mark.parametrize("module", MODULES)
def test_only_the_language_server_knows_the_protocol(module: str) -> None:
    if layer(module) == "lsp":
        pytest.skip("the one place that does")
    known = [one for one in imports(module) if one.module.partition(".")[0] in PROTOCOL]
    assert known == []


@pytest.mark.parametrize("module", MODULES)
def test_no_dependency_comes_in_unnoticed(module: str) -> None:
    known = set(sys.stdlib_module_names) | PROTOCOL | {"sqlalchemy_guard", "pathspec", "ruamel"}
    if layer(module) in SCHEMA_LAYERS:
        known |= SCHEMA
    unknown = {one.module.partition(".")[0] for one in imports(module)} - known
    assert not unknown


@pytest.mark.parametrize("module", MODULES)
def test_the_schema_is_imported_when_it_is_needed(module: str) -> None:
    if layer(module) in SCHEMA_LAYERS:
        return
    early = [
        one
        for one in imports(module)
        if not (one.typing_only or one.deferred) and one.module.startswith("sqlalchemy_guard.sql")
    ]
    assert early == []


@pytest.mark.parametrize("module", MODULES)
def test_no_start_pays_for_what_it_may_not_need(module: str) -> None:
    """Classes that hold data are made by `records`, patterns are compiled when they are used."""
    slow = [
        one.module
        for one in imports(module)
        if (one.module in SLOW_TO_START or (one.module == "typing" and "NamedTuple" in one.names))
        and not (one.typing_only or one.deferred)
    ]
    for statement in tree(module).body:
        defined = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        slow.extend(
            ast.unparse(node)
            for node in (() if defined else ast.walk(statement))
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "re.compile"
        )
    assert not slow


def _os_names(module: str) -> set[str]:
    """The attributes of `os` and `os.path` that a module uses and that do more than compute."""
    found: set[str] = set()
    for one in imports(module):
        if one.module == "os":
            found |= {f"os.{name}" for name in one.names if name not in PURE_OS}
        elif one.module == "os.path":
            found |= {f"os.path.{name}" for name in one.names if name not in PURE_OS_PATH}
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Attribute):
            pure = {"os": PURE_OS, "os.path": PURE_OS_PATH}.get(ast.unparse(node.value))
            if pure is not None and node.attr not in pure:
                found.add(ast.unparse(node))
    return found


def outside(module: str) -> set[str]:
    """What a module uses of the world outside the process, and of ways to run code."""
    disk = layer(module) in DISK
    found = set() if disk else _os_names(module)
    for one in imports(module):
        top = one.module.partition(".")[0]
        if one.typing_only:
            continue
        if top in RUNS_CODE | PROCESS_MODULES or (top in DISK_MODULES and not disk):
            found.add(top)
        if one.module == "pathlib" and "Path" in one.names and not disk:
            found.add("pathlib.Path")
        if one.module in ("io", "tokenize", "codecs") and "open" in one.names and not disk:
            found.add(f"{one.module}.open")
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Name) and node.id in RUNS_CODE - {"importlib"}:
            found.add(node.id)
        elif isinstance(node, ast.Call) and not disk:
            called = ast.unparse(node.func)
            if called in ("open", "io.open", "tokenize.open", "codecs.open"):
                found.add(called)
        elif isinstance(node, ast.Attribute) and ast.unparse(node) == "pathlib.Path" and not disk:
            found.add("pathlib.Path")
    return found


@pytest.mark.parametrize("module", MODULES)
def test_the_disk_belongs_to_vfs_and_cache_and_nobody_runs_code(module: str) -> None:
    surplus = outside(module) - set(ALLOWANCES.get(module, {}))
    assert not surplus, f"{module} uses {', '.join(sorted(surplus))}: ask the vfs instead"


@pytest.mark.parametrize("module", sorted(ALLOWANCES))
def test_no_allowance_outlives_its_need(module: str) -> None:
    assert (PACKAGE / module).is_file(), f"{module} is gone; remove its allowances"
    unneeded = set(ALLOWANCES[module]) - outside(module)
    assert not unneeded, f"{module} no longer uses {', '.join(sorted(unneeded))}"


@pytest.mark.parametrize("module", MODULES)
def test_every_module_opens_with_a_docstring(module: str) -> None:
    assert ast.get_docstring(tree(module)), f"{module}: say what it is for and what it must never do"


@pytest.mark.parametrize("module", MODULES)
def test_no_exception_is_swallowed(module: str) -> None:
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ExceptHandler):
            silent = all(isinstance(one, ast.Pass) or ast.unparse(one) == "..." for one in node.body)
            assert node.type is not None, f"{module}:{node.lineno}: a bare except"
            assert not silent, f"{module}:{node.lineno}: an exception is swallowed without a word"


@pytest.mark.parametrize("module", MODULES)
def test_modules_stay_readable(module: str) -> None:
    lines = len((PACKAGE / module).read_text(encoding="utf-8").splitlines())
    longest = LONGER.get(module, LONGEST_MODULE)
    assert lines <= longest, f"{module} has {lines} lines; find the second purpose in it and move that out"


@pytest.mark.parametrize("module", LONGER)
def test_a_module_that_became_shorter_is_no_exception(module: str) -> None:
    assert len((PACKAGE / module).read_text(encoding="utf-8").splitlines()) > LONGEST_MODULE


@pytest.mark.parametrize(
    "module", [module for module in MODULES if re.fullmatch(r"rules/\w+/[a-z]\w*\.py", module)]
)
def test_rules_stay_small(module: str) -> None:
    text = (PACKAGE / module).read_text(encoding="utf-8")
    documentation = tree(module).body[0].end_lineno or 0
    code = len(text.splitlines()) - documentation
    assert code <= LONGEST_RULE, (
        f"{module}: {code} lines below the documentation; understanding belongs into facts/ or fixes/"
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import os\nos.path.join('a', 'b')\nos.sep", set()),
        ("import os\nos.listdir('.')", {"os.listdir"}),
        ("import os.path\nos.path.exists('.')", {"os.path.exists"}),
        ("from os import getcwd, sep", {"os.getcwd"}),
        ("from os.path import join, isfile", {"os.path.isfile"}),
        ("open('x')", {"open"}),
        ("document.open('x')", set()),
        ("from pathlib import PurePath", set()),
        ("from pathlib import Path", {"pathlib.Path"}),
        ("import pathlib\npathlib.Path('x')", {"pathlib.Path"}),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pathlib import Path", set()),
        ("import pickle\neval('x')", {"pickle", "eval"}),
        ("import subprocess, shutil", {"subprocess", "shutil"}),
        ("def f():\n    import sqlite3", {"sqlite3"}),
    ],
)
def test_the_reader_sees_what_it_must(monkeypatch: pytest.MonkeyPatch, text: str, found: set[str]) -> None:
    monkeypatch.setitem(globals(), "tree", lambda _: ast.parse(text))
    monkeypatch.setitem(globals(), "imports", imports.__wrapped__)
    assert outside("rules/made.py") == found


@pytest.mark.parametrize(
    ("module", "text", "wrong"),
    [
        ("syntax/made.py", "from sqlalchemy_guard.text.edit import Edit", 0),
        ("syntax/made.py", "from sqlalchemy_guard.syntax.chunk import Chunk", 0),
        ("syntax/made.py", "import sqlalchemy_guard.facts.query", 1),
        ("syntax/made.py", "from sqlalchemy_guard import facts, text", 1),
        ("syntax/made.py", "from sqlalchemy_guard import __version__", 0),
        ("facts/made.py", "def f():\n    from sqlalchemy_guard.lsp import convert", 1),
        ("rules/made.py", "from sqlalchemy_guard.context import Context", 1),
        ("rules/made.py", "if TYPE_CHECKING:\n    from sqlalchemy_guard.context import Context", 0),
        ("facts/made.py", "if TYPE_CHECKING:\n    from sqlalchemy_guard.context import Context", 1),
        ("cli/made.py", "from sqlalchemy_guard.lsp import server", 1),
        ("cli/made.py", "def f():\n    from sqlalchemy_guard.lsp import server", 0),
        ("lsp/made.py", "from sqlalchemy_guard.cli import main", 1),
    ],
)
def test_an_upward_import_is_seen(
    monkeypatch: pytest.MonkeyPatch, module: str, text: str, wrong: int
) -> None:
    monkeypatch.setitem(globals(), "tree", lambda _: ast.parse(text))
    monkeypatch.setitem(globals(), "imports", imports.__wrapped__)
    assert len(upward(module)) == wrong
