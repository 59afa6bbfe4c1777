"""Statements that are read page by page: which rows a LIMIT, OFFSET or slice asks for.

This module must never judge a statement.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Const, Operation
from sqlalchemy_guard.project.bodies import own_nodes

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import CallFact, FunctionFacts
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.query_knowledge import QueryKnowledge
    from sqlalchemy_guard.project.resolve import SourceFile
    from sqlalchemy_guard.project.statements import Forms, Statement, Statements, Step

QUERY_TERMINALS = tuple(
    f"sqlalchemy.orm.Query.{name}" for name in ("all", "first", "one", "one_or_none", "paginate")
)
"""Calls that execute a `Query`."""

_PAGING = ("limit", "offset", "slice", "fetch", "[]")


def page_of(statement: Statement) -> Step | None:
    """The first step that asks for a part of the rows; None where all are read, or a single one."""
    steps = [step for step in statement.calls(*_PAGING) if not _is_none(step)]
    if not steps or (not statement.has("offset", "slice", "[]") and any(_is_single(step) for step in steps)):
        return None
    return steps[0]


def _argument(step: Step) -> Value | None:
    return step.call.args[0] if step.call.args else None


def _is_none(step: Step) -> bool:
    """`limit(None)` and `offset(0)` take back what was asked for, or ask for nothing."""
    value = _argument(step)
    return type(value) is Const and (value.value is None or (step.name == "offset" and value.value == 0))


def _is_single(step: Step) -> bool:
    value = _argument(step)
    return step.name in ("limit", "fetch") and type(value) is Const and value.value in (0, 1)


def is_arbitrary(statements: Statements, statement: Statement) -> bool:
    """Whether any rows will do, there is a single one, or the order comes from somewhere that is not seen."""
    if statement.kind not in ("select", "query") or statement.has(*_ORDERED_ELSEWHERE):
        return True
    for step in statement.calls("with_for_update"):
        if step.call.keyword("skip_locked") is not None:
            return True
    if any(_is_few(step) for step in statement.calls("limit")) and not statement.has("offset", "slice", "[]"):
        return True
    return _is_keyed(statements, statement) or all(
        _is_aggregate(statements, value, file) for value, file in statement.entities
    )


_ORDERED_ELSEWHERE = (
    "from_statement",
    "select_from",
    "from_self",
    "union",
    "union_all",
    "with_parent",
    "subquery",
)


def _is_few(step: Step) -> bool:
    value = _argument(step)
    return type(value) is Const and isinstance(value.value, int) and value.value <= 2


def _is_aggregate(statements: Statements, value: Value, file: SourceFile) -> bool:
    while type(value) is Call and type(value.func) is Attr and value.func.name in ("label", "cast"):
        value = value.func.base
    if type(value) is not Call:
        return False
    name = statements.resolver.external_name(value.func, file) or ""
    return name.startswith("sqlalchemy.func.") and name.rpartition(".")[2] in _AGGREGATES


_AGGREGATES = frozenset(("count", "sum", "max", "min", "avg"))


def _is_keyed(statements: Statements, statement: Statement) -> bool:
    """Whether the primary key is compared with one value."""
    for value, file in statement.entities[:1]:
        model = statements.model(value, file)
        if model is None or len(model.primary_key) != 1:
            return False
        key = model.primary_key[0]
        for step in statement.calls("where", "filter", "filter_by"):
            if step.name == "filter_by" and step.call.keyword(key) is not None:
                return True
            for arg in step.call.args:
                if type(arg) is Operation and arg.name == "Eq":
                    left = arg.operands[0]
                    if (
                        type(left) is Attr
                        and left.name == key
                        and statements.model(left.base, step.file) is model
                    ):
                        return True
    return False


def is_batch(step: CallFact, forms: Forms) -> bool:
    """Whether the limit is called the size of a batch, for which any rows will do as long as none is skipped."""
    if not step.node.args or any(form.has("offset", "slice", "[]") for form in forms.statements):
        return False
    size = step.node.args[0]
    name = size.attr if isinstance(size, ast.Attribute) else size.id if isinstance(size, ast.Name) else ""
    return any(word in name.lower() for word in ("batch", "chunk"))


def is_worked_off(function: FunctionFacts | None, forms: Forms) -> bool:
    """Whether a function changes or deletes what it loads, some rows at a time: any will do, as the next call gets the rest."""
    if function is None or any(form.has("offset", "slice", "[]") for form in forms.statements):
        return False
    for _, loop in own_nodes(function):
        if not isinstance(loop, ast.For | ast.AsyncFor) or not isinstance(loop.target, ast.Name):
            continue
        for node in (part for statement in loop.body for part in ast.walk(statement)):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                if isinstance(node.value, ast.Name) and node.value.id == loop.target.id:
                    return True
            elif (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "delete"
            ):
                if any(isinstance(each, ast.Name) and each.id == loop.target.id for each in node.args):
                    return True
    return False


def order_of(statements: Statements, knowledge: QueryKnowledge, forms: Forms) -> str | None:
    """The primary key that all forms of a statement can be ordered by, as the file writes it; None where none can be told."""
    found: set[str | None] = set()
    for form in forms.statements:
        if form.has("group_by") or not form.entities:
            return None
        value, file = form.entities[0]
        model = statements.model(value, file)
        if model is None and type(value) is Attr and not form.has("distinct"):
            model = statements.model(value.base, file)
        spelled = knowledge.spelling(model) if model is not None else None
        is_alias = type(statements.resolver.definition_of(value, file)[0]) is Call
        if model is None or spelled is None or not model.primary_key or is_alias:
            return None
        found.add(", ".join(f"{spelled}.{name}" for name in model.primary_key))
    return found.pop() if len(found) == 1 else None
