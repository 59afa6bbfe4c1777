"""Which executions of a file read from tables that nothing links, for the rule: built over the rebuilt models where that is needed.

Rebuilding models takes from a tenth of a second to some seconds. Where somebody types (`workspace.is_interactive`), rules get what
`refresh` found last, and are asked again when it found something else. This module must never load SQLAlchemy before there is a
statement to build, nor raise because it is not installed.
"""

from __future__ import annotations

import ast
import weakref
from contextlib import closing
from typing import TYPE_CHECKING

from sqlalchemy_guard.project.bodies import rests_on_all
from sqlalchemy_guard.project.from_elements import may_stand_apart
from sqlalchemy_guard.project.statements import Statements
from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.sql.available import missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.answers import Rests
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.sql.models import Schema
    from sqlalchemy_guard.sql.queries import Executed
    from sqlalchemy_guard.sql.ways import Way

KEY = ("*unlinked", "")
"""The key of what rests on the last `refresh`."""
MOST_WAYS = 64
"""A function with more ways is not judged: one of those not seen may link what others do not."""
_WORDS = ("__tablename__", "__table__", "Table")
"""A file that says one of these may be a new part of the models."""
Question = tuple[str, str, str]


class Table(NamedTuple):
    """A FROM element.

    Attributes:
        name: As SQL names it.
        owner: The file and the qualified name of the class that is mapped to it; None for what is no table of a class.
    """

    name: str
    owner: tuple[str, str] | None


class Apart(NamedTuple):
    """Two FROM elements that nothing links, whichever way the statement is built."""

    one: Table
    other: Table


class _Asked:
    """An execution that a rule asked about.

    Attributes:
        fact: The execution.
        value: The statement that it executes.
        may: What the statement rests on, and whether it may have such tables; None before anybody looked.
    """

    __slots__ = ("fact", "file_id", "may", "value")

    def __init__(self, file_id: str, fact: CallFact, value: Value) -> None:
        self.file_id = file_id
        self.fact = fact
        self.value = value
        self.may: tuple[Rests, bool] | None = None


_ASKED: weakref.WeakKeyDictionary[Workspace, dict[int, _Asked]] = weakref.WeakKeyDictionary()
"""Each execution by the identity of its node; the entry keeps that alive, so that the number stays its own."""
_FOUND: weakref.WeakKeyDictionary[Workspace, dict[Question, Apart]] = weakref.WeakKeyDictionary()
_WAITING: weakref.WeakSet[Workspace] = weakref.WeakSet()


def is_waiting(workspace: Workspace) -> bool:
    """Whether something was asked for since the last `refresh`."""
    return workspace in _WAITING


def unlinked(workspace: Workspace, file: File, fact: CallFact, value: Value) -> Apart | None:
    """The tables that the statement of an execution reads from without a link, as far as that is known now.

    Args:
        workspace: Everything that is known.
        file: Where the execution is.
        fact: The execution.
        value: The statement that it executes.
    """
    if not workspace.is_interactive:
        if not _may_stand_apart(workspace, file, value) or missing() is not None:
            return None
        return _judged(workspace, file, fact, None)
    workspace.resolver.keys.add(KEY)
    asked = _ASKED.setdefault(workspace, {})
    kept = asked.get(id(fact.node))
    if kept is None or kept.fact is not fact:
        asked[id(fact.node)] = _Asked(file.file_id, fact, value)
        _WAITING.add(workspace)
    found = _FOUND.get(workspace)
    return found.get(_question(file.file_id, fact)) if found else None


def refresh(workspace: Workspace, poll: Callable[[], None] | None = None) -> bool:
    """Look again at what was asked for, for a front end in which somebody types: when nothing else is to do.

    Returns:
        Whether something else was found than last time, so that files must be checked again.
    """
    asked = _ASKED.get(workspace, {})
    found: dict[Question, Apart] = {}
    for number, each in list(asked.items()):
        if poll is not None:
            poll()
        file = workspace.file(each.file_id)
        if file is None or not each.fact.chunk.is_alive:
            # Whoever checks the new text asks anew.
            del asked[number]
            continue
        if not _may(workspace, file, each) or missing() is not None:
            continue
        apart = _judged(workspace, file, each.fact, poll)
        if apart is not None:
            found[_question(each.file_id, each.fact)] = apart
    _WAITING.discard(workspace)
    before, _FOUND[workspace] = _FOUND.get(workspace, {}), found
    if before == found:
        return False
    workspace.resolver.changed({KEY})
    return True


def _question(file_id: str, fact: CallFact) -> Question:
    """What stays the same of an execution while its function is edited."""
    return (file_id, fact.function.qualname if fact.function is not None else "", ast.unparse(fact.node))


def _may(workspace: Workspace, file: File, asked: _Asked) -> bool:
    """Whether a statement is worth to be built, looked at again only when something that this rests on changed."""
    resolver = workspace.resolver
    if asked.may is None or not resolver.holds(asked.may[0]):
        may, rests = resolver.recorded(lambda: _may_stand_apart(workspace, file, asked.value))
        if rests is None:
            return may
        asked.may = (rests, may)
    return asked.may[1]


def _may_stand_apart(workspace: Workspace, file: File, value: Value) -> bool:
    statements = Statements(workspace.resolver, workspace.mappings)
    forms = statements.of(value, file)
    return forms.complete and any(may_stand_apart(statements, form) for form in forms.statements)


def _judged(
    workspace: Workspace, file: File, fact: CallFact, poll: Callable[[], None] | None
) -> Apart | None:
    """Build the statement in every way, and look for two elements that are linked in none."""
    # Only where there is a statement to build: this loads SQLAlchemy.
    from sqlalchemy_guard.sql.models import rebuild
    from sqlalchemy_guard.sql.ways import ways

    schema = workspace.resolver.gathered("models", lambda: _models(workspace, rebuild(workspace, poll)))
    before = set(schema.evaluator.program.read)
    line = fact.node.lineno - 1 + fact.chunk.shift
    linked: set[frozenset[str]] = set()
    apart: dict[frozenset[str], Apart] = {}
    with closing(ways(workspace, file.file_id, line, poll)) as every:
        for number, way in enumerate(every, 1):
            if number > MOST_WAYS:
                apart.clear()
                break
            for one in _executed(way, fact):
                if not _look(one, way.schema, linked, apart):
                    linked.update(apart)
                    apart.clear()
                    break
            else:
                continue
            break
    _rest_on(workspace, {file_id for file_id, _ in schema.evaluator.program.read - before} | {file.file_id})
    return next((found for pair, found in apart.items() if pair not in linked), None)


def _models(workspace: Workspace, schema: Schema) -> Schema:
    for word in _WORDS:
        workspace.naming(word)
    _rest_on(workspace, {file_id for file_id, _ in schema.evaluator.program.read})
    return schema


def _rest_on(workspace: Workspace, file_ids: set[str]) -> None:
    for file_id in sorted(file_ids):
        file = workspace.file(file_id)
        if file is not None:
            rests_on_all(workspace.resolver, file)


def _executed(way: Way, fact: CallFact) -> list[Executed]:
    """The statements that a call executed on one way."""
    return [
        one
        for frame, node, one in way.queries.executed
        if one.terminal and node is fact.node and frame.module is way.module
    ]


def _look(
    executed: Executed,
    schema: Schema,
    linked: set[frozenset[str]],
    apart: dict[frozenset[str], Apart],
) -> bool:
    """Sort the pairs of elements of a statement; whether it is known well enough to be judged."""
    from sqlalchemy_guard.sql import natives, products

    if any(not mark.startswith(natives.ADDED) for mark in executed.marks):
        return False
    for statement in products.inner_statements(executed.statement):
        sources = products.sources_of(statement)
        if sources is None:
            return False
        for group in sources.groups:
            linked.update(
                frozenset((sources.names[one], sources.names[other])) for one in group for other in group
            )
        for pair in sources.apart():
            found = Apart(*(_table(sources.names[each], each, schema) for each in pair))
            apart.setdefault(frozenset((found.one.name, found.other.name)), found)
    return True


def _table(name: str, element: object, schema: Schema) -> Table:
    inner = element
    while (further := getattr(inner, "element", None)) is not None and id(inner) not in schema.owners:
        inner = further
    cls = schema.owners.get(id(inner))
    return Table(name, None if cls is None else (cls.module.file_id, cls.qualname))
