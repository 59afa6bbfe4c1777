"""What a statement reads from, and whether something links it, as far as its parts tell without building it.

An upper bound: what may link counts as a link. Whoever wants to know for sure builds the statement, which only those are worth
for which this module says that tables may stand side by side. It must never say so of a statement that has a single one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import (
    Attr,
    Call,
    Either,
    Item,
    Operation,
    Ref,
    Sequence,
    Star,
    Typed,
    Value,
)
from sqlalchemy_guard.project.keyed_queries import parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.query import ModelInfo
    from sqlalchemy_guard.project.resolve import SourceFile
    from sqlalchemy_guard.project.statements import Statement, Statements

Element = object
"""A mapped class by its identity, anything else that is read from by its value."""

_NEUTRAL = frozenset(
    """
    order_by group_by having limit offset fetch slice distinct options execution_options with_for_update prefix_with suffix_with
    with_hint with_statement_hint correlate correlate_except populate_existing enable_eagerloads autoflush yield_per values
    returning params with_labels set_label_style add_columns add_entity add_column column with_entities with_only_columns
    filter_by reset_joinpoint cte [] count with_session enable_assertions unique
    """.split()
)
"""Steps that bring no table beside what is selected, and link none."""
_CRITERIA = frozenset(("where", "filter"))
_JOINS = frozenset(("join", "outerjoin", "join_from", "outerjoin_from"))
_NESTED = frozenset("select exists query scalar_subquery as_scalar union union_all intersect except_".split())
"""Calls that hold statements of their own: what these read is not read by the one around, but may be linked there."""
_COMPARING = frozenset(("any", "has", "in_", "not_in", "notin_"))
"""Methods that compare with such a statement."""
_TABLES = frozenset(
    "Table table aliased alias with_polymorphic subquery cte lateral table_valued values".split()
)
"""Calls that give something to read from."""
_RESULTS = frozenset(
    "execute scalars scalar all first one one_or_none scalar_one scalar_one_or_none get count".split()
)
"""Calls whose result is a value, whatever statement it comes from."""
_SPLIT = ("and_", "BitAnd", "And")
_DEPTH = 30


def may_stand_apart(statements: Statements, form: Statement) -> bool:
    """Whether a statement may read from two tables that nothing links.

    Args:
        statements: Who follows names.
        form: One form of a statement.
    """
    reader = _Reader(statements)
    for value, file in form.entities:
        reader.add(value, file)
    if form.kind in ("update", "delete") and form.selected:
        reader.add(*form.selected[0])
    for step in form.steps:
        args = step.call.args
        if any(type(arg) is Star for arg in args):
            return False
        if step.name in _CRITERIA:
            if any(_is_sql(arg) for arg in args):
                return False
            for arg in args:
                reader.criterion(arg, step.file)
        elif step.name in _JOINS:
            on = step.call.keyword("onclause")
            reader.join(args if on is None else (*args, on), step.file)
        elif step.name == "select_from":
            for arg in args:
                reader.source(arg, step.file)
        elif step.name not in _NEUTRAL:
            return False
    return reader.apart() >= 2


def _is_sql(value: Value) -> bool:
    """Whether a criterion holds SQL as text, which may name any table."""
    return any(type(part) is Call and _last(part.func) in ("literal_column", "text") for part in parts(value))


class _Reader:
    """Collects the tables of one statement, and what links them."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._groups: list[set[Element]] = []
        self._joined = 0

    def apart(self) -> int:
        """The least number of groups of tables that nothing links."""
        return len(self._groups) - self._joined

    def add(self, value: Value, file: SourceFile) -> None:
        """An expression is selected: each table in it is read, and linked to none."""
        for element in self._mentioned(value, file, False, 0):
            self._join({element})

    def criterion(self, value: Value, file: SourceFile) -> None:
        """A criterion is added: what is mentioned together counts as linked, what `and` holds apart does not."""
        if type(value) is Operation and value.name in _SPLIT:
            for operand in value.operands:
                self.criterion(operand, file)
            return
        if type(value) is Call and _last(value.func) in _SPLIT:
            for arg in value.args:
                self.criterion(arg, file)
            return
        self.add(value, file)
        self.link([value], file)

    def join(self, args: tuple[Value, ...], file: SourceFile) -> None:
        """A table is joined: to what the ON clause or `join_from()` names, else to something that only the models tell."""
        if len(args) > 1:
            for arg in args:
                self.add(arg, file)
            self.link(args, file)
            return
        for arg in args:
            self.add(arg, file)
        target = self._target(args[0], file) if args else None
        if target is None:
            self._joined += 1
        else:
            self._join(target)

    def _target(self, value: Value, file: SourceFile) -> set[Element] | None:
        """Both ends of a relationship that is joined along."""
        model = self._statements.model(value.base, file) if isinstance(value, Attr) else None
        if model is None or not isinstance(value, Attr):
            return None
        relationship = model.relationships.get(value.name)
        target = relationship.target if relationship is not None else None
        return None if target is None else {self._root(target), *self._named(value.base, file)}

    def source(self, value: Value, file: SourceFile) -> None:
        """`select_from(…)`: what stands in one argument is a table, or a join of several."""
        self.add(value, file)
        self.link([value], file)

    def link(self, values: list[Value] | tuple[Value, ...], file: SourceFile) -> None:
        """Everything that these mention is linked, as far as the statement reads it."""
        mentioned = {element for value in values for element in self._mentioned(value, file, True, 0)}
        known = {element for group in self._groups for element in group}
        if mentioned & known:
            self._join(mentioned & known)

    def _join(self, elements: set[Element]) -> None:
        touched = [group for group in self._groups if group & elements]
        self._groups = [group for group in self._groups if not group & elements]
        self._groups.append(set().union(elements, *touched))

    def _mentioned(self, value: Value, file: SourceFile, nested: bool, depth: int) -> Iterator[Element]:
        """The tables that an expression names, those of statements inside of it only when asked for."""
        if depth > _DEPTH:
            return
        kind = type(value)
        inner: tuple[Value, ...] = ()
        if kind is Call:
            assert isinstance(value, Call)
            last = _last(value.func)
            own = (value.func.base,) if isinstance(value.func, Attr) else ()
            inner = (*own, *value.args, *(each for _, each in value.keywords))
            if own and _last(own[0]) == "func":
                inner = value.args
            elif last in _TABLES:
                yield value
                return
            elif last in _RESULTS or (last in _NESTED and not nested):
                return
            elif last in _COMPARING and not nested:
                inner = own
        elif kind is Attr:
            assert isinstance(value, Attr)
            if value.name in ("c", "columns", "__table__"):
                yield from self._named(value.base, file)
                return
            for one in (value, value.base):
                if self._statements.model(one, file) is not None:
                    yield from self._named(one, file)
                    return
            inner = (value.base,)
        elif kind is Ref:
            found, home = self._statements.resolver.definition_of(value, file)
            if type(found) is Ref or self._statements.model(value, file) is not None:
                yield from self._named(value, file)
            else:
                yield from self._mentioned(found, home, nested, depth + 1)
            return
        elif isinstance(value, Operation):
            inner = value.operands
        elif isinstance(value, Sequence):
            inner = value.items
        elif isinstance(value, Either):
            inner = value.options
        elif isinstance(value, Typed):
            inner = (value.value,)
        elif isinstance(value, Item):
            inner = (value.base,)
        else:
            model = self._statements.model(value, file)
            if model is not None:
                yield from self._named(value, file)
            return
        for one in inner:
            yield from self._mentioned(one, file, nested, depth + 1)

    def _named(self, value: Value, file: SourceFile) -> Iterator[Element]:
        """What a name, or an expression that stands for a table, is."""
        found, home = self._statements.resolver.definition_of(value, file)
        if type(found) is Call:
            yield found
            return
        model = self._statements.model(found, home) or self._statements.model(value, file)
        if model is not None:
            yield self._root(model)

    def _root(self, model: ModelInfo) -> str:
        """The class at the top of an inheritance, with whose table those of the others are linked, or shared."""
        identity, parent = model.identity, model.parent
        for _ in range(_DEPTH):
            if parent is None:
                break
            identity = parent
            file_id, _, qualname = parent.rpartition(":")
            above = self._statements.mappings.model((file_id, qualname))
            parent = above.parent if above is not None else None
        return identity


def _last(func: Value) -> str:
    return func.name if isinstance(func, (Attr, Ref)) else ""
