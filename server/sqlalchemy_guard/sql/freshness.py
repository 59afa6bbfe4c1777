"""What a generation of models was made of, and whether that is still what the files say.

An edit that only changes bodies of functions that were never run, or names that were never read, changes nothing. This module
must never evaluate anything.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.sql import standins
from sqlalchemy_guard.sql.program import bound_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.sql.evaluator import Evaluator
    from sqlalchemy_guard.syntax.chunk import Chunk

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Freshness:
    """What was read: for each file its syntax, the names with what binds them, and the functions that ran.

    Comparing is cheap when nothing was edited: chunks that are still alive were not touched. What is compared otherwise is the
    text of the statements as trees.
    """

    def __init__(self) -> None:
        self._chunks: dict[str, list[Chunk]] = {}
        self._files: dict[str, File] = {}
        self._names: dict[str, set[str]] = {}
        self._bodies: dict[str, set[str]] = {}
        self._prints: dict[str, int] = {}
        self._sources: list[tuple[str, list[str]]] = []
        self._known = 0

    @classmethod
    def of(
        cls, workspace: Workspace, evaluator: Evaluator, sources: Sequence[tuple[File, list[str]]]
    ) -> Freshness:
        """What an evaluator read by now."""
        made = cls()
        made._sources = [(file.file_id, names) for file, names in sources]
        for file_id, name in evaluator.program.read:
            made._names.setdefault(file_id, set()).add(name)
        for function in evaluator.program.bodies.values():
            made._bodies.setdefault(function.frame.module.file_id, set()).add(function.name)
        for file_id in made._names:
            file = None if file_id.startswith(standins.PREFIX) else workspace.file(file_id)
            if file is not None:
                made._remember(file)
        made._known = _count(workspace)
        return made

    def _remember(self, file: File) -> None:
        self._files[file.file_id] = file
        self._chunks[file.file_id] = list(file.syntax.iter_chunks())
        self._prints[file.file_id] = self._print(file)

    @property
    def names(self) -> dict[str, set[str]]:
        """For each file the names that were read."""
        return self._names

    def holds(self, workspace: Workspace) -> bool:
        """Whether everything that was read still says the same, and no file with models came."""
        changed = False
        for file_id, file in list(self._files.items()):
            now = workspace.file(file_id)
            if now is None:
                return False
            if now is file and all(chunk.is_alive for chunk in self._chunks[file_id]):
                continue
            changed = True
            if self._print(now) != self._prints[file_id]:
                return False
            self._remember(now)
        if changed or _count(workspace) != self._known:
            from sqlalchemy_guard.sql.models import candidates

            if [(file.file_id, names) for file, names in candidates(workspace)] != self._sources:
                return False
            self._known = _count(workspace)
        return True

    def _print(self, file: File) -> int:
        """What the names that were read come to, as a number."""
        wanted, ran = self._names[file.file_id], self._bodies.get(file.file_id, set())
        texts: list[str] = []
        for chunk in file.syntax.chunks:
            for statement in chunk.body:
                names = bound_names(statement)
                if (names.keys() & wanted) if names else "" in wanted:
                    texts.append(_shown(statement, chunk, ran))
        return hash(tuple(texts))


def _count(workspace: Workspace) -> int:
    """Changes when a file came or went."""
    return hash(frozenset(file.file_id for file in workspace.known_files()))


def _shown(statement: ast.stmt, chunk: Chunk, ran: set[str]) -> str:
    """A statement as text, without the bodies of functions that did not run."""
    is_function = isinstance(statement, _FUNCTIONS)
    inner = (
        [(chunk, one) for one in getattr(statement, "body", ())]
        if isinstance(statement, (*_FUNCTIONS, ast.ClassDef))
        else []
    )
    if chunk.children is not None and chunk.body and chunk.body[0] is statement:
        inner = [(child, one) for child in chunk.children for one in child.body]
    if not isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
        return ast.dump(statement)
    head = [ast.dump(one) for one in statement.decorator_list]
    if isinstance(statement, ast.ClassDef):
        head += [ast.dump(one) for one in (*statement.bases, *statement.keywords)]
    else:
        head += [ast.dump(statement.args), ast.dump(statement.returns) if statement.returns else ""]
        if statement.name not in ran:
            inner = []
    body = [_shown(one, child, ran) for child, one in inner]
    return f"{'def' if is_function else 'class'} {statement.name}({head})[{body}]"
