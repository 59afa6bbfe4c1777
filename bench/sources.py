"""Builds files of a wanted length from real SQLAlchemy code, so that the numbers speak of code that people
write.

Whole top-level statements of real modules are concatenated, with the imports that they use hoisted to the
top: nothing is invented, and the result is always valid Python. Nothing of it is kept in the repository; the
same sources and seed give the same file.
"""

from __future__ import annotations

import ast
import importlib.util
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DEFAULT_PACKAGES = ("sqlalchemy.testing", "alembic", "flask_sqlalchemy", "sqlmodel", "sqlalchemy.orm")
SEED = 20
CREATOR = "create_the_engine"
"""What a built file calls `create_engine`: a name that no real code binds to something else."""


class NoSources(Exception):
    """Nothing to build from; the message says where was looked."""


@dataclass(frozen=True)
class Piece:
    """A top-level statement: its text, its length in lines, and the imports (by bound name) that it needs."""

    text: str
    lines: int
    imports: tuple[tuple[str, str], ...]


def default_sources() -> list[Path]:
    """The folders of those packages that are installed and use SQLAlchemy."""
    found = []
    for name in DEFAULT_PACKAGES:
        try:
            spec = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            continue
        if spec is not None and spec.submodule_search_locations:
            found.append(Path(spec.submodule_search_locations[0]))
    return found


def pieces(folders: Iterable[Path]) -> list[Piece]:
    """The statements of all files below the folders that mention SQLAlchemy, in a fixed order."""
    result: list[Piece] = []
    looked = list(folders)
    for folder in looked:
        for path in sorted(folder.rglob("*.py")):
            text = path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")
            # A migration's `revision` would make the file that is built one, where other rules hold.
            if ("sqlalchemy" in text or "sqlmodel" in text) and "down_revision" not in text:
                result.extend(_pieces_of(text))
    if not result:
        raise NoSources(
            f"no file that uses SQLAlchemy below: {', '.join(map(str, looked)) or 'nothing given'}"
        )
    return result


def build(stock: list[Piece], lines: int) -> str:
    """A valid module of about `lines` lines. The stock is used more than once when it is too small."""
    order = random.Random(SEED)
    imports: dict[str, str] = {CREATOR: f"from sqlalchemy import create_engine as {CREATOR}"}
    body: list[str] = []
    used = len(imports)
    largest = max(40, lines // 5)
    rounds = 0
    while used < lines - 3 and rounds < 50:
        rounds += 1
        before = used
        for piece in order.sample(stock, len(stock)):
            new = {name: text for name, text in piece.imports if name not in imports}
            cost = piece.lines + 2 + len(set(new.values()))
            if piece.lines <= largest and used + cost <= lines:
                imports.update(new)
                body.append(piece.text)
                used += cost
            if used >= lines - 3:
                break
        if used == before:
            break
    return "\n".join(dict.fromkeys(imports.values())) + "\n\n\n" + "\n\n".join(body) + "\n"


def _pieces_of(text: str) -> Iterator[Piece]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    rows = text.split("\n")
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and getattr(node, "module", "") != "__future__":
            bound.update(_bindings(node))
    for node in tree.body:
        if not isinstance(
            node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Assign | ast.AnnAssign
        ):
            continue
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        last = node.end_lineno or node.lineno
        names = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
        yield Piece(
            "\n".join(rows[first - 1 : last]) + "\n",
            last - first + 1,
            tuple((name, bound[name]) for name in sorted(names & bound.keys())),
        )


def _bindings(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """Each name that an import binds, with a statement that binds this name alone."""
    for alias in node.names:
        if alias.name == "*":
            continue
        clause = alias.name + (f" as {alias.asname}" if alias.asname else "")
        if isinstance(node, ast.Import):
            yield alias.asname or alias.name.partition(".")[0], f"import {clause}"
        else:
            yield alias.asname or alias.name, f"from {'.' * node.level}{node.module or ''} import {clause}"
