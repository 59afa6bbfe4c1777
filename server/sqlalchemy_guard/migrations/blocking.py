"""Steps that hold a lock on a table of PostgreSQL while they work through all of its rows.

This module must never ask for which database a revision is.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.project.type_kinds import kind_of_type

if TYPE_CHECKING:
    from sqlalchemy_guard.project.revision_steps import Step

_VOLATILE = r"\b(?:gen_random_uuid|uuid_generate_v\d\w*|uuidv[47]|random|clock_timestamp|nextval)\s*\("
_VALIDATED = {"create_foreign_key": "foreign key", "create_check_constraint": "check constraint"}


def what_blocks(step: Step, table: str) -> tuple[str, str | None] | None:
    """What is wrong with a step, and the option that mends it."""
    if step.name == "create_index" and step.literal("postgresql_concurrently") is not True:
        words = f"Nothing can be written to `{table}` while this index is built; build it with `postgresql_concurrently=True`"
        return words, "postgresql_concurrently" if not step.has("postgresql_concurrently") else None
    kind = _VALIDATED.get(step.name)
    if kind is not None and step.literal("postgresql_not_valid") is not True:
        words = (
            f"Every row of `{table}` is checked against this {kind} under a lock; add it with `postgresql_not_valid=True`, "
            "and validate it in a later revision"
        )
        return words, "postgresql_not_valid" if not step.has("postgresql_not_valid") else None
    if step.name == "create_unique_constraint":
        words = (
            f"`{table}` is locked while the index of this constraint is built; build a unique index concurrently, "
            "and make the constraint of it (`ADD CONSTRAINT … USING INDEX`)"
        )
        return words, None
    if step.name == "alter_column" and _rewrites(step):
        return (
            f"This change of type writes all of `{table}` anew under a lock; add a column, copy, and change over",
            None,
        )
    if step.name == "add_column" and _has_volatile_default(step):
        words = f"This default differs from row to row, so all of `{table}` is written anew under a lock"
        return f"{words}; set the default when the column is there", None
    return None


def _rewrites(step: Step) -> bool:
    """Whether a change of type is certain to rewrite the table: to another kind, or to another width of integer."""
    new, old = step.value("type_"), step.value("existing_type")
    if new is None or old is None:
        return False
    now, was = (kind_of_type(step.resolver, each, step.file) for each in (new, old))
    return now is not None and was is not None and now != was


def _has_volatile_default(step: Step) -> bool:
    column = step.column
    default = column.node if column is not None else None
    given = (
        [keyword.value for keyword in default.keywords if keyword.arg == "server_default"] if default else []
    )
    texts = (each.value for value in given for each in ast.walk(value) if isinstance(each, ast.Constant))
    return any(
        re.search(_VOLATILE, text, re.IGNORECASE)
        for text in (*texts, *map(ast.unparse, given))
        if isinstance(text, str)
    )
