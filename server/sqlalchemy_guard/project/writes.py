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


def executes_change(resolver: Resolver, fact: CallFact, file: SourceFile) -> bool:
    """Whether a call executes a statement that changes rows."""
    if not (type(fact.value.func) is Attr and fact.value.func.name in EXECUTING and fact.value.args):
        return False
    statement = fact.value.args[0]
    for option in known(resolver.type_of(statement, file)):
        if isinstance(option, Instance) and option.ref in _CHANGES:
            return True
    value, file = resolver.definition_of(statement, file)
    if type(value) is Call and resolver.external_name(value.func, file) == "sqlalchemy.text" and value.args:
        text = leading_text(resolver, value.args[0], file)
        return text is not None and _CHANGING_TEXT.match(text) is not None
    return type(value) is Const and isinstance(value.value, str) and bool(_CHANGING_TEXT.match(value.value))


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
