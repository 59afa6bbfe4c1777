"""Which look-ups by name over all files a text may answer, found at the price of a parse and without evaluating anything.

Says rather too much than too little: every look-up that the file's facts answer is among them. So a file need not be
analysed, nor stay in memory, for the case that somebody looks for a name that it has. This module must never decide what the
answer is.
"""

from __future__ import annotations

import ast
import re
import warnings

CLASS, STORED, BOUND = "*class", "*stored", "*bound"
"""Classes by name, what is stored in attributes by name, whether a module binds a name."""

NOTED = frozenset({"DeclarativeMeta"})
"""Names of which it matters whether any module binds them."""

Key = tuple[str, str]

_OWN = frozenset({"self", "cls"})
_REBINDS_OWN = re.compile(r"\b(?:as|def|class|import|for|global|nonlocal|del)\s+(?:self|cls)\b")
_STORES_IN_LOOP = re.compile(r"\bfor\b(?:(?!\bin\b)[^:])*\.")


def possible_answers(text: str) -> frozenset[Key] | None:
    """The look-ups that a file may answer, None when it cannot be told without analysing it.

    Args:
        text: The file's text.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found: set[Key] = {(BOUND, name) for name in NOTED if name in text}
    if _STORES_IN_LOOP.search(text):
        # Comprehensions may store in attributes, too: rare enough to look at every expression then.
        attributes = (node for node in ast.walk(module) if isinstance(node, ast.Attribute))
        found.update((STORED, node.attr) for node in attributes if isinstance(node.ctx, ast.Store))
    names = _Names(found)
    names.block(module.body, frozenset())
    if names.rebinds or _REBINDS_OWN.search(text):
        found.update(names.own)
    return frozenset(found)


class _Names:
    """One walk over the statements of a file."""

    def __init__(self, found: set[Key]) -> None:
        self.found = found
        self.own: set[Key] = set()
        self.rebinds = False

    def block(self, statements: list[ast.stmt], parameters: frozenset[str]) -> None:
        todo = [(statement, parameters) for statement in statements]
        while todo:
            statement, own = todo.pop()
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
                given = statement.args
                every = (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg)
                own = own | {parameter.arg for parameter in every if parameter is not None} & _OWN
            elif isinstance(statement, ast.ClassDef):
                self.found.add((CLASS, statement.name))
            for target in _targets(statement):
                self._target(target, own)
            for name in ("body", "orelse", "finalbody"):
                todo.extend((inner, own) for inner in getattr(statement, name, ()))
            for name in ("handlers", "cases"):
                todo.extend((inner, own) for part in getattr(statement, name, ()) for inner in part.body)

    def _target(self, target: ast.expr, own: frozenset[str]) -> None:
        for node in ast.walk(target):
            if isinstance(node, ast.Name):
                self.rebinds |= node.id in _OWN and isinstance(node.ctx, ast.Store)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                is_own = isinstance(node.value, ast.Name) and node.value.id in own
                (self.own if is_own else self.found).add((STORED, node.attr))


def _targets(statement: ast.stmt) -> list[ast.expr]:
    if isinstance(statement, ast.Assign):
        return statement.targets
    if isinstance(statement, (ast.AnnAssign, ast.AugAssign, ast.For, ast.AsyncFor)):
        return [statement.target]
    if isinstance(statement, (ast.With, ast.AsyncWith)):
        return [item.optional_vars for item in statement.items if item.optional_vars is not None]
    return []
