"""Where statements are executed, and the legacy `Query`, for the preview: sessions are unknown objects that are given SQL.

Nothing is executed: what a terminal would execute is remembered. This module must never build SQL that the code does not say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import orm
from sqlalchemy.sql import dml, selectable

from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.sql import natives
from sqlalchemy_guard.sql.natives import NativeHost, Unknown, call_library, convert
from sqlalchemy_guard.sql.values import MISSING, Class, Native, Opaque, Spread, Value

if TYPE_CHECKING:
    import ast

    from sqlalchemy_guard.sql.evaluator import Evaluator
    from sqlalchemy_guard.sql.scopes import Frame

EXECUTING = frozenset({"execute", "scalars", "scalar", "stream", "stream_scalars", "exec", "paginate"})
_TERMINALS = frozenset(
    """
    all first one one_or_none scalar scalars count get get_or_404 first_or_404 one_or_404 update delete paginate
    yield_per __iter__ exists_
    """.split()
)
_GENERATIVE = frozenset(
    """
    filter filter_by join outerjoin order_by group_by having limit offset slice distinct options with_entities add_columns
    add_entity add_column select_from from_self union union_all intersect except_ correlate enable_eagerloads execution_options
    with_for_update populate_existing autoflush prefix_with suffix_with where select_entity_from with_labels reset_joinpoint
    enable_assertions params with_session
    """.split()
)
_BUILDING = _GENERATIVE | {
    "select",
    "insert",
    "update",
    "delete",
    "union",
    "with_only_columns",
    "values",
    "returning",
}
_STATEMENTS = (selectable.SelectBase, dml.UpdateBase, sqlalchemy.TextClause)


class Executed(NamedTuple):
    """A statement with how it is executed.

    Attributes:
        statement: A statement of SQLAlchemy.
        terminal: The method that executes it; "" while it is only built.
        marks: What is not known of it, and what loaders add.
    """

    statement: Any
    terminal: str
    marks: frozenset[str]


class Query(NativeHost):
    """A legacy `Query`."""

    def __init__(self, queries: Queries, native: Any, marks: frozenset[str]) -> None:
        self._queries = queries
        self.native = native
        self.marks = marks
        queries.evaluator.mark(native, marks)

    def get(self, name: str) -> Value:
        """A method that goes on, one that executes, or a part of SQL."""
        if name in _GENERATIVE:
            return Native(name, lambda _, args, keywords: self._next(name, args, keywords))
        if name in _TERMINALS:
            return Native(name, lambda _, args, keywords: self._end(name, args, keywords))
        if name in ("subquery", "cte", "exists", "scalar_subquery", "as_scalar", "label"):
            return Native(name, lambda _, args, keywords: self._part(name, args, keywords))
        if name in ("statement", "selectable"):
            return self.statement
        return Opaque(f"query.{name}")

    @property
    def statement(self) -> Value:
        """The SELECT behind it."""
        made = call_library(self._queries.evaluator, "query.statement", lambda: self.native.statement)
        if not isinstance(made, Opaque):
            self._queries.evaluator.mark(made, self.marks)
        return made

    def items(self) -> Any:
        """A loop over it executes it."""
        self._queries.execute(self.statement, "all")

    def item(self, key: Value) -> Value:
        """`query[a]` executes it, too."""
        self._queries.execute(self.statement, "all")
        return Opaque("query[…]")

    def _next(self, name: str, args: list[Value], keywords: dict[str, Value]) -> Value:
        evaluator = self._queries.evaluator
        if name in ("with_labels", "with_session", "enable_assertions", "reset_joinpoint"):
            return self
        if not hasattr(self.native, name):
            return Opaque(f"query.{name}()")
        made = natives.call_made(evaluator, name, getattr(self.native, name), self.native, args, keywords)
        if isinstance(made, Opaque):
            return made
        return Query(self._queries, made, evaluator.marks_of(made) | self.marks)

    def _part(self, name: str, args: list[Value], keywords: dict[str, Value]) -> Value:
        return natives.call_made(
            self._queries.evaluator, name, getattr(self.native, name), self.native, args, keywords
        )

    def _end(self, name: str, args: list[Value], keywords: dict[str, Value]) -> Value:
        statement = call_library(
            self._queries.evaluator, f"query.{name}()", lambda: self._statement_of(name, args)
        )
        marks = self.marks
        if any(isinstance(arg, Spread) for arg in args):
            marks |= {"*"}
        if not isinstance(statement, Opaque):
            self._queries.evaluator.mark(statement, marks)
            self._queries.execute(statement, name)
        return Opaque(name)

    def _statement_of(self, name: str, args: list[Value]) -> Any:
        """What a terminal executes."""
        evaluator = self._queries.evaluator
        if name in ("first", "first_or_404"):
            return self.native.limit(sqlalchemy.literal_column("1")).statement
        if name == "count":
            inner = self.native.subquery()
            return sqlalchemy.select(sqlalchemy.func.count(sqlalchemy.literal_column("*"))).select_from(inner)
        if name in ("get", "get_or_404"):
            return self.native.filter(_has_key(self._mapper(), args)).statement
        if name in ("update", "delete"):
            where = self.native.whereclause
            entity = self._mapper().class_
            made: Any = sqlalchemy.delete(entity)
            if name == "update":
                values = convert(evaluator, args[0], True) if args and isinstance(args[0], dict) else {}
                made = sqlalchemy.update(entity).values(values)
            return made if where is None else made.where(where)
        return self.native.statement

    def _mapper(self) -> Any:
        entity = self.native.column_descriptions[0]["entity"]
        if entity is None:
            raise Unknown("entity")
        return sqlalchemy.inspect(entity).mapper


class Queries:
    """What is executed while a function runs.

    Args:
        evaluator: Where it runs.

    Attributes:
        broken: The calls that should have given a statement and were given what is not known.
        executed: For each call in the source what it executes or builds, in order: frame, call, statement.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.executed: list[tuple[Frame, ast.Call, Executed]] = []
        self.broken: list[tuple[Frame, ast.Call]] = []

    def install(self) -> None:
        """Answer the evaluator's calls of unknown objects."""
        self.evaluator.unknown_call = self.unknown_call
        self.evaluator.watch = self.watch

    def watch(self, frame: Frame, node: ast.Call, result: Value) -> None:
        """A call gave something: a statement that is built is remembered."""
        if isinstance(result, Query):
            result = result.statement
        elif isinstance(result, Opaque) and result.dotted.removesuffix("()") in _BUILDING:
            self.broken.append((frame, node))
        if isinstance(result, _STATEMENTS) and not isinstance(
            result, (selectable.ScalarSelect, sqlalchemy.CTE)
        ):
            self.executed.append((frame, node, Executed(result, "", self.evaluator.marks_of(result))))

    def execute(self, statement: Value, terminal: str) -> None:
        """The call that is being made executes a statement."""
        if self.evaluator.calling is not None and isinstance(statement, _STATEMENTS):
            marks = self.evaluator.marks_of(statement)
            self.executed.append((*self.evaluator.calling, Executed(statement, terminal, marks)))

    def unknown_call(self, callee: Opaque, args: list[Value], keywords: dict[str, Value]) -> Value:
        """A call of something unknown that is given SQL: a session."""
        name = callee.name.rpartition(".")[2]
        if name == "query" and args and "." in callee.name:
            return self._query(args)
        if name in EXECUTING and args:
            statement = args[0].statement if isinstance(args[0], Query) else args[0]
            if isinstance(statement, _STATEMENTS):
                self.execute(statement, name)
            return MISSING
        if name in ("get", "get_one") and len(args) > 1 and isinstance(args[0], Class):
            native = args[0].native
            if isinstance(native, type) and hasattr(native, "__mapper__"):
                made = call_library(
                    self.evaluator,
                    "get()",
                    lambda: sqlalchemy.select(native).where(_has_key(native.__mapper__, args[1:])),
                )
                self.execute(made, "get")
        return MISSING

    def _query(self, args: list[Value]) -> Value:
        made = call_library(
            self.evaluator,
            "query()",
            lambda: orm.Query(
                [convert(self.evaluator, arg, False) for arg in args if not isinstance(arg, Spread)]
            ),
        )
        if isinstance(made, Opaque):
            return made
        marks = {f"*{arg.name}" for arg in args if isinstance(arg, Spread)}
        for arg in args:
            marks |= self.evaluator.marks_of(arg)
        return Query(self, made, frozenset(marks))

    def of_class(self, cls: Class) -> Value:
        """`Model.query`."""
        return self._query([cls])


def _has_key(mapper: Any, args: list[Value]) -> Any:
    """The criterion that a row has a primary key."""
    keys = list(mapper.primary_key)
    given = (
        list(args[0])
        if args and isinstance(args[0], tuple) and len(args[0]) == len(keys)
        else args[:1] * len(keys)
    )
    criteria = []
    for column, value in zip(keys, given, strict=True):
        operand = (
            value if isinstance(value, (str, int)) else natives.parameter(getattr(value, "name", column.name))
        )
        criteria.append(column == operand)
    return sqlalchemy.and_(*criteria)
