"""A generation of models that still holds after an edit: whatever else was read since is forgotten, and bodies are those of now.

The values of names that the models rest on stay, with the functions inside of them pointed at their present text. This module must
never evaluate anything.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.sql.values import Class, Function, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy_guard.project.workspace import Workspace
    from sqlalchemy_guard.sql.evaluator import Evaluator
    from sqlalchemy_guard.sql.program import Module, Statement

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Renewal:
    """Remembers what belongs to the models, and brings the rest up to date.

    Args:
        evaluator: Where the models were made, and nothing else yet.
        names: For each file the names that they rest on.
    """

    def __init__(self, evaluator: Evaluator, workspace: Workspace, names: Mapping[str, set[str]]) -> None:
        self._evaluator = evaluator
        self._names = names
        self._marks = len(evaluator.marks)
        self._files = _files(workspace)

    def catch_up(self, workspace: Workspace) -> bool:
        """Forget what was read besides, when any file of these changed, came or went.

        Returns:
            Whether that could be done; else the models are to be made again.
        """
        program = self._evaluator.program
        files = _files(workspace)
        stale = [one for one in program.modules() if workspace.documents.get(one.file_id) is not one.document]
        if not stale and files == self._files:
            return True
        self._files = files
        for module in stale:
            file = workspace.file(module.file_id)
            if file is None or module.file_id not in self._names:
                continue
            module.read_again(file)
            for name in self._names[module.file_id]:
                if not _pointed(module, module.kept(name), module.statements_of(name)):
                    return False
        program.forget(self._names)
        # Marks are kept in the order in which they were made.
        for key in list(self._evaluator.marks)[self._marks :]:
            del self._evaluator.marks[key]
        return True


def _files(workspace: Workspace) -> int:
    """Changes when a file came or went."""
    return hash(frozenset(file.file_id for file in workspace.known_files()))


def _pointed(module: Module, value: Value, statements: list[Statement]) -> bool:
    """Point a function, or those of a class, at their present text; whether it is known which that is."""
    if isinstance(value, Function) and value.frame.module is module:
        return all(
            _function(module, one, statements)
            for one in (value, *value.extra.values())
            if isinstance(one, Function)
        )
    if not isinstance(value, Class) or value.module is not module or value.node is None:
        return True
    for chunk, statement in statements:
        if isinstance(statement, ast.ClassDef) and statement.name == value.name:
            value.node, value.chunk = statement, chunk
            body = module.body_of(statement, chunk)
            own = [one for one in value.namespace.values() if getattr(one, "owner", value) is value]
            return all(_pointed(module, one, body) for one in own)
    return False


def _function(module: Module, value: Function, statements: list[Statement]) -> bool:
    """Point one function at the definition of its name; of several, at the one with its decorators."""
    if isinstance(value.node, ast.Lambda):
        return True
    same = [
        (chunk, one) for chunk, one in statements if isinstance(one, _FUNCTIONS) and one.name == value.name
    ]
    if len(same) > 1:
        wanted = _decorators(value.node)
        same = [(chunk, one) for chunk, one in same if _decorators(one) == wanted]
    if len(same) != 1:
        return False
    chunk, node = same[0]
    assert isinstance(node, _FUNCTIONS)
    value.node, value.body = node, module.body_of(node, chunk)
    return True


def _decorators(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    return [ast.dump(one) for one in node.decorator_list]
