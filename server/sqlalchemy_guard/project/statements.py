"""Statements as they are built: where a `select()`, `update()`, `delete()` or `Query` begins and what is called on it.

A statement is followed through variables, branches, functions that return it and other files, to all the forms that it may
have. What cannot be followed makes the answer incomplete. This module must never judge a statement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Attr, Await, Call, Const, Either, Item, Operation, Typed, Value
from sqlalchemy_guard.project.calls import library_name
from sqlalchemy_guard.project.stubs import QUERY
from sqlalchemy_guard.project.types import ClassType, FunctionType, Instance, known
from sqlalchemy_guard.records import NamedTuple, dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import CallFact
    from sqlalchemy_guard.facts.query import ModelInfo
    from sqlalchemy_guard.project.mapping import Mappings
    from sqlalchemy_guard.project.resolve import Resolver, SourceFile
    from sqlalchemy_guard.project.workspace import File

_SOURCES = {
    "sqlalchemy.select": "select",
    "sqlalchemy.update": "update",
    "sqlalchemy.delete": "delete",
    "sqlalchemy.Table.select": "select",
    "sqlalchemy.Table.update": "update",
    "sqlalchemy.Table.delete": "delete",
    "sqlalchemy.orm.Session.query": "query",
}
_RESELECTING = frozenset(("with_only_columns", "with_entities"))
_ADDING = frozenset(("add_columns", "add_entity", "column", "add_column"))
_DEPTH = 60
_FORMS = 24


class Step(NamedTuple):
    """One call on a statement, and the file that it stands in."""

    name: str
    call: Call
    file: SourceFile


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """One form of a statement.

    Attributes:
        kind: select, query, update or delete.
        source: Where it begins: `select(…)`, `session.query(…)`, `Model.query`.
        file: The file of the source.
        selected: The expressions that it was begun with.
        steps: What was called on it, in order; a slice of a `Query` is a step `[]` without a call of its own.
        likely: Whether its session was concluded from a name.
    """

    kind: str
    source: Value
    file: SourceFile
    selected: tuple[tuple[Value, SourceFile], ...]
    steps: tuple[Step, ...] = ()
    likely: bool = False

    def calls(self, *names: str) -> Iterator[Step]:
        """The steps of these names."""
        return (step for step in self.steps if step.name in names)

    def has(self, *names: str) -> bool:
        """Whether there is a step of one of these names."""
        return next(self.calls(*names), None) is not None

    @property
    def entities(self) -> tuple[tuple[Value, SourceFile], ...]:
        """What its rows hold in the end, each with its file."""
        found = self.selected
        for step in self.steps:
            if step.name in _RESELECTING:
                found = tuple((arg, step.file) for arg in step.call.args)
            elif step.name in _ADDING:
                found += tuple((arg, step.file) for arg in step.call.args)
        return found

    @property
    def is_ordered(self) -> bool:
        """Whether an ORDER BY is in force at the end."""
        ordered = False
        for step in self.calls("order_by"):
            ordered = not (len(step.call.args) == 1 and step.call.args[0] == Const(None))
        return ordered


class Forms(NamedTuple):
    """The forms that a statement may have; `complete` is whether there are no others."""

    statements: tuple[Statement, ...]
    complete: bool


_NOTHING = Forms((), False)


class Execution(NamedTuple):
    """A statement that is executed: the call, its name, what is executed and what is called on the result."""

    call: Call
    name: str
    statement: Value
    links: tuple[str, ...]
    file: SourceFile
    likely: bool


class Statements:
    """Follows statements.

    Args:
        resolver: Types of values.
        mappings: The mapped classes.
    """

    def __init__(self, resolver: Resolver, mappings: Mappings) -> None:
        self.resolver = resolver
        self.mappings = mappings

    def of(self, value: Value, file: SourceFile) -> Forms:
        """The forms of the statement that a value is."""
        return self._trace(value, file, 0)

    def _trace(self, value: Value, file: SourceFile, depth: int) -> Forms:
        if depth > _DEPTH:
            return _NOTHING
        value, file = self.resolver.definition_of(value, file)
        if type(value) is Typed:
            return self._trace(value.value, file, depth + 1)
        if type(value) is Either:
            return self._joined([self._trace(option, file, depth + 1) for option in value.options])
        if type(value) is Await:
            return self._trace(value.base, file, depth + 1)
        if type(value) is Call:
            return self._call(value, file, depth)
        if type(value) is Attr:
            return self._registry(value, file)
        if type(value) is Item and type(value.index) is Operation:
            forms = self._trace(value.base, file, depth + 1)
            return _extended(forms, Step("[]", Call(value, (value.index,), ()), file))
        return _NOTHING

    def _joined(self, found: list[Forms]) -> Forms:
        statements = tuple(dict.fromkeys(one for forms in found for one in forms.statements))
        if len(statements) > _FORMS:
            return Forms(statements[:_FORMS], complete=False)
        return Forms(statements, all(forms.complete for forms in found))

    def _call(self, value: Call, file: SourceFile, depth: int) -> Forms:
        for option in known(self.resolver.type_of(value.func, file)):
            if isinstance(option, FunctionType):
                return self._returned(option, depth)
            named = library_name(self.resolver, option)
            kind = _SOURCES.get(named[0]) if named is not None else None
            if named is not None and kind is not None:
                owner = named[1]
                likely = isinstance(owner, Instance) and owner.likely
                selected = tuple((arg, file) for arg in value.args)
                if named[0].startswith("sqlalchemy.Table.") and type(value.func) is Attr:
                    selected = ((value.func.base, file),)
                return Forms((Statement(kind, value, file, selected, (), likely),), complete=True)
        if type(value.func) is Attr:
            return _extended(
                self._trace(value.func.base, file, depth + 1), Step(value.func.name, value, file)
            )
        return _NOTHING

    def _returned(self, function: FunctionType, depth: int) -> Forms:
        file = self.resolver.sources.file(function.file_id)
        facts = file.facts.function(function.qualname) if file is not None else None
        if facts is None or file is None or facts.returned is None or facts.yielded is not None:
            return _NOTHING
        self.resolver.keys.add((function.file_id, function.qualname))
        return self._trace(facts.returned, file, depth + 1)

    def _registry(self, value: Attr, file: SourceFile) -> Forms:
        """`Model.query`"""
        if value.name != "query":
            return _NOTHING
        is_class = any(
            isinstance(option, ClassType) for option in known(self.resolver.type_of(value.base, file))
        )
        is_query = any(
            isinstance(option, Instance) and (option.ref == QUERY or option.ref == "flask_sqlalchemy.Query")
            for option in known(self.resolver.type_of(value, file))
        )
        if not is_class or not is_query:
            return _NOTHING
        return Forms((Statement("query", value, file, ((value.base, file),)),), complete=True)

    # -- what it is about ------------------------------------------------------------------------------------------

    def model(self, value: Value, file: SourceFile) -> ModelInfo | None:
        """The mapped class that an expression names, or that it is an alias of."""
        for option in known(self.resolver.type_of(value, file)):
            if isinstance(option, ClassType):
                return self.mappings.model(option.ref)
        return None

    def execution(self, value: Value, file: SourceFile) -> Execution | None:
        """The execution that a result comes from."""
        links: list[str] = []
        for _ in range(12):
            value, file = self.resolver.definition_of(value, file)
            if type(value) is Await:
                value = value.base
                continue
            if type(value) is not Call:
                return None
            for option in known(self.resolver.type_of(value.func, file)):
                named = library_name(self.resolver, option)
                if named is None or named[0].rpartition(".")[2] not in EXECUTING:
                    continue
                if not named[0].startswith(_EXECUTORS):
                    continue
                statement = value.args[0] if value.args else value.keyword("statement")
                if statement is not None:
                    likely = isinstance(named[1], Instance) and named[1].likely
                    return Execution(value, named[0], statement, tuple(reversed(links)), file, likely)
            if type(value.func) is not Attr:
                return None
            links.append(value.func.name)
            value = value.func.base
        return None


EXECUTING = frozenset(("execute", "scalars", "scalar", "exec", "stream", "stream_scalars"))
_EXECUTORS = (
    "sqlalchemy.orm.Session.",
    "sqlalchemy.ext.asyncio.AsyncSession.",
    "sqlalchemy.Connection.",
    "sqlalchemy.ext.asyncio.AsyncConnection.",
)
EXECUTIONS = tuple(
    f"{owner}{method}"
    for owner in _EXECUTORS
    for method in ("execute", "scalars", "scalar", "exec", "stream", "stream_scalars")
)
"""Canonical names of the calls that execute a statement."""


def _extended(forms: Forms, step: Step) -> Forms:
    return Forms(
        tuple(
            Statement(one.kind, one.source, one.file, one.selected, (*one.steps, step), one.likely)
            for one in forms.statements
        ),
        forms.complete,
    )


def fact_of(file: File, call: Value) -> CallFact | None:
    """Where a call stands in a file."""
    for unit in file.facts.units():
        for fact in unit.calls:
            if fact.value is call:
                return fact
    for unit in file.facts.units():
        for fact in unit.calls:
            if fact.value == call:
                return fact
    return None
