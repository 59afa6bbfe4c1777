"""Cartesian products: FROM elements of a built statement that nothing links, as SQLAlchemy's own FROM linter sees them.

The linter is followed where it finds all linked. Where it does not, what else holds elements together counts, too: a criterion that
mentions both in any way, a statement inside that does, and elements of which there is a single row at most. This module must never
judge a statement of which something is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy.sql import compiler, elements, functions, operators, selectable, visitors

from sqlalchemy_guard.records import NamedTuple
from sqlalchemy_guard.sql import ddl, natives

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Sources(NamedTuple):
    """What one statement reads from.

    Attributes:
        names: Each FROM element with the name that it has in SQL.
        groups: The elements that are linked with one another, all those of a single row left out.
    """

    names: dict[Any, str]
    groups: list[frozenset[Any]]

    def apart(self) -> list[tuple[Any, Any]]:
        """The pairs of elements that nothing links, those first between which a join is likely to be missing."""
        pairs = [
            (one, other)
            for number, group in enumerate(self.groups)
            for one in group
            for others in self.groups[number + 1 :]
            for other in others
        ]
        ordered = (tuple(sorted(pair, key=self.names.__getitem__)) for pair in pairs)
        return sorted(ordered, key=self._rank)

    def _rank(self, pair: tuple[Any, Any]) -> tuple[object, ...]:
        one, other = pair
        # What the code names comes before what a joined eager load adds, and neighbours by a foreign key before others.
        added = sum(isinstance(each, selectable.Alias) for each in pair)
        return added, not _is_related(one, other), self.names[one], self.names[other]


def sources_of(statement: Any) -> Sources | None:
    """The FROM elements of a statement, and how they hang together; None when no dialect takes it."""
    for name in ddl.DIALECTS:
        try:
            compiled = _compiled(statement, ddl.dialect_named(name))
        except natives.LIBRARY_ERRORS:
            continue
        linter: Any = getattr(compiled, "from_linter", None)
        state = getattr(compiled.compile_state, "statement", None)
        return None if linter is None else _sources(statement if state is None else state, linter)
    return None


def _compiled(statement: Any, dialect: Any) -> Any:
    return natives.quietly(
        lambda: dialect.statement_compiler(dialect, statement, linting=compiler.COLLECT_CARTESIAN_PRODUCTS)
    )


def _sources(statement: Any, linter: Any) -> Sources:
    names: dict[Any, str] = {one: str(name) for one, name in linter.froms.items()}
    terms = list(_terms(statement))
    links = [*({*edge} for edge in linter.edges), *(set(_elements_in(term, names)) for term in terms)]
    many = {one for one in names if not _is_single(one, terms)}
    groups: list[set[Any]] = [{one} for one in names]
    for link in links:
        touched = [group for group in groups if group & link]
        groups = [group for group in groups if not group & link]
        if touched:
            groups.append(set().union(*touched))
    left = [frozenset(group & many) for group in groups]
    return Sources(names, [group for group in left if group])


def _is_related(one: Any, other: Any) -> bool:
    """Whether a foreign key of one of two elements refers to the other."""
    try:
        return any(
            hash(key.column.table) == hash(there)
            for here, there in ((one, other), (other, one))
            for key in getattr(here, "foreign_keys", ())
        )
    except sqlalchemy.exc.SQLAlchemyError:
        # A key whose target was not understood.
        return False


def _terms(statement: Any) -> Iterator[Any]:
    """The criteria of a statement that hold all at once."""
    todo = list(getattr(statement, "_where_criteria", ()))
    while todo:
        one = todo.pop()
        if isinstance(one, elements.BooleanClauseList) and one.operator is operators.and_:
            todo.extend(one.clauses)
        elif isinstance(one, elements.Grouping):
            todo.append(one.element)
        else:
            yield one


def _elements_in(term: Any, names: Iterable[Any]) -> Iterator[Any]:
    """The FROM elements whose columns a criterion mentions, in statements inside of it, too."""
    # Annotated elements have the hash of what they annotate; comparing them would make SQL.
    known = {hash(one): one for one in names}
    for part in visitors.iterate(term):
        table: Any = getattr(part, "table", None)
        if isinstance(table, selectable.FromClause):
            original = table._de_clone() if isinstance(table, selectable.AliasedReturnsRows) else table  # type: ignore[no-untyped-call]
            yield from {known[hash(one)] for one in (table, original) if hash(one) in known}


def _is_single(element: Any, terms: list[Any]) -> bool:
    """Whether there is one row of an element at most, or one for each row of the others."""
    if isinstance(
        element,
        (selectable.TableValuedAlias, selectable.Values, selectable.Lateral, functions.FunctionElement),
    ):
        return True
    if isinstance(element, (selectable.Subquery, selectable.CTE, selectable.Alias)):
        inner = element.element
        if isinstance(inner, functions.FunctionElement):
            return True
        if isinstance(inner, sqlalchemy.Select) and _is_one_row(inner):
            return True
    given = {
        column
        for term in terms
        if isinstance(term, elements.BinaryExpression) and term.operator is operators.eq
        for column, other in ((term.left, term.right), (term.right, term.left))
        if isinstance(other, (elements.BindParameter, elements.Null, selectable.ScalarSelect))
    }
    keys = {getattr(one, "key", None) for one in given if hash(getattr(one, "table", None)) == hash(element)}
    return bool(keys) and any(key and key <= keys for key in _unique_keys(element))


def _is_one_row(statement: sqlalchemy.Select[Any]) -> bool:
    """Whether a SELECT gives a single row: aggregates alone, or LIMIT 1."""
    limit = statement._limit_clause
    if isinstance(limit, elements.BindParameter) and limit.value == 1:
        return True
    columns = list(statement.selected_columns)
    return not statement._group_by_clauses and bool(columns) and all(map(_is_aggregate, columns))


_AGGREGATES = frozenset(
    "count sum min max avg array_agg json_agg jsonb_agg string_agg bool_or bool_and every group_concat".split()
)


def _is_aggregate(column: Any) -> bool:
    found = False
    for part in visitors.iterate(column):
        if isinstance(part, functions.FunctionElement) and getattr(part, "name", "") in _AGGREGATES:
            found = True
        if isinstance(part, elements.Over):
            return False
    return found


def _unique_keys(element: Any) -> Iterator[set[str]]:
    """The sets of columns that are unique in an element."""
    table = element.element if isinstance(element, selectable.Alias) else element
    if not isinstance(table, sqlalchemy.Table):
        return
    yield {column.key for column in table.primary_key.columns}
    for column in table.columns:
        if column.unique:
            yield {column.key}
    for constraint in table.constraints:
        if isinstance(constraint, sqlalchemy.UniqueConstraint):
            yield {column.key for column in constraint.columns}
    for index in table.indexes:
        is_partial = any(
            index.dialect_options[name].get("where") is not None for name in ("postgresql", "sqlite")
        )
        if index.unique and not is_partial:
            yield {column.key for column in index.columns if column is not None}


def inner_statements(statement: Any) -> Iterator[Any]:
    """A statement, and those that it reads from as subqueries and common table expressions."""
    yield statement
    seen: set[int] = set()
    todo = (
        list(getattr(statement, "get_final_froms", tuple)())
        if isinstance(statement, sqlalchemy.Select)
        else []
    )
    while todo:
        one = todo.pop()
        if isinstance(one, selectable.Join):
            todo += [one.left, one.right]
        elif isinstance(one, (selectable.Subquery, selectable.CTE)) and id(one) not in seen:
            seen.add(id(one))
            inner = one.element
            if isinstance(inner, sqlalchemy.Select):
                yield inner
                todo += inner.get_final_froms()
