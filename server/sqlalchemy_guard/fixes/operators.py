"""Writes what Python's own operators cannot say to SQL: `and_()`, `or_()`, `~`, `.is_()`, `.in_()`.

Operands keep their text. This module must never decide what an operand is.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.fixes.imports import need_all
from sqlalchemy_guard.fixes.layout import reflow
from sqlalchemy_guard.fixes.local_names import bound_in
from sqlalchemy_guard.project.criteria import is_none_comparison, is_pythons, operands
from sqlalchemy_guard.text.edit import Edit, apply_edits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.fixes.imports import Placed
    from sqlalchemy_guard.fixes.source import Source

_ATOMS = (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.Constant)
_FUNCTIONS = {ast.And: "and_", ast.Or: "or_"}
_SIGNS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_METHODS: dict[type[ast.cmpop], str] = {
    ast.Is: "is_",
    ast.IsNot: "is_not",
    ast.In: "in_",
    ast.NotIn: "not_in",
    ast.Eq: "is_",
    ast.NotEq: "is_not",
}


class Operators:
    """Writes the operations of one call's criteria.

    Args:
        source: The text.
        statements: The module's top level, for imports.
        fact: The call.
        is_relationship: Whether an operand is a relationship, which has no `is_()`.
    """

    def __init__(
        self,
        source: Source,
        statements: Sequence[Placed],
        fact: CallFact,
        is_relationship: Callable[[ast.expr], bool],
    ) -> None:
        self.source = source
        self.statements = statements
        self.fact = fact
        self.shift = fact.chunk.shift
        self.is_relationship = is_relationship
        self.names: dict[str, str] = {}

    def rewritten(self, node: ast.expr, *, grouped: bool) -> tuple[Edit, ...] | None:
        """The edits that write an operation for SQL.

        Args:
            node: The operation.
            grouped: Whether parentheses around it only group it.
        """
        wanted = sorted(
            {_FUNCTIONS[type(one.op)] for one in ast.walk(node) if isinstance(one, ast.BoolOp)}
            | {"and_" for one in ast.walk(node) if isinstance(one, ast.Compare) and len(one.ops) > 1}
        )
        spelled, imports = need_all(
            self.source,
            self.statements,
            [("sqlalchemy", name) for name in wanted],
            taken=bound_in(self.fact.function),
        )
        self.names = dict(zip(wanted, spelled, strict=True))
        start, end = self.source.start(node, self.shift), self.source.end(node, self.shift)
        text = self._text(node)
        if grouped and text.endswith(")") and not text.startswith("~"):
            start, end = self._parentheses(start, end)
        edits = reflow(self.source, self.fact.statement, [Edit(start, end, text)], self.shift)
        return (*imports, *edits)

    def _parentheses(self, start: int, end: int) -> tuple[int, int]:
        before, after = self.source.text[:start].rstrip(), self.source.text[end:]
        gap = len(after) - len(after.lstrip())
        if before.endswith("(") and after.lstrip().startswith(")"):
            return len(before) - 1, end + gap + 1
        return start, end

    def _text(self, node: ast.expr) -> str:
        if isinstance(node, ast.BoolOp):
            return f"{self.names[_FUNCTIONS[type(node.op)]]}({', '.join(self._text(one) for one in node.values)})"
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return self._negated(node.operand)
        if isinstance(node, ast.Compare) and (is_pythons(node) or is_none_comparison(node)):
            return self._compared(node)
        return self._inside(node)

    def _inside(self, node: ast.expr) -> str:
        """The text of an expression, with what of it Python would decide written for SQL."""
        start = self.source.start(node, self.shift)
        edits = []
        todo = operands(node)
        while todo:
            part = todo.pop()
            if is_pythons(part):
                at, end = self.source.start(part, self.shift), self.source.end(part, self.shift)
                edits.append(Edit(at - start, end - start, self._text(part)))
            else:
                todo += operands(part)
        return apply_edits(self.source.segment(node, self.shift), edits)

    def _negated(self, operand: ast.expr) -> str:
        if isinstance(operand, ast.Compare) and len(operand.ops) == 1:
            opposite = {ast.Is: "is_not", ast.IsNot: "is_", ast.In: "not_in", ast.NotIn: "in_"}
            method = opposite.get(type(operand.ops[0]))
            if method is not None and not self.is_relationship(operand.left):
                return self._method(operand.left, method, operand.comparators[0])
        text = self._text(operand)
        is_atom = isinstance(operand, (*_ATOMS, ast.BoolOp)) or (is_pythons(operand) and text.endswith(")"))
        return f"~{text}" if is_atom else f"~({text})"

    def _compared(self, node: ast.Compare) -> str:
        if len(node.ops) > 1:
            sides = [node.left, *node.comparators]
            pairs = [
                f"{self._inside(left)} {_SIGNS[type(op)]} {self._inside(right)}"
                for left, op, right in zip(sides, node.ops, sides[1:], strict=False)
            ]
            return f"{self.names['and_']}({', '.join(pairs)})"
        left, right, op = node.left, node.comparators[0], type(node.ops[0])
        if isinstance(left, ast.Constant):
            left, right = right, left
        if self.is_relationship(left) and op in (ast.Is, ast.IsNot):
            sign = "==" if op is ast.Is else "!="
            return f"{self.source.segment(left, self.shift)} {sign} {self.source.segment(right, self.shift)}"
        return self._method(left, _METHODS[op], right)

    def _method(self, left: ast.expr, method: str, right: ast.expr) -> str:
        text = self._inside(left)
        if not isinstance(left, _ATOMS):
            text = f"({text})"
        argument = self.source.segment(right, self.shift)
        if isinstance(right, ast.Tuple) and not argument.startswith("("):
            argument = f"({argument})"
        return f"{text}.{method}({argument})"
