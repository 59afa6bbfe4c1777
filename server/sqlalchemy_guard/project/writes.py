"""Which calls change rows, as far as the code says.

This module must never judge whether the change is kept.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Call, Const
from sqlalchemy_guard.project.engines import leading_text
from sqlalchemy_guard.project.types import Instance, known
from sqlalchemy_guard.text.patterns import lazy_pattern

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.project.courses import Course, Event
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile

UNIT_OF_WORK = frozenset(
    {
        "add", "add_all", "delete", "bulk_save_objects", "bulk_insert_mappings", "bulk_update_mappings",
    }
)  # fmt: skip
"""The methods of a session that make it write."""

EXECUTING = frozenset({"execute", "exec", "scalars", "scalar"})

_CHANGES = frozenset({"sqlalchemy.Insert", "sqlalchemy.Update", "sqlalchemy.Delete"})
_CHANGING_TEXT = lazy_pattern(r"\s*(INSERT|UPDATE|DELETE|MERGE|REPLACE)\b", re.IGNORECASE)
_TEMPORARY_TABLE = lazy_pattern(
    r"\s*(CREATE\s+(LOCAL\s+|GLOBAL\s+)?TEMP(ORARY)?\s+TABLE|SELECT\b.*\bINTO\s+(#|TEMP))", re.I | re.S
)


def executes_change(resolver: Resolver, fact: CallFact, file: SourceFile) -> bool:
    """Whether a call executes a statement that changes rows."""
    if not (type(fact.value.func) is Attr and fact.value.func.name in EXECUTING and fact.value.args):
        return False
    statement = fact.value.args[0]
    for option in known(resolver.type_of(statement, file)):
        if isinstance(option, Instance) and option.ref in _CHANGES:
            return True
    return _CHANGING_TEXT.match(text_executed(resolver, fact, file) or "") is not None


def text_executed(resolver: Resolver, fact: CallFact, file: SourceFile) -> str | None:
    """The beginning of the SQL text that a call executes; None when it executes something else or that cannot be read."""
    if not (type(fact.value.func) is Attr and fact.value.func.name in EXECUTING and fact.value.args):
        return None
    value, file = resolver.definition_of(fact.value.args[0], file)
    if type(value) is Call and resolver.external_name(value.func, file) == "sqlalchemy.text" and value.args:
        return leading_text(resolver, value.args[0], file)
    return value.value if type(value) is Const and isinstance(value.value, str) else None


def makes_temporary_table(resolver: Resolver, fact: CallFact, file: SourceFile) -> bool:
    """Whether a call makes a table that is gone with its connection."""
    return _TEMPORARY_TABLE.match(text_executed(resolver, fact, file) or "") is not None


def first_lost(resolver: Resolver, course: Course, file: SourceFile) -> Event | None:
    """The first change of an object behind which nothing commits on any way, errors left aside; None where there is none."""
    changes = [
        event
        for event in course.events()
        if event.name in UNIT_OF_WORK or executes_change(resolver, event.fact, file)
    ]
    changes.sort(
        key=lambda event: (event.fact.node.lineno + event.fact.chunk.shift, event.fact.node.col_offset)
    )
    for event in changes:
        if not any(later.name == "commit" for later in course.behind(course.paths.at(event.fact.node))):
            return event
    return None
