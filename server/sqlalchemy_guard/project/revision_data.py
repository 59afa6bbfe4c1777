"""What the steps of a revision have done to a table before another step: whether it was made there, whether rows were written.

This module must never judge a step.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Const, Joined
from sqlalchemy_guard.project.bodies import body_of
from sqlalchemy_guard.project.revision_steps import literal_of
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy_guard.facts.declarations import Frame
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.revision_steps import Column, Operation, Step

_EMPTYING = lazy_pattern(
    r"^\s*(?:delete\s+from|truncate(?:\s+table)?)\s+(?:only\s+)?([\w.\"`\[\]]+)\s*(?:;|cascade|restart|$)",
    re.I,
)
"""A statement that takes all rows of a table away."""


def before(operation: Operation) -> Iterator[Step]:
    """The steps in front of an operation."""
    for step in operation.steps:
        if step is operation.step:
            return
        yield step


def is_new_table(operation: Operation, table: str) -> bool:
    """Whether a table has no rows yet: the revision made it itself, or it emptied it, under this name or the one before."""
    name = table
    for step in reversed(list(before(operation))):
        if (step.name == "create_table" and step.table == name) or _empties(step, name):
            return True
        if step.name == "rename_table" and step.text("new_table_name") == name:
            name = step.table or name
    return False


def depends_on_dialect(step: Step) -> bool:
    """Whether a step is done for some databases only: it stands in a branch that asks which one it is, or after a return for
    all others."""
    frames = step.fact.frame.outwards() if step.fact.frame is not None else ()
    tests = [test for frame in frames if (test := _test(frame)) is not None]
    return any(_asks_dialect(test) for test in (*tests, *_left_before(step)))


def is_required_below(operation: Operation, table: str, column: str) -> bool:
    """Whether the other direction, too, says that a column is NOT NULL: it is said again with what is changed."""
    return any(
        step.name == "alter_column"
        and step.table == table
        and step.text("column_name") == column
        and step.literal("nullable") is False
        for step in operation.opposite
    )


def is_key(operation: Operation, column: Column) -> bool:
    """Whether no two rows may hold the same value in a column that is added, or only what another table has."""
    if column.items("sqlalchemy.ForeignKey") or column.value.keyword("unique") is not None:
        return True
    table = operation.step.table
    for step in operation.steps:
        if step.name in ("create_foreign_key", "create_unique_constraint", "create_primary_key"):
            names = step.texts("local_cols" if step.name == "create_foreign_key" else "columns")
        elif step.name == "create_index" and step.literal("unique") not in (False, ...):
            names = step.texts("columns")
        else:
            continue
        if step.table == table and (names is None or column.name in names):
            return True
    return False


def looks_first(step: Step) -> bool:
    """Whether a step is done only where something in the database is as it expects: behind a condition that is not about the
    kind of database, or in a `try`."""
    frames = list(step.fact.frame.outwards()) if step.fact.frame is not None else []
    return not depends_on_dialect(step) and any(
        frame.kind == "try" or _test(frame) is not None for frame in frames
    )


def _test(frame: Frame) -> ast.expr | None:
    test = getattr(frame.node, "test", None) if frame.kind in ("if", "else") else None
    return test if isinstance(test, ast.expr) else None


def _left_before(step: Step) -> Iterator[ast.expr]:
    """The conditions without which the function of a step returns before it."""
    function, at = step.fact.function, step.fact.chunk.shift + step.fact.node.lineno
    for chunk, statement in body_of(function) if function is not None else ():
        if chunk.shift + statement.lineno >= at:
            return
        if not isinstance(statement, ast.If) or not isinstance(statement.body[-1], ast.Return):
            continue
        if any(isinstance(node, (ast.NotEq, ast.NotIn, ast.Not)) for node in ast.walk(statement.test)):
            yield statement.test


def _asks_dialect(test: ast.expr) -> bool:
    names = {
        name.lower()
        for node in ast.walk(test)
        if (name := getattr(node, "attr", None) or getattr(node, "id", None)) is not None
    }
    return {"engine", "name"} <= names or any("dialect" in name or name.startswith("is_") for name in names)


def _empties(step: Step, table: str) -> bool:
    if step.name == "data" and type(step.fact.value.func) is Attr and step.fact.value.func.name == "delete":
        # `session.query(Model).delete()`: which table that is would take the models of that time.
        return not step.fact.value.args
    text = sql_of(step)
    found = _EMPTYING.match(text) if text is not None else None
    return found is not None and found[1].rpartition(".")[2].strip('"`[]').lower() == table.lower()


def writes_data(steps: Iterable[Step], *names: str | None) -> bool:
    """Whether a step among these may read or write the rows of something of one of these names: a statement that names
    it, or anything whose text is not known."""
    wanted = [name for name in names if name is not None]
    for step in steps:
        if step.name in ("execute", "data"):
            text = sql_of(step)
            if text is None or any(re.search(rf"\b{re.escape(name)}\b", text, re.I) for name in wanted):
                return True
        elif step.name in ("bulk_insert", "call"):
            return True
    return False


def sql_of(step: Step) -> str | None:
    """The text of the statement that a step sends, as far as it is written there; None when it is not text, or not known."""
    if step.name == "execute":
        value = step.value("sqltext")
    else:
        value = step.fact.value.args[0] if step.fact.value.args else None
    return _text(step, value)


def _text(step: Step, value: Value | None) -> str | None:
    if type(value) is Call:
        name = step.resolver.external_name(value.func, step.file)
        inside = value.args[0] if name in ("sqlalchemy.text", "sqlalchemy.DDL") and value.args else None
        return _text(step, inside) if inside is not None else None
    if type(value) is Joined:
        return " ".join(
            part.value for part in value.parts if type(part) is Const and isinstance(part.value, str)
        )
    said = literal_of(step.resolver, value, step.file) if value is not None else None
    return said if isinstance(said, str) else None
