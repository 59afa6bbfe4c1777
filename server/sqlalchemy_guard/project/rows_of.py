"""What the rows of a statement are: objects or values, each once or repeated.

This module must never judge a statement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Operation, Sequence, Value

if TYPE_CHECKING:
    from sqlalchemy_guard.project.resolve import SourceFile
    from sqlalchemy_guard.project.statements import Statements

_PLAIN = frozenset(
    ("filter", "filter_by", "where", "order_by", "options", "limit", "offset", "distinct", "execution_options",
     "populate_existing", "with_for_update", "slice")
)  # fmt: skip


def gives_objects(statements: Statements, value: Value, file: SourceFile) -> bool:
    """Whether one result of a statement is never None or false: an object, or a row of several things."""
    forms = statements.of(value, file)
    return bool(forms.statements) and all(
        (form.kind == "query" and len(form.entities) > 1)
        or (len(form.entities) == 1 and statements.model(*form.entities[0]) is not None)
        for form in forms.statements
    )


def has_repetitions(statements: Statements, value: Value, file: SourceFile) -> bool:
    """Whether an object may come several times, which `Query` and `unique()` hide."""
    forms = statements.of(value, file)
    if not forms.complete:
        return True
    for form in forms.statements:
        entities = form.entities
        model = statements.model(*entities[0]) if len(entities) == 1 else None
        if model is None:
            # Rows of columns are not looked through.
            if any(statements.model(*entity) is not None for entity in entities):
                return True
            continue
        for step in form.steps:
            arguments = (*step.call.args, *(item for _, item in step.call.keywords))
            if step.name not in _PLAIN:
                return True
            if step.name in ("filter", "where") and any(
                _mentions_other(statements, arg, step.file, model.identity, 0) for arg in arguments
            ):
                return True
    return False


def _mentions_other(
    statements: Statements, value: Value, file: SourceFile, identity: str, depth: int
) -> bool:
    """Whether a criterion may bring another table into the FROM clause."""
    if depth > 12:
        return True
    if type(value) is Attr:
        model = statements.model(value.base, file)
        if model is not None:
            return model.identity != identity
        return _mentions_other(statements, value.base, file, identity, depth + 1)
    if type(value) is Call:
        if type(value.func) is Attr and value.func.name in ("any", "has"):
            return False
        inside = (value.func, *value.args)
    elif type(value) is Operation:
        inside = value.operands
    elif type(value) is Sequence:
        inside = value.items
    else:
        return False
    return any(_mentions_other(statements, one, file, identity, depth + 1) for one in inside)
